/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A body in parts through the whole daemon: an attachment goes from one database to another in
 * a multipart/related body, and is never in memory. The plugin is tests/plugins/parts.c.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');
const { startReceiver } = require('../lib/receiver');
const { makePki } = require('../lib/tls');
const { pluginDir, tempDir } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { put } = require('./lib/docs');
const { atEnd } = require('../lib/at_end');

const MB = 1 << 20;

let couch;
let size; /* of the attachment: the test server keeps a body in memory whole                  */

before(async () => {
    couch = await startTestServer();
    size = couch.isReal ? 100 * MB : 16 * MB;
});
after(() => couch.close());

/* Where nobody else may write, whatever the umask of the build was. */
function testPlugin(t, name) {
    const file = path.join(tempDir(t), `${name}.so`);
    const built = path.join(pluginDir(), '..', 'tests', 'plugins', `${name}.so`);
    fs.copyFileSync(built, file);
    fs.chmodSync(file, 0o644);
    return file;
}

/* Bytes that no server takes for text that is worth to be compressed. */
async function putAttachment(where, id, bytes) {
    const rev = await put(couch, where, id, { what: 'photo' });
    const answer = await couch.request(`${where}/${id}/photo?rev=${rev}`, {
        method: 'PUT',
        body: bytes,
        headers: { 'Content-Type': 'image/jpeg' },
    });
    assert.equal(answer.status, 201, answer.text);
    return (await couch.get(`${where}/${id}?revs=true`)).json;
}

/* The options that copy the document with its attachment, and its history, as a replicator does. */
function toCopy(from, to, doc) {
    const boundary = 'b-0123456789';
    const { content_type, length, digest, revpos } = doc._attachments.photo;
    const stub = { follows: true, content_type, length, digest, revpos };
    const json = JSON.stringify({ ...doc, _attachments: { photo: stub } });
    const base = couch.url.replace('://', '://admin@');
    return {
        url: `${base}${to}/${doc._id}?new_edits=false`,
        part: `${base}${from}/${doc._id}/photo?rev=${doc._rev}`,
        length,
        digest,
        type: `multipart/related;boundary="${boundary}"`,
        head: `--${boundary}\r\nContent-Type: application/json\r\n\r\n${json}\r\n--${boundary}\r\n\r\n`,
        tail: `\r\n--${boundary}--`,
    };
}

function siteThatCopies(t, from, options) {
    const rule = {
        source: 'main',
        databases: [from.slice(1)],
        plugin: testPlugin(t, 'parts'),
        options,
    };
    return makeSite(t, couch, { rules: { r: rule } });
}

async function copyOf(where) {
    const answer = await couch.get(`${where}/doc?revs=true`);
    return answer.status === 200 && answer.json;
}

const isSanitized = (pid) => /libasan|libtsan/.test(fs.readFileSync(`/proc/${pid}/maps`, 'latin1'));

function peakOf(pid) {
    return Number(/VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))[1]);
}

async function digestOf(where) {
    const hash = crypto.createHash('md5');
    for await (const piece of await couch.open(where)) hash.update(piece);
    return hash.digest('base64');
}

test('an attachment is carried to another database in little memory', async (t) => {
    const [from, to] = [await couch.makeDb(uniqueDb()), await couch.makeDb(uniqueDb())];
    const bytes = crypto.randomBytes(size);
    const digest = crypto.createHash('md5').update(bytes).digest('base64');
    const doc = await putAttachment(from, 'doc', bytes);
    assert.equal(doc._attachments.photo.digest, `md5-${digest}`);

    const daemon = siteThatCopies(t, from, toCopy(from, to, doc)).start();
    await daemon.waitForLog({ msg: 'following' });
    const begun = Date.now();
    const copy = await waitFor(() => copyOf(to), 'the copy', 300000);
    const peak = peakOf(daemon.pid);
    t.diagnostic(`${size / MB} MiB in ${Date.now() - begun} ms, VmHWM ${peak} kB`);
    /* A sanitizer's own memory is not counted apart. */
    if (!isSanitized(daemon.pid)) assert.ok(peak < 64 * 1024, `VmHWM is ${peak} kB`);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });

    assert.deepEqual(copy, doc);
    assert.equal(await digestOf(`${to}/doc/photo`), digest);
});

test('a part that is not as announced leaves nothing behind', async (t) => {
    const [from, to] = [await couch.makeDb(uniqueDb()), await couch.makeDb(uniqueDb())];
    const doc = await putAttachment(from, 'doc', crypto.randomBytes(3 * MB));
    const options = toCopy(from, to, doc);
    options.digest = `md5-${crypto.createHash('md5').digest('base64')}`;
    const site = siteThatCopies(t, from, options);

    await site.once();
    const [letter] = (await site.command(['dead-letter', 'list'])).dead_letters;
    assert.match(JSON.stringify(letter), /part 2 of 3 of the body: .* the digest is another/);
    assert.equal((await couch.get(`${to}/doc`)).status, 404);
});

/* A server with a certificate, whose reply is a function of the request. */
async function startTls(t, pki, reply) {
    const server = await startReceiver({ reply, tls: pki.good });
    atEnd(t, () => server.close());
    return server;
}

test('parts come and bodies go over TLS', async (t) => {
    const pki = makePki(tempDir(t));
    const bytes = crypto.randomBytes(3 * MB).toString('hex');
    const source = await startTls(t, pki, () => ({ body: bytes }));
    const target = await startTls(t, pki, () => ({ status: 201 }));
    const from = await couch.makeDb(uniqueDb());
    await put(couch, from, 'doc');
    const site = siteThatCopies(t, from, {
        url: `${target.url}/to`,
        part: `${source.url}/part`,
        length: bytes.length,
        digest: `md5-${crypto.createHash('md5').update(bytes).digest('base64')}`,
        ca_file: pki.caFile,
    });

    await site.once();
    assert.equal(source.requests.length, 1);
    assert.equal(target.requests.length, 1);
    assert.ok(target.requests[0].body === `head${bytes}tail`, 'the body is whole');
});
