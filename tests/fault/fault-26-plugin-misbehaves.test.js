/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 26: plugins that hang, complete twice, late or never, or return garbage. The rule
 * beside them is never delayed, the daemon lives, no checkpoint passes what was not settled.
 */
'use strict';

const test = require('./lib/fault')(26);
const assert = require('node:assert');
const path = require('node:path');
const { startScripted } = require('./lib/scripted');
const { plan, testPlugin, isStart } = require('./lib/stage');
const { tempDir } = require('../lib/tailrace');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

/* The plugin in the rule "bad", file-sink in "rule" beside it, both on the same database. */
async function beside(t, plugin, count, bad = {}) {
    const sc = await startScripted([], { couch: { dbs: { db: rows(count) } } });
    atEnd(t, () => sc.close());
    const dir = tempDir(t);
    const shared = { source: 'main', databases: ['db'], commit: { interval: '5ms' } };
    const stage = plan(t, sc.url, {
        dir,
        config: {
            drain_timeout: '300ms',
            rules: {
                rule: {
                    ...shared,
                    plugin: 'file-sink',
                    options: { path: path.join(dir, 'out.ndjson') },
                },
                bad: {
                    ...shared,
                    plugin: testPlugin(plugin),
                    timeout: '50ms',
                    grace: '50ms',
                    retry: { min: '1ms', max: '20ms' },
                    ...bad,
                },
            },
        },
    }).start();
    return { sc, stage };
}

const seqOf = (stage, rule) => stage.checkpoint('db', rule);

/* The rule beside it takes what came and what comes. */
async function neighbourIsWell(sc, stage, count) {
    await stage.untilIds(rows(count).map((r) => r.id));
    sc.couch.db('db').append(row(count + 1));
    await stage.untilIds([`doc-${count + 1}`]);
    const end = new RegExp(`^${count + 1}-`);
    await stage.until(async () => end.test(await seqOf(stage, 'rule')), 'its checkpoint');
}

test('a plugin that hangs is cancelled, and delays no other', async (t) => {
    const { sc, stage } = await beside(t, 'slow', 3);
    await neighbourIsWell(sc, stage, 3);
    await stage.untilLog({ rule: 'bad', level: /warn|error/ });
    await stage.end();
});

test('a plugin that never completes is called wedged and settles nothing', async (t) => {
    const { sc, stage } = await beside(t, 'never_complete', 3);
    await neighbourIsWell(sc, stage, 3);
    await stage.untilLog({ rule: 'bad', level: 'error' });
    const told = stage.logs({ rule: 'bad', level: 'error' });
    assert.match(JSON.stringify(told), /wedged|does not|never|held|stuck/i);
    assert.ok(
        isStart(await seqOf(stage, 'bad')),
        stage.story('the checkpoint of what never came'),
    );
    await stage.end();
});

test('a plugin that completes late gets its batch settled', async (t) => {
    const { sc, stage } = await beside(t, 'late_complete', 3, { grace: '30s' });
    await neighbourIsWell(sc, stage, 3);
    await stage.until(async () => !isStart(await seqOf(stage, 'bad')), 'its checkpoint');
    await stage.end();
});

test('a plugin that completes twice settles once', async (t) => {
    const { sc, stage } = await beside(t, 'double_complete', 3);
    await neighbourIsWell(sc, stage, 3);
    await stage.until(async () => /^4-/.test(await seqOf(stage, 'bad')), 'its checkpoint');
    const letters = await stage.deadLetters();
    assert.deepEqual(letters, [], stage.story('the second answer counted'));
    await stage.end();
});

/* Which garbage it is depends on how many changes it gets at once. */
for (let count = 1; count <= 5; count++)
    test(`garbage of kind ${count} settles nothing and is told`, async (t) => {
        const { sc, stage } = await beside(t, 'garbage', count, { batch: { size: count } });
        await stage.untilIds(rows(count).map((r) => r.id));
        await stage.untilLog({ rule: 'bad', level: /warn|error/ });
        assert.ok(isStart(await seqOf(stage, 'bad')), stage.story('a checkpoint of garbage'));
        sc.couch.db('db').append(row(count + 1));
        await stage.untilIds([`doc-${count + 1}`]);
        await stage.end();
    });

test('a message with a length but no text does no harm', async (t) => {
    const { stage } = await beside(t, 'garbage', 6);
    await stage.until(async () => /^6-/.test(await seqOf(stage, 'bad')), 'its checkpoint');
    await stage.end();
});

test('garbage that is refused by complete() leaves room for a good outcome', async (t) => {
    const { stage } = await beside(t, 'garbage', 7);
    await stage.until(async () => /^7-/.test(await seqOf(stage, 'bad')), 'its checkpoint');
    await stage.end();
});

test('a verdict for each change is followed for each change', async (t) => {
    const { sc, stage } = await beside(t, 'partial', 6);
    await neighbourIsWell(sc, stage, 6);
    /* In turn: taken, to be sent again, refused. Sent again, it is the first: taken. */
    await stage.until(async () => /^7-/.test(await seqOf(stage, 'bad')), 'its checkpoint');
    const letters = await stage.deadLetters();
    const ids = letters.map((l) => l.doc_id);
    assert.ok(ids.includes('doc-3') && ids.includes('doc-6'), `dead letters: ${ids}`);
    assert.ok(!ids.includes('doc-1') && !ids.includes('doc-4'), `dead letters: ${ids}`);
    assert.ok(letters.every((l) => l.rule === 'bad'));
    await stage.end();
});

for (const name of ['async', 'timer', 'retry', 'wrong_thread'])
    test(`a plugin that works in its own way (${name}) is served`, async (t) => {
        const { sc, stage } = await beside(t, name, 3, { timeout: '30s' });
        await neighbourIsWell(sc, stage, 3);
        await stage.until(async () => /^4-/.test(await seqOf(stage, 'bad')), 'its checkpoint');
        await stage.end();
    });

test('a plugin that refuses everything fills the dead letters', async (t) => {
    const { sc, stage } = await beside(t, 'reject', 3);
    await neighbourIsWell(sc, stage, 3);
    await stage.until(async () => /^4-/.test(await seqOf(stage, 'bad')), 'its checkpoint');
    const letters = await stage.deadLetters();
    assert.deepEqual(
        letters.map((l) => l.doc_id).sort(),
        rows(4).map((r) => r.id),
    );
    assert.ok(letters.every((l) => l.error === 'not this one'));
    await stage.end();
});

test('a plugin that breaks is held with its reason', async (t) => {
    const { sc, stage } = await beside(t, 'fatal', 3);
    await neighbourIsWell(sc, stage, 3);
    const told = await stage.untilLog({ rule: 'bad', level: 'error' });
    assert.match(JSON.stringify(told), /the disk is gone/);
    assert.ok(isStart(await seqOf(stage, 'bad')), stage.story('a checkpoint'));
    await stage.end();
});

test('a plugin that crashes takes no settled row with it', async (t) => {
    const { stage } = await beside(t, 'crash', 3);
    const exit = await stage.daemon.exited;
    assert.equal(exit.signal, 'SIGSEGV', stage.story('it did not crash'));
    assert.ok(isStart(await seqOf(stage, 'bad')), stage.story('a checkpoint'));
});
