/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database that is filled faster than anybody reads row by row: what arrives then is what a
 * reader of the feed with its documents would have seen, whichever way they were asked for.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer, waitFor } = require('../lib/couch');
const faults = require('../fault/lib/faults');
const { startProxy } = require('../fault/lib/proxy');
const { atEnd } = require('../lib/at_end');
const { makeSite } = require('./lib/site');
const { startHook, toHook, ids, sortedIds } = require('./lib/sink');
const { startForward } = require('./lib/forward');
const { fill, makeFilled, names, putLarge, revise } = require('./lib/docs');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

/* A daemon that follows a database, live; `forward` sees what it asks for. `start` is for one
 * more of the same. */
async function follow(t, filled, rule, server = couch) {
    const hook = await startHook(t);
    const forward = await startForward(t);
    const site = makeSite(t, server, {
        rules: { r: toHook(hook, [filled.db], rule) },
        source: { proxy: forward.url, retry_min: '10ms', retry_max: '100ms' },
    });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'following', db: filled.db });
    return { hook, forward, daemon, start: () => site.start() };
}

const isApart = (url) => url.endsWith('/_bulk_get');

/* Fills it in large portions until it is read apart, never far ahead of the reader, who may need
 * a while to come to that; how many there are. */
async function flood(filled, { hook, forward }, make) {
    const isRead = () => forward.requests.some(isApart);
    let count = 0;
    for (; count < 3000 || !isRead(); count += 1000) {
        assert.ok(count < 60000, 'it is not flooded');
        await fill(couch, filled.where, names(1000, 'doc', count + 1), make);
        await waitFor(() => isRead() || hook.taken.length > count - 3000, 'some of it');
    }
    return count;
}

/* {id: document} of the feed as it is read to its end. */
async function docsOf(where) {
    const { json } = await couch.get(`${where}/_changes?include_docs=true`);
    return new Map(json.results.map(({ id, doc }) => [id, doc]));
}

test('a flood brings each change once, with its document', async (t) => {
    const filled = await makeFilled(couch, 1, { prefix: 'before' });
    const reader = await follow(t, filled);
    const { hook, daemon } = reader;
    const make = (id) => ({ text: `${id} "\\\\ é\u2028😀`, list: [{ id }, null, 1e300] });
    const count = await flood(filled, reader, make);
    await hook.until(count + 1);
    await fill(couch, filled.where, ['behind']);
    await hook.until(count + 2);
    assert.equal((await daemon.stop()).code, 0);
    assert.equal(new Set(ids(hook.taken)).size, count + 2);
    assert.equal(hook.taken.length, count + 2);
    const want = await docsOf(filled.where);
    for (const { id, rev, doc } of hook.taken) {
        assert.equal(rev, want.get(id)._rev);
        assert.deepEqual(doc, want.get(id));
    }
});

test('deletions, attachments and design documents come in a flood as without one', async (t) => {
    const filled = await makeFilled(couch, 1, { prefix: 'before' });
    const reader = await follow(t, filled, { design_documents: 'include' });
    const { hook, daemon } = reader;
    const first = names(40, 'first');
    await fill(couch, filled.where, first);
    await flood(filled, reader);
    await fill(couch, filled.where, ['_design/one'], () => ({ language: 'query', views: {} }));
    await revise(couch, filled.where, first.slice(0, 20));
    const { rows } = (
        await couch.post(`${filled.where}/_all_docs`, { keys: first.slice(20, 30) })
    ).json;
    const gone = rows.map(({ id, value }) => ({ _id: id, _rev: value.rev, _deleted: true }));
    assert.equal((await couch.post(`${filled.where}/_bulk_docs`, { docs: gone })).status, 201);
    await putLarge(couch, filled.where, 'picture', 'a.jpg', 5000);
    await fill(couch, filled.where, names(500, 'more'));
    const want = await docsOf(filled.where);
    const newest = () => new Map(hook.taken.map(({ id, doc }) => [id, doc]));
    const allCame = () => {
        const came = newest();
        return [...want].every(([id, doc]) => came.get(id)?._rev === doc._rev);
    };
    await waitFor(allCame, 'all of it');
    assert.equal((await daemon.stop()).code, 0);
    assert.deepEqual(sortedIds([...newest()].map(([id]) => ({ id }))), [...want.keys()].sort());
    for (const [id, doc] of newest()) assert.deepEqual(doc, want.get(id), id);
});

test('kill -9 in the middle of a flood loses nothing', async (t) => {
    const filled = await makeFilled(couch, 1, { prefix: 'before' });
    const commit = { interval: '20ms', rows: 200 };
    const rule = { commit, concurrency: 2, batch: { size: 100 } };
    const reader = await follow(t, filled, rule);
    const { hook, daemon, start } = reader;
    const count = await flood(filled, reader);
    await waitFor(() => hook.taken.length > 500, 'some of it');
    await daemon.kill9();
    let last = start();
    for (let kills = 0; kills < 3; kills++) {
        const before = hook.taken.length;
        await waitFor(() => hook.taken.length > before || before > count, 'more of it');
        await last.kill9();
        last = start();
    }
    await waitFor(() => new Set(ids(hook.taken)).size === count + 1, 'all of it');
    assert.equal((await last.stop()).code, 0);
});

test('a flood over a line that breaks loses nothing and repeats nothing', async (t) => {
    const filled = await makeFilled(couch, 1, { prefix: 'before' });
    const line = await startProxy(couch.url);
    atEnd(t, () => line.close());
    const server = Object.create(couch, { url: { value: line.url } });
    const reader = await follow(t, filled, undefined, server);
    const { hook, daemon } = reader;
    await line.set([
        faults.cut([0, 1000], { match: /limit=2000/, times: 1 }), /* is tried again */
        faults.cut([0, 60000], { match: /_bulk_get/, p: 0.1 }),
        faults.cut([0, 60000], { match: /_bulk_get/, p: 0.05, how: 'rst' }),
        faults.cut([0, 100000], { match: /limit=2000/, p: 0.2 }),
    ]);
    const count = await flood(filled, reader);
    await hook.until(count + 1);
    await line.clear();
    await fill(couch, filled.where, ['behind']);
    await hook.until(count + 2);
    assert.equal((await daemon.stop()).code, 0);
    assert.equal(new Set(ids(hook.taken)).size, count + 2);
    assert.equal(hook.taken.length, count + 2);
});
