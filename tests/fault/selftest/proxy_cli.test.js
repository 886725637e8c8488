/* SPDX-License-Identifier: Apache-2.0 */
/* The fault proxy as a command. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const path = require('node:path');
const { once } = require('node:events');
const readline = require('node:readline');
const { spawn, spawnSync } = require('node:child_process');
const { startScripted } = require('../lib/scripted');
const { parseFault } = require('../lib/faults');
const { request } = require('./http_client');
const { atEnd } = require('../../lib/at_end');

const PROXY = path.join(__dirname, '..', 'lib', 'proxy.js');

test('a fault is written KIND:key=value,…', () => {
    assert.deepEqual(parseFault('cut:at=10..20,how=rst,match=/_changes,times=3'), {
        kind: 'cut',
        at: [10, 20],
        how: 'rst',
        match: /\/_changes/,
        times: 3,
    });
    assert.deepEqual(parseFault('status:code=429,headers={"Retry-After":1},p=0.5'), {
        kind: 'status',
        code: 429,
        headers: { 'Retry-After': 1 },
        body: '',
        p: 0.5,
    });
    assert.throws(() => parseFault('explode'), /unknown fault "explode"; have: cut,/);
    assert.throws(() => parseFault('drip'), /needs rate=/);
});

test('the command proxies, obeys stdin and tells its seed', async (t) => {
    const sc = await startScripted([]);
    atEnd(t, () => sc.close());
    const child = spawn(process.execPath, [
        PROXY,
        '--target',
        sc.url,
        '--seed',
        '5',
        '--fault',
        'status:code=503',
    ]);
    atEnd(t, () => child.kill());
    const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async () => JSON.parse((await lines.next()).value);
    const { url, seed } = await next();
    assert.equal(seed, 5);
    assert.equal((await request(url)).status, 503);
    child.stdin.write('clear\n');
    assert.deepEqual(await next(), { ok: true });
    assert.equal((await request(url)).status, 200);
    child.stdin.write('bogus\nstats\n');
    assert.match((await next()).error, /unknown fault/);
    assert.equal((await next()).forced, 1);
    child.kill();
    assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('without a target the command says how it is used', () => {
    const got = spawnSync(process.execPath, [PROXY], { encoding: 'utf8' });
    assert.equal(got.status, 64);
    assert.match(got.stderr, /--target is missing[^]*usage:/);
});
