/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin http-webhook: what its requests are, and what answers mean. How retries, dead
 * letters and checkpoints go on from there is the other files' business.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { startTestServer } = require('../lib/couch');
const { startReceiver } = require('../lib/receiver');
const { tailrace } = require('../lib/tailrace');
const { startScripted, on } = require('../fault/lib/scripted');
const { makeSite } = require('./lib/site');
const { fill, makeFilled, put, remove } = require('./lib/docs');
const { atEnd } = require('../lib/at_end');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

async function receiver(t, reply) {
    const hook = await startReceiver({ reply });
    atEnd(t, () => hook.close());
    return hook;
}

/* A site whose one rule leads from the database to the plugin with these options. */
function siteTo(t, filled, options, rule = {}) {
    return makeSite(t, couch, {
        rules: {
            r: {
                source: 'main',
                databases: [filled.db],
                plugin: 'http-webhook',
                retry: { min: '5ms', max: '50ms' },
                ...rule,
                options,
            },
        },
    });
}

/* One document through a rule; resolves to its requests. */
async function send(t, doc, makeOptions, { reply, rule } = {}) {
    const hook = await receiver(t, reply);
    const filled = await makeFilled(couch, 0);
    filled.rev = await put(couch, filled.where, encodeURIComponent(doc._id), doc);
    await siteTo(t, filled, makeOptions(hook.url), rule).once();
    return { ...filled, requests: hook.requests, request: hook.requests[0] };
}

/* `tailrace check` finds this in the options. */
async function refused(t, options, pattern) {
    const site = siteTo(t, { db: 'any' }, { url: 'http://127.0.0.1:9/', ...options });
    const run = await tailrace(site.args('check'));
    assert.notEqual(run.code, 0, `accepted: ${JSON.stringify(options)}`);
    assert.match(run.stdout + run.stderr, pattern);
}

const lettersOf = async (site) => (await site.command(['dead-letter', 'list'])).dead_letters;

const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest('hex');

/* ---- method, params, body ---- */

test('without a method it is GET with params as a query string', async (t) => {
    const { request, rev, db } = await send(t, { _id: 'a/b&c', n: 1 }, (url) => ({
        url: `${url}/x?fixed=1`,
        params: { id: '$change.id', rev: '${change.rev}', db: '$db_name', doc: '$change' },
    }));
    assert.equal(request.method, 'GET');
    assert.equal(request.body, '');
    assert.equal(request.path, '/x');
    const { doc, ...rest } = Object.fromEntries(request.query);
    assert.deepEqual(rest, { fixed: '1', id: 'a/b&c', rev, db });
    assert.deepEqual(JSON.parse(doc), { _id: 'a/b&c', _rev: rev, n: 1 });
});

for (const method of ['DELETE', 'HEAD'])
    test(`${method} sends params as a query string`, async (t) => {
        const { request } = await send(t, { _id: 'a' }, (url) => ({
            url,
            method,
            params: { id: '$change.id' },
        }));
        assert.equal(request.method, method);
        assert.equal(request.query.get('id'), 'a');
        assert.equal(request.body, '');
    });

for (const method of ['POST', 'PUT', 'PATCH'])
    test(`${method} sends params as JSON`, async (t) => {
        const { request, rev } = await send(t, { _id: 'a', n: 1 }, (url) => ({
            url,
            method,
            params: { change: '$change', id: '$change.id' },
        }));
        assert.equal(request.method, method);
        assert.equal(request.headers['content-type'], 'application/json');
        assert.deepEqual(request.json(), { change: { _id: 'a', _rev: rev, n: 1 }, id: 'a' });
    });

test('params that are numbers, booleans or groups are sent as they are', async (t) => {
    const params = { n: 5, f: 1.5, t: true, deep: { id: '$change.id' }, list: [1, 2] };
    const { request } = await send(t, { _id: 'a' }, (url) => ({ url, method: 'POST', params }));
    assert.deepEqual(request.json(), params);
});

test('params with text around a variable, and unknown variables, stay as they are', async (t) => {
    const params = { text: 'id: $change.id', unknown: '$nothing', dollars: '$$' };
    const { request } = await send(t, { _id: 'a' }, (url) => ({ url, method: 'POST', params }));
    assert.deepEqual(request.json(), params);
});

test('numbers and booleans in a query string are sent as text', async (t) => {
    const { request } = await send(t, { _id: 'a' }, (url) => ({
        url,
        params: { n: 5, t: false, text: 'a b&c=d' },
    }));
    assert.deepEqual(Object.fromEntries(request.query), {
        n: '5',
        t: 'false',
        text: 'a b&c=d',
    });
});

test('POST without params sends the document', async (t) => {
    const { request, rev } = await send(t, { _id: 'a', n: 1 }, (url) => ({
        url,
        method: 'POST',
    }));
    assert.deepEqual(request.json(), { _id: 'a', _rev: rev, n: 1 });
});

test('a JSON body has its variables replaced at any depth, and none can break out', async (t) => {
    const nasty = '"}], "admin": true, \\ \n ü';
    const body = JSON.stringify({
        text: 'new: ${change.name}!',
        list: [{ doc: '$change' }, '$change.n', '$change.missing'],
    });
    const { request, rev } = await send(t, { _id: 'a', name: nasty, n: 1.5 }, (url) => ({
        url,
        body,
    }));
    assert.equal(request.method, 'POST');
    assert.deepEqual(request.json(), {
        text: `new: ${nasty}!`,
        list: [{ doc: { _id: 'a', _rev: rev, name: nasty, n: 1.5 } }, 1.5, null],
    });
});

test('a form body has its values percent-encoded, a text body has them as they are', async (t) => {
    const doc = { _id: 'a', name: 'x&admin=1 é' };
    const form = await send(t, doc, (url) => ({
        url,
        body: 'name=$change.name&id=$change.id',
        content_type: 'application/x-www-form-urlencoded',
    }));
    assert.deepEqual(Object.fromEntries(new URLSearchParams(form.request.body)), {
        name: doc.name,
        id: 'a',
    });
    const text = await send(t, doc, (url) => ({
        url,
        body: 'name: $change.name',
        content_type: 'text/plain; charset=utf-8',
    }));
    assert.equal(text.request.body, `name: ${doc.name}`);
    assert.equal(text.request.headers['content-type'], 'text/plain; charset=utf-8');
});

test('a deletion is sent with _deleted', async (t) => {
    const hook = await receiver(t);
    const filled = await makeFilled(couch, 0);
    await put(couch, filled.where, 'a');
    await remove(couch, filled.where, 'a');
    await siteTo(t, filled, { url: hook.url, method: 'POST' }).once();
    assert.equal(hook.requests.at(-1).json()._deleted, true);
});

/* ---- URL and headers ---- */

test('values in the URL are percent-encoded and stay in their place', async (t) => {
    const { request } = await send(t, { _id: 'a', p: '../x?y=1#z@h\r\nX-Evil: 1' }, (url) => ({
        url: `${url}/docs/$change.p/end?q=\${change.p}`,
    }));
    const coded = encodeURIComponent('../x?y=1#z@h\r\nX-Evil: 1');
    assert.equal(request.url, `/docs/${coded}/end?q=${coded}`);
    assert.equal(request.headers['x-evil'], undefined);
});

test('headers hold variables, text and numbers', async (t) => {
    const { request, db } = await send(t, { _id: 'a' }, (url) => ({
        url,
        headers: {
            'X-Db': '$db_name',
            'X-Both': 'id=${change.id}',
            'X-Number': 7,
            'X-Text': 'b',
        },
    }));
    assert.equal(request.headers['x-db'], db);
    assert.equal(request.headers['x-both'], 'id=a');
    assert.equal(request.headers['x-number'], '7');
    assert.equal(request.headers['x-text'], 'b');
});

test('a value that cannot stand in a header makes its change a dead letter', async (t) => {
    const hook = await receiver(t);
    const filled = await makeFilled(couch, 0);
    await fill(couch, filled.where, ['a', 'b', 'c'], (id) => ({
        name: id === 'b' ? 'x\r\nX-Evil: 1' : id,
    }));
    const site = siteTo(t, filled, {
        url: `${hook.url}/\${change.id}`,
        headers: { 'X-Name': '$change.name' },
    });
    await site.once();
    assert.deepEqual(hook.requests.map((r) => r.path).sort(), ['/a', '/c']);
    assert.ok(hook.requests.every((r) => r.headers['x-evil'] === undefined));
});

test('the password of a user in the URL comes from the passwords file', async (t) => {
    const hook = await receiver(t);
    const filled = await makeFilled(couch, 1);
    const [user, password] = couch.auth.split(':');
    const site = siteTo(t, filled, { url: `${hook.url.replace('://', '://hooker@')}/p?q=1` });
    site.setPasswords({ '127.0.0.1': { [user]: password, hooker: 's3cret' } });
    await site.once();
    const [{ headers, url }] = hook.requests;
    assert.equal(
        Buffer.from(headers.authorization.slice(6), 'base64').toString(),
        'hooker:s3cret',
    );
    assert.equal(url, '/p?q=1');
});

test('a secret header is read from a file and is shown nowhere', async (t) => {
    const hook = await receiver(t);
    const filled = await makeFilled(couch, 1);
    const site = siteTo(t, filled, {});
    const file = path.join(site.dir, 'token');
    fs.writeFileSync(file, 'Bearer canary-4711\n', { mode: 0o600 });
    site.parts.rules.r.options = {
        url: hook.url,
        secret_headers: { Authorization: `file:${file}` },
    };
    site.write({});
    const { stderr } = await site.once();
    assert.equal(hook.requests[0].headers.authorization, 'Bearer canary-4711');
    fs.writeFileSync(path.join(site.dir, 'doc.json'), '{"_id":"a"}');
    const words = ['explain', filled.db, path.join(site.dir, 'doc.json')];
    const shown = await tailrace(site.args(...words));
    assert.match(shown.stdout, /Authorization: \(secret\)/);
    assert.doesNotMatch(stderr + shown.stdout + shown.stderr, /canary/);
});

/* ---- many changes in one request ---- */

test('batch_changes sends an array of what each change would have sent', async (t) => {
    const hook = await receiver(t);
    const filled = await makeFilled(couch, 25);
    await siteTo(t, filled, {
        url: hook.url,
        batch_changes: 10,
        params: { id: '$change.id' },
    }).once();
    const groups = hook.requests.map((r) => r.json().map((c) => c.id));
    assert.ok(groups.every((g) => g.length <= 10));
    assert.ok(groups.length < 25);
    assert.deepEqual(groups.flat().sort(), filled.ids);
});

test('changes that go to another URL begin a request of their own', async (t) => {
    const hook = await receiver(t);
    const filled = await makeFilled(couch, 0);
    await fill(couch, filled.where, ['a', 'b', 'c', 'd'], (id) => ({
        to: id < 'c' ? 'x' : 'y',
    }));
    await siteTo(t, filled, { url: `${hook.url}/$change.to`, batch_changes: 10 }).once();
    for (const req of hook.requests)
        assert.ok(req.json().every((doc) => `/${doc.to}` === req.path));
    assert.equal(hook.requests.flatMap((r) => r.json()).length, 4);
});

test('a refused group is halved until the one change is found', async (t) => {
    const hook = await receiver(t, (req) => ({
        status: req.json().some((doc) => doc._id === 'doc-000007') ? 413 : 200,
    }));
    const filled = await makeFilled(couch, 16);
    const site = siteTo(t, filled, { url: hook.url, batch_changes: 16 });
    await site.once();
    assert.deepEqual(
        (await lettersOf(site)).map((letter) => letter.doc_id),
        ['doc-000007'],
    );
    const good = hook.requests.filter((r) => !r.body.includes('doc-000007'));
    const taken = good.flatMap((r) => r.json().map((doc) => doc._id));
    assert.deepEqual(
        taken.sort(),
        filled.ids.filter((id) => id !== 'doc-000007'),
    );
});

/* ---- signature and idempotency ---- */

for (const method of ['POST', 'GET'])
    test(`the signature of a ${method} can be verified`, async (t) => {
        process.env.TAILRACE_TEST_KEY = 'k3y';
        const { request } = await send(t, { _id: 'a' }, (url) => ({
            url: `${url}/p`,
            method,
            params: { id: '$change.id' },
            hmac: { secret: 'env:TAILRACE_TEST_KEY', timestamp_header: 'X-Time' },
        }));
        const sent = request.headers['x-tailrace-signature'];
        const [, time, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(sent);
        const payload = method === 'POST' ? request.body : request.url;
        assert.equal(signature, hmac('k3y', `${time}.${payload}`));
        assert.equal(request.headers['x-time'], time);
        assert.ok(Math.abs(Number(time) * 1000 - Date.now()) < 600e3);
    });

test('the idempotency key is the same on every attempt, and no other change has it', async (t) => {
    const failed = new Set();
    const hook = await receiver(t, (req) => {
        const again = failed.has(req.path);
        failed.add(req.path);
        return { status: again ? 200 : 503 };
    });
    const filled = await makeFilled(couch, 3);
    await siteTo(t, filled, { url: `${hook.url}/\${change.id}` }).once();
    const keys = new Map();
    for (const req of hook.requests) {
        const key = req.headers['idempotency-key'];
        assert.match(key, /^[0-9a-f]{32}\/1-[0-9a-f]{32}\/doc-00000[1-3]$/);
        assert.equal(keys.get(req.path) ?? key, key);
        keys.set(req.path, key);
    }
    assert.equal(new Set(keys.values()).size, 3);
    assert.equal(hook.requests.length, 6);
});

test('what cannot stand in an idempotency key is told by a digest', async (t) => {
    const hook = await receiver(t);
    const filled = await makeFilled(couch, 0);
    const ids = ['a b', 'é', 'x'.repeat(200), 'y'.repeat(90), '(=,;)'];
    for (const id of ids) await put(couch, filled.where, id);
    await siteTo(t, filled, { url: `${hook.url}/r` }).once();
    const keys = hook.requests.map((r) => r.headers['idempotency-key']);
    const plain = keys.flatMap((key) => /^[0-9a-f]{32}\/1-[0-9a-f]{32}\/(.*)$/.exec(key)?.[1] ?? []);
    assert.deepEqual(plain.sort(), ['(=,;)', 'y'.repeat(90)]);
    assert.equal(new Set(keys).size, ids.length);
});

test('another revision and another rule have another idempotency key', async (t) => {
    const hook = await receiver(t);
    const filled = await makeFilled(couch, 0);
    await put(couch, filled.where, 'a');
    const site = siteTo(t, filled, { url: `${hook.url}/r` });
    const rule = { ...site.parts.rules.r, options: { url: `${hook.url}/s` } };
    site.write({ rules: { ...site.parts.rules, s: rule } });
    await site.once();
    const { _rev } = (await couch.get(`${filled.where}/a`)).json;
    await put(couch, filled.where, 'a', { _rev, n: 2 });
    await site.once();
    const keys = hook.requests.map((r) => r.headers['idempotency-key']);
    assert.equal(keys.length, 4);
    assert.equal(new Set(keys).size, 4);
});

/* ---- what answers mean ---- */

for (const status of [401, 403, 404, 408, 409, 429, 500, 503, 302])
    test(`${status} is tried again, in order`, async (t) => {
        const hook = await receiver(t, (req) => ({ status: req.n === 2 ? status : 200 }));
        const filled = await makeFilled(couch, 0);
        for (const id of ['a', 'b', 'c']) await put(couch, filled.where, id);
        await siteTo(
            t,
            filled,
            { url: `${hook.url}/\${change.id}` },
            { batch: { size: 3 } },
        ).once();
        const paths = hook.requests.map((r) => r.path);
        /* a real server of several shards gives the rows in any order */
        assert.equal(paths[1], paths[2]);
        assert.deepEqual([paths[0], paths[2], paths[3]].sort(), ['/a', '/b', '/c']);
        assert.equal(paths.length, 4);
    });

for (const status of [400, 410, 413, 415, 422])
    test(`${status} makes that change a dead letter, and the others go on`, async (t) => {
        const hook = await receiver(t, (req) => ({
            status: req.path === '/b' ? status : 200,
            body: 'line one\nline two',
        }));
        const filled = await makeFilled(couch, 0);
        await fill(couch, filled.where, ['a', 'b', 'c']);
        const site = siteTo(t, filled, { url: `${hook.url}/\${change.id}?token=canary` });
        const { stderr } = await site.once();
        assert.deepEqual(hook.requests.map((r) => r.path).sort(), ['/a', '/b', '/c']);
        const letters = JSON.stringify(await lettersOf(site));
        assert.match(
            letters,
            new RegExp(`GET http://[^ ]*/b\\?\\.\\.\\.: ${status}: line one line two`),
        );
        assert.doesNotMatch(letters + stderr, /canary/);
    });

test('success and reject_on say what statuses mean', async (t) => {
    const answers = { '/a': 404, '/b': 500, '/c': 201 };
    const hook = await receiver(t, (req) => ({ status: answers[req.path] }));
    const filled = await makeFilled(couch, 0);
    await fill(couch, filled.where, ['a', 'b', 'c']);
    const site = siteTo(t, filled, {
        url: `${hook.url}/\${change.id}`,
        success: '200-299, 404',
        reject_on: '500-599',
    });
    await site.once();
    assert.equal(hook.requests.length, 3);
    assert.deepEqual(
        (await lettersOf(site)).map((letter) => letter.doc_id),
        ['b'],
    );
});

test('an empty reject_on tries a 422 again', async (t) => {
    const { requests } = await send(t, { _id: 'a' }, (url) => ({ url, reject_on: '' }), {
        reply: (req) => ({ status: req.n < 3 ? 422 : 200 }),
    });
    assert.equal(requests.length, 3);
});

test('a connection that is closed, and an answer that never comes, are tried again', async (t) => {
    const { requests } = await send(t, { _id: 'a' }, (url) => ({ url, timeout: '300ms' }), {
        reply: (req) => (req.n === 1 ? { close: true } : req.n === 2 ? { hang: true } : {}),
    });
    assert.equal(requests.length, 3);
    assert.equal(new Set(requests.map((r) => r.headers['idempotency-key'])).size, 1);
});

test('an answer cut short is tried again', async (t) => {
    const filled = await makeFilled(couch, 1);
    let seen = 0;
    const sc = await startScripted([
        on('GET', '/x', async (ctx) => {
            if (++seen > 1) return ctx.reply({ status: 200 });
            await ctx.raw('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab');
            return ctx.fin();
        }),
    ]);
    atEnd(t, () => sc.close());
    await siteTo(t, filled, { url: `${sc.url}/x` }).once();
    assert.equal(seen, 2);
});

test('a redirect is followed only when max_redirects allows it', async (t) => {
    const reply = (req) =>
        req.path === '/old' && req.n !== 2
            ? { status: 307, headers: { Location: '/new' } }
            : { status: 200 };
    const kept = await send(t, { _id: 'a' }, (url) => ({ url: `${url}/old` }), { reply });
    assert.deepEqual(
        kept.requests.map((r) => r.path),
        ['/old', '/old'],
    );
    const followed = await send(
        t,
        { _id: 'a' },
        (url) => ({ url: `${url}/old`, method: 'POST', max_redirects: 1 }),
        { reply: (req) => (req.path === '/old' ? reply({ ...req, n: 1 }) : {}) },
    );
    assert.deepEqual(
        followed.requests.map((r) => r.path),
        ['/old', '/new'],
    );
    assert.equal(followed.requests[1].json()._id, 'a');
});

test('with deny_private a loopback address is refused and nothing is lost', async (t) => {
    const hook = await receiver(t);
    const filled = await makeFilled(couch, 1);
    const site = siteTo(t, filled, { url: hook.url, deny_private: true });
    const daemon = site.start();
    await daemon.waitForLog({ reason: /not allowed|refused|private|loopback/i });
    assert.equal((await daemon.stop()).code, 0);
    assert.equal(hook.requests.length, 0);
    site.parts.rules.r.options = { url: hook.url };
    site.write({});
    await site.once();
    assert.equal(hook.requests.length, 1);
});

/* ---- order, block, debounce ---- */

test('with block there is one request at a time, whatever the concurrency', async (t) => {
    let running = 0;
    let most = 0;
    const hook = await receiver(t, async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
        return {};
    });
    const filled = await makeFilled(couch, 40);
    const rule = { concurrency: 8, batch: { size: 2 } };
    await siteTo(t, filled, { url: hook.url, block: true }, rule).once();
    assert.equal(hook.requests.length, 40);
    assert.equal(most, 1);
});

test('debounce never collapses requests that differ', async (t) => {
    const hook = await receiver(t);
    const filled = await makeFilled(couch, 30);
    const options = { url: `${hook.url}/\${change.id}`, debounce: true };
    await siteTo(t, filled, options, { concurrency: 4 }).once();
    assert.deepEqual(hook.requests.map((r) => r.path.slice(1)).sort(), filled.ids);
});

test('debounce: changes that come during a request share one that starts after it', async (t) => {
    let free;
    const held = new Promise((resolve) => (free = resolve));
    const hook = await receiver(t, async (req) => {
        if (req.n === 1) await held;
        return {};
    });
    const seen = await receiver(t);
    const filled = await makeFilled(couch, 1);
    const options = { url: `${hook.url}/stats`, debounce: true };
    const site = siteTo(t, filled, options, { concurrency: 8 });
    /* A rule beside it tells when the changes have been read. */
    const beside = { ...site.parts.rules.r, options: { url: `${seen.url}/\${change.id}` } };
    site.write({ rules: { ...site.parts.rules, beside } });
    const daemon = site.start();
    await hook.waitFor(1);
    await fill(
        couch,
        filled.where,
        Array.from({ length: 20 }, (_, i) => `late-${i}`),
    );
    await seen.waitFor(21);
    assert.equal(hook.requests.length, 1);
    free();
    await hook.waitFor(2);
    assert.equal((await daemon.stop()).code, 0);
    assert.ok(hook.requests.length < 12, `${hook.requests.length} requests for 21 changes`);
});

test('debounce: when a shared request fails, every change it spoke for is sent again', async (t) => {
    const hook = await receiver(t, (req) => ({ status: req.n <= 3 ? 503 : 200 }));
    const filled = await makeFilled(couch, 20);
    const site = siteTo(
        t,
        filled,
        { url: `${hook.url}/stats`, debounce: true },
        { concurrency: 4, batch: { size: 5 } },
    );
    await site.once();
    assert.ok(hook.requests.length > 3);
    hook.requests.length = 0;
    await site.once();
    assert.equal(hook.requests.length, 0);
});

/* ---- a configuration that cannot work is refused by check ---- */

test('check refuses what cannot work and says what to do', async (t) => {
    await refused(t, { method: 'GET', body: '{}' }, /body cannot go with method GET/);
    await refused(t, { body: '{}', params: { a: 1 } }, /exclude each other/);
    await refused(t, { body: '{"a": $change}' }, /body is not JSON/);
    await refused(
        t,
        { method: 'GET', batch_changes: 2 },
        /batch_changes cannot go with method/,
    );
    await refused(
        t,
        { method: 'POST', batch_changes: 2, debounce: true },
        /exclude each other/,
    );
    await refused(t, { url: 'http://127.0.0.1:9/#x' }, /#/);
    await refused(t, { url: 'http://${db_name}.example.com/' }, /host/);
    await refused(t, { success: '2xx' }, /list of statuses/);
    await refused(t, { headers: { 'Content-Length': '3' } }, /set by tailrace/);
    await refused(t, { headers: { 'Content-Type': 'a' } }, /content_type/);
    await refused(t, { headers: { 'X-A': { b: 1 } } }, /write a string/);
    await refused(t, { secret_headers: { Authorization: 'Bearer x' } }, /reference/);
    await refused(t, { hmac: { header: 'X-Sig' } }, /secret/);
});
