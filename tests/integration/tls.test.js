/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom tailrace talks to: TLS 1.2 or newer with a certificate that is right, as a client of a source
 * and as one of a webhook; and by no way that somebody's environment or home would suggest.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const tls = require('node:tls');
const { execFileSync } = require('node:child_process');
const { startTestServer } = require('../lib/couch');
const { startReceiver } = require('../lib/receiver');
const { tempDir } = require('../lib/tailrace');
const { makePki } = require('../lib/tls');
const { startScripted } = require('../fault/lib/scripted');
const { rows } = require('../fault/lib/rows');
const { startForward } = require('./lib/forward');
const { makeFilled } = require('./lib/docs');
const { makeSite } = require('./lib/site');
const { startHook, toHook } = require('./lib/sink');
const { atEnd } = require('../lib/at_end');

const QUICK = { retry_min: '5ms', retry_max: '50ms', poll_interval: '20ms' };
const ADMIN = { '127.0.0.1': { admin: 'secret' } };

let couch;
let pki;

before(async () => {
    couch = await startTestServer();
    const dir = fs.mkdtempSync('/tmp/tailrace-pki-');
    pki = { ...makePki(dir), selfSigned: selfSigned(dir), dir };
});
after(async () => {
    fs.rmSync(pki.dir, { recursive: true });
    await couch.close();
});

/* Right in all but that nobody signed it. */
function selfSigned(dir) {
    const files = ['-keyout', 'self.key', '-out', 'self.pem'];
    const names = ['-subj', '/CN=self', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    execFileSync('openssl', ['req', '-x509', ...key, ...names, ...files], {
        cwd: dir,
        stdio: 'ignore',
    });
    const read = (name) => fs.readFileSync(path.join(dir, name));
    return { key: read('self.key'), cert: read('self.pem') };
}

/* A server that knows only TLS 1.0 and 1.1, if its OpenSSL still lets it. */
const OLD = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' };

const SERVERS = {
    'TLS 1.2': [() => ({ ...pki.good, maxVersion: 'TLSv1.2' }), null],
    'TLS 1.3': [() => ({ ...pki.good, minVersion: 'TLSv1.3' }), null],
    'TLS 1.1 at most': [() => ({ ...pki.good, ...OLD }), /TLS|SSL|protocol|version/i],
    'a certificate of another name': [() => pki.wrongName, /certificate|host ?name/i],
    'a certificate that is over': [() => pki.expired, /certificate|expired/i],
    'a certificate of a stranger': [() => pki.stranger, /certificate|issuer/i],
    'a certificate that it signed itself': [() => pki.selfSigned, /certificate|self/i],
};

const problems = (run) =>
    run.stderr.split('\n').filter((line) => /"level":"(warn|error)"|^tailrace: /.test(line));

for (const [name, [make, refusal]] of Object.entries(SERVERS)) {
    test(`a source with ${name} is ${refusal ? 'refused' : 'followed'}`, async (t) => {
        const secureContext = tls.createSecureContext(make());
        const sc = await startScripted([], {
            tls: { secureContext },
            couch: { dbs: { db: rows(2) } },
        });
        atEnd(t, () => sc.close());
        const hook = await startHook(t);
        const site = makeSite(t, null, {
            passwords: ADMIN,
            sources: { main: { url: sc.url, ...QUICK, ca_file: pki.caFile } },
            rules: { r: toHook(hook, ['db']) },
        });
        const run = await site.once({ code: refusal ? 69 : 0 });
        assert.equal(hook.taken.length, refusal ? 0 : 2);
        assert.equal(sc.requests.length > 0, !refusal, 'what it was told');
        if (refusal) assert.match(problems(run).join('\n'), refusal);
    });

    test(`a webhook with ${name} is ${refusal ? 'told nothing' : 'called'}`, async (t) => {
        const { db } = await makeFilled(couch, 1);
        const hook = await startReceiver({ tls: make() });
        atEnd(t, () => hook.close());
        const site = makeSite(t, couch, {
            main: { log: { level: 'debug' } },
            rules: { r: toHook(hook, [db], { options: { ca_file: pki.caFile } }) },
        });
        if (!refusal) {
            await site.once();
            assert.equal(hook.requests.length, 1);
            return;
        }
        const daemon = site.start();
        await daemon.waitForLog({ msg: /^batch failed/, reason: refusal });
        await daemon.stop();
        assert.equal(hook.requests.length, 0);
    });
}

test('a server that does not verify can be had, by saying so', async (t) => {
    const { db } = await makeFilled(couch, 1);
    const hook = await startReceiver({ tls: pki.selfSigned });
    atEnd(t, () => hook.close());
    const site = makeSite(t, couch, {
        rules: { r: toHook(hook, [db], { options: { insecure: true } }) },
    });
    await site.once();
    assert.equal(hook.requests.length, 1);
});

/* ---- the environment ---- */

test('no proxy of the environment is used', async (t) => {
    const forward = await startForward(t);
    const { db } = await makeFilled(couch, 2);
    const hook = await startHook(t);
    const site = makeSite(t, couch, { rules: { r: toHook(hook, [db]) } });
    const names = ['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'];
    await site.once({
        env: { ...Object.fromEntries(names.map((n) => [n, forward.url])), no_proxy: '' },
    });
    assert.equal(hook.taken.length, 2);
    assert.equal(forward.requests.length + forward.tunnels.length, 0);
});

test('a proxy that was asked for is used, whatever no_proxy says', async (t) => {
    const forward = await startForward(t);
    const { db } = await makeFilled(couch, 2);
    const hook = await startHook(t);
    const site = makeSite(t, couch, {
        source: { proxy: forward.url },
        rules: { r: toHook(hook, [db]) },
    });
    await site.once({ env: { no_proxy: '*', NO_PROXY: '*' } });
    assert.ok(forward.requests.length > 0);
});

test('no .netrc, .curlrc or CA of the environment is read', async (t) => {
    const home = tempDir(t);
    const password = crypto.randomBytes(8).toString('hex');
    const netrc = `machine 127.0.0.1 login admin password ${password}\n`;
    fs.writeFileSync(path.join(home, '.netrc'), netrc, { mode: 0o600 });
    fs.writeFileSync(path.join(home, '.curlrc'), 'insecure\nheader = "X-Curlrc: yes"\n');
    const env = { HOME: home, CURL_HOME: home, CURL_CA_BUNDLE: pki.caFile };
    const { db } = await makeFilled(couch, 1);
    const seen = await startHook(t);
    const site = makeSite(t, couch, { rules: { r: toHook(seen, [db]) } });
    await site.once({ env });
    const [request] = seen.receiver.requests;
    assert.equal(request.headers.authorization, undefined);
    assert.equal(request.headers['x-curlrc'], undefined);

    const hook = await startReceiver({ tls: pki.good });
    atEnd(t, () => hook.close());
    const other = makeSite(t, couch, { rules: { r: toHook(hook, [db]) } });
    const daemon = other.start({ env });
    await daemon.waitForLog({ msg: /^batch failed/, reason: /certificate/i });
    await daemon.stop();
    assert.equal(hook.requests.length, 0);
});

test('only http and https are spoken', async (t) => {
    for (const url of ['ftp://127.0.0.1/x', 'file:///etc/passwd', 'gopher://127.0.0.1:70/']) {
        const site = makeSite(t, couch, {
            rules: { r: { ...toHook({ url: 'http://x' }, ['db']), options: { url, method: 'POST' } } },
        });
        const run = await site.once({ code: 78 });
        assert.match(run.stderr, /http/);
    }
});
