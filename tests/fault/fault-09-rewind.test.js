/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 9: the source goes back and sends again what it has sent, as a cluster does that lost a
 * shard. Nothing is lost; what comes again is delivered again, or left out where the rule says
 * on_repeat = "skip"; it is counted, and the log and `tailrace status` say so. What is read again
 * on purpose does not count.
 */
'use strict';

const test = require('./lib/fault')(9);
const assert = require('node:assert');
const { startScripted } = require('./lib/scripted');
const { follow } = require('./lib/stage');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const COUNT = 10;
const AGAIN = /sends again what it has sent/;

/* A daemon that follows; `rewind` ends its feed, and the next is served from the start. */
async function live(t, rule) {
    const sc = await startScripted([], { couch: { dbs: { db: rows(COUNT) } } });
    atEnd(t, () => sc.close());
    const stage = follow(t, sc.url, { source: { heartbeat: '1s' }, rule });
    await stage.untilLog({ msg: 'following' });
    await stage.untilIds([`doc-${COUNT}`]);
    const rewind = () => {
        const db = sc.couch.db('db');
        const position = db.position.bind(db);
        let left = 1;
        /* Once: a position of this database is taken, as CouchDB takes it, and means the start. */
        db.position = (since) => (/^\d+-/.test(since) && left-- > 0 ? 0 : position(since));
        sc.dropAll();
    };
    return { sc, stage, rewind };
}

const ruleOf = async (stage) => (await stage.json('status')).rules[0];

test('what comes again is delivered again, counted and warned of', async (t) => {
    const { sc, stage, rewind } = await live(t);
    rewind();
    await stage.until(() => stage.rows().length >= 2 * COUNT, 'all of it again');
    sc.couch.db('db').append(row(COUNT + 1));
    await stage.untilIds([`doc-${COUNT + 1}`]);
    const want = rows(COUNT).map((r) => r.id);
    assert.deepEqual(stage.ids(), [...want, ...want, `doc-${COUNT + 1}`], stage.story('rows'));
    assert.equal((await ruleOf(stage)).repeated, COUNT);
    assert.equal(stage.logs({ msg: AGAIN, level: 'warn' }).length, 1, stage.story('the warning'));
    assert.match((await stage.command('status')).stdout, /10 changes came that had come before/);
    test.saw(t, `${COUNT} rows came again: delivered, counted, one warning`);
    await stage.end();
});

test('with on_repeat = "skip" it is left out, and what is new is not', async (t) => {
    const { sc, stage, rewind } = await live(t, { on_repeat: 'skip' });
    sc.couch.db('db').rows.push(row(COUNT + 1)); /* not told to the feed that ends */
    rewind();
    await stage.untilIds([`doc-${COUNT + 1}`]);
    await stage.until(async () => (await ruleOf(stage)).repeated === COUNT, 'all were counted');
    assert.deepEqual(
        stage.ids(),
        rows(COUNT + 1).map((r) => r.id),
        stage.story('repeated or lost'),
    );
    await stage.end();
    assert.match(String(await stage.checkpoint()), new RegExp(`^${COUNT + 1}-`));
    test.saw(t, `${COUNT} rows came again: left out`);
});

test('another revision and a deletion of a known document are no repeats', async (t) => {
    const { sc, stage } = await live(t, { on_repeat: 'skip' });
    const [first] = rows(1);
    const next = { ...first, changes: [{ rev: '2-b' }], doc: { ...first.doc, _rev: '2-b' } };
    const gone = { ...first, changes: [{ rev: '3-c' }], deleted: true, doc: undefined };
    sc.couch.db('db').append(next, gone);
    await stage.until(() => stage.rows().length === COUNT + 2, 'both');
    assert.equal((await ruleOf(stage)).repeated, 0);
    await stage.end();
});

test('connections that break, and a start anew, are no repeats', async (t) => {
    const { sc, stage } = await live(t, { on_repeat: 'skip' });
    for (let n = COUNT + 1; n <= COUNT + 5; n++) {
        sc.dropAll();
        sc.couch.db('db').append(row(n));
        await stage.untilIds([`doc-${n}`]);
    }
    assert.equal((await ruleOf(stage)).repeated, 0);
    const asked = await stage.command('backfill', 'rule');
    assert.equal(asked.code, 0, asked.stderr);
    await stage.until(() => stage.rows().length === 2 * (COUNT + 5), 'all from the beginning');
    assert.equal((await ruleOf(stage)).repeated, 0);
    await stage.end();
});
