/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 32: a large attachment is copied from one database to another. It flows through, in
 * little memory; one that does not come as it was announced leaves nothing behind.
 * TAILRACE_TEST_ATTACHMENT says how many MiB; on a real CouchDB 1024 will do.
 */
'use strict';

const test = require('./lib/fault')(32);
const { before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const { startTestServer, waitFor } = require('../lib/couch');
const { putLarge, digestOf } = require('../integration/lib/docs');
const { copyBench, lettersOf, urlOf } = require('../integration/lib/copy');
const { startProxy } = require('./lib/proxy');
const faults = require('./lib/faults');
const { atEnd } = require('../lib/at_end');

const MB = 1 << 20;

let couch, bench;

before(async () => {
    couch = await startTestServer();
    bench = copyBench(couch);
});
after(() => couch.close());

const isSanitized = (pid) => /libasan|libtsan/.test(fs.readFileSync(`/proc/${pid}/maps`, 'latin1'));

function peakOf(pid) {
    return Number(/VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))[1]);
}

/* The test server keeps a body in memory whole. */
const sizeOf = () => Number(process.env.TAILRACE_TEST_ATTACHMENT || (couch.isReal ? 100 : 16)) * MB;

test('it flows from the source to the target, in little memory', async (t) => {
    const { where, to, site } = await bench.pair(t, 0);
    const digest = await putLarge(couch, where, 'doc', 'film', sizeOf());
    const daemon = site.start();
    await waitFor(async () => (await couch.get(`${to}/doc`)).status === 200, 'the copy', 600000);
    const peak = peakOf(daemon.pid);
    test.saw(t, `${sizeOf() / MB} MiB, the daemon at ${Math.round(peak / 1024)} MiB at most`);
    /* A sanitizer's own memory is not counted apart. */
    if (!isSanitized(daemon.pid)) assert.ok(peak < 64 * 1024, `VmHWM is ${peak} kB`);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    assert.equal(await digestOf(couch, `${to}/doc/film`), digest);
    /* Not assertSame(), which would have all of it in JSON. */
    const docOf = async (db) => (await couch.get(`${db}/doc?revs=true`)).json;
    assert.deepEqual(await docOf(to), await docOf(where));
});

/* A database with an attachment whose first journey meets the fault, and the site that copies it. */
async function throughProxy(t, fault) {
    const proxy = await startProxy(couch.url, {
        faults: [{ ...fault, match: /film/, from: 'body', times: 1 }],
    });
    atEnd(t, () => proxy.close());
    const { db, where, to } = await bench.pair(t, 0);
    const source = `${proxy.url.replace('://', '://admin@')}${where}`;
    const site = bench.siteTo(t, db, { source, target: urlOf(couch, to) });
    const digest = await putLarge(couch, where, 'doc', 'film', 3 * MB);
    return { proxy, site, where, to, digest };
}

const isThere = async (to) => (await couch.get(`${to}/doc`)).status === 200;

test('cut off on its way it is not written, and comes whole when it is asked again', async (t) => {
    const { proxy, site, where, to, digest } = await throughProxy(t, faults.cut([100, MB]));
    await site.once();
    assert.equal(proxy.struck(proxy.faults[0]), 1, proxy.describe());
    assert.equal(await digestOf(couch, `${to}/doc/film`), digest);
    await bench.assertSame(where, to);
});

test('with a byte that turned it is a dead letter, and nothing is written', async (t) => {
    const { proxy, site, where, to, digest } = await throughProxy(t, faults.corrupt([100, MB]));
    await site.once();
    const [letter] = await lettersOf(site);
    assert.match(letter.error, /digest/, proxy.describe());
    assert.equal(await isThere(to), false);
    await site.command(['dead-letter', 'replay', '--all']);
    assert.equal(await digestOf(couch, `${to}/doc/film`), digest);
    await bench.assertSame(where, to);
});
