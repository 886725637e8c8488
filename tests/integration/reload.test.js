/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGHUP: what changed in the configuration changes, what did not goes on untouched.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const { startTestServer } = require('../lib/couch');
const { ownServer } = require('./lib/server');
const { makeSite, passwordsOf } = require('./lib/site');
const { startHook, toHook, ids } = require('./lib/sink');
const { makeFilled, names, put } = require('./lib/docs');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

const DONE = { msg: 'configuration loaded again' };

/* Sends SIGHUP and waits until it was dealt with. */
async function reload(daemon, what = DONE) {
    const from = daemon.stderrLines.length;
    daemon.signal('SIGHUP');
    return daemon.waitForLog(what, 10000, { from });
}

/* A daemon with the rules a and b on one database; a's hook and b's. */
async function two(t, count = 10) {
    const filled = await makeFilled(couch, count);
    const [a, b] = [await startHook(t), await startHook(t)];
    const rules = { a: toHook(a, [filled.db]), b: toHook(b, [filled.db]) };
    return { ...filled, a, b, rules };
}

const startsOf = (daemon, rule) =>
    daemon.logs().filter((record) => record.msg === 'rule started' && record.rule === rule)
        .length;

function assertOnce(hook, count) {
    assert.equal(new Set(hook.taken.map((c) => c.rev + c.id)).size, count);
    assert.equal(hook.taken.length, count);
}

test('a rule that is added starts, and the others go on untouched', async (t) => {
    const { where, a, b, rules } = await two(t);
    const site = makeSite(t, couch, { rules: { a: rules.a } });
    const daemon = site.start();
    await a.until(10);
    site.write({ rules });
    await reload(daemon);
    await b.until(10);
    await put(couch, where, 'live');
    await Promise.all([a.until(11), b.until(11)]);
    assert.equal((await daemon.stop()).code, 0);
    assertOnce(a, 11);
    assertOnce(b, 11);
    assert.equal(startsOf(daemon, 'a'), 1);
});

test('a rule that is removed ends; added again, it goes on where it was', async (t) => {
    const { where, a, b, rules } = await two(t);
    const site = makeSite(t, couch, { rules });
    const daemon = site.start();
    await Promise.all([a.until(10), b.until(10)]);
    site.write({ rules: { a: rules.a } });
    await reload(daemon);
    await put(couch, where, 'meanwhile');
    await a.until(11);
    assert.equal(b.taken.length, 10);
    site.write({ rules });
    await reload(daemon);
    await b.until(11);
    await daemon.stop();
    assertOnce(a, 11);
    assertOnce(b, 11);
});

test('a rule that is changed takes its new options, without gap or repetition', async (t) => {
    const { where, db, a, b, rules } = await two(t);
    const site = makeSite(t, couch, { rules });
    const daemon = site.start();
    await Promise.all([a.until(10), b.until(10)]);
    const changed = toHook(b, [db], { options: { headers: { 'X-New': 'yes' } } });
    site.write({ rules: { a: rules.a, b: changed } });
    await reload(daemon);
    await put(couch, where, 'live');
    await Promise.all([a.until(11), b.until(11)]);
    await daemon.stop();
    assertOnce(a, 11);
    assertOnce(b, 11);
    assert.equal(b.receiver.requests.at(-1).headers['x-new'], 'yes');
    assert.equal(startsOf(daemon, 'a'), 1);
});

test('a rule is changed while rows come: none is lost, none comes twice', async (t) => {
    const { where, db, a, b, rules } = await two(t, 0);
    const site = makeSite(t, couch, { rules, source: { retry_max: '100ms' } });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'following', db });
    const all = names(120);
    let at = 0;
    for (let size = 1; size <= 6; size++) {
        const writing = (async () => {
            for (const id of all.slice(at, at + 20)) await put(couch, where, id);
        })();
        site.write({ rules: { a: rules.a, b: toHook(b, [db], { batch: { size } }) } });
        await reload(daemon);
        await writing;
        at += 20;
    }
    await Promise.all([a.until(120), b.until(120)]);
    assert.equal((await daemon.stop()).code, 0);
    assertOnce(a, 120);
    assertOnce(b, 120);
    assert.equal(startsOf(daemon, 'a'), 1);
});

test('a rule is changed while it reads a backlog: none is lost, none comes twice', async (t) => {
    const { db, a, b, rules } = await two(t, 2000);
    const site = makeSite(t, couch, { rules });
    const daemon = site.start();
    for (let size = 1; size <= 5; size++) {
        await b.until(size * 150);
        site.write({
            rules: { a: rules.a, b: toHook(b, [db], { batch: { size: size * 3 } }) },
        });
        await reload(daemon);
    }
    await Promise.all([a.until(2000), b.until(2000)]);
    assert.equal((await daemon.stop()).code, 0);
    assertOnce(a, 2000);
    assertOnce(b, 2000);
});

test('a changed pattern takes in other databases', async (t) => {
    const [one, two_] = [await makeFilled(couch, 2), await makeFilled(couch, 3)];
    const hook = await startHook(t);
    const site = makeSite(t, couch, { rules: { r: toHook(hook, [one.db]) } });
    const daemon = site.start();
    await hook.until(2);
    site.write({ rules: { r: toHook(hook, [one.db, two_.db]) } });
    await reload(daemon);
    await hook.until(5);
    await daemon.stop();
    assert.equal(hook.taken.length, 5);
});

test('a changed source is connected anew, and its rules go on where they were', async (t) => {
    const { where, a, b, rules } = await two(t);
    const site = makeSite(t, couch, { rules });
    const daemon = site.start();
    await Promise.all([a.until(10), b.until(10)]);
    site.write({ source: { heartbeat: '3s', max_feeds: 4 } });
    await reload(daemon);
    await put(couch, where, 'live');
    await Promise.all([a.until(11), b.until(11)]);
    await daemon.stop();
    assertOnce(a, 11);
    assertOnce(b, 11);
});

test('a rule that is switched off ends, and goes on when it is switched on', async (t) => {
    const { where, db, a, b, rules } = await two(t);
    const site = makeSite(t, couch, { rules });
    const daemon = site.start();
    await Promise.all([a.until(10), b.until(10)]);
    site.write({ rules: { a: rules.a, b: toHook(b, [db], { enabled: false }) } });
    await reload(daemon);
    await put(couch, where, 'meanwhile');
    await a.until(11);
    assert.equal(b.taken.length, 10);
    site.write({ rules });
    await reload(daemon);
    await b.until(11);
    await daemon.stop();
    assertOnce(b, 11);
});

test('a wrong configuration is refused with file and line; the old one stays', async (t) => {
    const { where, a, b, rules, db } = await two(t);
    const site = makeSite(t, couch, { rules });
    const daemon = site.start();
    await Promise.all([a.until(10), b.until(10)]);
    site.write({ rules: { a: rules.a, c: { ...rules.b, on_reject: 'perhaps' } } });
    const from = daemon.stderrLines.length;
    await reload(daemon, { msg: /the old one stays in force/ });
    const said = await daemon.waitForLog({ level: 'error', key: /on_reject/ }, 1000, { from });
    assert.match(said.file, /tailrace\.conf$/);
    assert.ok(said.line > 0);
    site.writeText('rules: { a: { source = ');
    await reload(daemon, { msg: /the old one stays in force/ });
    await put(couch, where, 'live');
    await Promise.all([a.until(11), b.until(11)]);
    site.write({ rules: { a: toHook(a, [db]) } });
    await reload(daemon);
    await put(couch, where, 'after');
    await a.until(12);
    await daemon.stop();
    assertOnce(a, 12);
    assertOnce(b, 11);
});

for (const auth of ['basic', 'cookie'])
    test(`a passwords file that was mended is taken up (${auth})`, async (t) => {
        const server = await ownServer(t);
        const { db } = await makeFilled(server, 3);
        const hook = await startHook(t);
        const site = makeSite(t, server, {
            rules: { r: toHook(hook, [db]) },
            source: { auth, retry_min: '10ms', retry_max: '50ms' },
            passwords: { '127.0.0.1': { admin: 'wrong' } },
        });
        const daemon = site.start();
        await daemon.waitForLog({ msg: /cannot be read now/, db });
        site.setPasswords(passwordsOf(server.auth));
        await reload(daemon);
        await hook.until(3);
        await daemon.stop();
        assertOnce(hook, 3);
    });

test('a passwords file that others may read is refused, and the old one stays', async (t) => {
    const { where, a, b, rules } = await two(t);
    const site = makeSite(t, couch, { rules });
    const daemon = site.start();
    await Promise.all([a.until(10), b.until(10)]);
    fs.chmodSync(site.passwordsFile, 0o644);
    await reload(daemon, { msg: /the old one stays in force/ });
    await put(couch, where, 'live');
    await a.until(11);
    await daemon.stop();
});

test('the log follows, and what takes a restart is told', async (t) => {
    const { where, a, rules } = await two(t);
    const site = makeSite(t, couch, { rules, main: { log: { level: 'error' } } });
    const daemon = site.start();
    await a.until(10);
    assert.deepEqual(daemon.logs(), []);
    const main = { log: { level: 'info' }, dead_letters: { max_count: 7 } };
    site.write({ main });
    await reload(daemon);
    await daemon.waitForLog({ msg: /takes a restart/, key: 'dead_letters' });
    site.write({ main: { ...main, log: { level: 'error' } } });
    daemon.signal('SIGHUP');
    await put(couch, where, 'live');
    await a.until(11);
    await daemon.stop();
    assert.equal(daemon.logs().filter(({ msg }) => msg === DONE.msg).length, 1);
});

test('many SIGHUPs one after the other leave the last configuration', async (t) => {
    const { where, db, a, b, rules } = await two(t, 500);
    const site = makeSite(t, couch, { rules });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'rule started', rule: 'b' });
    for (let n = 1; n <= 40; n++) {
        const changed = toHook(b, [db], { batch: { size: n }, enabled: n % 5 !== 0 });
        site.write({ rules: n % 3 === 0 ? { a: rules.a } : { a: rules.a, b: changed } });
        daemon.signal('SIGHUP');
        if (n % 4 === 0) await put(couch, where, `live-${n}`);
    }
    site.write({ rules });
    await reload(daemon);
    await put(couch, where, 'last');
    await Promise.all([a.until(511), b.until((taken) => new Set(ids(taken)).size === 511)]);
    assert.equal((await daemon.stop()).code, 0);
    assertOnce(a, 511);
    assert.equal(startsOf(daemon, 'a'), 1);
});

test('SIGHUP during the drain of a stop does no harm', async (t) => {
    const { db } = await makeFilled(couch, 5);
    const hook = await startHook(t, () => ({ delayMs: 300 }));
    const site = makeSite(t, couch, { rules: { r: toHook(hook, [db]) } });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'rule started' });
    daemon.signal('SIGTERM');
    daemon.signal('SIGHUP');
    assert.deepEqual(await daemon.exited, { code: 0, signal: null });
});
