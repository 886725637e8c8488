/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 27: a C++ exception at any place of a plugin. None leaves it: in process() it is
 * fatal, and the rule is held with the exception's words; before that the start fails, or the
 * check.
 */
'use strict';

const test = require('./lib/fault')(27);
const assert = require('node:assert');
const path = require('node:path');
const { startScripted } = require('./lib/scripted');
const { plan, testPlugin, isStart } = require('./lib/stage');
const { tempDir } = require('../lib/tailrace');
const { rows } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

async function throwing(t, where) {
    const sc = await startScripted([], { couch: { dbs: { db: rows(3) } } });
    atEnd(t, () => sc.close());
    const dir = tempDir(t);
    const shared = { source: 'main', databases: ['db'], commit: { interval: '5ms' } };
    const healthy = {
        ...shared,
        plugin: 'file-sink',
        options: { path: path.join(dir, 'out.ndjson') },
    };
    const thrower = { ...shared, plugin: testPlugin('cxx_throw'), options: { where } };
    return plan(t, sc.url, { dir, config: { rules: { rule: healthy, bad: thrower } } });
}

const seqOfBad = (stage) => stage.checkpoint('db', 'bad');

const words = {
    configure: /thrown by configure/,
    start: /thrown by start/,
    process: /thrown by process/,
    odd: /exception|unknown/,
};

for (const [where, text] of Object.entries(words))
    test(`an exception in ${where} is fatal for its rule alone`, async (t) => {
        const stage = (await throwing(t, where)).start();
        await stage.untilIds(rows(3).map((r) => r.id));
        await stage.until(
            () => stage.logs({ rule: 'bad' }).some((r) => text.test(JSON.stringify(r))),
            `in the log: ${text}`,
        );
        assert.ok(isStart(await seqOfBad(stage)), stage.story('a checkpoint'));
        await stage.end();
    });

test('an exception that is a verdict is taken as one', async (t) => {
    const stage = (await throwing(t, 'reject')).start();
    await stage.until(async () => /^3-/.test(await seqOfBad(stage)), 'the checkpoint');
    const letters = await stage.deadLetters();
    assert.deepEqual(
        letters.map((l) => l.doc_id).sort(),
        rows(3).map((r) => r.id),
    );
    assert.ok(letters.every((l) => l.error === 'thrown as a verdict'));
    await stage.end();
});

test('an exception in flush does not break the stop', async (t) => {
    const stage = (await throwing(t, 'nowhere')).start();
    await stage.untilIds(rows(3).map((r) => r.id));
    await stage.until(async () => /^3-/.test(await seqOfBad(stage)), 'the checkpoint');
    await stage.end();
});
