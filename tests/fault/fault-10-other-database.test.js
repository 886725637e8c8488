/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 10: a database is deleted, or deleted and created again, in the middle of a feed or
 * while nobody was there. The new one is another stream, read from its start although its server
 * would take the old position; a feed that ends, or a 404 once, is no deletion.
 */
'use strict';

const test = require('./lib/fault')(10);
const assert = require('node:assert');
const { startScripted, on } = require('./lib/scripted');
const { follow } = require('./lib/stage');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const names = (n, prefix) => rows(n, (i) => ({ id: `${prefix}-${i}` }));
const idsOf = (list) => list.map((r) => r.id);
const SOURCE = { heartbeat: '300ms', discover_interval: '100ms' };

async function live(t, dbs = { db: names(5, 'old') }, script = []) {
    const sc = await startScripted(script, { couch: { dbs } });
    atEnd(t, () => sc.close());
    const stage = follow(t, sc.url, { source: SOURCE, databases: Object.keys(dbs) });
    await stage.untilIds(Object.values(dbs).flatMap(idsOf));
    for (const db of Object.keys(dbs)) await stage.untilLog({ msg: 'following', db });
    return { sc, stage };
}

test('made again in the middle of a live feed: read from its start', async (t) => {
    const { sc, stage } = await live(t);
    const fresh = [...names(2, 'old'), ...names(3, 'new')];
    sc.couch.recreate('db', fresh);
    await stage.until(() => stage.rows().length >= 10, 'all of the new one');
    sc.couch.db('db').append(row(9, { id: 'live' }));
    await stage.untilIds(['live']);
    assert.deepEqual(stage.ids().slice(5), [...idsOf(fresh), 'live'], stage.story('rows'));
    await stage.end();
    const all = await stage.checkpoints();
    assert.equal(all.filter((c) => c.db === 'db').length, 2, 'a checkpoint of each of the two');
});

test('made again while nobody was there: read from its start', async (t) => {
    const { sc, stage } = await live(t);
    await stage.end();
    const fresh = names(3, 'new');
    sc.couch.recreate('db', fresh);
    stage.start();
    await stage.untilIds(idsOf(fresh));
    assert.deepEqual(stage.ids().slice(5), idsOf(fresh), stage.story('rows'));
    await stage.end();
});

test('made again over and over: nothing of the last one is missing', async (t) => {
    const { sc, stage } = await live(t);
    for (let round = 0; round < 10; round++) {
        sc.couch.recreate('db', names(3, `round-${round}`));
        await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await stage.untilIds(idsOf(names(3, 'round-9')));
    assert.equal(new Set(stage.ids()).size, stage.ids().length, stage.story('repeated'));
    await stage.end();
});

test('deleted: it is told, its checkpoint stays, others go on', async (t) => {
    const { sc, stage } = await live(t, { db: names(3, 'a'), other: names(3, 'b') });
    const before = await stage.until(() => stage.checkpoint('db'), 'a checkpoint');
    sc.couch.remove('db');
    await stage.untilLog({ msg: /database is gone/, db: 'db' });
    sc.couch.db('other').append(row(9, { id: 'after' }));
    await stage.untilIds(['after']);
    assert.deepEqual(await stage.checkpoint('db'), before);
    await stage.end();
});

test('a 404 once is no deletion', async (t) => {
    const missing = { status: 404, json: { error: 'not_found', reason: 'missing' } };
    const { sc, stage } = await live(t);
    const started = sc.requests.length;
    sc.on('GET', /^\/db(\/_changes.*)?$/, missing).times(1);
    sc.dropAll();
    sc.couch.db('db').append(row(6, { id: 'after' }));
    await stage.untilIds(['after']);
    assert.deepEqual(stage.ids(), [...idsOf(names(5, 'old')), 'after'], stage.story('rows'));
    assert.equal(stage.logs({ msg: /gone|replaced/ }).length, 0, stage.story('it was believed'));
    assert.ok(sc.requests.slice(started).some((r) => r.path === '/db'), 'it was asked again');
    await stage.end();
});

test('a feed that ends with last_seq is no deletion', async (t) => {
    const ends = on('GET', /feed=continuous/, async (ctx) => {
        const since = ctx.req.query.get('since');
        await ctx.reply({ body: `{"last_seq":"${since}","pending":0}\n` });
    }).times(3);
    const { sc, stage } = await live(t, { db: names(5, 'old') }, [ends]);
    await stage.until(() => sc.seen('GET', /feed=continuous/).length > 3, 'it is followed again');
    sc.couch.db('db').append(row(6, { id: 'after' }));
    await stage.untilIds(['after']);
    assert.equal(stage.ids().length, 6, stage.story('rows were repeated'));
    await stage.end();
});
