// SPDX-License-Identifier: Apache-2.0
//
// Many documents at once: _bulk_docs, _bulk_get, _revs_diff, _all_docs.
'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert');
const zlib = require('zlib');
const { startTestServer } = require('../lib/couch');

const [A, B] = ['1-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '1-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'];
let couch;
let db;

before(async () => {
    couch = await startTestServer();
    db = await couch.makeDb();
    await couch.post(`${db}/_bulk_docs`, {
        new_edits: false,
        docs: [
            { _id: 'f', _rev: B, v: 'B' },
            { _id: 'f', _rev: A, v: 'A' },
        ],
    });
});
after(() => couch.close());

test('_bulk_docs answers document by document, in order', async () => {
    const { status, json } = await couch.post(`${db}/_bulk_docs`, {
        docs: [{ _id: 'n1' }, { _id: 'n1' }, { v: 1 }, { _id: 'f' }],
    });
    assert.strictEqual(status, 201);
    assert.strictEqual(json[0].ok, true);
    assert.deepStrictEqual(json[1], {
        id: 'n1',
        error: 'conflict',
        reason: 'Document update conflict.',
    });
    assert.match(json[2].id, /^[0-9a-f]{32}$/);
    assert.strictEqual(json[3].error, 'conflict');
});

test('new_edits=false answers an empty list, also the second time', async () => {
    const docs = [
        { _id: 'r', _rev: '3-ccc', _revisions: { start: 3, ids: ['ccc', 'bbb', 'aaa'] } },
    ];
    for (let i = 0; i < 2; i++) {
        const { status, json } = await couch.post(`${db}/_bulk_docs`, {
            docs,
            new_edits: false,
        });
        assert.strictEqual(status, 201);
        assert.deepStrictEqual(json, []);
    }
    const { json } = await couch.get(`${db}/r?revs=true`);
    assert.deepStrictEqual(json._revisions, { start: 3, ids: ['ccc', 'bbb', 'aaa'] });
});

test('new_edits counts in the body only', async () => {
    const { json } = await couch.post(`${db}/_bulk_docs?new_edits=false`, {
        docs: [{ _id: 'inquery' }],
    });
    assert.strictEqual(json[0].ok, true);
});

test('new_edits=false needs a revision', async () => {
    assert.strictEqual(
        (await couch.post(`${db}/_bulk_docs`, { docs: [{ _id: 'ne' }], new_edits: false }))
            .status,
        400,
    );
});

test('a request body may be gzip', async () => {
    const body = zlib.gzipSync(JSON.stringify({ docs: [{ _id: 'gz' }] }));
    const { json } = await couch.post(`${db}/_bulk_docs`, body, { 'Content-Encoding': 'gzip' });
    assert.strictEqual(json[0].id, 'gz');
});

test('a body that is not JSON by its type is 415, one without docs 400', async () => {
    const { status, json } = await couch.post(`${db}/_bulk_docs`, '{"docs":[]}', {
        'Content-Type': 'text/plain',
    });
    assert.deepStrictEqual([status, json.error], [415, 'bad_content_type']);
    assert.strictEqual((await couch.post(`${db}/_bulk_docs`, { nodocs: [] })).status, 400);
});

test('_bulk_get brings revisions, histories and what is missing, in order', async () => {
    const { json } = await couch.post(`${db}/_bulk_get?revs=true`, {
        docs: [
            { id: 'f', rev: A },
            { id: 'zz', rev: '1-abc' },
            { id: 'f', rev: '9-abc' },
        ],
    });
    assert.deepStrictEqual(json.results[0], {
        id: 'f',
        docs: [
            { ok: { _id: 'f', _rev: A, v: 'A', _revisions: { start: 1, ids: [A.slice(2)] } } },
        ],
    });
    assert.strictEqual(json.results[1].docs[0].error.error, 'not_found');
    assert.deepStrictEqual(json.results[2].docs[0].error, {
        id: 'f',
        rev: '9-abc',
        error: 'not_found',
        reason: 'missing',
    });
});

test('_bulk_get without a revision brings all leaves', async () => {
    const { json } = await couch.post(`${db}/_bulk_get`, { docs: [{ id: 'f' }] });
    assert.deepStrictEqual(json.results[0].docs.map((row) => row.ok._rev).sort(), [A, B]);
});

test('_revs_diff names what is missing and possible ancestors', async () => {
    const { json } = await couch.post(`${db}/_revs_diff`, {
        f: [A, '2-ccc'],
        q: ['1-abc'],
        r: ['3-ccc'],
    });
    assert.deepStrictEqual(json.q, { missing: ['1-abc'] });
    assert.deepStrictEqual(json.f.missing, ['2-ccc']);
    assert.deepStrictEqual(json.f.possible_ancestors.sort(), [A, B]);
});

test('_all_docs: rows by id, keys, ranges, documents', async () => {
    const some = await couch.makeDb();
    for (const id of ['a', 'b', 'c', 'd']) await couch.put(`${some}/${id}`, { id });
    const ids = async (query) =>
        (await couch.get(`${some}/_all_docs?${query}`)).json.rows.map((row) => row.id);
    assert.deepStrictEqual(await ids(''), ['a', 'b', 'c', 'd']);
    assert.deepStrictEqual(await ids('startkey="b"&endkey="c"'), ['b', 'c']);
    assert.deepStrictEqual(await ids('descending=true&limit=2'), ['d', 'c']);
    assert.deepStrictEqual(await ids('skip=1&limit=2'), ['b', 'c']);
    const { json } = await couch.post(`${some}/_all_docs?include_docs=true`, {
        keys: ['c', 'zz'],
    });
    assert.strictEqual(json.rows[0].doc.id, 'c');
    assert.deepStrictEqual(json.rows[1], { key: 'zz', error: 'not_found' });
    assert.strictEqual((await couch.get(some)).json.doc_count, 4);
});
