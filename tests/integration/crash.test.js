/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 and SIGTERM in the middle of the work: nothing is lost, and no more comes twice than is
 * promised. Kill times come from a seed that is printed; TAILRACE_TEST_SEED repeats one,
 * TAILRACE_TEST_ROWS makes the run longer.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startTestServer, sleep, waitFor } = require('../lib/couch');
const { makeSite } = require('./lib/site');
const { startHook, toHook, toFile, linesOf, ids, sortedIds } = require('./lib/sink');
const { makeFilled, put } = require('./lib/docs');
const { SEED, seeded } = require('./lib/seed');

const ROWS = Number(process.env.TAILRACE_TEST_ROWS || 20000);

/* What is in hand at once, by the rule's options. */
const WINDOW = 1000;
const BATCH = 70;
const COMMIT = 500;
const SEQ_INTERVAL = 100;
const RULE = {
    window: { rows: WINDOW },
    batch: { size: BATCH },
    commit: { interval: '20ms', rows: COMMIT },
};
/* Reading pauses when the window is full, but what came in one read is taken whole. */
const READ = '8KB';
const READ_ROWS = 100;

let couch;
let filled;

before(async () => {
    couch = await startTestServer();
    filled = await makeFilled(couch, ROWS, { make: (id) => ({ text: id.repeat(3) }) });
});
after(() => couch.close());

function fileSite(t) {
    const site = makeSite(t, couch, {
        source: { seq_interval: SEQ_INTERVAL, read_size: READ },
    });
    const file = path.join(site.dir, 'out.ndjson');
    site.write({ rules: { r: toFile(file, [filled.db], RULE) } });
    return { site, file };
}

const sizeOf = (file) => (fs.existsSync(file) ? fs.statSync(file).size : 0);

/* Runs and kills until a run gets to its end; the number of kills. */
async function killUntilDone(t, site, file, signal, rng) {
    for (let kills = 0; kills < 500; kills++) {
        if (linesSoFar(file) >= ROWS) return kills;
        const size = sizeOf(file);
        const daemon = site.start();
        /* Every run gets somewhere, so that the last one comes. */
        await waitFor(() => sizeOf(file) > size || !daemon.running, 'progress');
        await sleep(rng.below(signal === 'SIGKILL' ? 150 : 100));
        const exit = await daemon.stop(signal);
        if (signal !== 'SIGKILL') assert.deepEqual(exit, { code: 0, signal: null });
    }
    throw new Error('it does not come to an end');
}

function linesSoFar(file) {
    if (!fs.existsSync(file)) return 0;
    const seen = new Set();
    for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
        const id = /"id":"([^"]*)"/.exec(line);
        if (id) seen.add(id[1]);
    }
    return seen.size;
}

test('after kill -9 again and again every change is there, whole, few of them twice', async (t) => {
    const { site, file } = fileSite(t);
    const kills = await killUntilDone(t, site, file, 'SIGKILL', seeded(t));
    await site.once();
    const got = ids(linesOf(file));
    const missing = new Set(filled.ids);
    for (const id of got) missing.delete(id);
    const what = `seed ${SEED}, ${kills} kills, ${got.length} lines`;
    assert.deepEqual([...missing], [], what);
    const duplicates = got.length - filled.ids.length;
    const most = kills * (WINDOW + READ_ROWS + BATCH + COMMIT + SEQ_INTERVAL);
    assert.ok(duplicates <= most, `${what}: ${duplicates} twice, ${most} are allowed`);
    t.diagnostic(`${what}, ${duplicates} twice of at most ${most}`);
});

test('after SIGTERM again and again every change is there exactly once', async (t) => {
    const { site, file } = fileSite(t);
    const stops = await killUntilDone(t, site, file, 'SIGTERM', seeded(t, 1));
    await site.once();
    const got = ids(linesOf(file));
    const what = `seed ${SEED}, ${stops} stops, ${got.length} lines`;
    t.diagnostic(what);
    assert.equal(new Set(got).size, filled.ids.length, what);
    assert.equal(got.length, filled.ids.length, what);
});

/* Stops or kills a daemon each time that some more was taken, until all is; then one more run. */
async function interrupt(t, site, signal, isDone, taken, rng) {
    for (let runs = 0; !isDone(); runs++) {
        assert.ok(runs < 500, 'it does not come to an end');
        const more = taken() + 1 + rng.below(200);
        const daemon = site.start();
        await waitFor(() => taken() >= more || isDone(), 'progress');
        const exit = await daemon.stop(signal);
        if (signal === 'SIGTERM') assert.deepEqual(exit, { code: 0, signal: null });
    }
    await site.once();
}

for (const [batch, concurrency] of [
    [7, 1],
    [3, 8],
])
    test(`graceful stops repeat nothing: batches of ${batch}, concurrency ${concurrency}`, async (t) => {
        const { db, ids: all } = await makeFilled(couch, 1000);
        const hook = await startHook(t, (changes) => ({ delayMs: changes[0].id.length % 3 }));
        const rule = toHook(hook, [db], { batch: { size: batch }, concurrency });
        const site = makeSite(t, couch, { rules: { r: rule } });
        const isDone = () => hook.taken.length >= all.length;
        await interrupt(t, site, 'SIGTERM', isDone, () => hook.taken.length, seeded(t, 2));
        assert.deepEqual(sortedIds(hook.taken), all, `seed ${SEED}`);
    });

test('after kill -9 every change was taken or is a dead letter', async (t) => {
    const { db, ids: all } = await makeFilled(couch, 1000);
    const hook = await startHook(t, ([{ id }]) => (Number(id.slice(-1)) === 7 ? 400 : 200));
    const rule = toHook(hook, [db], {
        options: { batch_changes: 1 },
        batch: { size: 10 },
        commit: { interval: '10ms', rows: 20 },
    });
    const site = makeSite(t, couch, { rules: { r: rule }, source: { seq_interval: 0 } });
    const seen = () => new Set(ids(hook.offered)).size;
    const isDone = () => seen() >= all.length;
    await interrupt(t, site, 'SIGKILL', isDone, () => hook.offered.length, seeded(t, 3));
    const { dead_letters } = await site.command(['dead-letter', 'list']);
    const kept = new Set([...ids(hook.taken), ...dead_letters.map((letter) => letter.doc_id)]);
    assert.deepEqual([...kept].sort(), all, `seed ${SEED}`);
    assert.ok(dead_letters.every((letter) => letter.doc_id.endsWith('7')));
});

test('SIGTERM with a stalled sink ends after drain_timeout, and the rest comes later', async (t) => {
    const { db } = await makeFilled(couch, 20);
    const hook = await startHook(t, () => ({ hang: true }));
    const site = makeSite(t, couch, {
        rules: { r: toHook(hook, [db]) },
        main: { drain_timeout: '300ms' },
    });
    const daemon = site.start();
    await waitFor(() => hook.offered.length > 0, 'the first batch');
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    hook.reply = null;
    await site.once();
    assert.equal(new Set(ids(hook.taken)).size, 20);
});

test('a second SIGTERM does not wait', async (t) => {
    const { db } = await makeFilled(couch, 5);
    const hook = await startHook(t, () => ({ hang: true }));
    const site = makeSite(t, couch, { rules: { r: toHook(hook, [db]) } });
    const daemon = site.start();
    await waitFor(() => hook.offered.length > 0, 'the first batch');
    daemon.signal('SIGTERM');
    await daemon.waitForLog({ msg: /^stopping/ });
    assert.deepEqual(await daemon.stop('SIGTERM', 20000), { code: 0, signal: null });
});

test('SIGTERM while a sink is down ends at once, and nothing is lost', async (t) => {
    const { db } = await makeFilled(couch, 20);
    const hook = await startHook(t, () => 503);
    const site = makeSite(t, couch, {
        rules: { r: toHook(hook, [db], { retry: { min: '1h', max: '1h' } }) },
    });
    const daemon = site.start();
    await daemon.waitForLog({ msg: /batch failed/ });
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    hook.reply = null;
    await site.once();
    assert.equal(hook.taken.length, 20);
});

test('SIGTERM before the server has ever answered ends with 0', async (t) => {
    const hook = await startHook(t);
    const site = makeSite(t, couch, {
        rules: { r: toHook(hook, ['x']) },
        source: { url: 'http://admin@127.0.0.1:1' },
    });
    const daemon = site.start();
    await daemon.waitForLog({ msg: /cannot be read now/ });
    assert.deepEqual(await daemon.stop('SIGINT'), { code: 0, signal: null });
});

test('since = now means the same now after kill -9', async (t) => {
    const { where, db } = await makeFilled(couch, 10);
    const hook = await startHook(t);
    const site = makeSite(t, couch, { rules: { r: toHook(hook, [db], { since: 'now' }) } });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'following', db });
    await put(couch, where, 'first');
    await hook.until(1);
    await daemon.kill9();
    hook.clear();
    await put(couch, where, 'second');
    await site.once();
    assert.ok(hook.taken.length >= 1 && hook.taken.length <= 2, ids(hook.taken).join());
    assert.ok(ids(hook.taken).includes('second'));
});
