/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tailrace backfill`: a rule begins again, beside a daemon and without one, and the other rules
 * get nothing twice.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');
const { tailrace, tempDir } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { startHook, toHook, ids, sortedIds } = require('./lib/sink');
const { dbOf, makeFilled, put } = require('./lib/docs');

const QUICK = {
    retry_min: '10ms',
    retry_max: '100ms',
    poll_interval: '100ms',
    discover_interval: '100ms',
};

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

const backfill = (site, ...words) => site.command(['backfill', ...words]);
const requests = async (site) => (await backfill(site, '--list')).requests;
const taken = (site) =>
    waitFor(async () => (await requests(site)).length === 0, 'the request to be taken up');
const places = (changes) => changes.map(({ db, id }) => `${db}/${id}`).sort();

/* Rules r and other on the same databases, each with a hook. */
async function makeTwo(t, databases, { rule, source, ...more } = {}) {
    const hook = await startHook(t);
    const other = await startHook(t);
    const site = makeSite(t, couch, {
        rules: { r: toHook(hook, databases, rule), other: toHook(other, databases) },
        source: { ...QUICK, ...source },
        ...more,
    });
    return { hook, other, site };
}

async function startTwo(t, databases, count, options) {
    const two = await makeTwo(t, databases, options);
    const daemon = two.site.start();
    await Promise.all([two.hook.until(count), two.other.until(count)]);
    return { ...two, daemon };
}

async function assertStops(daemon) {
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
}

/* ---- beside a daemon ---- */

test('a rule gets everything again, once; the other on the same database nothing', async (t) => {
    const { where, db, ids: docs } = await makeFilled(couch, 30);
    const { hook, other, site, daemon } = await startTwo(t, [db], 30);
    hook.clear();
    assert.deepEqual(await backfill(site, 'r'), { rule: 'r', from: 'beginning' });
    await hook.until(30);
    await put(couch, where, 'live');
    await Promise.all([hook.until(31), other.until(31)]);
    await assertStops(daemon);
    assert.deepEqual(sortedIds(hook.taken), [...docs, 'live']);
    assert.equal(other.taken.length, 31);
    assert.deepEqual(await requests(site), []);
    await site.once();
    assert.equal(hook.taken.length, 31);
    assert.equal(other.taken.length, 31);
});

test('the other rule goes on while the first one begins again', async (t) => {
    const { where, db } = await makeFilled(couch, 10);
    const { hook, other, site, daemon } = await startTwo(t, [db], 10);
    let open;
    const gate = new Promise((resolve) => (open = resolve));
    hook.reply = () => gate.then(() => 200);
    await put(couch, where, 'held'); /* in flight when the rule is to drain */
    await waitFor(() => hook.offered.some((change) => change.id === 'held'), 'the batch');
    await backfill(site, 'r');
    await daemon.waitForLog({ msg: /asked to begin again/, rule: 'r' });
    await put(couch, where, 'meanwhile');
    await other.until(12);
    hook.clear();
    open();
    hook.reply = null;
    await hook.until((all) => all.length >= 12 && all.some((c) => c.id === 'meanwhile'));
    await assertStops(daemon);
    assert.equal(other.taken.length, 12);
    /* What was in flight was settled, and not sent again but as one of all. */
    assert.equal(hook.taken.filter((change) => change.id === 'held').length, 2);
    assert.equal(hook.taken.length, 13);
});

test('from a seq only what came after it', async (t) => {
    const { where, db } = await makeFilled(couch, 10);
    const { update_seq: seq } = (await couch.get(where)).json;
    await put(couch, where, 'after-1');
    await put(couch, where, 'after-2');
    const { hook, other, site, daemon } = await startTwo(t, [db], 12);
    hook.clear();
    await backfill(site, 'r', '--from', String(seq));
    await hook.until(2);
    await put(couch, where, 'live');
    await hook.until(3);
    await assertStops(daemon);
    assert.deepEqual(sortedIds(hook.taken), ['after-1', 'after-2', 'live']);
    assert.equal(other.taken.length, 13);
});

test('from now nothing old comes, and all that is new', async (t) => {
    const { where, db } = await makeFilled(couch, 10);
    const { hook, site, daemon } = await startTwo(t, [db], 10);
    hook.clear();
    await backfill(site, 'r', '--from', 'now');
    await daemon.waitForLog({ msg: 'rule begins again', rule: 'r' });
    await waitFor(async () => {
        const { checkpoints } = await site.command(['checkpoint', 'list']);
        return checkpoints.length === 2;
    }, 'the place that is now');
    await put(couch, where, 'new');
    await hook.until(1);
    await assertStops(daemon);
    assert.deepEqual(ids(hook.taken), ['new']);
});

test('one database only: the rule goes on where it stood on the others', async (t) => {
    const [one, two] = [await makeFilled(couch, 5), await makeFilled(couch, 5)];
    const { hook, other, site, daemon } = await startTwo(t, [one.db, two.db], 10);
    hook.clear();
    await waitFor(
        async () => (await site.command(['checkpoint', 'list'])).checkpoints.length === 4,
        'the checkpoints',
    );
    const run = await tailrace(site.args('backfill', 'r', '--from', '3-x'));
    assert.equal(run.code, 64);
    assert.match(run.stderr, /is on several: name it with --database/);
    await backfill(site, 'r', '--database', one.db);
    await hook.until(5);
    await put(couch, two.where, 'live');
    await hook.until(6);
    await assertStops(daemon);
    assert.deepEqual(
        places(hook.taken),
        [...one.ids.map((id) => `${one.db}/${id}`), `${two.db}/live`].sort(),
    );
    assert.equal(other.taken.length, 11);
});

test('many databases, of which few have a feed: all of them again, each once', async (t) => {
    const prefix = uniqueDb();
    const made = [];
    for (let n = 0; n < 12; n++)
        made.push(await makeFilled(couch, 2, { name: `${prefix}_${n}` }));
    const { hook, other, site, daemon } = await startTwo(t, `^${prefix}_.`, 24, {
        source: { max_feeds: 2, max_connections: 4, hot_idle: '1s' },
    });
    const everything = places(hook.taken);
    hook.clear();
    await backfill(site, 'r');
    await hook.until(24);
    await Promise.all(made.map(({ where }) => put(couch, where, 'live')));
    await Promise.all([hook.until(36), other.until(36)]);
    await assertStops(daemon);
    assert.deepEqual(
        places(hook.taken),
        [...everything, ...made.map(({ db }) => `${db}/live`)].sort(),
    );
    assert.equal(other.taken.length, 36);
    await site.once();
    assert.equal(hook.taken.length, 36);
});

test('many databases from now: nothing old, and all of one that comes later', async (t) => {
    const prefix = uniqueDb();
    const made = [];
    for (let n = 0; n < 8; n++)
        made.push(await makeFilled(couch, 2, { name: `${prefix}_${n}` }));
    const { hook, site, daemon } = await startTwo(t, `^${prefix}_.`, 16, {
        source: { max_feeds: 2, max_connections: 4, sweep_interval: '1s' },
    });
    hook.clear();
    await backfill(site, 'r', '--from', 'now');
    await daemon.waitForLog({ msg: 'rule begins again', rule: 'r' });
    await waitFor(async () => {
        const { checkpoints } = await site.command(['checkpoint', 'list', '--db', made[0].db]);
        return checkpoints.length === 2 && checkpoints.some(({ rows }) => rows === 0);
    }, 'the places that are now');
    await waitFor(async () => {
        const { checkpoints } = await site.command(['checkpoint', 'list']);
        return checkpoints.length === 16;
    }, 'all of them');
    await Promise.all(made.map(({ where }) => put(couch, where, 'new')));
    await hook.until(8);
    const later = await makeFilled(couch, 3, { name: `${prefix}_later` });
    await hook.until(11);
    await assertStops(daemon);
    assert.deepEqual(
        places(hook.taken),
        [
            ...made.map(({ db }) => `${db}/new`),
            ...later.ids.map((id) => `${later.db}/${id}`),
        ].sort(),
    );
});

test('a rule that says `since = now` gets what is old when it is asked for', async (t) => {
    const { where, db, ids: docs } = await makeFilled(couch, 5);
    const hook = await startHook(t);
    const rules = { r: toHook(hook, [db], { since: 'now' }) };
    const site = makeSite(t, couch, { rules, source: QUICK });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'following', db });
    await put(couch, where, 'new');
    await hook.until(1);
    await backfill(site, 'r');
    await hook.until(7);
    await assertStops(daemon);
    assert.deepEqual(sortedIds(hook.taken.slice(1)), [...docs, 'new'].sort());
    await site.once();
    assert.equal(hook.taken.length, 7);
});

test('a rule that waits for a sink that is down begins again too', async (t) => {
    const { db, ids: docs } = await makeFilled(couch, 5);
    const { hook, site } = await makeTwo(t, [db]);
    hook.reply = () => 500;
    const daemon = site.start();
    await waitFor(() => hook.offered.length > 0, 'the first attempt');
    await backfill(site, 'r');
    await daemon.waitForLog({ msg: 'rule begins again', rule: 'r' });
    hook.reply = null;
    await hook.until(5);
    await assertStops(daemon);
    assert.deepEqual(sortedIds(hook.taken), docs);
});

test('one that is asked again while it begins again ends well', async (t) => {
    const { db } = await makeFilled(couch, 20);
    const { hook, other, site, daemon } = await startTwo(t, [db], 20);
    for (let n = 0; n < 4; n++) await backfill(site, 'r');
    await taken(site);
    daemon.signal('SIGHUP');
    await hook.until(40);
    await assertStops(daemon);
    assert.equal(hook.taken.length % 20, 0);
    assert.equal(other.taken.length, 20);
});

test('a rule of a document begins again too', async (t) => {
    const rules = await couch.makeDb(uniqueDb());
    const { where, db, ids: docs } = await makeFilled(couch, 5);
    const hook = await startHook(t);
    const { source, ...rule } = toHook(hook, [db]);
    const group = { source, database: dbOf(rules), plugins: ['http-webhook'] };
    const site = makeSite(t, couch, { source: QUICK, main: { rule_documents: { g: group } } });
    await put(couch, rules, 'r', { type: 'rule', ...rule });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'following', db });
    await put(couch, where, 'new');
    await hook.until(1);
    await backfill(site, 'g/r');
    await hook.until(7);
    await assertStops(daemon);
    assert.deepEqual(sortedIds(hook.taken.slice(1)), [...docs, 'new']);
    await backfill(site, 'g/r', '--from', 'now');
    await site.once();
    assert.equal(hook.taken.length, 7);
});

test('a file is read again, from its beginning or from a place in it', async (t) => {
    const dir = tempDir(t);
    const file = path.join(dir, 'rows.ndjson');
    const rows = ['a', 'b', 'c'].map((id) => `${JSON.stringify({ _id: id })}\n`);
    fs.writeFileSync(file, rows.join(''));
    const hook = await startHook(t);
    const site = makeSite(t, null, {
        sources: { f: { type: 'file', path: file } },
        rules: { r: { ...toHook(hook, '.'), source: 'f' } },
    });
    await site.once();
    await backfill(site, 'r');
    await site.once();
    await backfill(site, 'r', '--from', String(rows[0].length));
    await site.once();
    assert.deepEqual(ids(hook.taken), ['a', 'b', 'c', 'a', 'b', 'c', 'b', 'c']);
});

/* ---- without a daemon ---- */

test('without a daemon the next start takes it up, run --once too', async (t) => {
    const { where, db, ids: docs } = await makeFilled(couch, 10);
    const { hook, other, site } = await makeTwo(t, [db]);
    await site.once();
    hook.clear();
    await backfill(site, 'r');
    const [request] = await requests(site);
    assert.equal(request.rule, 'r');
    assert.equal(request.from, 'beginning');
    assert.equal(request.database, undefined);
    await put(couch, where, 'new');
    await site.once();
    assert.deepEqual(sortedIds(hook.taken), [...docs, 'new']);
    assert.equal(other.taken.length, 11);
    assert.deepEqual(await requests(site), []);
});

test('a kill right after the request loses neither the request nor a change', async (t) => {
    const { db, ids: docs } = await makeFilled(couch, 20);
    const { hook, other, site } = await makeTwo(t, [db]);
    await site.once();
    other.clear();
    for (const wait of [0, 300, 700, 1000, 1100, 1300]) {
        const daemon = site.start();
        await daemon.waitForLog({ msg: 'rule started', rule: 'other' });
        hook.clear();
        await backfill(site, 'r');
        await new Promise((resolve) => setTimeout(resolve, wait));
        await daemon.kill9();
        await site.once();
        assert.deepEqual([...new Set(sortedIds(hook.taken))], docs, `after ${wait} ms`);
        assert.deepEqual(await requests(site), []);
    }
    assert.equal(other.taken.length, 0);
});

test('from now, killed at any moment of the start: nothing old comes', async (t) => {
    const { where, db } = await makeFilled(couch, 5);
    const { hook, site } = await makeTwo(t, [db]);
    await site.once();
    for (const what of ['rule started', 'following', 'following']) {
        hook.clear();
        await backfill(site, 'r', '--from', 'now');
        const daemon = site.start();
        await daemon.waitForLog({ msg: what });
        await daemon.kill9();
        await site.once();
        const id = `new-${Math.random()}`;
        await put(couch, where, id);
        await site.once();
        assert.deepEqual(ids(hook.taken), [id]);
    }
});

test('a request that is cancelled is not taken up', async (t) => {
    const { db } = await makeFilled(couch, 3);
    const { hook, site } = await makeTwo(t, [db]);
    await site.once();
    await backfill(site, 'r');
    assert.deepEqual(await backfill(site, '--cancel', 'r'), { cancelled: 1 });
    assert.deepEqual(await requests(site), []);
    await site.once();
    assert.equal(hook.taken.length, 3);
    await site.command(['backfill', '--cancel', 'r'], { code: 66 });
});

test('the dead letters of the rule stay', async (t) => {
    const { db } = await makeFilled(couch, 3);
    const { hook, site } = await makeTwo(t, [db]);
    hook.reply = () => 400;
    await site.once();
    hook.reply = null;
    await backfill(site, 'r');
    await site.once();
    assert.equal(hook.taken.length, 3);
    const { dead_letters } = await site.command(['dead-letter', 'list']);
    assert.equal(dead_letters.length, 3);
});

/* ---- the command ---- */

test('a rule that has never run can be asked to begin, one that is not there cannot', async (t) => {
    const { db } = await makeFilled(couch, 3);
    const { hook, site } = await makeTwo(t, [db]);
    await site.once();
    const third = await startHook(t);
    site.write({ rules: { ...site.parts.rules, third: toHook(third, [db]) } });
    await backfill(site, 'third', '--from', 'now');
    await site.once();
    assert.equal(third.taken.length, 0);
    assert.equal(hook.taken.length, 3);
    for (const [name, said] of [
        ['thrid', /did you mean third\?/],
        ['zzzzzz', /there is no rule zzzzzz; there are r, other, third$/m],
    ]) {
        const run = await tailrace(site.args('backfill', name));
        assert.equal(run.code, 66);
        assert.match(run.stderr, said);
    }
});

test('what cannot be meant is refused, with the reason', async (t) => {
    const { db } = await makeFilled(couch, 3);
    const { site } = await makeTwo(t, [db]);
    await site.once();
    for (const [words, code, said] of [
        [[], 64, /name a rule/],
        [['r', '--list'], 64, /one of them/],
        [['--list', '--from', 'now'], 64, /--from goes with the rule/],
        [['r', '--from', 'now', '--database', db], 64, /give its seq/],
        [['r', '--from', '["broken'], 65, /begins as JSON/],
        [['r', '--from', ''], 64, /empty/],
        [['r', '--database', 'elsewhere'], 66, /no checkpoint on "elsewhere"/],
    ]) {
        const run = await tailrace(site.args('backfill', ...words));
        assert.equal(run.code, code, run.stderr);
        assert.match(run.stderr, said);
    }
    await backfill(site, 'r');
    const run = await tailrace(site.args('backfill', 'r', '--database', db));
    assert.equal(run.code, 64);
    assert.match(run.stderr, /cancel that first/);
    assert.equal((await requests(site)).length, 1);
});

test('for people it says what happens and who does it', async (t) => {
    const { db } = await makeFilled(couch, 1);
    const { site } = await makeTwo(t, [db]);
    await site.once();
    const asked = await tailrace(site.args('backfill', 'r', '--database', db));
    assert.equal(asked.code, 0);
    assert.match(asked.stdout, new RegExp(`^rule r begins again from the beginning on ${db}\n`));
    assert.match(asked.stdout, /a running daemon takes this up/);
    const listed = await tailrace(['backfill', '--list', '--state-dir', site.stateDir]);
    assert.equal(listed.code, 0);
    assert.match(listed.stdout, /^RULE +DATABASE +ASKED +FROM\n/);
    assert.match(listed.stdout, new RegExp(`r +${db} .* beginning`));
});
