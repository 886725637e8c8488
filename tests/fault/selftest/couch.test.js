/* SPDX-License-Identifier: Apache-2.0 */
/* What the scripted server says by itself is believable: as CouchDB 3.5 says it. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { startScripted } = require('../lib/scripted');
const { rows, row } = require('../lib/rows');
const { request } = require('./http_client');
const { atEnd } = require('../../lib/at_end');

async function serve(t, dbs) {
    const sc = await startScripted([], { couch: { dbs } });
    atEnd(t, () => sc.close());
    sc.get = async (path, options) => {
        const got = await request(sc.url + path, options);
        return { ...got, json: () => JSON.parse(got.body) };
    };
    return sc;
}

const lines = (body) =>
    body
        .split('\n')
        .filter(Boolean)
        .map((l) => JSON.parse(l));

test('databases, their info and their incarnation', async (t) => {
    const sc = await serve(t, {
        b: rows(2),
        a: { rows: [], instance_start_time: '1700000000' },
    });
    assert.deepEqual((await sc.get('/_all_dbs')).json(), ['a', 'b']);
    assert.equal((await sc.get('/a')).json().instance_start_time, '1700000000');
    const before = (await sc.get('/b')).json();
    sc.couch.recreate('b', []);
    assert.notEqual(
        (await sc.get('/b')).json().instance_start_time,
        before.instance_start_time
    );
    assert.equal((await sc.get('/nope')).status, 404);
    const infos = await sc.get('/_dbs_info', { method: 'POST', body: '{"keys":["a","nope"]}' });
    assert.deepEqual(
        infos.json().map((i) => [i.key, i.error]),
        [
            ['a', undefined],
            ['nope', 'not_found'],
        ]
    );
});

test('databases are created once and deleted', async (t) => {
    const sc = await serve(t, {});
    assert.equal((await sc.get('/n', { method: 'PUT' })).status, 201);
    assert.equal((await sc.get('/n', { method: 'PUT' })).status, 412);
    assert.equal((await sc.get('/n', { method: 'DELETE' })).status, 200);
    assert.equal((await sc.get('/n')).status, 404);
});

test('a session gives a cookie', async (t) => {
    const sc = await serve(t, {});
    const got = await sc.get('/_session', { method: 'POST', body: '{}' });
    assert.match(got.headers['set-cookie'][0], /^AuthSession=/);
    assert.equal((await sc.get('/_session')).json().userCtx.name, 'admin');
});

test('a _local document is kept, and guarded by its revision', async (t) => {
    const sc = await serve(t, { db: [] });
    const put = (body) =>
        sc.get('/db/_local/cp', { method: 'PUT', body: JSON.stringify(body) });
    assert.equal((await sc.get('/db/_local/cp')).status, 404);
    const first = await put({ seq: 1 });
    assert.deepEqual([first.status, first.json().rev], [201, '0-1']);
    assert.equal((await put({ seq: 2 })).status, 409);
    assert.equal((await put({ seq: 2, _rev: '0-1' })).json().rev, '0-2');
    assert.equal((await sc.get('/db/_local/cp')).json().seq, 2);
});

test('normal feed: the very bytes of line ends, and since by position', async (t) => {
    const sc = await serve(t, { db: rows(3), empty: [] });
    const all = await sc.get('/db/_changes');
    assert.match(
        all.body,
        /^\{"results":\[\n\{.*\},\r\n\{.*\},\r\n\{.*\}\n\],\n"last_seq":"3-.*","pending":0\}\n\n$/
    );
    const results = all.json().results;
    assert.equal('doc' in results[0], false);
    const since = encodeURIComponent(results[0].seq);
    const rest = (await sc.get(`/db/_changes?include_docs=true&limit=1&since=${since}`)).json();
    assert.deepEqual([rest.results.map((r) => r.doc._id), rest.pending], [['doc-2'], 1]);
    assert.match(
        (await sc.get('/empty/_changes')).body,
        /^\{"results":\[\n\n\],\n"last_seq":"0-/
    );
});

test('since: now, malformed, and of another incarnation', async (t) => {
    const sc = await serve(t, { db: rows(2), other: rows(2) });
    const count = async (since) =>
        (await sc.get(`/db/_changes?since=${since}`)).json().results.length;
    assert.equal(await count('now'), 0);
    assert.equal((await sc.get('/db/_changes?since=garbage')).status, 400);
    const foreign = (await sc.get('/other/_changes')).json().last_seq;
    assert.equal(await count(foreign), 2);
    assert.equal(await count((await sc.get('/db/_changes')).json().last_seq), 0);
});

test('since finds seqs of every JSON type again', async (t) => {
    const seqs = [7, '7-abc', [1, 'x']];
    const sc = await serve(t, { db: rows(3, (n) => ({ seq: seqs[n - 1] })) });
    for (const [i, seq] of seqs.entries()) {
        const got = await sc.get(
            `/db/_changes?since=${encodeURIComponent(JSON.stringify(seq))}`
        );
        assert.equal(got.json().results.length, 2 - i);
    }
});

test('seq_interval leaves seqs out, last_seq is always one', async (t) => {
    const sc = await serve(t, { db: rows(5) });
    const got = (await sc.get('/db/_changes?seq_interval=2')).json();
    assert.deepEqual(
        got.results.map((r) => r.seq === null),
        [true, false, true, false, true]
    );
    assert.match(got.last_seq, /^5-/);
});

test('continuous feed: limit and timeout end it with last_seq and a blank line', async (t) => {
    const sc = await serve(t, { db: rows(3) });
    const limited = await sc.get('/db/_changes?feed=continuous&limit=2');
    assert.match(limited.body, /\n\{"last_seq":"2-[^"]*","pending":1\}\n\n$/);
    assert.equal(lines(limited.body).length, 3);
    const timed = await sc.get('/db/_changes?feed=continuous&timeout=5');
    assert.deepEqual([lines(timed.body).length, timed.complete], [4, true]);
});

test('continuous feed: heartbeats, a live row, the end when the database goes', async (t) => {
    const sc = await serve(t, { db: rows(1) });
    let beats = 0;
    const got = await sc.get('/db/_changes?feed=continuous&heartbeat=5&timeout=1', {
        onData(piece, req, out) {
            out.parts.push(piece);
            if (piece.toString() === '\n' && ++beats === 3) sc.couch.db('db').append(row(2));
            if (piece.includes('doc-2')) sc.couch.remove('db');
        },
    });
    assert.ok(beats >= 3);
    assert.deepEqual(
        lines(got.body).map((l) => l.id),
        ['doc-1', 'doc-2', undefined]
    );
    assert.equal(got.complete, true);
    assert.equal((await sc.get('/db/_changes')).status, 404);
});

test('longpoll waits for a row', async (t) => {
    const sc = await serve(t, { db: [] });
    const poll = sc.get('/db/_changes?feed=longpoll&heartbeat=5');
    await sc.waitFor((r) => r.query.get('feed') === 'longpoll');
    sc.couch.db('db').append(row(1));
    assert.deepEqual(
        (await poll).json().results.map((r) => r.id),
        ['doc-1']
    );
});

test('bulk writes: a result each, or nothing with new_edits false', async (t) => {
    const sc = await serve(t, { db: [] });
    const post = (body) =>
        sc.get('/db/_bulk_docs', { method: 'POST', body: JSON.stringify(body) });
    assert.deepEqual(
        (await post({ docs: [{ _id: 'a' }] })).json().map((r) => r.id),
        ['a']
    );
    assert.deepEqual((await post({ docs: [{ _id: 'a' }], new_edits: false })).json(), []);
});

test('a server that stops leaves a feed without its final chunk', async (t) => {
    const sc = await serve(t, { db: rows(1) });
    const got = await sc.get('/db/_changes?feed=continuous&heartbeat=5', {
        onData: () => sc.dropAll(),
    });
    assert.deepEqual([got.complete, got.error], [false, 'ECONNRESET']);
});
