// SPDX-License-Identifier: Apache-2.0
//
// `_changes` answered at once (feed=normal): bytes between rows, what rows hold, where a feed begins,
// filters, and the errors of its parameters.
'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer } = require('../lib/couch');

const B = '1-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb';
const A = '1-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
const SEQ = /^\d+-g1AAAA[\w-]{50,}$/;
let couch;
let db;

before(async () => {
    couch = await startTestServer();
    db = await couch.makeDb();
    for (const id of ['a', 'b', 'c', 'd'])
        await couch.put(`${db}/${id}`, { type: id, n: id.charCodeAt(0) });
    await couch.post(`${db}/_bulk_docs`, {
        new_edits: false,
        docs: [
            { _id: 'f', _rev: B, v: 'B' },
            { _id: 'f', _rev: A, v: 'A' },
        ],
    });
    const { json } = await couch.get(`${db}/c`);
    await couch.delete(`${db}/c?rev=${json._rev}`);
    const { json: d } = await couch.get(`${db}/d`);
    await couch.put(`${db}/d`, { _rev: d._rev, _deleted: true, reason: 'spam' });
    await couch.put(`${db}/_design/x`, {
        filters: { type: 'function (doc, req) { return doc.type === req.query.type; }' },
    });
});
after(() => couch.close());

const changes = (query, body) =>
    body ? couch.post(`${db}/_changes?${query}`, body) : couch.get(`${db}/_changes?${query}`);
const idsOf = (answer) => answer.json.results.map((row) => row.id).sort();
const rowOf = (answer, id) => answer.json.results.find((row) => row.id === id);

test('rows are separated by comma, CR, LF and the body ends with a blank line', async () => {
    const { text } = await changes('limit=3');
    assert.match(
        text,
        /^\{"results":\[\n\{"seq":"[^\n]*\},\r\n\{[^\n]*\},\r\n\{[^\n]*\}\n\],\n"last_seq":"[^"]+","pending":3\}\n\n$/,
    );
});

test('an empty feed has two line feeds between its brackets', async () => {
    const { text } = await changes('since=now');
    assert.match(text, /^\{"results":\[\n\n\],\n"last_seq":"\d+-[^"]+","pending":0\}\n\n$/);
});

test('every document has one row and the last one is where last_seq stands', async () => {
    const answer = await changes('');
    assert.deepStrictEqual(idsOf(answer), ['_design/x', 'a', 'b', 'c', 'd', 'f']);
    assert.strictEqual(answer.json.pending, 0);
});

test('seqs are a number, a dash and an opaque token', async () => {
    const { json } = await changes('');
    for (const { seq } of json.results) assert.match(seq, SEQ);
    assert.match(json.last_seq, SEQ);
    assert.ok(json.last_seq.length >= 70 && json.last_seq.length <= 260);
});

test('resuming page by page from last_seq brings every document once', async () => {
    const seen = [];
    let since = '0';
    for (let i = 0; i < 20; i++) {
        const { json } = await changes(`limit=2&since=${since}`);
        if (!json.results.length) break;
        seen.push(...json.results.map((row) => row.id));
        since = json.last_seq;
    }
    assert.deepStrictEqual(seen.sort(), ['_design/x', 'a', 'b', 'c', 'd', 'f']);
});

test('resuming from the seq of any row brings exactly the rows after it in that response', async () => {
    const first = await changes('');
    for (const [i, row] of first.json.results.entries()) {
        const rest = await changes(`since=${row.seq}`);
        assert.deepStrictEqual(
            idsOf(rest),
            first.json.results
                .slice(i + 1)
                .map((r) => r.id)
                .sort(),
        );
    }
});

test('pending counts what the limit left out', async () => {
    const { json } = await changes('limit=2');
    assert.strictEqual(json.pending, 4);
    const next = await changes(`limit=2&since=${json.last_seq}`);
    assert.strictEqual(next.json.pending, 2);
});

test('limit=0 brings no row', async () => {
    assert.deepStrictEqual((await changes('limit=0')).json.results, []);
});

test('style=all_docs brings every leaf, the winner first', async () => {
    const row = rowOf(await changes('style=all_docs'), 'f');
    assert.deepStrictEqual(row.changes, [{ rev: B }, { rev: A }]);
});

test('deleted documents say so, with a stub or with their body', async () => {
    const answer = await changes('include_docs=true');
    const [c, d] = [rowOf(answer, 'c'), rowOf(answer, 'd')];
    assert.deepStrictEqual(c, {
        ...c,
        deleted: true,
        doc: { _id: 'c', _rev: c.changes[0].rev, _deleted: true },
    });
    assert.deepStrictEqual(d.doc, {
        _id: 'd',
        _rev: d.changes[0].rev,
        reason: 'spam',
        _deleted: true,
    });
    assert.match(answer.text, /"reason":"spam","_deleted":true\}/);
});

test('documents come with _id and _rev first and without _revisions', async () => {
    const { text } = await changes('include_docs=true&revs=true');
    assert.match(text, /"doc":\{"_id":"a","_rev":"1-[0-9a-f]{32}","type":"a","n":97\}\}/);
    assert.doesNotMatch(text, /_revisions/);
});

test('conflicts=true adds the losing leaves after the body', async () => {
    const { text } = await changes('include_docs=true&conflicts=true');
    assert.ok(text.includes(`"doc":{"_id":"f","_rev":"${B}","v":"B","_conflicts":["${A}"]}`));
});

test('seq_interval leaves most seqs null and last_seq whole', async () => {
    const { json } = await changes('seq_interval=4');
    const given = json.results.filter((row) => row.seq !== null);
    assert.ok(given.length >= 1 && given.length <= 2, `${given.length} seqs`);
    assert.match(json.last_seq, SEQ);
});

test('descending brings the newest first', async () => {
    const { json } = await changes('descending=true&limit=6');
    assert.strictEqual(json.results.length, 6);
});

test('the seq of another database is accepted and starts over', async () => {
    const other = await couch.makeDb();
    for (const id of ['q', 'r', 's']) await couch.put(`${other}/${id}`, {});
    const { json } = await couch.get(`${other}/_changes`);
    const answer = await changes(`since=${json.last_seq}`);
    assert.strictEqual(answer.status, 200);
    assert.strictEqual(answer.json.results.length, 6);
});

test('after delete and create again an old seq starts over', async () => {
    const again = await couch.makeDb();
    await couch.put(`${again}/one`, {});
    const { json } = await couch.get(`${again}/_changes`);
    await couch.delete(again);
    await couch.put(again);
    await couch.put(`${again}/two`, {});
    const answer = await couch.get(`${again}/_changes?since=${json.last_seq}`);
    assert.deepStrictEqual(idsOf(answer), ['two']);
});

test('garbage and bare numbers are no seqs', async () => {
    for (const since of ['garbage', '5', '3-abc', '']) {
        const answer = await changes(`since=${since}`);
        assert.strictEqual(answer.status, 400, since);
        assert.deepStrictEqual(answer.json, {
            error: 'bad_request',
            reason: "Malformed sequence supplied in 'since' parameter.",
        });
    }
});

test('a parameter that is no number is a crash of the server, and others say what they want', async () => {
    for (const query of ['limit=abc', 'style=bogus', 'timeout=abc&feed=continuous']) {
        const { status, json } = await changes(query);
        assert.strictEqual(status, 500, query);
        assert.strictEqual(json.error, 'unknown_error');
        assert.strictEqual(json.reason, 'badarg');
    }
    for (const query of [
        'feed=bogus',
        'filter=bogus',
        'filter=_doc_ids',
        'filter=_selector',
        'heartbeat=abc&feed=continuous',
        'seq_interval=abc',
        'seq_interval=0',
    ]) {
        const { status, json } = await changes(query);
        assert.strictEqual(status, 400, query);
        assert.strictEqual(json.error, 'bad_request');
    }
});

test('unknown parameters are ignored', async () => {
    assert.strictEqual((await changes('bogus=1')).status, 200);
});

test('filter=_doc_ids takes ids from the body', async () => {
    assert.deepStrictEqual(
        idsOf(await changes('filter=_doc_ids', { doc_ids: ['a', 'zz', 'c'] })),
        ['a', 'c'],
    );
});

test('filter=_design brings design documents', async () => {
    assert.deepStrictEqual(idsOf(await changes('filter=_design')), ['_design/x']);
});

test('filter=_selector matches documents', async () => {
    const ask = (selector) => changes('filter=_selector', { selector }).then(idsOf);
    assert.deepStrictEqual(await ask({ type: 'a' }), ['a']);
    assert.deepStrictEqual(await ask({ n: { $gt: 97 } }), ['b']);
    assert.deepStrictEqual(await ask({ n: { $gte: 97, $lt: 98 } }), ['a']);
    assert.deepStrictEqual(await ask({ type: { $in: ['a', 'b'] } }), ['a', 'b']);
    assert.deepStrictEqual(await ask({ type: { $regex: '^[ab]$' } }), ['a', 'b']);
    assert.deepStrictEqual(await ask({ $or: [{ v: 'B' }, { type: 'b' }] }), ['b', 'f']);
    assert.deepStrictEqual(
        await ask({ $and: [{ type: { $exists: true } }, { type: { $ne: 'a' } }] }),
        ['b'],
    );
    assert.deepStrictEqual(await ask({ reason: 'spam' }), ['d']);
});

test('an operator that does not exist is refused', async () => {
    const { status, json } = await changes('filter=_selector', {
        selector: { v: { $foo: 1 } },
    });
    assert.strictEqual(status, 400);
    assert.deepStrictEqual(json, { error: 'bad_request', reason: 'Invalid operator: $foo' });
});

test('a filter function sees the document and the query', async () => {
    assert.deepStrictEqual(idsOf(await changes('filter=x/type&type=b')), ['b']);
});

test('a missing filter is 404', async () => {
    const missing = await changes('filter=nope/nope');
    assert.strictEqual(missing.status, 404);
    assert.deepStrictEqual(missing.json, { error: 'not_found', reason: 'missing' });
    assert.strictEqual((await changes('filter=x/nope')).status, 404);
});

test('a missing database is 404', async () => {
    const { status, json } = await couch.get('/tailrace_no_such_database/_changes');
    assert.strictEqual(status, 404);
    assert.deepStrictEqual(json, { error: 'not_found', reason: 'Database does not exist.' });
});
