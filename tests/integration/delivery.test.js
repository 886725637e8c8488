/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of changes when sinks fail, refuse, stall or break: order, retries, dead letters,
 * back-pressure, and that no rule ever disturbs another.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const path = require('node:path');
const { startTestServer, waitFor } = require('../lib/couch');
const { pluginDir } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { startHook, toHook, ids, sortedIds } = require('./lib/sink');
const { startForward } = require('./lib/forward');
const { fill, makeFilled, names, put } = require('./lib/docs');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

const behaving = (name) => path.join(pluginDir(), '..', 'tests', 'plugins', `${name}.so`);

/* A promise and what settles it. */
function gate() {
    let open;
    const opened = new Promise((resolve) => (open = resolve));
    return { open, opened };
}

const has = (id) => (changes) => changes.some((change) => change.id === id);

async function letters(site) {
    return (await site.command(['dead-letter', 'list'])).dead_letters;
}

async function once(t, filled, reply, rule, parts) {
    const hook = await startHook(t, reply);
    const site = makeSite(t, couch, {
        rules: { r: toHook(hook, [filled.db], rule) },
        ...parts,
    });
    return { hook, site };
}

/* ---- every rule has a position of its own ---- */

test('a rule whose sink is down neither delays nor replays another', async (t) => {
    const { where, db } = await makeFilled(couch, 100);
    const good = await startHook(t);
    const bad = await startHook(t, () => 503);
    const rules = { good: toHook(good, [db]), bad: toHook(bad, [db]) };
    const site = makeSite(t, couch, { rules });
    let daemon = site.start();
    await good.until(100);
    await put(couch, where, 'live');
    await good.until(101);
    await daemon.stop();
    assert.equal(bad.taken.length, 0);
    bad.reply = null;
    daemon = site.start();
    await bad.until(101);
    await daemon.stop();
    assert.equal(good.taken.length, 101);
    assert.equal(bad.taken.length, 101);
});

test('a rule that stalls lets another on the same database go on to the end', async (t) => {
    const { where, db } = await makeFilled(couch, 2000);
    const stall = gate();
    const stalled = await startHook(t, () => stall.opened);
    const free = await startHook(t);
    const site = makeSite(t, couch, {
        rules: {
            stalled: toHook(stalled, [db], { window: { rows: 20 }, batch: { size: 10 } }),
            free: toHook(free, [db]),
        },
    });
    const daemon = site.start();
    await free.until(2000);
    await put(couch, where, 'live');
    await free.until(2001);
    assert.ok(stalled.offered.length <= 10);
    stall.open();
    await stalled.until(2001);
    await daemon.stop();
    assert.equal(stalled.taken.length, 2001);
    assert.equal(new Set(ids(stalled.taken)).size, 2001);
    assert.equal(free.taken.length, 2001);
});

/* ---- retry ---- */

test('a sink that fails and recovers gets everything once', async (t) => {
    let left = 5;
    const { hook, site } = await once(t, await makeFilled(couch, 30), () =>
        left-- > 0 ? 500 : 200,
    );
    await site.once();
    assert.equal(hook.taken.length, 30);
    assert.equal(hook.batches.length, 6);
});

for (const failure of [{ close: true }, { status: 302, headers: { Location: '/x' } }, 404, 429])
    test(`after ${JSON.stringify(failure)} a change is sent again`, async (t) => {
        let left = 2;
        const { hook, site } = await once(t, await makeFilled(couch, 3), () =>
            left-- > 0 ? failure : 200,
        );
        await site.once();
        assert.equal(hook.taken.length, 3);
        assert.ok(hook.offered.length >= 5);
    });

test('with concurrency 1 nothing overtakes a change that is retried', async (t) => {
    const { db } = await makeFilled(couch, 60);
    const seen = new Set();
    const { hook, site } = await once(
        t,
        { db },
        ([change]) => (seen.has(change.id) ? 200 : (seen.add(change.id), 500)),
        {
            options: { batch_changes: 1 },
            batch: { size: 7 },
            retry: { min: '1ms', max: '2ms' },
        },
    );
    await site.once();
    assert.equal(hook.taken.length, 60);
    assert.ok(hook.offered.every((c, i) => i % 2 === 0 || c.id === hook.offered[i - 1].id));
});

test('with concurrency and failures, revisions of a document stay in order', async (t) => {
    const { where, db } = await makeFilled(couch, 0);
    let n = 0;
    const hook = await startHook(t, () => (++n % 3 === 0 ? 500 : { delayMs: n % 7 }));
    const rule = toHook(hook, [db], {
        concurrency: 8,
        batch: { size: 3 },
        options: { batch_changes: 1 },
        retry: { min: '1ms', max: '5ms' },
    });
    const site = makeSite(t, couch, { rules: { r: rule } });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'following', db });
    const docs = names(10);
    const last = {};
    for (let round = 1; round <= 10; round++) {
        const revs = docs.map(async (id) => {
            const at = last[id] ? `${id}?rev=${last[id]}` : id;
            last[id] = await put(couch, where, at, { round });
        });
        await Promise.all(revs);
    }
    await hook.until((taken) => docs.every((id) => taken.some((c) => c.rev === last[id])));
    await daemon.stop();
    for (const id of docs) {
        const rounds = hook.taken.filter((c) => c.id === id).map((c) => c.doc.round);
        assert.deepEqual(
            rounds,
            [...rounds].sort((a, b) => a - b),
        );
        assert.equal(new Set(rounds).size, rounds.length, `${id}: ${rounds}`);
    }
});

test('what passes a change that fails is bounded by the window, also over a kill', async (t) => {
    const WINDOW = 50;
    const READ = 120; /* rows of a read and of one that follows at once, at most */
    const filled = await makeFilled(couch, 400);
    let failing; /* the first that is offered: behind it the position stays */
    let down = true;
    const reply = (changes) => {
        failing ||= changes[0].id;
        return down && has(failing)(changes) ? 503 : 200;
    };
    const { hook, site } = await once(
        t,
        filled,
        reply,
        { concurrency: 4, batch: { size: 1 }, window: { rows: WINDOW } },
        { source: { read_size: '8KB' } },
    );
    const daemon = site.start();
    const fills = async () => (await site.command(['status'])).rules[0].window_rows >= WINDOW;
    await hook.until(1);
    await waitFor(fills, 'a full window');
    await daemon.kill9();
    const passed = hook.taken.length;
    assert.ok(passed > 1 && passed <= WINDOW + READ, `${passed} passed`);
    down = false;
    await site.once();
    assert.equal(new Set(ids(hook.taken)).size, 400);
    assert.ok(hook.taken.length - 400 <= passed);
});

test('a rule that stops while its sink fails says how much comes again', async (t) => {
    const filled = await makeFilled(couch, 0);
    await put(couch, filled.where, 'bad');
    await fill(couch, filled.where, names(20));
    let down = true;
    const reply = (changes) => (down && has('bad')(changes) ? 503 : 200);
    const { hook, site } = await once(t, filled, reply, { concurrency: 4, batch: { size: 1 } });
    const daemon = site.start();
    await waitFor(() => hook.taken.length >= 10, 'what is not bad');
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    const told = daemon.logs().filter(({ msg }) => /^rule stopped while its sink failed/.test(msg));
    assert.equal(told.length, 1);
    assert.equal(told[0].rule, 'r');
    assert.match(told[0].reason, /503/);
    down = false;
    await site.once();
    assert.equal(new Set(ids(hook.taken)).size, 21);
    const again = hook.taken.length - 21;
    assert.ok(again <= told[0].rows, `${again} came again, ${told[0].rows} were told`);
});

test('an attempt is told by the same idempotency key', async (t) => {
    const keys = [];
    let left = 2;
    const { site } = await once(t, await makeFilled(couch, 1), (_, req) => {
        keys.push(req.headers['idempotency-key']);
        return left-- > 0 ? 500 : 200;
    });
    await site.once();
    assert.equal(keys.length, 3);
    assert.equal(new Set(keys).size, 1);
    assert.ok(keys[0]);
});

/* ---- some of a batch ---- */

test('of a batch that failed in its middle only the rest is sent again', async (t) => {
    let failures = 0;
    const { hook, site } = await once(
        t,
        await makeFilled(couch, 10),
        () => (hook.taken.length === 4 && failures++ < 2 ? 500 : 200),
        { options: { batch_changes: 1 }, batch: { size: 10 } },
    );
    await site.once();
    assert.equal(hook.taken.length, 10);
    assert.equal(hook.offered.length, 12);
});

test('a plugin that takes, retries and refuses by turns loses none', async (t) => {
    const { db } = await makeFilled(couch, 30);
    const site = makeSite(t, couch, {
        rules: {
            r: {
                source: 'main',
                databases: [db],
                plugin: behaving('partial'),
                batch: { size: 30 },
                retry: { min: '1ms', max: '5ms' },
            },
        },
    });
    const run = await site.once();
    const summary = JSON.parse(run.stderr.trim().split('\n').pop());
    assert.equal(summary.received, 30);
    assert.equal(summary.ok + summary.dead, 30);
    assert.equal((await letters(site)).length, summary.dead);
});

/* ---- rejected ---- */

test('a rejected change becomes a dead letter with all that is known of it', async (t) => {
    const filled = await makeFilled(couch, 3);
    const rev = await put(couch, filled.where, 'bad', { text: 'x' });
    const { hook, site } = await once(
        t,
        filled,
        ([change]) => (change.id === 'bad' ? { status: 422, body: 'no such field' } : 200),
        { options: { batch_changes: 1 } },
    );
    const began = Date.now();
    await site.once();
    assert.deepEqual(sortedIds(hook.taken), filled.ids);
    const [letter, ...others] = await letters(site);
    assert.deepEqual(others, []);
    const shown = await site.command(['dead-letter', 'show', String(letter.id)]);
    assert.equal(shown.rule, 'r');
    assert.equal(shown.source, 'main');
    assert.equal(shown.db, filled.db);
    assert.match(shown.stream, new RegExp(`^main/${filled.db}@.`));
    assert.equal(shown.doc_id, 'bad');
    assert.deepEqual(shown.revs, [{ rev }]);
    assert.match(shown.error, /422.*no such field/);
    assert.equal(shown.attempts, 1);
    assert.ok(Date.parse(shown.first) >= began - 1000 && Date.parse(shown.last) <= Date.now());
    assert.deepEqual(shown.row.doc, { _id: 'bad', _rev: rev, text: 'x' });
    assert.deepEqual(shown.row.seq, shown.seq);
});

test('the checkpoint passes a dead letter', async (t) => {
    const filled = await makeFilled(couch, 5);
    const { hook, site } = await once(t, filled, () => 400);
    await site.once();
    hook.clear();
    await site.once();
    assert.equal(hook.offered.length, 0);
    assert.equal((await letters(site)).length, 5);
});

test('on_reject = skip: the change is left out, without a dead letter', async (t) => {
    const filled = await makeFilled(couch, 5);
    const { hook, site } = await once(
        t,
        filled,
        ([{ id }]) => (id === filled.ids[2] ? 400 : 200),
        { on_reject: 'skip', options: { batch_changes: 1 } },
    );
    await site.once();
    assert.equal(hook.taken.length, 4);
    assert.deepEqual(await letters(site), []);
    hook.clear();
    await site.once();
    assert.equal(hook.offered.length, 0);
});

test('on_reject = stop: the rule is held before the change, and others go on', async (t) => {
    const filled = await makeFilled(couch, 20);
    const stopping = await startHook(t, ([{ id }]) => (id === 'doc-000011' ? 400 : 200));
    const free = await startHook(t);
    const rule = {
        on_reject: 'stop',
        batch: { size: 1 },
        options: { batch_changes: 1 },
    };
    const site = makeSite(t, couch, {
        rules: {
            stopping: toHook(stopping, [filled.db], rule),
            free: toHook(free, [filled.db]),
        },
        source: { seq_interval: 0 },
    });
    const run = await site.once({ code: 70 });
    assert.match(run.stderr, /rule held.*"rule":"stopping".*on_reject/);
    assert.equal(free.taken.length, 20);
    assert.deepEqual(await letters(site), []);
    stopping.reply = null;
    free.clear();
    await site.once();
    assert.deepEqual(sortedIds(stopping.taken), filled.ids);
    assert.equal(stopping.taken.length, 20);
    assert.equal(free.taken.length, 0);
});

test('the one poisonous change of a hundred is found', async (t) => {
    const filled = await makeFilled(couch, 100);
    const { hook, site } = await once(t, filled, (changes) =>
        has('doc-000037')(changes) ? 400 : 200,
    );
    await site.once();
    assert.deepEqual(
        (await letters(site)).map((letter) => letter.doc_id),
        ['doc-000037'],
    );
    assert.equal(hook.taken.length, 99);
    assert.equal(new Set(ids(hook.taken)).size, 99);
});

test('a plugin that refuses whole batches has every change refused by itself', async (t) => {
    const filled = await makeFilled(couch, 20);
    const site = makeSite(t, couch, {
        rules: { r: { source: 'main', databases: [filled.db], plugin: behaving('reject') } },
    });
    await site.once();
    const found = (await letters(site)).map((letter) => letter.doc_id).sort();
    assert.deepEqual(found, filled.ids);
});

for (const batch_changes of [1, 100])
    test(`max_attempts gives up the one that always fails (${batch_changes} a request)`, async (t) => {
        const filled = await makeFilled(couch, 40);
        const { hook, site } = await once(
            t,
            filled,
            (changes) => (has('doc-000013')(changes) ? 500 : 200),
            { max_attempts: 3, options: { batch_changes }, retry: { min: '1ms', max: '2ms' } },
        );
        await site.once();
        const found = await letters(site);
        assert.deepEqual(
            found.map((letter) => letter.doc_id),
            ['doc-000013'],
        );
        assert.ok(found[0].attempts >= 3);
        assert.equal(hook.taken.length, 39);
    });

test('a sink that asks for patience is not at fault: max_attempts does not count it', async (t) => {
    let left = 4;
    const { hook, site } = await once(
        t,
        await makeFilled(couch, 2),
        () => (left-- > 0 ? { status: 503, headers: { 'Retry-After': '0.01' } } : 200),
        { max_attempts: 1000 },
    );
    await site.once();
    assert.equal(hook.taken.length, 2);
    assert.deepEqual(await letters(site), []);
});

/* ---- bounds ---- */

test('a rule that stalls on more databases than connections leaves one to others', async (t) => {
    const text = 'x'.repeat(10000);
    const stalledDbs = [];
    for (let i = 0; i < 6; i++)
        stalledDbs.push((await makeFilled(couch, 60, { make: () => ({ text }) })).db);
    const { db } = await makeFilled(couch, 5);
    const stall = gate();
    const stalled = await startHook(t, () => stall.opened);
    const free = await startHook(t);
    const narrow = { window: { rows: 10, bytes: '64KB' }, batch: { size: 5 } };
    const site = makeSite(t, couch, {
        source: { max_connections: 3, max_feeds: 2, poll_interval: '50ms', seq_interval: 0 },
        rules: { stalled: toHook(stalled, stalledDbs, narrow) },
    });
    const daemon = site.start();
    await waitFor(() => stalled.offered.length > 0, 'the sink to be asked');
    site.write({
        source: { max_connections: 3, max_feeds: 2, poll_interval: '50ms', seq_interval: 0 },
        rules: { stalled: toHook(stalled, stalledDbs, narrow), free: toHook(free, [db]) },
    });
    daemon.signal('SIGHUP');
    await free.until(5);
    stall.open();
    await stalled.until(360);
    await daemon.stop();
    assert.equal(new Set(stalled.taken.map((c) => `${c.db}/${c.id}`)).size, 360);
});

test('a stalled sink pauses the reading', async (t) => {
    /* What the kernel holds on its own account must not be taken for reading: it may keep 32 MB
     * for a socket. */
    const text = 'x'.repeat(30000);
    const { db } = await makeFilled(couch, 4000, { make: () => ({ text }) });
    const forward = await startForward(t);
    const stall = gate();
    const { hook, site } = await once(
        t,
        { db },
        () => stall.opened,
        { window: { rows: 100, bytes: '256KB' }, batch: { size: 50 } },
        { source: { proxy: forward.url } },
    );
    const daemon = site.start();
    await waitFor(() => hook.offered.length > 0, 'the first batch');
    let before = -1;
    let same = 0;
    await waitFor(() => {
        same = forward.bytes === before ? same + 1 : 0;
        before = forward.bytes;
        return same > 20;
    }, 'the reading to pause');
    assert.ok(forward.bytes < 60e6, `${forward.bytes} of 120 MB were read`);
    assert.ok(hook.offered.length <= 100);
    stall.open();
    await hook.until(4000);
    await daemon.stop();
    assert.equal(hook.taken.length, 4000);
});

test('full dead letters hold the rule; purge and reload revive it', async (t) => {
    const { db } = await makeFilled(couch, 10);
    const picky = await startHook(t, () => 400);
    const free = await startHook(t);
    const one = { options: { batch_changes: 1 }, batch: { size: 1 } };
    const site = makeSite(t, couch, {
        rules: { picky: toHook(picky, [db], one), free: toHook(free, [db]) },
        main: { dead_letters: { max_count: 3 } },
        source: { seq_interval: 0 },
    });
    const daemon = site.start();
    const held = await daemon.waitForLog({ msg: /rule held/, rule: 'picky' });
    assert.match(held.reason, /dead letters/);
    await free.until(10);
    assert.equal((await letters(site)).length, 3);
    await site.command(['dead-letter', 'purge', '--rule', 'picky']);
    picky.reply = null;
    daemon.signal('SIGHUP');
    await picky.until(7);
    await daemon.stop();
    assert.equal(picky.taken.length, 7);
    assert.equal(free.taken.length, 10);
});

/* ---- a broken plugin ---- */

test('a fatal plugin holds its rule only; a reload starts it again', async (t) => {
    const { db, where } = await makeFilled(couch, 10);
    const hook = await startHook(t);
    const free = await startHook(t);
    const broken = { source: 'main', databases: [db], plugin: behaving('fatal') };
    const site = makeSite(t, couch, { rules: { broken, free: toHook(free, [db]) } });
    const daemon = site.start();
    const held = await daemon.waitForLog({ msg: /rule held/, rule: 'broken' });
    assert.match(held.reason, /the disk is gone/);
    const seen = daemon.stderrLines.length;
    daemon.signal('SIGHUP');
    await daemon.waitForLog({ msg: 'rule started', rule: 'broken' }, 10000, { from: seen });
    await daemon.waitForLog({ msg: /rule held/, rule: 'broken' }, 10000, { from: seen });
    site.write({ rules: { broken: toHook(hook, [db]), free: toHook(free, [db]) } });
    daemon.signal('SIGHUP');
    await hook.until(10);
    await put(couch, where, 'live');
    await hook.until(11);
    await free.until(11);
    await daemon.stop();
    assert.equal(hook.taken.length, 11);
    assert.equal(free.taken.length, 11);
});

test('run --once ends with EX_SOFTWARE when a rule is held', async (t) => {
    const { db } = await makeFilled(couch, 1);
    const broken = { source: 'main', databases: [db], plugin: behaving('fatal') };
    const run = await makeSite(t, couch, { rules: { broken } }).once({ code: 70 });
    assert.match(run.stderr, /rule held.*the disk is gone/);
});

test('a batch that is late is cancelled and settled', async (t) => {
    const { db } = await makeFilled(couch, 3);
    const slow = {
        source: 'main',
        databases: [db],
        plugin: behaving('slow'),
        timeout: '50ms',
    };
    const run = await makeSite(t, couch, { rules: { slow } }).once();
    assert.match(run.stderr, /batch is late: it is cancelled/);
});

test('a plugin that never gives a batch back holds its rule only', async (t) => {
    const { db, where } = await makeFilled(couch, 3);
    const free = await startHook(t);
    const never = {
        source: 'main',
        databases: [db],
        plugin: behaving('never_complete'),
        timeout: '50ms',
        grace: '50ms',
    };
    const site = makeSite(t, couch, {
        rules: { never, free: toHook(free, [db]) },
        main: { drain_timeout: '200ms' },
    });
    const daemon = site.start();
    await daemon.waitForLog({ msg: /rule held/, rule: 'never' });
    await put(couch, where, 'live');
    await free.until(4);
    assert.equal((await daemon.stop()).code, 0);
});

test('a batch of another size arrives whole when the rule waits for more', async (t) => {
    const { db, where } = await makeFilled(couch, 0);
    const { hook, site } = await once(t, { db }, null, { batch: { wait: '300ms', size: 5 } });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'following', db });
    await fill(couch, where, names(5));
    await hook.until(5);
    await put(couch, where, 'alone');
    await hook.until(6);
    await daemon.stop();
    assert.equal(hook.batches.at(-1), 1);
});
