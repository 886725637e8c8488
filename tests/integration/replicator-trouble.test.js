/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin replicator in its native mode, in trouble: documents that the target refuses,
 * answers that are none, databases that go away. Nothing is lost, nothing is settled that was
 * not written, and no checkpoint tells of what is not there. A gateway before the server makes
 * the trouble. What takes long runs with TAILRACE_TEST_LONG=1 only.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startTestServer, waitFor, sleep } = require('../lib/couch');
const { tailrace } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { put, putLeaves } = require('./lib/docs');
const { copyBench, startGateway, urlOf, lettersOf, dbOf } = require('./lib/copy');

const QUICK = { poll_interval: '100ms' };
const FORBID = 'function (doc) { if (doc.bad) throw { forbidden: "no bad ones" }; }';

let couch, bench;

before(async () => {
    couch = await startTestServer();
    bench = copyBench(couch);
});
after(() => couch.close());

const posts = (gateway, end) => gateway.requests.filter((req) => req.path.endsWith(end));
const revsOf = async (where) =>
    Object.fromEntries(
        Object.entries(await bench.leavesOf(where)).map(([id, all]) => [id, all.map(([rev]) => rev)]),
    );
const leaf = (_id, ids, fields) => ({
    _id,
    _rev: `${ids.length}-${ids[0].repeat(32)}`,
    _revisions: { start: ids.length, ids: ids.map((letter) => letter.repeat(32)) },
    ...fields,
});

/* A pair whose target, and with `source` its source too, is reached through the gateway. */
async function pairThrough(t, count, meddle, { options, rule, source } = {}) {
    const gateway = await startGateway(t, couch, meddle);
    const made = await bench.pair(t, count, {}, rule);
    const site = bench.siteTo(
        t,
        made.db,
        {
            target: urlOf(gateway, made.to),
            ...(source && { source: urlOf(gateway, made.where) }),
            ...options,
        },
        rule,
        QUICK,
    );
    site.setPasswords({ '127.0.0.1': { admin: couch.auth.split(':')[1] } });
    return { ...made, site, gateway };
}

/* ---- documents that the target refuses ---- */

test('a refused leaf is a dead letter with the reason, the others are written', async (t) => {
    const { where, to, site } = await bench.pair(t, 3);
    await put(couch, to, '_design/strict', { validate_doc_update: FORBID });
    await put(couch, where, 'bad', { bad: true });
    await putLeaves(couch, where, [
        leaf('c', ['a', 'f'], { v: 'A' }),
        leaf('c', ['b', 'f'], { v: 'B', bad: true }),
    ]);
    await site.once();
    const letters = (await lettersOf(site)).sort((a, b) => (a.doc_id < b.doc_id ? -1 : 1));
    assert.deepEqual(
        letters.map(({ doc_id }) => doc_id),
        ['bad', 'c'],
    );
    assert.match(letters[0].error, /^1-[0-9a-f]{32}: forbidden: no bad ones$/);
    assert.match(letters[1].error, /^2-b{32}: forbidden: no bad ones$/);
    const { _design, ...there } = await revsOf(to);
    assert.deepEqual(there.c, [`2-${'a'.repeat(32)}`]);
    assert.equal(there.bad, undefined);
    const [checkpoint] = Object.values(await bench.checkpointsOf(to));
    assert.equal(checkpoint.history[0].doc_write_failures, 2);

    const still = await site.command(['dead-letter', 'replay', '--all'], { code: 65 });
    assert.ok(still);
    assert.equal((await lettersOf(site)).length, 2);
    const { _rev } = (await couch.get(`${to}/_design/strict`)).json;
    await couch.delete(`${to}/_design/strict?rev=${_rev}`);
    await site.command(['dead-letter', 'replay', '--all']);
    assert.deepEqual(await lettersOf(site), []);
    const { '_design/strict': gone, ...mended } = await revsOf(to);
    assert.deepEqual(mended, await revsOf(where));
});

test('what a transform changed is no copy, and is refused', async (t) => {
    const { db, to } = await bench.pair(t, 1);
    const rule = { transforms: [{ plugin: 'set', options: { fields: [{ path: 'v', value: 1 }] } }] };
    const site = bench.siteTo(t, db, { target: urlOf(couch, to) }, rule);
    await site.once();
    assert.match((await lettersOf(site))[0].error, /a transform changed it/);
    assert.deepEqual(await revsOf(to), {});
});

test('a request that is too large goes in parts, and one document that is, to the dead letters', async (t) => {
    const meddle = (req) => {
        if (!req.path.endsWith('/_bulk_docs')) return undefined;
        const { docs } = req.json();
        if (docs.length > 4 || docs.some(({ _id }) => _id === 'huge'))
            return { status: 413, body: { error: 'too_large', reason: 'the request entity is too large' } };
        return undefined;
    };
    const { where, to, site } = await pairThrough(t, 20, meddle);
    await put(couch, where, 'huge');
    await site.once();
    const letters = await lettersOf(site);
    assert.deepEqual(letters.map(({ doc_id }) => doc_id), ['huge']);
    assert.match(letters[0].error, /: 413: too_large: the request entity is too large$/);
    const { huge, ...rest } = await revsOf(where);
    assert.ok(huge);
    assert.deepEqual(await revsOf(to), rest);
});

/* ---- what the source does not have any more ---- */

/* As if these documents had been purged after the feed was read. */
const purged = (ids) => async (req, pass) => {
    if (!req.path.endsWith('/_bulk_get')) return undefined;
    const answer = await pass();
    const body = JSON.parse(answer.body);
    for (const result of body.results)
        if (ids.includes(result.id))
            result.docs = result.docs.map(({ ok }) => ({
                error: { id: result.id, rev: ok._rev, error: 'not_found', reason: 'missing' },
            }));
    return { ...answer, body };
};

test('what was purged since the feed was read is settled', async (t) => {
    const { where, to, site } = await pairThrough(t, 3, purged(['gone']), {
        source: true,
        rule: { concurrency: 1 },
    });
    for (const id of ['gone', 'stays'])
        await putLeaves(couch, where, [leaf(id, ['a', 'f'], {})]);
    const run = await site.once();
    assert.match(run.stderr, /not at the source any more/);
    assert.deepEqual(await lettersOf(site), []);
    const { gone, ...rest } = await revsOf(where);
    assert.ok(gone);
    assert.deepEqual(await revsOf(to), rest);
});

test('a source that never had what the feed names is not believed', async (t) => {
    const { where, site } = await pairThrough(t, 0, purged(['gone']), { source: true });
    await putLeaves(couch, where, [leaf('gone', ['a', 'f'], {})]);
    await site.once();
    const [letter] = await lettersOf(site);
    assert.match(letter.error, /source is not the database that the rule reads/);
});

test('a source without _bulk_get is asked document by document', async (t) => {
    const meddle = (req) =>
        req.path.endsWith('/_bulk_get')
            ? { status: 405, body: { error: 'method_not_allowed', reason: 'no' } }
            : undefined;
    const { where, to, site, gateway } = await pairThrough(t, 3, meddle, {
        source: true,
        rule: { concurrency: 1 },
    });
    await putLeaves(couch, where, [
        leaf('c', ['a', 'f'], { v: 'A' }),
        leaf('c', ['b', 'f'], { v: 'B' }),
        leaf('ä/b', ['b', 'f'], { v: 'B' }),
    ]);
    await put(couch, where, '_design/d', { v: 1 });
    const { _rev } = (await couch.get(`${where}/_design/d`)).json;
    await put(couch, where, '_design/d', { _rev, _attachments: { a: { data: 'YQ==' } } });
    await site.once();
    await bench.assertSame(where, to);
    assert.equal(posts(gateway, '/_bulk_get').length, 1);
});

/* ---- answers that are none ---- */

const ONCE = {
    401: { status: 401, body: { error: 'unauthorized', reason: 'You are not authorized.' } },
    403: { status: 403, body: { error: 'forbidden', reason: 'not now' } },
    429: { status: 429, headers: { 'Retry-After': '0' }, body: { error: 'too_many_requests', reason: 'slow' } },
    500: { status: 500, body: { error: 'unknown_error', reason: 'function_clause' } },
    503: { status: 503, body: 'a proxy speaks' },
    closed: { close: true },
    cut: { status: 201, body: '[{"id":"doc-0000' },
    foreign: { status: 200, body: '<html>welcome</html>' },
    strays: { status: 201, body: [{ id: 'unknown', rev: '1-a', error: 'forbidden', reason: 'x' }] },
    'no rows': { status: 201, body: [7, null, ['id']] },
    timeout: async (pass) => ({
        ...(await pass()),
        body: [{ id: 'doc-000002', error: 'timeout', reason: 'x' }],
    }),
};
const STEPS = ['_revs_diff', '_bulk_get', '_bulk_docs'];

for (const [name, answer] of Object.entries(ONCE))
    test(`an answer that is none only means to ask again: ${name}`, async (t) => {
        const spoiled = new Set();
        const meddle = (req, pass) => {
            const step = STEPS.find((end) => req.path.endsWith(`/${end}`));
            if (!step || spoiled.has(step)) return undefined;
            spoiled.add(step);
            return typeof answer === 'function' ? answer(pass) : answer;
        };
        const rule = { batch: { size: 3 }, concurrency: 1 };
        const { where, to, site } = await pairThrough(t, 5, meddle, { source: true, rule });
        await putLeaves(couch, to, [leaf('own', ['e'], {})]); /* so that it is asked what is there */
        await putLeaves(couch, where, [leaf('own', ['e'], {}), leaf('c', ['a', 'f'], { v: 'A' })]);
        await site.once();
        assert.equal(spoiled.size, 3);
        await bench.assertSame(where, to);
        assert.deepEqual(await lettersOf(site), []);
    });

test('an answer larger than any that is kept is asked for in parts', async (t) => {
    if (!process.env.TAILRACE_TEST_LONG) return t.skip('256 MB take their time: TAILRACE_TEST_LONG=1');
    const huge = Buffer.alloc((256 << 20) + 1, ' ');
    let given = 0;
    const meddle = (req) => {
        if (!req.path.endsWith('/_bulk_get') || req.json().docs.length < 2) return undefined;
        given++;
        return { status: 200, headers: { 'Content-Type': 'application/json' }, body: huge };
    };
    const { where, to, site } = await pairThrough(t, 0, meddle, {
        source: true,
        rule: { concurrency: 1 },
    });
    for (const id of ['a', 'b']) await putLeaves(couch, where, [leaf(id, ['a', 'f'], {})]);
    await site.once();
    assert.equal(given, 1);
    await bench.assertSame(where, to);
    assert.deepEqual(await lettersOf(site), []);
});

/* ---- ends that have little or too much in common ---- */

test('histories that share nothing end as conflicts, and the copy begins at the beginning', async (t) => {
    const { where, to, site } = await bench.pair(t, 3);
    await putLeaves(couch, where, [leaf('c', ['a', 'b'], { v: 'A' })]);
    await putLeaves(couch, to, [leaf('c', ['d', 'e'], { v: 'D' })]);
    await site.once();
    /* Books of another run at the target, and no state of ours: nobody knows where they were. */
    const [[id, books]] = Object.entries(await bench.checkpointsOf(to));
    const session_id = 'f'.repeat(32);
    const history = books.history.map((entry) => ({ ...entry, session_id }));
    assert.equal((await couch.put(`${to}/${id}`, { ...books, session_id, history })).status, 201);
    fs.rmSync(site.stateDir, { recursive: true });
    const { stderr } = await site.once();
    assert.match(stderr, /"received":4/);
    const ours = await revsOf(where);
    const theirs = await revsOf(to);
    assert.deepEqual(theirs, { ...ours, c: [`2-${'a'.repeat(32)}`, `2-${'d'.repeat(32)}`] });
    assert.deepEqual(await lettersOf(site), []);
});

test('a database that is copied to itself under another name stays as it is', async (t) => {
    const { where, db } = await bench.pair(t, 3);
    await putLeaves(couch, where, [leaf('c', ['a', 'f'], {}), leaf('c', ['b', 'f'], {})]);
    const alias = urlOf(couch, where).replace('127.0.0.1', 'localhost');
    const site = bench.siteTo(t, db, { target: alias });
    const password = couch.auth.split(':')[1];
    site.setPasswords({ '127.0.0.1': { admin: password }, localhost: { admin: password } });
    const before = [await bench.leavesOf(where), (await couch.get(where)).json.update_seq];
    await site.once();
    assert.deepEqual([await bench.leavesOf(where), (await couch.get(where)).json.update_seq], before);
    assert.deepEqual(await lettersOf(site), []);
});

/* ---- databases that come and go ---- */

test('a target that is missing is waited for', async (t) => {
    const { where, db } = await bench.pair(t, 3);
    const to = bench.futureDb();
    const daemon = bench.siteTo(t, db, { target: urlOf(couch, to) }, {}, QUICK).start();
    await daemon.waitForLog(/does not exist; make it, or set create_target/);
    await couch.put(to);
    await waitFor(async () => (await couch.get(to)).json.doc_count === 3, 'the copy');
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    await bench.assertSame(where, to);
});

test('a stop does not wait for an end that does not answer', async (t) => {
    let silent = false;
    const meddle = () => (silent ? { hang: true } : undefined);
    const { where, to, site } = await pairThrough(t, 3, meddle, { options: { checkpoint_interval: '1h' } });
    site.write({ main: { drain_timeout: '4s' } });
    const daemon = site.start();
    await waitFor(async () => (await couch.get(to)).json.doc_count === 3, 'the copy');
    await waitFor(async () => (await site.command(['checkpoint', 'list'])).checkpoints?.length !== 0, 'ours');
    silent = true;
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    silent = false;
    await site.once();
    await bench.assertSame(where, to);
});

test('a stop leaves out checkpoints that it cannot begin in time', async (t) => {
    let slow = false;
    const asked = [];
    const meddle = (req) => {
        if (slow) asked.push(`${req.method} ${req.path}`);
        return slow ? sleep(2000) : undefined;
    };
    const { where, to, site } = await pairThrough(t, 3, meddle, {
        options: { checkpoint_interval: '1h' },
        source: true,
    });
    site.write({ main: { drain_timeout: '3s' } });
    const daemon = site.start();
    await waitFor(async () => (await couch.get(to)).json.doc_count === 3, 'the copy');
    await waitFor(async () => (await site.command(['checkpoint', 'list'])).checkpoints?.length !== 0, 'ours');
    slow = true;
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    assert.deepEqual(asked, [`GET ${where}`], 'it looks at the source, and that takes too long');
    assert.deepEqual(daemon.logs().filter(({ level }) => level === 'warn'), []);
});

test('an end that takes no checkpoint does not hold up the copy', async (t) => {
    const meddle = (req) =>
        req.method === 'PUT' && req.path.includes('/_local/')
            ? { status: 403, body: { error: 'forbidden', reason: 'read only' } }
            : undefined;
    const { where, to, site } = await pairThrough(t, 3, meddle, { source: true });
    const run = await site.once();
    assert.match(run.stderr, /the checkpoint was not written to both ends: PUT of the source's _local: forbidden: read only/);
    await bench.assertSame(where, to);
    assert.deepEqual(await bench.checkpointsOf(to), {});
});

/* ---- what is said before ---- */

for (const [what, options, pattern] of [
    ['the same database', { source: 'http://a@h/x', target: 'http://b@h/x' }, /are the same database/],
    ['no source', { source: undefined }, /neither source nor source_url is set/],
    ['a name', { target: 'copy' }, /target is not a URL/],
    ['a variable', { target: 'http://h/$id' }, /only \$db_name is known/],
    ['no database', { target: 'http://h' }, /target is not the URL of a database/],
    ['an option of a server', { body: '{}' }, /body is for a server that replicates/],
    ['shards of a target that is not made', { q: 4 }, /set create_target = true/],
])
    test(`check finds ${what}`, async (t) => {
        const rules = { r: bench.toCopy('any', { target: 'http://h/y', ...options }) };
        const site = makeSite(t, couch, { rules });
        const run = await tailrace(site.args('check'));
        assert.notEqual(run.code, 0);
        assert.match(run.stdout + run.stderr, pattern);
    });

test('explain says what would be asked', async (t) => {
    const site = makeSite(t, couch, {
        rules: {
            r: bench.toCopy('orders', {
                source: 'http://admin:canary@h/orders',
                target: 'http://h/copy_$db_name',
            }),
        },
    });
    const doc = path.join(site.dir, 'doc.json');
    fs.writeFileSync(doc, JSON.stringify({ _id: 'a', _rev: '2-aa', v: 1 }));
    const run = await tailrace(site.args('explain', 'orders', doc));
    assert.match(run.stdout, /POST http:\/\/h\/copy_orders\/_revs_diff/);
    assert.match(run.stdout, /POST http:\/\/admin:\*\*\*@h\/orders\/_bulk_get\?revs=true/);
    assert.match(run.stdout, /POST http:\/\/h\/copy_orders\/_bulk_docs/);
    assert.doesNotMatch(run.stdout, /canary/);
});
