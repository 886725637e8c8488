/* SPDX-License-Identifier: Apache-2.0 */
/* The fault proxy breaks what it is told to break, at the very byte, and nothing else. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const http = require('node:http');
const { startScripted, on } = require('../lib/scripted');
const { startProxy } = require('../lib/proxy');
const faults = require('../lib/faults');
const { request } = require('./http_client');
const { atEnd } = require('../../lib/at_end');

const TEXT = 'abcdefghijklmnopqrstuvwxyz';

/* A server that answers TEXT, a proxy before it, and what the client got through it. */
async function setUp(t, { script = (ctx) => ctx.reply({ body: TEXT }), ...options } = {}) {
    const sc = await startScripted(script);
    const fp = await startProxy(sc.url, { seed: 1, ...options });
    atEnd(t, () => Promise.all([fp.close(), sc.close()]));
    return { sc, fp, get: (path = '/', more) => request(fp.url + path, more) };
}

function keepAlive(t) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    atEnd(t, () => agent.destroy());
    return agent;
}

test('without a fault everything passes, large bodies too', async (t) => {
    const size = 8 << 20;
    const { sc, get } = await setUp(t, {
        script: (ctx) => ctx.reply({ body: Buffer.alloc(size, 'x') }),
    });
    const got = await get('/', { method: 'PUT', body: Buffer.alloc(size, 'y') });
    assert.deepEqual([got.bytes, got.complete, sc.requests[0].body.length], [size, true, size]);
});

test('cut: every byte offset of a body, with FIN', async (t) => {
    const { fp, get } = await setUp(t);
    for (let n = 0; n < TEXT.length; n++) {
        await fp.set(faults.cut(n, { match: /^\//, from: 'body' }));
        const got = await get();
        assert.deepEqual([got.body, got.complete], [TEXT.slice(0, n), false], fp.describe());
    }
    await fp.clear();
    assert.equal((await get()).body, TEXT);
});

test('cut: in the head, and with RST', async (t) => {
    const { fp, get } = await setUp(t);
    await fp.set(faults.cut(9));
    assert.deepEqual([(await get()).status, fp.stats.struck], [undefined, 1]);
    await fp.set(faults.cut(3, { match: /./, from: 'body', how: 'rst' }));
    assert.equal((await get()).error, 'ECONNRESET');
});

test('cut: the request, at byte n', async (t) => {
    const { sc, fp, get } = await setUp(t);
    await fp.set(faults.cutRequest(3, { match: /./, from: 'body' }));
    const got = await get('/', { method: 'PUT', body: TEXT });
    assert.equal(got.status, undefined);
    assert.equal(fp.struck(fp.faults[0]), 1);
    while (!sc.requests[0]?.received) await new Promise(setImmediate);
    assert.deepEqual([sc.requests[0].received, sc.requests[0].body.length], [3, 0]);
});

test('times: strikes so often and no more; match: only such requests', async (t) => {
    const { fp, get } = await setUp(t);
    await fp.set(faults.reset({ match: /_changes/, times: 2 }));
    assert.equal((await get('/other')).body, TEXT);
    assert.equal((await get('/db/_changes')).error, 'ECONNRESET');
    assert.equal((await get('/db/_changes')).error, 'ECONNRESET');
    assert.equal((await get('/db/_changes')).body, TEXT);
});

test('match counts from the response it means, on a kept connection too', async (t) => {
    const { fp, get } = await setUp(t);
    const agent = keepAlive(t);
    await fp.set(faults.corrupt(2, { match: /two/, from: 'body', mask: 0x20 }));
    assert.equal((await get('/one', { agent })).body, TEXT);
    assert.equal((await get('/two', { agent })).body, TEXT.replace('c', 'C'));
    assert.equal((await get('/three', { agent })).body, TEXT);
    assert.equal(fp.stats.accepted, 1);
});

test('corrupt: one byte of a request', async (t) => {
    const { sc, fp, get } = await setUp(t);
    await fp.set(faults.corrupt(0, { side: 'request', match: /./, from: 'body', mask: 0x20 }));
    await get('/', { method: 'PUT', body: 'abc' });
    assert.equal(sc.requests[0].body.toString(), 'Abc');
});

test('drip: all bytes arrive, a few at a time', async (t) => {
    const { fp, get } = await setUp(t);
    await fp.set(faults.drip(1000, { match: /./, from: 'body' }));
    const sizes = [];
    const got = await get('/', {
        onData: (p, req, out) => (sizes.push(p.length), out.parts.push(p)),
    });
    assert.equal(got.body, TEXT);
    assert.ok(sizes.length > 1, `${sizes}`);
});

test('delay: the answer comes later and whole', async (t) => {
    const { fp, get } = await setUp(t);
    await fp.set(faults.delay([5, 10]));
    assert.equal((await get()).body, TEXT);
    assert.equal(fp.stats.struck, 1);
});

test('stall: the rest stays away, the connection stays; clear lets it come', async (t) => {
    const { fp, get } = await setUp(t);
    await fp.set(faults.stall(4, { match: /./, from: 'body' }));
    let seen = '';
    const got = await get('/', {
        onData(piece, req, out) {
            out.parts.push(piece);
            if (seen) return;
            seen = piece.toString();
            setTimeout(() => (assert.equal(fp.connections, 1), fp.clear()), 50);
        },
    });
    assert.deepEqual([seen, got.body], ['abcd', TEXT]);
});

test('stall: a live feed freezes, and not even the death of the server shows', async (t) => {
    const { sc, fp, get } = await setUp(t, {
        script: (ctx) =>
            ctx.chunked(async function* () {
                while (!ctx.gone) {
                    yield '\n';
                    await ctx.sleep(1);
                }
            }),
    });
    let frozen, atDeath;
    const got = await get('/', {
        signal: AbortSignal.timeout(400),
        onData(piece, req, out) {
            if (out.bytes < 5 || frozen) return;
            frozen = true;
            fp.set(faults.stall());
            setTimeout(() => ((atDeath = out.bytes), sc.dropAll()), 100);
        },
    });
    assert.equal(got.error, 'ABORT_ERR');
    assert.equal(got.bytes, atDeath);
});

test('stall: an idle connection hides the death of the server as well', async (t) => {
    const { sc, fp, get } = await setUp(t, {
        script: async (ctx) => {
            await ctx.head(200, { 'Content-Length': 10 });
            await ctx.raw('x');
            await ctx.hang();
        },
    });
    const got = await get('/', {
        signal: AbortSignal.timeout(300),
        onData: () => fp.set(faults.stall()).then(() => sc.dropAll()),
    });
    assert.equal(got.error, 'ABORT_ERR');
});

test('cut: at the last byte the answer is whole, and the connection ends', async (t) => {
    const { fp, get } = await setUp(t);
    const agent = keepAlive(t);
    await fp.set(faults.cut(TEXT.length, { match: /./, from: 'body' }));
    assert.equal((await get('/', { agent })).body, TEXT);
    while (fp.connections) await new Promise(setImmediate);
    assert.equal(fp.stats.struck, 1);
});

test('status: answers by itself, so often, and keeps the connection', async (t) => {
    const { sc, fp, get } = await setUp(t);
    const agent = keepAlive(t);
    await fp.set(
        faults.status(429, {
            match: /_bulk/,
            times: 1,
            headers: { 'Retry-After': 7 },
            body: 'slow down',
        })
    );
    const put = { method: 'POST', body: TEXT, agent };
    const first = await get('/db/_bulk_docs', put);
    assert.deepEqual(
        [first.status, first.headers['retry-after'], first.body],
        [429, '7', 'slow down']
    );
    assert.equal(sc.requests.length, 0);
    assert.equal((await get('/db/_bulk_docs', put)).body, TEXT);
    assert.deepEqual([sc.requests[0].body.toString(), fp.stats.accepted], [TEXT, 1]);
});

test('status: works while the target is down', async (t) => {
    const { sc, fp, get } = await setUp(t);
    await sc.close();
    assert.equal((await get()).error, 'ECONNRESET');
    assert.equal(fp.stats.targetErrors, 1);
    await fp.set(faults.status(503));
    assert.equal((await get()).status, 503);
});

test('drop: every connection, the open and the new', async (t) => {
    const { fp, get } = await setUp(t, { script: [on('GET', '/hang', (ctx) => ctx.hang())] });
    const open = get('/hang');
    while (!fp.stats.bytesUp) await new Promise(setImmediate);
    await fp.set(faults.drop());
    assert.equal((await open).error, 'ECONNRESET');
    assert.match((await get()).error, /ECONNRESET|EPIPE/);
    assert.equal(fp.connections, 0);
    await fp.clear();
    assert.equal((await get()).status, 200);
});

test('refuse: nobody listens, and after clear the same port does', async (t) => {
    const { fp, get } = await setUp(t);
    const { url } = fp;
    await fp.set(faults.refuse());
    assert.equal((await get()).error, 'ECONNREFUSED');
    await fp.clear();
    assert.deepEqual([(await get()).body, fp.url], [TEXT, url]);
});

test('killAll ends what is open and breaks nothing else', async (t) => {
    const { fp, get } = await setUp(t, { script: [on('GET', '/hang', (ctx) => ctx.hang())] });
    const open = get('/hang');
    while (!fp.stats.bytesUp) await new Promise(setImmediate);
    fp.killAll('rst');
    assert.equal((await open).error, 'ECONNRESET');
    assert.equal((await get()).status, 200);
});

test('the same seed strikes the same requests at the same bytes', async (t) => {
    const run = async (seed) => {
        const { fp, get } = await setUp(t, { seed });
        await fp.set([
            faults.status(500, { p: 0.3 }),
            faults.cut([0, TEXT.length - 1], { p: 0.5, match: /./, from: 'body' }),
        ]);
        const got = [];
        for (let i = 0; i < 20; i++) got.push((await get()).body);
        assert.match(fp.describe(), new RegExp(`seed=${seed} .*kind="cut".*struck \\d+`));
        return got.join();
    };
    const first = await run(7);
    assert.equal(await run(7), first);
    assert.notEqual(await run(8), first);
});
