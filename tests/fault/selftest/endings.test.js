/* SPDX-License-Identifier: Apache-2.0 */
/* FIN is FIN and RST is RST: http reports both as ECONNRESET, so this looks at the socket. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const net = require('node:net');
const { startScripted, on } = require('../lib/scripted');
const { startProxy } = require('../lib/proxy');
const faults = require('../lib/faults');
const answers = require('../lib/answers');
const { atEnd } = require('../../lib/at_end');

/*
 * How did this connection end for its reader? libuv reports a RST that comes together with data
 * as the end of the stream; but after a FIN one may still write, after a RST not.
 */
function watch(socket, done) {
    let bytes = 0;
    socket.on('data', (piece) => (bytes += piece.length));
    socket.on('end', () => socket.write('x', (err) => done([err ? 'rst' : 'fin', bytes])));
    socket.on('error', (err) => done([err.code === 'ECONNRESET' ? 'rst' : err.code, bytes]));
}

/* Ask for a path; how did the connection end, and with how many bytes? */
function ending(port, path) {
    return new Promise((resolve) => {
        const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        watch(socket, (how) => (socket.destroy(), resolve(how)));
        socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    });
}

test('the scripted server ends with FIN or RST', async (t) => {
    const sc = await startScripted([
        on('GET', '/fin', answers.fin()),
        on('GET', '/rst', answers.reset()),
        on('GET', '/cut-fin', answers.cutLength('abc', 1)),
        on('GET', '/cut-rst', answers.cutLength('abc', 1, { rst: true })),
        on('GET', '/hang', answers.hang()),
    ]);
    atEnd(t, () => sc.close());
    assert.deepEqual(await ending(sc.port, '/fin'), ['fin', 0]);
    assert.deepEqual(await ending(sc.port, '/rst'), ['rst', 0]);
    assert.equal((await ending(sc.port, '/cut-fin'))[0], 'fin');
    assert.equal((await ending(sc.port, '/cut-rst'))[0], 'rst');
    for (const how of ['fin', 'rst']) {
        const before = sc.requests.length;
        const open = ending(sc.port, '/hang');
        await sc.waitFor((r) => r.n > before);
        sc.dropAll(how);
        assert.deepEqual(await open, [how, 0]);
    }
});

test('the proxy ends with FIN or RST, after exactly n bytes', async (t) => {
    const sc = await startScripted((ctx) => ctx.reply({ body: 'x'.repeat(1000) }));
    const fp = await startProxy(sc.url, { seed: 1 });
    atEnd(t, () => Promise.all([fp.close(), sc.close()]));
    for (const n of [1, 100, 500]) {
        await fp.set(faults.cut(n));
        assert.deepEqual(await ending(fp.port, '/'), ['fin', n]);
    }
    await fp.set(faults.cut(100, { how: 'rst' }));
    assert.equal((await ending(fp.port, '/'))[0], 'rst');
    await fp.set(faults.reset());
    assert.deepEqual(await ending(fp.port, '/'), ['rst', 0]);
    await fp.set(faults.cut(0, { match: /./ }));
    assert.deepEqual(await ending(fp.port, '/'), ['fin', 0]);
});

test('a request that the proxy cuts ends at the target with FIN or RST', async (t) => {
    const ends = [];
    const sink = net.createServer({ allowHalfOpen: true }, (socket) =>
        watch(socket, (how) => (socket.destroy(), ends.push(how)))
    );
    await new Promise((resolve) => sink.listen(0, '127.0.0.1', resolve));
    const fp = await startProxy(`http://127.0.0.1:${sink.address().port}`, { seed: 1 });
    atEnd(t, () => Promise.all([fp.close(), sink.close()]));
    for (const how of ['fin', 'rst']) {
        await fp.set(faults.cutRequest(7, { how }));
        await ending(fp.port, '/');
    }
    while (ends.length < 2) await new Promise(setImmediate);
    assert.deepEqual(ends[0], ['fin', 7]);
    assert.equal(ends[1][0], 'rst');
});
