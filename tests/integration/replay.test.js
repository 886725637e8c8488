/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead letters: listed, shown, sent again and purged, with a daemon at work and without one.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer, waitFor } = require('../lib/couch');
const { tailrace } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { startHook, toHook, ids, sortedIds } = require('./lib/sink');
const { makeFilled, put } = require('./lib/docs');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

const list = async (site, ...words) =>
    (await site.command(['dead-letter', 'list', ...words])).dead_letters;

/* A site whose rule r has refused `count` documents; now its sink is well. */
async function withLetters(t, count = 3) {
    const filled = await makeFilled(couch, count);
    const hook = await startHook(t, () => ({ status: 400, body: 'no' }));
    const site = makeSite(t, couch, { rules: { r: toHook(hook, [filled.db]) } });
    await site.once();
    assert.equal((await list(site)).length, count);
    hook.reply = null;
    hook.clear();
    return { ...filled, hook, site };
}

test('a list can be of one rule, of one database, and short', async (t) => {
    const { site, db } = await withLetters(t, 4);
    assert.equal((await list(site, '--rule', 'r')).length, 4);
    assert.equal((await list(site, '--rule', 'other')).length, 0);
    assert.equal((await list(site, '--db', db)).length, 4);
    assert.equal((await list(site, '--limit', '2')).length, 2);
});

test('a list for people has a line for each and its reason', async (t) => {
    const { site, ids: docs } = await withLetters(t, 2);
    const { code, stdout } = await tailrace(site.args('dead-letter', 'list'));
    assert.equal(code, 0);
    assert.match(stdout, /^ID +RULE +DATABASE/);
    for (const id of docs) assert.match(stdout, new RegExp(`${id}.*400.*no`));
});

test('one that is not there cannot be shown: EX_NOINPUT', async (t) => {
    const { site } = await withLetters(t, 1);
    await site.command(['dead-letter', 'show', '4711'], { code: 66 });
});

test('replay without a daemon sends them, and those taken are gone', async (t) => {
    const { site, hook, ids: docs } = await withLetters(t);
    const said = await site.command(['dead-letter', 'replay', '--all']);
    assert.deepEqual(said, { marked: 3, sent: 3, stayed: 0, daemon: false });
    assert.deepEqual(sortedIds(hook.taken), docs);
    assert.deepEqual(await list(site), []);
});

test('replay of one by its id leaves the others', async (t) => {
    const { site, hook } = await withLetters(t);
    const [one, ...others] = await list(site);
    await site.command(['dead-letter', 'replay', String(one.id)]);
    assert.deepEqual(ids(hook.taken), [one.doc_id]);
    assert.deepEqual(ids(await list(site)), ids(others));
});

test('one that is refused again stays, with the new reason: EX_DATAERR', async (t) => {
    const { site, hook } = await withLetters(t, 2);
    hook.reply = () => ({ status: 422, body: 'still not' });
    const said = await site.command(['dead-letter', 'replay', '--rule', 'r'], { code: 65 });
    assert.deepEqual(said, { marked: 2, sent: 0, stayed: 2, daemon: false });
    for (const letter of await list(site)) {
        assert.match(letter.error, /422.*still not/);
        assert.equal(letter.attempts, 2);
        assert.equal(letter.replay, false);
    }
});

test('what is sent again is the row as it was recorded', async (t) => {
    const { site, hook, where, ids: docs } = await withLetters(t, 1);
    const { _rev } = (await couch.get(`${where}/${docs[0]}`)).json;
    await put(couch, where, `${docs[0]}?rev=${_rev}`, { newer: true });
    await site.command(['dead-letter', 'replay', '--all']);
    assert.equal(hook.taken[0].rev, _rev);
});

test('a replay reads no source and moves no checkpoint', async (t) => {
    const { site, hook, where } = await withLetters(t, 1);
    await put(couch, where, 'new');
    await site.command(['dead-letter', 'replay', '--all']);
    assert.equal(hook.taken.length, 1);
    hook.clear();
    await site.once();
    assert.deepEqual(ids(hook.taken), ['new']);
});

test('a running daemon sends what is marked beside it', async (t) => {
    const { site, hook, where } = await withLetters(t);
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'rule started' });
    const said = await site.command(['dead-letter', 'replay', '--all']);
    assert.equal(said.daemon, true);
    await hook.until(3);
    await waitFor(async () => (await list(site)).length === 0, 'the letters to go');
    await put(couch, where, 'live');
    await hook.until(4);
    assert.equal((await daemon.stop()).code, 0);
    assert.equal(hook.taken.length, 4);
});

test('a running daemon keeps what is refused again, and tries it once', async (t) => {
    const { site, hook } = await withLetters(t, 1);
    hook.reply = () => 400;
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'rule started' });
    await site.command(['dead-letter', 'replay', '--all']);
    await waitFor(async () => (await list(site))[0].attempts === 2, 'the second attempt');
    await daemon.stop();
    assert.equal(hook.offered.length, 1);
    assert.equal((await list(site))[0].replay, false);
});

test('a mark that a killed daemon left is served by the next one', async (t) => {
    const { site, hook } = await withLetters(t, 2);
    hook.reply = () => ({ hang: true });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'rule started' });
    await site.command(['dead-letter', 'replay', '--all']);
    await waitFor(() => hook.offered.length > 0, 'the replay to begin');
    await daemon.kill9();
    hook.reply = null;
    await site.once();
    assert.equal(hook.taken.length, 2);
    assert.deepEqual(await list(site), []);
});

test('purge by id, by rule and of all', async (t) => {
    const { site } = await withLetters(t, 5);
    const [one] = await list(site);
    assert.deepEqual(await site.command(['dead-letter', 'purge', String(one.id)]), {
        purged: 1,
    });
    await site.command(['dead-letter', 'purge', '--rule', 'other']);
    assert.equal((await list(site)).length, 4);
    assert.deepEqual(await site.command(['dead-letter', 'purge', '--rule', 'r']), {
        purged: 4,
    });
    assert.deepEqual(await site.command(['dead-letter', 'purge', '--all']), { purged: 0 });
});

test('purge beside a running daemon', async (t) => {
    const { site, hook, where } = await withLetters(t, 2);
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'rule started' });
    assert.deepEqual(await site.command(['dead-letter', 'purge', '--all']), { purged: 2 });
    await put(couch, where, 'live');
    await hook.until(1);
    assert.equal((await daemon.stop()).code, 0);
    assert.deepEqual(await list(site), []);
});
