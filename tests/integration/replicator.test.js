/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin replicator: what it asks a server for, when, and what the answers mean. Some tests
 * have the CouchDB copy; in the others a receiver stands for the server that is asked.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');
const { startReceiver } = require('../lib/receiver');
const { tailrace } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { ownServer } = require('./lib/server');
const { fill, makeFilled, names, put } = require('./lib/docs');
const { atEnd } = require('../lib/at_end');

const QUICK = { retry_min: '10ms', retry_max: '100ms', poll_interval: '100ms' };
const DONE = { status: 200, body: { ok: true, no_changes: true, history: [] } };

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

/* The URL of a database, with a user whose password the passwords file has. */
const urlOf = (server, db) => `${server.url.replace('://', '://admin@')}/${db}`;

function toReplicator(db, options, rule) {
    return {
        source: 'main',
        databases: [db],
        plugin: 'replicator',
        include_docs: false,
        retry: { min: '5ms', max: '50ms' },
        ...rule,
        options: { mode: 'server', source: urlOf(couch, db), ...options },
    };
}

/* A rule whose server is a receiver: `reply` says what it answers to its n-th request. */
async function siteToServer(t, db, reply, options, rule) {
    const server = await startReceiver({ reply });
    atEnd(t, () => server.close());
    const rules = {
        r: toReplicator(db, { target: 'copy', server: server.url, ...options }, rule),
    };
    return { server, site: makeSite(t, couch, { source: QUICK, rules }) };
}

const lettersOf = async (site) => (await site.command(['dead-letter', 'list'])).dead_letters;
const has = async (server, db, id) => (await server.get(`/${db}/${id}`)).status === 200;

/* ---- a server that copies ---- */

test('what is written is copied', async (t) => {
    const { where, db, ids } = await makeFilled(couch, 3);
    const copy = uniqueDb();
    await couch.makeDb(copy);
    const site = makeSite(t, couch, {
        source: QUICK,
        rules: { r: toReplicator(db, { target: urlOf(couch, copy) }) },
    });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'following', db });
    for (const id of ids)
        await waitFor(() => has(couch, copy, id), `${id} in the copy`, 60000);
    await put(couch, where, 'later');
    await waitFor(() => has(couch, copy, 'later'), 'later in the copy', 60000);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});

test('further fields go along: a target that is made, some documents only', async (t) => {
    const { db } = await makeFilled(couch, 3);
    const copy = uniqueDb();
    const body = JSON.stringify({ create_target: true, doc_ids: ['doc-000002'] });
    const site = makeSite(t, couch, {
        rules: { r: toReplicator(db, { target: urlOf(couch, copy), body }) },
    });
    couch.made.push(`/${copy}`);
    await site.once({ timeoutMs: 120000 });
    assert.equal((await couch.get(`/${copy}`)).json.doc_count, 1);
    assert.ok(await has(couch, copy, 'doc-000002'));
});

test('a target that is down loses nothing', async (t) => {
    let other = await ownServer(t);
    await other.makeDb('copy');
    const { where, db } = await makeFilled(couch, 2);
    const site = makeSite(t, couch, {
        source: QUICK,
        rules: { r: toReplicator(db, { target: urlOf(other, 'copy') }) },
    });
    const daemon = site.start();
    await waitFor(() => has(other, 'copy', 'doc-000002'), 'the first copy', 60000);
    await other.end();
    await fill(couch, where, names(5, 'later'));
    await daemon.waitForLog({ msg: /batch failed/ }, 60000);
    other = await other.again();
    for (const id of names(5, 'later'))
        await waitFor(() => has(other, 'copy', id), `${id} in the copy`, 180000);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    assert.deepEqual(await lettersOf(site), []);
});

/* ---- one replication for many changes ---- */

test('changes are collected for the delay', async (t) => {
    const { db } = await makeFilled(couch, 250);
    const { server, site } = await siteToServer(t, db, () => DONE, { delay: '1s' });
    const run = await site.once();
    /* The first ok of an instance is asked for twice. */
    assert.equal(server.requests.length, 2);
    assert.doesNotMatch(run.stderr, /batch failed/);
});

test('a stop does not wait for the delay', async (t) => {
    const { db } = await makeFilled(couch, 3);
    const { server, site } = await siteToServer(t, db, () => DONE, { delay: '1h' });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'following', db });
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    assert.equal(server.requests.length, 0);
});

test('batches that come while one is under way share the next one', async (t) => {
    const { db } = await makeFilled(couch, 40);
    const rule = { concurrency: 8, batch: { size: 1 } };
    const slowly = () => ({ ...DONE, delayMs: 200 }); /* so that others come meanwhile */
    const { server, site } = await siteToServer(t, db, slowly, {}, rule);
    await site.once();
    assert.ok(server.requests.length <= 20, `${server.requests.length} for 40 batches`);
});

/* ---- which ok counts ---- */

test('an ok after a lost answer only means to ask once more', async (t) => {
    const { db } = await makeFilled(couch, 1);
    const { server, site } = await siteToServer(t, db, (req) =>
        req.n === 1 ? { close: true } : DONE,
    );
    await site.once();
    assert.equal(server.requests.length, 3);
});

test('an ok of a replication that began before it was asked for does not count', async (t) => {
    const { db } = await makeFilled(couch, 1);
    const older = {
        start_time: 'Sun, 22 Nov 2020 05:26:21 GMT',
        end_time: 'Sun, 22 Nov 2020 06:26:30 GMT',
    };
    const { server, site } = await siteToServer(t, db, (req) =>
        req.n < 4 ? { status: 200, body: { ok: true, history: [older] } } : DONE,
    );
    await site.once();
    assert.equal(server.requests.length, 4);
});

test('an answer that is not a whole ok is no ok', async (t) => {
    const { db } = await makeFilled(couch, 1);
    const bad = [
        { status: 200, body: '{"ok":true,"history":[' },
        { status: 200, body: '<html>ok</html>' },
        { status: 200, body: { ok: false } },
        { status: 200, body: { error: 'x' } },
        { status: 401, body: { error: 'unauthorized', reason: 'no' } },
        { status: 403, body: { error: 'forbidden', reason: 'no' } },
        { status: 404, body: { error: 'not_found', reason: 'no' } },
        { status: 500, body: { error: 'db_not_found', reason: 'could not open x' } },
        { status: 503, body: 'busy' },
    ];
    const { server, site } = await siteToServer(t, db, (req) => bad[req.n - 1] || DONE);
    const run = await site.once();
    assert.equal(server.requests.length, bad.length + 2);
    assert.match(run.stderr, /POST _replicate: 500: db_not_found: could not open x/);
    assert.deepEqual(await lettersOf(site), []);
});

test('what the server calls a bad request is not asked again', async (t) => {
    const { db } = await makeFilled(couch, 20);
    const { server, site } = await siteToServer(
        t,
        db,
        () => ({ status: 400, body: { error: 'bad_request', reason: 'no such field' } }),
        {},
        { batch: { wait: '200ms' } },
    );
    await site.once();
    const letters = await lettersOf(site);
    assert.equal(letters.length, 20);
    assert.equal(server.requests.length, 1);
});

test('a replication that outlasts the batch is asked for again', async (t) => {
    const { db } = await makeFilled(couch, 1);
    const { server, site } = await siteToServer(
        t,
        db,
        (req) => (req.n < 3 ? { hang: true } : DONE),
        {},
        { timeout: '300ms' },
    );
    const run = await site.once();
    assert.equal(server.requests.length, 4);
    assert.match(run.stderr, /has not ended within the rule's timeout/);
    assert.doesNotMatch(run.stderr, /wedged/);
});

/* ---- what is sent ---- */

test('passwords go to the server and nowhere else', async (t) => {
    const { db } = await makeFilled(couch, 1);
    const secret = 'wörd:/ "canary"';
    const basic = `Basic ${Buffer.from(`mallory x:${secret}`).toString('base64')}`;
    const { server, site } = await siteToServer(t, db, () => DONE, {
        source: 'https://mallory%20x@db.example.com:6984/a%2Fb',
        target: 'http://[::1]:5984/plain',
        body: '{ "selector": {"n": 12345678901234567890} }',
    });
    site.setPasswords({
        'db.example.com': { 'mallory x': secret },
        '127.0.0.1': { admin: couch.auth.split(':')[1] },
    });
    const run = await site.once();
    const { method, path, headers, body } = server.requests[0];
    assert.equal(method, 'POST');
    assert.equal(path, '/_replicate');
    assert.equal(headers['content-type'], 'application/json');
    assert.deepEqual(JSON.parse(body), {
        source: {
            url: 'https://db.example.com:6984/a%2Fb',
            headers: { Authorization: basic },
        },
        target: 'http://[::1]:5984/plain',
        selector: { n: 12345678901234567890 },
    });
    assert.match(body, /12345678901234567890/);
    assert.doesNotMatch(run.stderr, /canary/);
    assert.ok(!run.stderr.includes(basic));
});

test('a password that is not known is said, and asked for again', async (t) => {
    const { db } = await makeFilled(couch, 1);
    const { server, site } = await siteToServer(t, db, () => DONE, {
        target: 'http://nobody@db.example.com/x',
    });
    const daemon = site.start();
    await daemon.waitForLog({
        reason: 'no password is known for user "nobody" at "db.example.com"; add it to the passwords file',
    });
    site.setPasswords({
        'db.example.com': { nobody: 'x' },
        '127.0.0.1': { admin: couch.auth.split(':')[1] },
    });
    daemon.signal('SIGHUP');
    await server.waitFor(2);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});

test('the server is the one of the source unless it is named', async (t) => {
    const { db } = await makeFilled(couch, 1);
    const server = await startReceiver({ reply: () => DONE });
    atEnd(t, () => server.close());
    const options = { source: `${server.url}/prefix/db/`, target: 'x' };
    const site = makeSite(t, couch, { rules: { r: toReplicator(db, options) } });
    await site.once();
    assert.equal(server.requests[0].path, '/prefix/_replicate');
});

test('explain shows the request without passwords', async (t) => {
    const site = makeSite(t, couch, {
        rules: {
            r: toReplicator('any', {
                source: 'http://admin:canary@127.0.0.1/any',
                target: 'http://u@127.0.0.1/x',
                body: '{"create_target": true, "source_proxy": "http://p:canary@proxy:1"}',
                delay: '2s',
            }),
        },
    });
    fs.writeFileSync(`${site.dir}/doc.json`, '{"_id":"a"}');
    const run = await tailrace(site.args('explain', 'any', `${site.dir}/doc.json`));
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /POST http:\/\/admin:\*\*\*@127.0.0.1\/_replicate/);
    assert.match(run.stdout, /"target":"http:\/\/u@127.0.0.1\/x","create_target": true/);
    assert.match(run.stdout, /2000 ms later/);
    assert.doesNotMatch(run.stdout + run.stderr, /canary/);
});

for (const [what, options, pattern] of [
    ['continuous', { body: '{"continuous":true}' }, /body has the field continuous; take it out/],
    ['cancel', { body: '{"cancel":true}' }, /body has the field cancel/],
    ['a body that is no object', { body: '[1]' }, /body is not a JSON object/],
    ['a body that is no JSON', { body: '{"a":' }, /body is not a JSON object/],
    ['a source without a server', { source: 'x' }, /set server, or write source as a URL/],
    ['a source without a database', { source: 'http://h' }, /source is not the URL of a database/],
    ['another scheme', { target: 'ftp://h/x' }, /target is neither http\(s\)/],
])
    test(`check refuses ${what}`, async (t) => {
        const site = makeSite(t, couch, {
            rules: { r: toReplicator('any', { target: 'x', ...options }) },
        });
        const run = await tailrace(site.args('check'));
        assert.notEqual(run.code, 0);
        assert.match(run.stdout + run.stderr, pattern);
    });

/* ---- many ---- */

test('two hundred rules have a handful of threads and 48 connections', async (t) => {
    const { db } = await makeFilled(couch, 1);
    let [now, most] = [0, 0];
    const server = await startReceiver({
        reply: async () => {
            most = Math.max(most, ++now);
            await sleep(5);
            now--;
            return DONE;
        },
    });
    atEnd(t, () => server.close());
    const rules = {};
    for (let i = 0; i < 200; i++)
        rules[`r${i}`] = toReplicator(db, { target: `copy-${i}`, server: server.url });
    const daemon = makeSite(t, couch, { source: QUICK, rules }).start();
    const targets = () => new Set(server.requests.map((req) => req.json().target)).size;
    await waitFor(() => targets() === 200, 'a request of each rule', 60000);
    const status = fs.readFileSync(`/proc/${daemon.pid}/status`, 'utf8');
    const threads = Number(/^Threads:\s+(\d+)/m.exec(status)[1]);
    assert.ok(threads < 16, `${threads} threads`);
    assert.ok(most <= 48, `${most} requests at once`);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});
