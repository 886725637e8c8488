/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates are right and wrong in exactly the way that they say; TLS passes the
 * proxy.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { makePki } = require('../../lib/tls');
const { tempDir } = require('../../lib/tailrace');
const { startReceiver } = require('../../lib/receiver');
const { startScripted, on } = require('../lib/scripted');
const { startProxy } = require('../lib/proxy');
const faults = require('../lib/faults');
const answers = require('../lib/answers');
const { request } = require('./http_client');
const { atEnd } = require('../../lib/at_end');

test('certificates: good, expired, of another name, of a stranger', async (t) => {
    const pki = makePki(tempDir(t));
    const ask = async (tls) => {
        const sc = await startScripted([], { tls });
        const got = await request(sc.url, { ca: pki.ca });
        await sc.close();
        return got.error || got.status;
    };
    assert.equal(await ask(pki.good), 200);
    assert.equal(await ask(pki.expired), 'CERT_HAS_EXPIRED');
    assert.equal(await ask(pki.wrongName), 'ERR_TLS_CERT_ALTNAME_INVALID');
    assert.match(await ask(pki.stranger), /UNABLE_TO_/);
});

test('the receiver speaks TLS', async (t) => {
    const pki = makePki(tempDir(t));
    const hook = await startReceiver({ tls: pki.good });
    atEnd(t, () => hook.close());
    assert.equal((await request(hook.url, { ca: pki.ca })).status, 200);
});

test('the scripted server misbehaves in TLS too, and the proxy cuts it', async (t) => {
    const pki = makePki(tempDir(t));
    const script = [
        on('GET', '/reset', answers.reset()),
        on('GET', '/fin', answers.cutLength('abc', 2)),
    ];
    const sc = await startScripted(script, { tls: pki.good });
    const fp = await startProxy(sc.url, { seed: 1 });
    atEnd(t, () => Promise.all([fp.close(), sc.close()]));
    const get = (path) => request(fp.url + path, { ca: pki.ca });
    assert.equal((await get('/')).status, 200);
    assert.equal((await get('/reset')).error, 'ECONNRESET');
    assert.deepEqual([(await get('/fin')).body, (await get('/fin')).complete], ['ab', false]);
    await fp.set(faults.cut(100));
    assert.equal((await get('/')).error, 'ECONNRESET');
});
