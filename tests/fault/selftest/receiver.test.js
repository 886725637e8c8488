/* SPDX-License-Identifier: Apache-2.0 */
/* The webhook receiver keeps what it gets and answers as told. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const zlib = require('node:zlib');
const { startReceiver } = require('../../lib/receiver');
const { request } = require('./http_client');
const { atEnd } = require('../../lib/at_end');

async function receive(t, options) {
    const hook = await startReceiver(options);
    atEnd(t, () => hook.close());
    return hook;
}

test('a request is kept whole, and answered with 200', async (t) => {
    const hook = await receive(t);
    const got = await request(`${hook.url}/calc?change=1`, {
        method: 'PUT',
        body: '{"a":1}',
        headers: { 'Idempotency-Key': 'k' },
    });
    assert.equal(got.status, 200);
    const [req] = hook.requests;
    assert.deepEqual(
        [req.n, req.method, req.path, req.query.get('change')],
        [1, 'PUT', '/calc', '1']
    );
    assert.deepEqual([req.json(), req.headers['idempotency-key']], [{ a: 1 }, 'k']);
});

test('a gzip body is unpacked', async (t) => {
    const hook = await receive(t);
    await request(hook.url, {
        method: 'POST',
        body: zlib.gzipSync('hello'),
        headers: { 'Content-Encoding': 'gzip' },
    });
    assert.equal(hook.requests[0].body, 'hello');
});

test('the reply is a function of the request', async (t) => {
    const hook = await receive(t, {
        reply: (req) =>
            req.n === 1
                ? { status: 429, headers: { 'Retry-After': '1' } }
                : { body: { ok: true }, delayMs: 1 },
    });
    assert.equal((await request(hook.url)).headers['retry-after'], '1');
    const second = await request(hook.url);
    assert.deepEqual(
        [second.body, second.headers['content-type']],
        ['{"ok":true}', 'application/json']
    );
});

test('hang never answers, close closes', async (t) => {
    const hook = await receive(t, { reply: (req) => ({ [req.path.slice(1)]: true }) });
    assert.equal((await request(`${hook.url}/close`)).error, 'ECONNRESET');
    const hanging = request(`${hook.url}/hang`);
    await hook.waitFor(2);
    await hook.close();
    assert.equal((await hanging).error, 'ECONNRESET');
});

test('waitFor: a number, a predicate, and an error that shows what came', async (t) => {
    const hook = await receive(t);
    const two = hook.waitFor(2);
    const b = hook.waitFor((r) => r.path === '/b');
    await request(`${hook.url}/a`);
    await request(`${hook.url}/b`);
    assert.equal((await two).length, 2);
    assert.equal((await b).path, '/b');
    await assert.rejects(hook.waitFor(3, 10), /got 2:\n {2}GET \/a/);
});
