// SPDX-License-Identifier: Apache-2.0
//
// Attachments: inline, as stubs, alone, by multipart, in feeds.
'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer } = require('../lib/couch');

const HELLO = Buffer.from('hello world').toString('base64');
let couch;
let db;

before(async () => {
    couch = await startTestServer();
    db = await couch.makeDb();
    await couch.put(`${db}/g`, {
        v: 1,
        _attachments: { 'hi.txt': { content_type: 'text/plain', data: HELLO } },
    });
});
after(() => couch.close());

const STUB = {
    content_type: 'text/plain',
    revpos: 1,
    digest: 'md5-7mkg+nM0HN26sZkLN8KVSA==',
    length: 11,
    stub: true,
};

test('a document shows its attachments as stubs, the digest that of the compressed form', async () => {
    assert.deepStrictEqual((await couch.get(`${db}/g`)).json._attachments, { 'hi.txt': STUB });
});

test('feeds show stubs, data or encodings as asked', async () => {
    const doc = async (query) =>
        (await couch.get(`${db}/_changes?include_docs=true&${query}`)).json.results[0].doc
            ._attachments['hi.txt'];
    assert.deepStrictEqual(await doc(''), STUB);
    const { stub, length, ...rest } = STUB;
    assert.deepStrictEqual(await doc('attachments=true'), { ...rest, data: HELLO });
    assert.deepStrictEqual(await doc('att_encoding_info=true'), {
        ...STUB,
        encoding: 'gzip',
        encoded_length: 31,
    });
});

test('an attachment alone: read, written, replaced, removed', async () => {
    assert.strictEqual((await couch.get(`${db}/g/hi.txt`)).text, 'hello world');
    assert.strictEqual((await couch.get(`${db}/g/none`)).status, 404);
    const one = await couch.put(`${db}/n/x.bin`, 'zzz', { 'Content-Type': 'a/b' });
    assert.strictEqual(one.status, 201);
    assert.strictEqual((await couch.delete(`${db}/n/x.bin`)).status, 409);
    const two = await couch.put(`${db}/n/y/z.bin?rev=${one.json.rev}`, 'yyy', {
        'Content-Type': 'a/b',
    });
    assert.strictEqual((await couch.get(`${db}/n/y/z.bin`)).text, 'yyy');
    assert.strictEqual((await couch.delete(`${db}/n/x.bin?rev=${two.json.rev}`)).status, 200);
    assert.deepStrictEqual(Object.keys((await couch.get(`${db}/n`)).json._attachments), [
        'y/z.bin',
    ]);
});

test('stubs keep an attachment through an update', async () => {
    const { json } = await couch.put(`${db}/s`, {
        _attachments: { 'hi.txt': { content_type: 'text/plain', data: HELLO } },
    });
    await couch.put(`${db}/s`, {
        _rev: json.rev,
        v: 2,
        _attachments: { 'hi.txt': { stub: true } },
    });
    assert.strictEqual((await couch.get(`${db}/s/hi.txt`)).text, 'hello world');
    assert.strictEqual((await couch.get(`${db}/s`)).json._attachments['hi.txt'].revpos, 1);
});

test('a document by multipart/related, back by multipart/mixed', async () => {
    const doc = {
        _attachments: { 'a.bin': { follows: true, content_type: 'a/b', length: 5 } },
    };
    const body = `--xx\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(doc)}\r\n--xx\r\n\r\n12345\r\n--xx--`;
    const put = await couch.put(`${db}/m`, body, {
        'Content-Type': 'multipart/related; boundary="xx"',
    });
    assert.strictEqual(put.status, 201, put.text);
    assert.strictEqual((await couch.get(`${db}/m/a.bin`)).text, '12345');
    const { text, headers } = await couch.get(`${db}/m?open_revs=all&revs=true`, {
        Accept: 'multipart/mixed',
    });
    const boundary = /^multipart\/mixed; boundary="([^"]+)"$/.exec(headers['content-type'])[1];
    assert.ok(text.startsWith(`--${boundary}\r\nContent-Type: multipart/related; boundary=`));
    assert.match(text, /"a\.bin":\{[^}]*"length":5,"follows":true\}/);
    assert.match(
        text,
        /\r\nContent-Disposition: attachment; filename="a.bin"\r\nContent-Type: a\/b\r\nContent-Length: 5\r\n\r\n12345\r\n--/,
    );
    assert.ok(text.endsWith(`--${boundary}--`));
});

test('attachments=true as JSON when JSON is wanted', async () => {
    const { json } = await couch.get(`${db}/g?attachments=true`, {
        Accept: 'application/json',
    });
    assert.strictEqual(json._attachments['hi.txt'].data, HELLO);
});
