/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tailrace run`: follows for ever, through whatever happens to databases, servers and sessions.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');
const { tempDir } = require('../lib/tailrace');
const { makePki } = require('../lib/tls');
const { makeSite } = require('./lib/site');
const { startHook, toHook, ids, sortedIds } = require('./lib/sink');
const { startForward } = require('./lib/forward');
const { ownServer } = require('./lib/server');
const { fill, makeFilled, names, put, remove, replaceDb } = require('./lib/docs');

/* Impatient, so that tests are quick. */
const QUICK = {
    retry_min: '10ms',
    retry_max: '100ms',
    poll_interval: '100ms',
    discover_interval: '100ms',
};

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

/* A daemon that follows the databases into a hook, from the moment that it is live. */
async function follow(t, databases, { rule, source, live = [], server = couch, ...more } = {}) {
    const hook = await startHook(t);
    const site = makeSite(t, server, {
        rules: { r: toHook(hook, databases, rule) },
        source: { ...QUICK, ...source },
        ...more,
    });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'rule started' });
    for (const db of live) await daemon.waitForLog({ msg: 'following', db });
    return { hook, site, daemon };
}

async function assertStops(daemon) {
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
}

/* ---- rows as they come ---- */

test('rows arrive as they are written, each once', async (t) => {
    const { where, db } = await makeFilled(couch, 3);
    const { hook, daemon } = await follow(t, [db], { live: [db] });
    await hook.until(3);
    for (let n = 1; n <= 5; n++) {
        await put(couch, where, `live-${n}`, { n });
        await hook.until(3 + n);
    }
    await remove(couch, where, 'live-1');
    await hook.until(9);
    await assertStops(daemon);
    assert.equal(hook.taken.length, 9);
    assert.equal(hook.taken[8].doc._deleted, true);
});

test('every revision that is written slowly is delivered, in order', async (t) => {
    const { where, db } = await makeFilled(couch, 0);
    const { hook, daemon } = await follow(t, [db], { live: [db] });
    for (let n = 1, rev; n <= 5; n++) {
        rev = await put(couch, where, rev ? `a?rev=${rev}` : 'a', { n });
        await hook.until(n);
    }
    await assertStops(daemon);
    assert.deepEqual(
        hook.taken.map((change) => change.doc.n),
        [1, 2, 3, 4, 5],
    );
});

test('a restart after a graceful stop delivers neither twice nor leaves out', async (t) => {
    const { where, db } = await makeFilled(couch, 50);
    const { hook, site, daemon } = await follow(t, [db]);
    await hook.until(50);
    await assertStops(daemon);
    await fill(couch, where, ['while-down']);
    const again = site.start();
    await hook.until(51);
    await put(couch, where, 'while-up');
    await hook.until(52);
    await assertStops(again);
    assert.deepEqual(ids(hook.taken).slice(50), ['while-down', 'while-up']);
});

test('many databases are followed at once', async (t) => {
    const prefix = uniqueDb();
    const made = [];
    for (let n = 0; n < 12; n++)
        made.push(await makeFilled(couch, 1, { name: `${prefix}_${n}` }));
    const live = made.map(({ db }) => db);
    const { hook, daemon } = await follow(t, `^${prefix}_.`, { live });
    await Promise.all(made.map(({ where }) => put(couch, where, 'live')));
    await hook.until(24);
    await assertStops(daemon);
    assert.equal(new Set(hook.taken.map(({ db, id }) => `${db}/${id}`)).size, 24);
});

/* ---- databases come and go ---- */

test('a new database that the pattern matches is found and followed', async (t) => {
    const prefix = uniqueDb();
    const { hook, daemon } = await follow(t, `^${prefix}_.`);
    for (let n = 1; n <= 3; n++) {
        const { where, db } = await makeFilled(couch, 2, { name: `${prefix}_${n}` });
        await hook.until(3 * n - 1);
        await put(couch, where, 'live');
        await hook.until((taken) => taken.some((c) => c.db === db && c.id === 'live'));
    }
    await assertStops(daemon);
    assert.equal(hook.taken.length, 9);
});

test('a named database that is made later is followed from its beginning', async (t) => {
    const name = uniqueDb();
    const { hook, daemon } = await follow(t, [name], { rule: { since: 'now' } });
    await daemon.waitForLog({ msg: /does not exist/, db: name });
    const filled = await makeFilled(couch, 4, { name });
    await hook.until(4);
    await assertStops(daemon);
    assert.deepEqual(sortedIds(hook.taken), filled.ids);
});

test('more databases than max_feeds are all delivered, and go on being', async (t) => {
    const prefix = uniqueDb();
    const made = [];
    for (let n = 0; n < 7; n++)
        made.push(await makeFilled(couch, 3, { name: `${prefix}_${n}` }));
    const { hook, daemon } = await follow(t, `^${prefix}_.`, {
        source: { max_feeds: 2, max_connections: 4 },
    });
    await hook.until(21);
    for (const round of ['one', 'two']) {
        await Promise.all(made.map(({ where }) => put(couch, where, round)));
        await hook.until(round === 'one' ? 28 : 35);
    }
    await assertStops(daemon);
    assert.equal(hook.taken.length, 35);
    const live = daemon.logs().filter((record) => record.msg === 'following');
    assert.ok(new Set(live.map((record) => record.db)).size <= 2);
});

test('a database that is deleted ends its stream, and others go on', async (t) => {
    const [gone, stays] = [await makeFilled(couch, 2), await makeFilled(couch, 2)];
    const dbs = [gone.db, stays.db];
    const { hook, daemon } = await follow(t, dbs, { live: dbs });
    await hook.until(4);
    await couch.delete(gone.where);
    await daemon.waitForLog({ msg: /database is gone/, db: gone.db });
    await put(couch, stays.where, 'after');
    await hook.until(5);
    await assertStops(daemon);
});

test('a database that was deleted and made again is a new stream from its start', async (t) => {
    const { where, db, ids: old } = await makeFilled(couch, 5);
    const { hook, daemon } = await follow(t, [db], { live: [db] });
    await hook.until(5);
    hook.clear();
    await replaceDb(couch, where, [...old.slice(0, 2), 'new']);
    await hook.until(3);
    await assertStops(daemon);
    assert.deepEqual(sortedIds(hook.taken), [...old.slice(0, 2), 'new']);
});

test('a database that was replaced while tailrace was down is read from its start', async (t) => {
    const { where, db } = await makeFilled(couch, 5);
    const hook = await startHook(t);
    const site = makeSite(t, couch, { rules: { r: toHook(hook, [db]) } });
    await site.once();
    hook.clear();
    await replaceDb(couch, where, ['one', 'two']);
    await site.once();
    assert.deepEqual(sortedIds(hook.taken), ['one', 'two']);
});

/* ---- servers of our own: stopped, started, with TLS, behind a proxy ---- */

for (const signal of ['SIGTERM', 'SIGKILL'])
    test(`a source that ends by ${signal} and comes back loses and repeats nothing`, async (t) => {
        let server = await ownServer(t);
        const { where, db, ids: first } = await makeFilled(server, 20);
        const { hook, daemon } = await follow(t, [db], { server, live: [db] });
        await hook.until(20);
        await server.end(signal);
        await daemon.waitForLog({ msg: /cannot be read now/, db });
        server = await server.again();
        const later = names(20, 'later');
        await fill(server, where, later);
        await hook.until(40);
        await daemon.waitForLog({ msg: /can be read again/, db });
        await put(server, where, 'zz-live');
        await hook.until(41);
        await assertStops(daemon);
        assert.deepEqual(sortedIds(hook.taken), [...first, ...later, 'zz-live']);
    });

test('a source that is not there at the start is followed when it comes', async (t) => {
    let server = await ownServer(t);
    const { db } = await makeFilled(server, 3);
    await server.end();
    const { hook, daemon } = await follow(t, `^${db}.?$`, { server });
    await daemon.waitForLog({ msg: /cannot be listed/ });
    server = await server.again();
    await hook.until(3);
    await assertStops(daemon);
});

test('a session logs in once, and again when the cookie expires', async (t) => {
    const server = await ownServer(t, { args: ['--cookie-timeout', '4'] });
    const forward = await startForward(t);
    const { where, db } = await makeFilled(server, 2);
    const { hook, daemon } = await follow(t, [db], {
        server,
        source: { auth: 'cookie', proxy: forward.url, max_feeds: 1 },
    });
    const logins = () => forward.requests.filter((url) => url.endsWith('/_session')).length;
    await hook.until(2);
    assert.equal(logins(), 1);
    const born = Date.now();
    await waitFor(() => Date.now() - born > 4500, 'the end of the cookie');
    await put(server, where, 'by-the-old-feed');
    await hook.until(3);
    for (const socket of forward.sockets) socket.destroy();
    await put(server, where, 'by-a-new-feed');
    await hook.until(4);
    assert.ok(logins() >= 2);
    await assertStops(daemon);
    assert.deepEqual(ids(hook.taken).slice(2), ['by-the-old-feed', 'by-a-new-feed']);
});

test('with a session the password goes out with the login only', async (t) => {
    const forward = await startForward(t);
    const { db } = await makeFilled(couch, 2);
    const { hook, daemon } = await follow(t, [db], {
        source: { auth: 'cookie', proxy: forward.url },
    });
    await hook.until(2);
    await assertStops(daemon);
    assert.ok(forward.headers.every((headers) => !headers.authorization));
    assert.ok(forward.headers.some((headers) => /^AuthSession=./.test(headers.cookie)));
});

async function tlsServer(t, cert) {
    const args = ['--tls-cert', cert.certFile, '--tls-key', cert.keyFile];
    return ownServer(t, { args });
}

test('TLS with the CA of ca_file is followed', async (t) => {
    const pki = makePki(tempDir(t));
    const server = await tlsServer(t, pki.good);
    const { where, db } = await makeFilled(server, 3);
    const { hook, daemon } = await follow(t, [db], {
        server,
        live: [db],
        source: { ca_file: pki.caFile },
    });
    await hook.until(3);
    await put(server, where, 'live');
    await hook.until(4);
    await assertStops(daemon);
});

for (const [name, of] of [
    ['another CA', 'stranger'],
    ['another name', 'wrongName'],
    ['a validity that is over', 'expired'],
])
    test(`a certificate of ${name} is refused in one clear line`, async (t) => {
        const pki = makePki(tempDir(t));
        const server = await tlsServer(t, pki[of]);
        const hook = await startHook(t);
        const site = makeSite(t, server, {
            rules: { r: toHook(hook, '^x.') },
            source: { ...QUICK, ca_file: pki.caFile },
        });
        const { stderr } = await site.once({ code: 69 });
        const lines = stderr.split('\n').filter((line) => /"level":"(warn|error)"/.test(line));
        assert.equal(lines.length, 1, stderr);
        assert.match(lines[0], /certificate|host ?name/i);
    });

test('a proxy forwards plain requests', async (t) => {
    const forward = await startForward(t);
    const { where, db } = await makeFilled(couch, 3);
    const { hook, daemon } = await follow(t, [db], {
        live: [db],
        source: { proxy: forward.url },
    });
    await put(couch, where, 'live');
    await hook.until(4);
    await assertStops(daemon);
    assert.ok(forward.requests.every((url) => url.startsWith(couch.url)));
    assert.ok(forward.bytes > 0);
});

test('a proxy tunnels TLS', async (t) => {
    const pki = makePki(tempDir(t));
    const [server, forward] = [await tlsServer(t, pki.good), await startForward(t)];
    const { db } = await makeFilled(server, 3);
    const { hook, daemon } = await follow(t, [db], {
        server,
        source: { ca_file: pki.caFile, proxy: forward.url },
    });
    await hook.until(3);
    await assertStops(daemon);
    assert.ok(forward.tunnels.length > 0);
    assert.equal(forward.requests.length, 0);
});

test('a connection that is cut again and again loses and repeats nothing', async (t) => {
    const forward = await startForward(t);
    const { where, db } = await makeFilled(couch, 0);
    const { hook, daemon } = await follow(t, [db], {
        live: [db],
        source: { proxy: forward.url },
    });
    const all = names(60);
    for (let at = 0; at < all.length; at += 10) {
        await fill(couch, where, all.slice(at, at + 10));
        for (const socket of forward.sockets) socket.destroy();
        await hook.until(at + 10);
    }
    await assertStops(daemon);
    assert.deepEqual(sortedIds(hook.taken), all);
});

test('the passwords file stays out of the log', async (t) => {
    const { db } = await makeFilled(couch, 1);
    const { hook, site, daemon } = await follow(t, [db], { main: { log: { level: 'debug' } } });
    await hook.until(1);
    await assertStops(daemon);
    const canary = Object.values(JSON.parse(fs.readFileSync(site.passwordsFile)))[0].admin;
    assert.ok(!daemon.stderrLines.some((line) => line.includes(canary)));
    assert.ok(!fs.readdirSync(path.join(site.dir, 'state')).includes('passwords.json'));
});
