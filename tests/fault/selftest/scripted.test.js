/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted server can misbehave in every way that the fault tests need. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const net = require('node:net');
const http = require('node:http');
const { startScripted, on } = require('../lib/scripted');
const answers = require('../lib/answers');
const { rows, bigRow } = require('../lib/rows');
const { request } = require('./http_client');
const { atEnd } = require('../../lib/at_end');

async function serve(t, script, options) {
    const sc = await startScripted(script, options);
    atEnd(t, () => sc.close());
    return sc;
}

test('a line answers, and what it does not match goes to the believable CouchDB', async (t) => {
    const sc = await serve(t, [
        on('GET', '/x', { status: 418, headers: { 'X-A': ['1', '2'] }, json: { a: 1 } }),
    ]);
    const x = await request(`${sc.url}/x?q=1`);
    assert.equal(x.status, 418);
    assert.equal(x.headers['x-a'], '1, 2');
    assert.deepEqual(JSON.parse(x.body), { a: 1 });
    assert.equal(JSON.parse((await request(sc.url)).body).couchdb, 'Welcome');
});

test('times and after choose which of the matching requests a line answers', async (t) => {
    const sc = await serve(t, [on('GET', '/', { status: 503 }).after(1).times(2)]);
    const got = [];
    for (let i = 0; i < 4; i++) got.push((await request(sc.url)).status);
    assert.deepEqual(got, [200, 503, 503, 200]);
});

test('a line added later goes first', async (t) => {
    const sc = await serve(t, [on('GET', '/', { status: 500 })]);
    sc.on('GET', '/', { status: 501 }).times(1);
    assert.equal((await request(sc.url)).status, 501);
    assert.equal((await request(sc.url)).status, 500);
});

test('a request is recorded with its body, chunked or not, on one connection', async (t) => {
    const sc = await serve(t, (ctx) => ctx.reply({ body: 'ok' }));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    atEnd(t, () => agent.destroy());
    await request(`${sc.url}/a`, {
        method: 'PUT',
        body: '{"a":1}',
        headers: { 'Content-Length': 7 },
        agent,
    });
    await request(`${sc.url}/b`, {
        method: 'POST',
        body: 'hello',
        headers: { 'Transfer-Encoding': 'chunked' },
        agent,
    });
    assert.deepEqual(
        sc.requests.map((r) => [r.method, r.url, r.body.toString()]),
        [
            ['PUT', '/a', '{"a":1}'],
            ['POST', '/b', 'hello'],
        ]
    );
    assert.equal(sc.accepted, 1);
    assert.ok(sc.requests[0].time <= Date.now());
});

test('waitFor finds a request of the past and one to come', async (t) => {
    const sc = await serve(t, []);
    const soon = sc.waitFor((r) => r.path === '/late');
    await request(`${sc.url}/early`);
    assert.equal((await sc.waitFor((r) => r.path === '/early')).method, 'GET');
    request(`${sc.url}/late`);
    assert.equal((await soon).path, '/late');
    await assert.rejects(
        sc.waitFor(() => false, 10),
        /GET \/early/
    );
});

test('HTML, junk, silence, FIN and RST', async (t) => {
    const sc = await serve(t, [
        on('GET', '/html', answers.html()),
        on('GET', '/junk', answers.junk()),
        on('GET', '/hang', answers.hang()),
        on('GET', '/fin', answers.fin()),
        on('GET', '/reset', answers.reset()),
    ]);
    const html = await request(`${sc.url}/html`);
    assert.equal(html.status, 200);
    assert.match(html.body, /<html>/);
    assert.match((await request(`${sc.url}/junk`)).error, /^HPE_/);
    assert.equal(
        (await request(`${sc.url}/hang`, { signal: AbortSignal.timeout(100) })).status,
        undefined
    );
    assert.match((await request(`${sc.url}/fin`)).error, /ECONNRESET/);
    assert.match((await request(`${sc.url}/reset`)).error, /ECONNRESET/);
});

test('a body is cut at any byte, with a length or in chunks', async (t) => {
    const body = '{"results":[]}';
    const sc = await serve(t, [
        on('GET', '/length', (ctx) => answers.cutLength(body, ctx.hit)(ctx)),
        on('GET', '/chunks', answers.cutChunks(['one', 'two'])),
        on('GET', '/in-chunk', answers.cutInChunk('half')),
        on('GET', '/rst', answers.cutLength(body, 3, { rst: true })),
    ]);
    for (let n = 1; n < body.length; n++) {
        const cut = await request(`${sc.url}/length`);
        assert.deepEqual([cut.body, cut.complete], [body.slice(0, n), false]);
    }
    const chunks = await request(`${sc.url}/chunks`);
    assert.deepEqual([chunks.body, chunks.complete], ['onetwo', false]);
    const inside = await request(`${sc.url}/in-chunk`);
    assert.deepEqual([inside.body, inside.complete], ['half', false]);
    assert.equal((await request(`${sc.url}/rst`)).error, 'ECONNRESET');
});

test('chunk framing by hand may lie', async (t) => {
    const sc = await serve(t, async (ctx) => {
        await ctx.head(200, { 'Transfer-Encoding': 'chunked' });
        await ctx.chunk('honest');
        await ctx.chunk('liar', { size: 2 });
    });
    assert.match((await request(sc.url)).error, /^HPE_/);
});

test('a trickled answer arrives whole, in many pieces', async (t) => {
    const sc = await serve(t, (ctx) =>
        ctx.trickle('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef', {
            size: 1,
            everyMs: 1,
        })
    );
    let pieces = 0;
    const got = await request(sc.url, {
        onData: (p, req, out) => (pieces++, out.parts.push(p)),
    });
    assert.equal(got.body, 'abcdef');
    assert.ok(pieces > 1);
});

test('a row of 64 MB is made on the fly, and has exactly that length', async (t) => {
    const sc = await serve(t, (ctx) => ctx.chunked(() => bigRow(64 << 20)));
    const got = await request(sc.url, { onData: () => {} });
    assert.deepEqual([got.bytes, got.complete], [(64 << 20) + 1, true]);
    assert.equal(
        JSON.parse(Buffer.concat([...bigRow(1000)].map((p) => Buffer.from(p)))).id,
        'big'
    );
});

test('a gzip body cut in half is whole for HTTP', async (t) => {
    const sc = await serve(t, answers.gzipHalf('x'.repeat(5000)));
    const got = await request(sc.url);
    assert.deepEqual([got.complete, got.headers['content-encoding']], [true, 'gzip']);
});

test('redirects lead on for ever', async (t) => {
    const sc = await serve(t, [on('GET', /^\/(start|round-)/, answers.redirectForEver())]);
    let path = '/start';
    const seen = new Set();
    for (let i = 0; i < 20; i++) {
        seen.add(path);
        path = (await request(sc.url + path)).headers.location;
    }
    assert.equal(seen.size, 20);
});

test('bulk replies are short, reordered, partial, of strangers and of conflicts', async (t) => {
    const shapes = ['short', 'reordered', 'partial', 'unknown', 'conflicts'];
    const sc = await serve(
        t,
        shapes.map((s) => on('POST', `/${s}/_bulk_docs`, answers.bulk(s)))
    );
    const body = JSON.stringify({ docs: ['a', 'b', 'c'].map((_id) => ({ _id, _rev: '1-x' })) });
    const post = async (s) =>
        (await request(`${sc.url}/${s}/_bulk_docs`, { method: 'POST', body })).body;
    const ids = async (s) => JSON.parse(await post(s)).map((r) => r.id);
    assert.deepEqual(await ids('short'), ['a', 'b']);
    assert.deepEqual(await ids('reordered'), ['c', 'b', 'a']);
    assert.throws(JSON.parse.bind(null, await post('partial')), SyntaxError);
    assert.deepEqual(await ids('unknown'), ['never-sent', 'b', 'c']);
    assert.equal(JSON.parse(await post('conflicts'))[1].error, 'conflict');
});

test('an early line answers before the body has come', async (t) => {
    const sc = await serve(t, [on('PUT', '/', { status: 413 }).early()]);
    const socket = net.connect(sc.port, '127.0.0.1');
    atEnd(t, () => socket.destroy());
    socket.write('PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nfirst');
    const [data] = await require('node:events').once(socket, 'data');
    assert.match(data.toString(), /^HTTP\/1.1 413 /);
});

test('a test may take a connection over before a byte is read', async (t) => {
    const sc = await serve(t, [], {
        onConnect: (socket) => socket.end('SSH-2.0-x\r\n') && true,
    });
    assert.match((await request(sc.url)).error, /^HPE_/);
});

test('a client that goes ends the script of its answer', async (t) => {
    let ended;
    const over = new Promise((resolve) => (ended = resolve));
    const sc = await serve(t, async (ctx) => {
        await ctx.chunked(async function* () {
            while (await ctx.sleep(1)) yield 'tick\n';
        });
        ended(ctx.gone);
    });
    await request(sc.url, { onData: (piece, req) => req.destroy() });
    assert.equal(await over, true);
});

test('a script that throws is kept for the test to see', async (t) => {
    const sc = await serve(t, () => {
        throw new Error('typo in a test');
    });
    assert.equal((await request(sc.url)).error, 'ECONNRESET');
    assert.match(sc.errors[0].message, /typo/);
});

test('a seq may be of any JSON type, and rows may be any bytes', async (t) => {
    const seqs = [7, '7-abc', [1, 'x'], null];
    const raw = '{"seq":1,"seq":2,"id":"\\ud800","changes":[]}';
    const list = [...rows(4, (n) => ({ seq: seqs[n - 1] })), raw];
    const sc = await serve(t, [], { couch: { dbs: { db: list } } });
    const got = await request(`${sc.url}/db/_changes?feed=continuous&timeout=1`);
    const lines = got.body.split('\n').filter(Boolean);
    assert.deepEqual(
        lines.slice(0, 4).map((l) => JSON.parse(l).seq),
        seqs
    );
    assert.equal(lines[4], raw);
});
