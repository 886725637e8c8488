/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin replicator and attachments that are too large to be in memory: how much of it they
 * take, how long they may take, and what becomes of one that is cut off, changed or missing on
 * the way. A fault proxy stands before the server.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const { startTestServer, waitFor } = require('../lib/couch');
const { startProxy } = require('../fault/lib/proxy');
const faults = require('../fault/lib/faults');
const { put, putLeaves, putLarge, digestOf } = require('./lib/docs');
const { copyBench, startGateway, urlOf, lettersOf } = require('./lib/copy');
const { atEnd } = require('../lib/at_end');

const MB = 1 << 20;
const HALF = MB / 2;
const GROWTH = 3 * MB;
const QUICK = { poll_interval: '100ms' };
const SEED = Number(process.env.TAILRACE_SEED || 1);

let couch, bench;
let size; /* of what is large: the test server keeps a body in memory whole                  */

before(async () => {
    couch = await startTestServer();
    bench = copyBench(couch);
    size = couch.isReal ? 64 * MB : 8 * MB;
});
after(() => couch.close());

async function proxy(t) {
    const made = await startProxy(couch.url, { seed: SEED });
    atEnd(t, () => made.close());
    return made;
}

/* A pair of databases, both behind a proxy of their own. */
async function pairBehind(t, rule, options) {
    const [source, target] = [await proxy(t), await proxy(t)];
    const made = await bench.pair(t, 1);
    const ends = { source: urlOf(source, made.where), target: urlOf(target, made.to) };
    const site = bench.siteTo(t, made.db, { ...ends, ...options }, rule, QUICK);
    return { ...made, site, source, target };
}

const peakOf = (pid) =>
    Number(/VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))[1]);
const hasDoc = async (where, id) =>
    (await couch.request(`${where}/${id}`, { method: 'HEAD' })).status === 200;

test('a large attachment passes through little memory', async (t) => {
    const { where, to, db } = await bench.pair(t, 1);
    await putLarge(couch, where, 'warm', 'photo', 2 * MB);
    /* What a sanitizer keeps of freed memory is not the daemon's. */
    const env = { ASAN_OPTIONS: `${process.env.ASAN_OPTIONS || ''}:quarantine_size_mb=1` };
    const site = bench.siteTo(t, db, { target: urlOf(couch, to) }, {}, QUICK);
    const daemon = site.start({ env });
    await waitFor(() => hasDoc(to, 'warm'), 'the first one');
    const before = peakOf(daemon.pid);
    const digest = await putLarge(couch, where, 'large', 'photo', size);
    await waitFor(() => hasDoc(to, 'large/photo'), 'the copy', 60000);
    const grown = peakOf(daemon.pid) - before;
    t.diagnostic(`${size / MB} MiB: VmHWM grew by ${grown} kB`);
    assert.ok(grown * 1024 < GROWTH, `VmHWM grew by ${grown} kB`);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    assert.equal(await digestOf(couch, `${to}/large/photo`), digest);
});

/* ---- time ---- */

test('one that moves is not late, however long it takes', async (t) => {
    const { where, to, site, source } = await pairBehind(t, { timeout: '1s' });
    await putLarge(couch, where, 'large', 'photo', 3 * MB);
    await source.set(faults.drip(MB, { match: /photo/ }));
    const { stderr } = await site.once();
    assert.doesNotMatch(stderr, /batch is late|"batch failed/, source.describe());
    await bench.assertSame(where, to);
});

for (const end of ['source', 'target'])
    test(`one that stands still is late, and is tried again: ${end}`, async (t) => {
        const pair = await pairBehind(t, { timeout: '1s' });
        const { where, to, site } = pair;
        await putLarge(couch, where, 'large', 'photo', 3 * MB);
        const side = end === 'target' ? 'request' : 'response';
        await pair[end].set(faults.stall(MB, { side, match: /large/ }));
        const daemon = site.start();
        await daemon.waitForLog({ msg: /batch failed/ });
        await pair[end].clear();
        await waitFor(() => hasDoc(to, 'large'), 'the copy');
        assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
        assert.doesNotMatch(daemon.stderrLines.join('\n'), /wedged/);
        await bench.assertSame(where, to);
        assert.deepEqual(await lettersOf(site), []);
    });

/* ---- on the way ---- */

for (const [what, end, fault] of [
    ['cut off by the source', 'source', faults.cut(HALF, { from: 'body', match: /photo/, times: 2 })],
    ['reset by the source', 'source', faults.cut(HALF, { how: 'rst', match: /photo/, times: 1 })],
    ['cut off by the target', 'target', faults.cutRequest(HALF, { match: /large/, times: 2 })],
    ['refused for its login', 'target', faults.status(401, { match: /large/, times: 1, close: true })],
    ['refused for its login at the source', 'source', faults.status(401, { match: /photo/, times: 1 })],
    ['answered by 500', 'source', faults.status(500, { match: /photo/, times: 1 })],
])
    test(`an attachment that is ${what} comes whole in the end`, async (t) => {
        const pair = await pairBehind(t, {});
        await putLarge(couch, pair.where, 'large', 'photo', MB);
        await pair[end].set(fault);
        const { stderr } = await pair.site.once();
        assert.equal(pair[end].struck(fault), fault.times, pair[end].describe());
        assert.match(stderr, /batch failed/);
        await bench.assertSame(pair.where, pair.to);
        await bench.assertNothingLeft(pair.where, pair.to);
        assert.deepEqual(await lettersOf(pair.site), []);
    });

test('one whose digest is wrong is a dead letter, and leaves nothing behind', async (t) => {
    const { where, to, site, source } = await pairBehind(t, {});
    await putLarge(couch, where, 'large', 'photo', MB);
    await source.set(faults.corrupt(HALF, { from: 'body', match: /photo/ }));
    await site.once();
    const [letter, ...more] = await lettersOf(site);
    assert.equal(more.length, 0);
    assert.equal(letter.doc_id, 'large');
    assert.match(letter.error, /the digest is another/);
    assert.equal(await hasDoc(to, 'large'), false);
    await source.clear();
    await site.command(['dead-letter', 'replay', '--all']);
    await bench.assertSame(where, to);
});

test('large ones flow from a source without _bulk_get too', async (t) => {
    const { where, to, site, source } = await pairBehind(t, {});
    await putLarge(couch, where, 'large', 'photo', MB);
    const body = '{"error":"method_not_allowed","reason":"no"}';
    await source.set(faults.status(405, { match: /_bulk_get/, body }));
    await site.once();
    await source.clear();
    await bench.assertSame(where, to);
});

/* ---- what is not there ---- */

test('a document whose stub the target misses is a dead letter, and alone', async (t) => {
    const meddle = (req) =>
        req.path.endsWith('/_bulk_docs') && req.json().docs.some(({ _id }) => _id === 'stub')
            ? {
                  status: 412,
                  body: { error: 'missing_stub', reason: "Invalid attachment stub in stub for 'a'" },
              }
            : undefined;
    const gateway = await startGateway(t, couch, meddle);
    const { where, to, db } = await bench.pair(t, 9);
    await put(couch, where, 'stub', { _attachments: { a: { data: 'YQ==' } } });
    const site = bench.siteTo(t, db, { target: urlOf(gateway, to) });
    await site.once();
    const letters = await lettersOf(site);
    assert.deepEqual(letters.map(({ doc_id }) => doc_id), ['stub']);
    assert.match(letters[0].error, /: 412: missing_stub: Invalid attachment stub/);
    const { stub, ...rest } = await bench.leavesOf(where);
    assert.ok(stub);
    assert.deepEqual(await bench.leavesOf(to), rest);
});

const purge = (where, id, rev) => couch.post(`${where}/_purge`, { [id]: [rev] });

for (const [what, step] of [
    ['the feed and its fetch', (req) => req.path.endsWith('/_bulk_get')],
    ['its document and its attachment', (req) => req.path.endsWith('/photo')],
])
    test(`what is purged between ${what} is settled`, async (t) => {
        if (!couch.isReal) return t.skip('the test server has no _purge');
        let purged = false;
        const meddle = async (req) => {
            if (purged || !step(req)) return undefined;
            purged = true;
            const { json } = await couch.get(`${where}/large`);
            assert.equal((await purge(where, 'large', json._rev)).status, 201);
            return undefined;
        };
        const gateway = await startGateway(t, couch, meddle);
        const { where, to, db } = await bench.pair(t, 0);
        await putLeaves(couch, where, [
            { _id: 'stays', _rev: '2-ab', _revisions: { start: 2, ids: ['ab', 'cd'] } },
        ]);
        await putLarge(couch, where, 'large', 'photo', HALF);
        const ends = { source: urlOf(gateway, where), target: urlOf(couch, to) };
        const site = bench.siteTo(t, db, ends, { concurrency: 1 });
        await site.once();
        assert.ok(purged);
        await bench.assertSame(where, to);
        assert.deepEqual(await lettersOf(site), []);
    });
