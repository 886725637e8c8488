/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes wrong with Spiegel 1.2, done better with the same documents: a test for each defect
 * that people met or that shows when it is run.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');
const { startReceiver } = require('../lib/receiver');
const { startForward } = require('./lib/forward');
const { makeFilled, put, names, fill } = require('./lib/docs');
const { makeSpiegel, documentsOf } = require('./lib/spiegel');
const { makeSite } = require('./lib/site');
const { atEnd } = require('../lib/at_end');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

const RETRY = { retry: { min: '5ms', max: '50ms' } };
const QUICK = { retry_min: '10ms', retry_max: '100ms', poll_interval: '100ms' };

async function startApi(t, reply) {
    const api = await startReceiver({ reply });
    atEnd(t, () => api.close());
    return api;
}

/* A site with documents of Spiegel's, whose rules begin at the beginning. */
async function setUp(t, documents, { defaults = RETRY, since = 'beginning', ...parts } = {}) {
    const spiegel = await makeSpiegel(couch);
    for (const [id, doc] of Object.entries(documents)) await spiegel.onChange(id, doc);
    const main = documentsOf(spiegel, { since, defaults });
    const site = makeSite(t, couch, { main, source: QUICK, ...parts });
    return { spiegel, site };
}

const idOf = (req) => req.json().change._id;
const lettersOf = async (site) => (await site.command(['dead-letter', 'list'])).dead_letters;

/* A server's answer that comes when the test says so. */
function gate() {
    let open;
    const opened = new Promise((resolve) => (open = resolve));
    return { open, opened };
}

/* ---- debounce ---- */

test('debounced calls that differ in the URL only are all made', async (t) => {
    const api = await startApi(t);
    const { db, ids } = await makeFilled(couch, 5);
    const { site } = await setUp(t, {
        each: { db_name: `^${db}$`, url: `${api.url}/posts/\${change.id}`, debounce: true },
    });
    await site.once();
    assert.deepEqual(api.requests.map((req) => req.path).sort(), ids.map((id) => `/posts/${id}`));
});

test('a call that waited behind one alike and then fails is made again', async (t) => {
    const first = gate();
    const api = await startApi(t, async (req) => {
        if (req.n === 1) await first.opened;
        return { status: req.n === 2 ? 500 : 200 };
    });
    const { where, db } = await makeFilled(couch, 1);
    const { site } = await setUp(t, {
        stats: { db_name: `^${db}$`, url: `${api.url}/calc-stats`, debounce: true },
    });
    const daemon = site.start();
    await api.waitFor(1);
    await put(couch, where, 'later');
    first.open();
    await api.waitFor(3);
    const rows = async () => (await site.command(['checkpoint', 'list'])).checkpoints[0].rows;
    await waitFor(async () => (await rows()) === 2, 'both changes to be settled');
    assert.equal((await daemon.stop()).code, 0);
    assert.equal(api.requests.length, 3);
});

/* ---- requests ---- */

test('parameters that are no strings are sent as they are', async (t) => {
    const api = await startApi(t);
    const { db, ids } = await makeFilled(couch, 1);
    const params = { n: 1, yes: true, no: false, list: [1, '$seq'], nothing: null };
    const { site } = await setUp(t, {
        post: {
            db_name: `^${db}$`,
            url: api.url,
            method: 'POST',
            params: { ...params, id: '$change.id', text: 'costs $5' },
        },
        get: { db_name: `^${db}$`, url: `${api.url}/get`, params: { n: 1, yes: true } },
    });
    await site.once();
    const post = api.requests.find((req) => req.method === 'POST');
    assert.deepEqual(post.json(), { ...params, id: ids[0], text: 'costs $5' });
    const get = api.requests.find((req) => req.method === 'GET');
    assert.equal(get.url, '/get?n=1&yes=true');
});

test('a password leaves the query of its URL as it is', async (t) => {
    const api = await startApi(t);
    const { db, ids } = await makeFilled(couch, 1);
    const url = `${api.url.replace('://', '://user@')}/hook?token=a%20b&id=\${change.id}`;
    const { site } = await setUp(
        t,
        { hook: { db_name: `^${db}$`, url, params: { more: 'x' } } },
        { passwords: { '127.0.0.1': { user: 's3cret:/?', admin: couch.auth.split(':')[1] } } },
    );
    await site.once();
    const [req] = api.requests;
    assert.equal(req.url, `/hook?token=a%20b&id=${ids[0]}&more=x`);
    const login = Buffer.from(req.headers.authorization.split(' ')[1], 'base64').toString();
    assert.equal(login, 'user:s3cret:/?');
});

test('an attribute that is not there matches no expression', async (t) => {
    const api = await startApi(t);
    const { where, db } = await makeFilled(couch, 1);
    await put(couch, where, 'with', { status: 'open' });
    await put(couch, where, 'empty', { status: '' });
    const rule = { db_name: `^${db}$`, method: 'PUT', params: { change: '$change' } };
    const { site } = await setUp(t, {
        any: { ...rule, url: `${api.url}/any`, if: { status: '.*' } },
        undef: { ...rule, url: `${api.url}/undefined`, if: { status: 'undefined' } },
        none: { ...rule, url: `${api.url}/none`, if: { status: null } },
    });
    await site.once();
    const at = (where) => api.requests.filter((req) => req.path === where).map(idOf);
    assert.deepEqual(at('/any').sort(), ['empty', 'with']);
    assert.deepEqual(at('/undefined'), []);
    assert.deepEqual(at('/none'), ['doc-000001']);
});

test('a database with a slash in its name is listened to', async (t) => {
    const api = await startApi(t);
    const { db, ids } = await makeFilled(couch, 1, { name: `${uniqueDb()}/a+b` });
    const { site } = await setUp(t, {
        slash: {
            db_name: `^${db.split('/')[0]}/`,
            url: api.url,
            method: 'PUT',
            params: { db: '$db_name', change: '$change' },
        },
    });
    await site.once();
    assert.deepEqual(api.requests.map((req) => [req.json().db, idOf(req)]), [[db, ids[0]]]);
});

/* ---- rules are apart ---- */

test('an API that fails makes no other rule wait, and repeats nothing to it', async (t) => {
    const api = await startApi(t, (req) => ({ status: req.path === '/bad' ? 500 : 200 }));
    const { where, db, ids } = await makeFilled(couch, 20);
    const rule = { db_name: `^${db}$`, method: 'PUT', params: { change: '$change' } };
    const { site } = await setUp(t, {
        bad: { ...rule, url: `${api.url}/bad` },
        good: { ...rule, url: `${api.url}/good` },
    });
    const daemon = site.start();
    const good = () => api.requests.filter((req) => req.path === '/good').map(idOf);
    const tried = () => api.requests.filter((req) => req.path === '/bad').length;
    await waitFor(() => good().length === 20 && tried() > 60, 'the good rule, and retries');
    await put(couch, where, 'more');
    await waitFor(() => good().includes('more'), 'what comes after');
    assert.deepEqual(good().sort(), [...ids, 'more'].sort());
    await daemon.stop('SIGKILL');
});

test('after max_attempts one change is kept as a dead letter, and the rest is sent', async (t) => {
    let broken = true;
    const api = await startApi(t, (req) => ({
        status: broken && idOf(req) === 'doc-000003' ? 500 : 200,
    }));
    const { db, ids } = await makeFilled(couch, 6);
    const rule = { db_name: `^${db}$`, url: api.url, method: 'PUT' };
    const { site } = await setUp(
        t,
        { r: { ...rule, params: { change: '$change' } } },
        { defaults: { ...RETRY, max_attempts: 3 } },
    );
    await site.once();
    const taken = () => api.requests.filter((req) => idOf(req) !== 'doc-000003').map(idOf);
    assert.deepEqual(taken().sort(), ids.filter((id) => id !== 'doc-000003'));
    const [letter, ...more] = await lettersOf(site);
    assert.equal(more.length, 0);
    assert.equal(letter.doc_id, 'doc-000003');

    broken = false;
    const before = api.requests.length;
    await site.command(['dead-letter', 'replay', '--rule', 'spiegel/r']);
    assert.deepEqual(api.requests.slice(before).map(idOf), ['doc-000003']);
    assert.deepEqual(await lettersOf(site), []);
});

/* ---- ends and new starts ---- */

test('SIGTERM saves what was done: nothing is sent again', async (t) => {
    const api = await startApi(t);
    const { where, db, ids } = await makeFilled(couch, 10);
    const rule = { db_name: `^${db}$`, url: api.url, method: 'PUT' };
    const { site } = await setUp(t, { r: { ...rule, params: { change: '$change' } } });
    const one = site.start();
    await api.waitFor(10);
    assert.equal((await one.stop('SIGTERM')).code, 0);
    await put(couch, where, 'later');
    const two = site.start();
    await api.waitFor((req) => idOf(req) === 'later');
    assert.equal((await two.stop('SIGTERM')).code, 0);
    assert.deepEqual(api.requests.map(idOf).sort(), [...ids, 'later'].sort());
});

test('after kill -9 the next daemon goes on at once: no lock outlives it', async (t) => {
    const first = gate();
    const api = await startApi(t, async () => {
        await first.opened;
        return { status: 200 };
    });
    const { db, ids } = await makeFilled(couch, 3);
    const rule = { db_name: `^${db}$`, url: api.url, method: 'PUT' };
    const { site } = await setUp(t, { r: { ...rule, params: { change: '$change' } } });
    const one = site.start();
    await api.waitFor(1);
    await one.stop('SIGKILL');
    const before = api.requests.length;
    first.open();
    await site.once();
    assert.deepEqual(api.requests.slice(before).map(idOf).sort(), ids);
});

/* ---- what it costs ---- */

test('a change costs a few requests, and no revision in the database of the rules', async (t) => {
    const api = await startApi(t);
    const forward = await startForward(t);
    const prefix = uniqueDb('cost');
    const dbs = [];
    for (let i = 0; i < 6; i++) dbs.push(await makeFilled(couch, 1, { name: `${prefix}_${i}` }));
    const rule = { db_name: `^${prefix}_`, url: api.url, method: 'PUT' };
    const source = { ...QUICK, proxy: forward.url, max_feeds: 1, sweep_interval: '1h' };
    const { site, spiegel } = await setUp(
        t,
        { r: { ...rule, params: { change: '$change' } } },
        { source: { ...source, poll_interval: '1h', discover_interval: '1h' } },
    );
    const daemon = site.start();
    await api.waitFor(6);
    const revisions = async () => parseInt((await couch.get(spiegel.where)).json.update_seq, 10);
    const stood = await revisions();
    await sleep(2000); /* whatever a start still asks for */
    const before = forward.requests.length;
    await put(couch, dbs[3].where, 'one-change');
    await api.waitFor((req) => idOf(req) === 'one-change', 30000);
    await sleep(1000);
    const asked = forward.requests.slice(before);
    assert.ok(asked.length <= 3, `${asked.length} requests:\n${asked.join('\n')}`);
    assert.equal(await revisions(), stood);
    await daemon.stop();
});

test('an API that is down writes nothing, however often it is tried', async (t) => {
    const api = await startApi(t, () => ({ status: 503 }));
    const { db } = await makeFilled(couch, 5);
    const rule = { db_name: `^${db}$`, url: api.url, method: 'PUT' };
    const { site, spiegel } = await setUp(
        t,
        { r: { ...rule, params: { change: '$change' } } },
        { defaults: { retry: { min: '1ms', max: '5ms' } } },
    );
    const daemon = site.start();
    const size = () =>
        fs
            .readdirSync(site.stateDir)
            .filter((name) => name.startsWith('tailrace.db'))
            .reduce((sum, name) => sum + fs.statSync(path.join(site.stateDir, name)).size, 0);
    const revisions = async () => parseInt((await couch.get(spiegel.where)).json.update_seq, 10);
    await api.waitFor(50, 30000);
    const [bytes, stood] = [size(), await revisions()];
    await api.waitFor(500, 60000);
    /* A page of the store for each try would be twenty times that. */
    assert.ok(size() - bytes < 100 * 1024, `the store grew by ${size() - bytes} bytes`);
    assert.equal(await revisions(), stood);
    await daemon.stop('SIGKILL');
});

test('a first run on many databases asks within its bounds', async (t) => {
    const prefix = uniqueDb('many');
    const api = await startApi(t);
    const count = 60;
    for (let i = 0; i < count; i++)
        await fill(couch, await couch.makeDb(`${prefix}_${i}`), names(1, `d${i}`));
    const forward = await startForward(t);
    let now = 0;
    let most = 0;
    forward.server.on('request', (req, res) => {
        most = Math.max(most, ++now);
        res.on('close', () => now--);
    });
    const rule = { db_name: `^${prefix}_`, url: api.url, method: 'PUT' };
    const { site } = await setUp(
        t,
        { r: { ...rule, params: { change: '$change' } } },
        { source: { ...QUICK, proxy: forward.url, max_connections: 4, max_feeds: 2 } },
    );
    const daemon = site.start();
    await api.waitFor(count, 60000);
    assert.ok(most <= 4 + 2, `${most} requests at once`); /* two are the documents' own */
    const reads = forward.requests.filter((target) => target.includes('/_changes')).length;
    assert.ok(reads <= 2 * count + 10, `${reads} reads of ${count} databases`);
    assert.equal(new Set(api.requests.map(idOf)).size, count);
    assert.equal((await daemon.stop()).code, 0);
});
