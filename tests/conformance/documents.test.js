// SPDX-License-Identifier: Apache-2.0
//
// Documents one by one: revisions, conflicts, ETags, errors, numbers, local documents.
'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer } = require('../lib/couch');

let couch;
let db;
const REV = /^\d+-[0-9a-f]{32}$/;

before(async () => {
    couch = await startTestServer();
    db = await couch.makeDb();
});
after(() => couch.close());

test('a document is created, updated with its rev, refused without', async () => {
    const one = await couch.put(`${db}/a`, { v: 1 });
    assert.strictEqual(one.status, 201);
    assert.match(one.json.rev, REV);
    const none = await couch.put(`${db}/a`, { v: 2 });
    assert.strictEqual(none.status, 409);
    assert.deepStrictEqual(none.json, {
        error: 'conflict',
        reason: 'Document update conflict.',
    });
    const two = await couch.put(`${db}/a?rev=${one.json.rev}`, { v: 2 });
    assert.match(two.json.rev, /^2-/);
    const three = await couch.put(`${db}/a`, { v: 3 }, { 'If-Match': two.json.rev });
    assert.match(three.json.rev, /^3-/);
});

test('an unchanged document is 304', async () => {
    await couch.put(`${db}/etag`, { v: 1 });
    const first = await couch.get(`${db}/etag`);
    assert.strictEqual(first.headers.etag, `"${first.json._rev}"`);
    const again = await couch.get(`${db}/etag`, { 'If-None-Match': first.headers.etag });
    assert.strictEqual(again.status, 304);
});

test('HEAD brings the headers alone', async () => {
    await couch.put(`${db}/head`, { v: 1 });
    const { status, headers, text } = await couch.request(`${db}/head`, { method: 'HEAD' });
    assert.strictEqual(status, 200);
    assert.ok(headers.etag);
    assert.strictEqual(text, '');
});

test('missing and deleted are told apart', async () => {
    assert.deepStrictEqual((await couch.get(`${db}/nope`)).json, {
        error: 'not_found',
        reason: 'missing',
    });
    const { json } = await couch.put(`${db}/gone`, {});
    const deleted = await couch.delete(`${db}/gone?rev=${json.rev}`);
    assert.strictEqual(deleted.status, 200);
    assert.deepStrictEqual((await couch.get(`${db}/gone`)).json, {
        error: 'not_found',
        reason: 'deleted',
    });
    const old = await couch.get(`${db}/gone?rev=${deleted.json.rev}`);
    assert.strictEqual(old.json._deleted, true);
    assert.strictEqual((await couch.put(`${db}/gone`, { back: 1 })).status, 201);
});

test('deleting without a rev is a conflict', async () => {
    await couch.put(`${db}/keep`, {});
    assert.strictEqual((await couch.delete(`${db}/keep`)).status, 409);
});

test('what is wrong with a document is said', async () => {
    const put = async (id, body) => {
        const { status, json } = await couch.put(`${db}/${id}`, body);
        return [status, json.error, json.reason];
    };
    assert.deepStrictEqual(await put('_foo', {}), [
        400,
        'illegal_docid',
        'Only reserved document ids may start with underscore.',
    ]);
    assert.deepStrictEqual(await put('u', { _foo: 1 }), [
        400,
        'doc_validation',
        'Bad special document member: _foo',
    ]);
    assert.deepStrictEqual(await put('u', { _rev: 'bad' }), [
        400,
        'bad_request',
        'Invalid rev format',
    ]);
    assert.deepStrictEqual(await put('u', []), [
        400,
        'bad_request',
        'Document must be a JSON object',
    ]);
    assert.deepStrictEqual(await put('u', '{bad'), [400, 'bad_request', 'invalid UTF-8 JSON']);
    assert.deepStrictEqual(await put('u', { _attachments: { a: { stub: true } } }), [
        412,
        'missing_stub',
        'Invalid attachment stub in u for a',
    ]);
});

test('numbers keep their value: big integers exact, floats with a fraction', async () => {
    await couch.put(
        `${db}/num`,
        '{"a":1e3,"b":12345678901234567890,"c":1.0,"d":1.5,"e":-7,"u":"\\u0000\\u2028\\u007f"}',
    );
    const { text } = await couch.get(`${db}/num`);
    assert.match(
        text,
        /"a":1000\.0,"b":12345678901234567890,"c":1\.0,"d":1\.5,"e":-7,"u":"\\u0000\u2028\u007f"\}\n$/,
    );
});

test('of duplicate keys the last wins', async () => {
    await couch.put(`${db}/dup`, '{"k":1,"k":2}');
    assert.strictEqual((await couch.get(`${db}/dup`)).json.k, 2);
});

test('ids with slashes, spaces and plus signs', async () => {
    for (const id of ['a/b', 'a b', 'a+b', 'ü', '100%']) {
        assert.strictEqual(
            (await couch.put(`${db}/${encodeURIComponent(id)}`, {})).status,
            201,
            id,
        );
        assert.strictEqual((await couch.get(`${db}/${encodeURIComponent(id)}`)).json._id, id);
    }
});

test('revs=true brings the history, revs_info its state', async () => {
    const one = (await couch.put(`${db}/hist`, { v: 1 })).json.rev;
    const two = (await couch.put(`${db}/hist`, { v: 2, _rev: one })).json.rev;
    const { json } = await couch.get(`${db}/hist?revs=true&revs_info=true`);
    assert.deepStrictEqual(json._revisions, { start: 2, ids: [two.slice(2), one.slice(2)] });
    assert.deepStrictEqual(json._revs_info, [
        { rev: two, status: 'available' },
        { rev: one, status: 'available' },
    ]);
    assert.strictEqual((await couch.get(`${db}/hist?rev=${one}`)).json.v, 1);
    assert.strictEqual((await couch.get(`${db}/hist?rev=7-abc`)).status, 404);
});

test('open_revs as JSON brings all leaves, or the named ones and what is missing', async () => {
    const [b, a] = ['1-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', '1-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'];
    await couch.post(`${db}/_bulk_docs`, {
        new_edits: false,
        docs: [
            { _id: 'f', _rev: b },
            { _id: 'f', _rev: a },
        ],
    });
    const json = { Accept: 'application/json' };
    const all = await couch.get(`${db}/f?open_revs=all`, json);
    assert.deepStrictEqual(all.json.map((row) => row.ok._rev).sort(), [a, b]);
    const some = await couch.get(
        `${db}/f?open_revs=${encodeURIComponent(JSON.stringify([a, '3-abc']))}&revs=true`,
        json,
    );
    assert.ok(some.json.some((row) => row.missing === '3-abc'));
    assert.deepStrictEqual(some.json.find((row) => row.ok).ok._revisions, {
        start: 1,
        ids: [a.slice(2)],
    });
    assert.deepStrictEqual((await couch.get(`${db}/f?conflicts=true`)).json._conflicts, [a]);
});

test('latest=true follows a revision to its leaf', async () => {
    const one = (await couch.put(`${db}/late`, { v: 1 })).json.rev;
    const two = (await couch.put(`${db}/late`, { v: 2, _rev: one })).json.rev;
    const { json } = await couch.get(`${db}/late?rev=${one}&latest=true`);
    assert.strictEqual(json._rev, two);
});

test('local documents: revisions count from the one sent, and are not in feeds', async () => {
    const where = `${db}/_local/mark`;
    assert.strictEqual((await couch.get(where)).status, 404);
    assert.deepStrictEqual((await couch.put(where, { a: 1 })).json, {
        ok: true,
        id: '_local/mark',
        rev: '0-1',
    });
    assert.strictEqual((await couch.put(where, { a: 2, _rev: '0-1' })).json.rev, '0-2');
    assert.strictEqual(
        (await couch.get(where)).text,
        '{"_id":"_local/mark","_rev":"0-2","a":2}\n',
    );
    assert.strictEqual((await couch.delete(`${where}?rev=0-2`)).status, 200);
    assert.strictEqual((await couch.get(where)).status, 404);
    assert.ok(!(await couch.get(`${db}/_changes`)).text.includes('_local'));
});

test('validate_doc_update forbids', async () => {
    const guarded = await couch.makeDb();
    await couch.put(`${guarded}/_design/v`, {
        validate_doc_update:
            'function (doc) { if (doc.bad) { throw({forbidden: "no bad"}); } }',
    });
    const single = await couch.put(`${guarded}/x`, { bad: true });
    assert.deepStrictEqual(
        [single.status, single.json],
        [403, { error: 'forbidden', reason: 'no bad' }],
    );
    const bulk = await couch.post(`${guarded}/_bulk_docs`, {
        docs: [{ _id: 'x', bad: true }, { _id: 'y' }],
    });
    assert.strictEqual(bulk.status, 201);
    assert.deepStrictEqual(bulk.json[0], { id: 'x', error: 'forbidden', reason: 'no bad' });
    assert.strictEqual(bulk.json[1].ok, true);
    const copied = await couch.post(`${guarded}/_bulk_docs`, {
        new_edits: false,
        docs: [
            { _id: 'z', _rev: '1-abc', bad: true },
            { _id: 'w', _rev: '1-abc' },
        ],
    });
    assert.deepStrictEqual(copied.json, [
        { id: 'z', rev: '1-abc', error: 'forbidden', reason: 'no bad' },
    ]);
});
