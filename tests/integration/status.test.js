/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace status beside a running daemon: what it says of rules that do well and rules that do
 * not, who may ask, and what it says where no daemon runs.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');
const { tailrace, binary, tempDir } = require('../lib/tailrace');
const { startHook, toHook } = require('./lib/sink');
const { makeSite } = require('./lib/site');
const { dbOf, makeFilled, fill, names, put } = require('./lib/docs');

const UNAVAILABLE = 69;
const NOPERM = 77;

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

const status = (site) => site.command(['status']);

/* The status once it is as a function of it says. */
async function until(site, what, good) {
    let last;
    const look = async () => ((last = await status(site)), good(last));
    await waitFor(look, what).catch((err) => {
        throw new Error(`${err.message}: ${JSON.stringify(last)}`);
    });
    return last;
}

const rule = (said, name) => said.rules.find((it) => it.name === name);

/* Resolves when the daemon listens. */
async function started(site, options) {
    const daemon = site.start(options);
    const socket = path.join(site.stateDir, 'tailrace.sock');
    await waitFor(() => fs.existsSync(socket) || !daemon.running, 'the socket');
    assert.ok(daemon.running, daemon.stderrLines.join('\n'));
    return daemon;
}

/* What comes over the socket by itself. */
function rawStatus(site) {
    return new Promise((resolve, reject) => {
        let text = '';
        const socket = net.connect(path.join(site.stateDir, 'tailrace.sock'));
        socket.setEncoding('utf8').on('data', (piece) => (text += piece));
        socket.on('error', reject).on('end', () => resolve(text));
    });
}

test('status tells rules that do well from one that fails and one that is held', async (t) => {
    const { db, ids } = await makeFilled(couch, 3);
    const good = await startHook(t);
    const bad = await startHook(t, () => 500);
    const picky = await startHook(t, () => 422);
    const site = makeSite(t, couch, {
        rules: {
            good: toHook(good, [db]),
            bad: toHook(bad, [db]),
            picky: toHook(picky, [db], { on_reject: 'stop' }),
        },
    });
    const daemon = await started(site);
    const said = await until(
        site,
        'all three rules',
        (it) =>
            rule(it, 'good').ok === ids.length &&
            rule(it, 'bad').retried > 0 &&
            rule(it, 'bad').retrying > 0 &&
            rule(it, 'picky').state === 'held',
    );
    assert.equal(said.format, 1);
    assert.equal(said.pid, daemon.pid);
    assert.equal(said.state, 'running');
    assert.equal(said.mode, 'follow');
    assert.equal(said.store.state, 'ok');

    assert.equal(rule(said, 'good').state, 'running');
    assert.equal(rule(said, 'good').plugin, 'http-webhook');
    assert.equal(rule(said, 'good').source, 'main');
    assert.equal(rule(said, 'good').lag_rows, 0);
    assert.equal(rule(said, 'good').lag_s, 0);
    assert.equal(rule(said, 'good').streams, 1);

    assert.equal(rule(said, 'bad').state, 'running');
    assert.equal(rule(said, 'bad').lag_rows, ids.length);
    assert.ok(rule(said, 'bad').lag_s > 0);
    assert.ok(rule(said, 'bad').window_bytes > 0);
    assert.equal(rule(said, 'bad').ok, 0);
    assert.match(rule(said, 'bad').reason, /500/);

    assert.ok(rule(said, 'picky').reason.length > 0);

    const [source] = said.sources;
    assert.equal(source.name, 'main');
    assert.ok(source.databases >= 1);
    assert.equal(
        Object.values(source.streams).reduce((a, b) => a + b),
        source.databases,
    );
    assert.ok(source.connections.max > 0);

    /* While a batch is on its way again its rule is in no trouble. */
    let shown;
    await waitFor(async () => {
        shown = await tailrace(site.args('status'));
        return shown.code !== 0 || /^rule bad +.*500/m.test(shown.stdout);
    }, 'the rule that fails');
    const { stdout, stderr, code } = shown;
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`^tailrace \\S+, pid ${daemon.pid}, running, up `));
    assert.match(stdout, /^good +http-webhook +running +1 +- +0 /m);
    assert.match(stdout, /^bad +http-webhook +running +1 +\d+(\.\d)? s +3 /m);
    assert.match(stdout, /^rule picky +held: /m);

    /* It is over as soon as the receiver is well again. */
    bad.reply = undefined;
    const mended = await until(site, 'an end of the lag', (it) => rule(it, 'bad').lag_rows === 0);
    assert.equal(rule(mended, 'bad').ok, ids.length);
    assert.equal(rule(mended, 'bad').retrying, 0);
    assert.equal(rule(mended, 'bad').reason, undefined);
});

test('status counts the dead letters that are kept', async (t) => {
    const { db, where } = await makeFilled(couch, 2);
    const hook = await startHook(t, () => 422);
    const site = makeSite(t, couch, { rules: { r: toHook(hook, [db]) } });
    await started(site);
    await until(site, 'two dead letters', (it) => rule(it, 'r').dead_letters === 2);
    hook.reply = undefined;
    await fill(couch, where, names(1, 'more'));
    const said = await until(site, 'one that went', (it) => rule(it, 'r').ok === 1);
    assert.equal(rule(said, 'r').dead_letters, 2);
    assert.equal(rule(said, 'r').dead, 2);
});

test('status says which server cannot be reached, and why', async (t) => {
    const toNowhere = (databases) => ({
        source: 'far',
        databases,
        plugin: 'file-sink',
        options: { path: '/dev/null' },
    });
    const site = makeSite(t, null, {
        passwords: { '127.0.0.1': { nobody: 'top-secret' } },
        sources: { far: { url: 'http://nobody@127.0.0.1:9/', retry_min: '5ms' } },
        rules: { named: toNowhere(['x']), pattern: toNowhere('^y') },
    });
    await started(site);
    const said = await until(site, 'a trouble', (it) => it.sources[0].troubles.length > 0);
    const [source] = said.sources;
    assert.equal(source.url, 'http://nobody@127.0.0.1:9/');
    assert.equal(source.streams.waiting, 1);
    assert.equal(source.troubles[0].db, 'x');
    assert.equal(source.troubles[0].state, 'waiting');
    assert.match(source.troubles[0].reason, /127\.0\.0\.1:9/);
    const { stdout } = await tailrace(site.args('status'));
    assert.match(stdout, /^far\/x +\d[^\n]* waiting: [^\n]*127\.0\.0\.1:9/m);
    assert.doesNotMatch(stdout + (await rawStatus(site)), /top-secret/);
});

test('status tells of documents that are no rules, and of those that are', async (t) => {
    const { db, ids } = await makeFilled(couch, 2);
    const hook = await startHook(t);
    const where = await couch.makeDb(uniqueDb());
    const options = { url: `${hook.url}/`, method: 'POST' };
    const doc = { type: 'rule', since: 'beginning', plugin: 'http-webhook', options };
    await put(couch, where, 'good', { ...doc, databases: [db] });
    await put(couch, where, 'bad', { ...doc, databases: '(' });
    const group = { source: 'main', database: dbOf(where), plugins: ['http-webhook'] };
    const site = makeSite(t, couch, { main: { rule_documents: { g: group } } });
    await started(site);
    const said = await until(
        site,
        'the documents',
        (it) => it.documents[0].state === 'live' && rule(it, 'g/good')?.ok === ids.length,
    );
    const [it] = said.documents;
    assert.equal(said.documents.length, 1);
    assert.equal(it.group, 'g');
    assert.equal(it.source, 'main');
    assert.equal(it.database, dbOf(where));
    assert.equal(it.rules, 1);
    assert.equal(it.invalid.length, 1);
    assert.equal(it.invalid[0].id, 'bad');
    assert.ok(it.invalid[0].reason.length > 0);
    assert.equal(it.invalid_more, 0);
    const { stdout } = await tailrace(site.args('status'));
    assert.match(stdout, /^g +live +1 +1$/m);
    assert.match(stdout, /^g\/bad +invalid: /m);
});

test('of more rules than are told those in trouble are', async (t) => {
    const feed = path.join(tempDir(t), 'rows.ndjson');
    fs.writeFileSync(feed, '{"_id":"a"}\n');
    const hook = await startHook(t, () => 500);
    const rules = {};
    for (const name of names(1005, 'idle'))
        rules[name] = toHook(hook, ['other'], { source: 'feed' });
    rules.last = toHook(hook, ['db'], { source: 'feed' });
    const site = makeSite(t, null, {
        sources: { feed: { type: 'file', path: feed, database: 'db' } },
        rules,
    });
    await started(site);
    const said = await until(site, 'the last rule', (it) => rule(it, 'last')?.retrying > 0);
    assert.equal(said.rules.length, 1000);
    assert.equal(said.rules_more, 6);
    assert.equal(said.rules[0].name, 'last');
    /* Not at every moment: now and then it is sent again. */
    const shown = async () => (await tailrace(site.args('status'))).stdout;
    const inTrouble = (text) => /^rule last +retrying: /m.test(text) && text;
    const text = await waitFor(async () => inTrouble(await shown()), 'the last rule in trouble');
    assert.match(text, /^… and 6 more$/m);
});

test('the socket is one line of JSON for whoever may open it, and for nobody else', async (t) => {
    const { db } = await makeFilled(couch, 1);
    const hook = await startHook(t);
    const site = makeSite(t, couch, { rules: { r: toHook(hook, [db]) } });
    const daemon = await started(site);
    const file = path.join(site.stateDir, 'tailrace.sock');
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    const text = await rawStatus(site);
    assert.match(text, /^\{"format":1,[^\n]*\}\n$/);
    assert.doesNotMatch(text, new RegExp(couch.auth.split(':')[1]));
    await daemon.stop();
    assert.ok(!fs.existsSync(file));
});

test('a daemon that starts after one that was killed is asked as ever', async (t) => {
    const { db } = await makeFilled(couch, 1);
    const hook = await startHook(t);
    const site = makeSite(t, couch, { rules: { r: toHook(hook, [db]) } });
    await (await started(site)).kill9();
    const { code, stderr, stdout } = await tailrace(site.args('status'));
    assert.equal(code, UNAVAILABLE);
    assert.match(stderr, /^tailrace: no tailrace runs [^\n]* has died\)\n$/);
    assert.equal(stdout, '');
    const second = site.start();
    await waitFor(async () => (await tailrace(site.args('status'))).code === 0, 'the second one');
    assert.equal((await status(site)).pid, second.pid);
});

test('a daemon whose socket cannot be works without it', async (t) => {
    const { db, ids } = await makeFilled(couch, 2);
    const hook = await startHook(t);
    const site = makeSite(t, couch, { rules: { r: toHook(hook, [db]) } });
    const deep = path.join(site.dir, 'd'.repeat(100));
    site.write({ main: { state_dir: deep } });
    const daemon = site.start();
    await daemon.waitForLog({ msg: '"tailrace status" will not work', reason: /state_dir/ });
    await hook.until(ids.length);
    const { code, stderr } = await tailrace(site.args('status'));
    assert.notEqual(code, 0);
    assert.match(stderr, /^tailrace: [^\n]*longer than[^\n]*\n$/);
});

test('without a daemon there is one line and EX_UNAVAILABLE', async (t) => {
    const dir = tempDir(t);
    for (const where of [dir, path.join(dir, 'none')]) {
        const { code, stdout, stderr } = await tailrace(['status', '--state-dir', where]);
        assert.equal(code, UNAVAILABLE);
        assert.match(stderr, /^tailrace: no tailrace runs with the state directory [^\n]*\n$/);
        assert.equal(stdout, '');
    }
});

test('whoever may not open the socket is told so', async (t) => {
    if (process.getuid() !== 0) return t.skip('needs to be root, to become somebody else');
    const dir = tempDir(t);
    fs.chmodSync(dir, 0o755);
    const state = path.join(dir, 'state');
    fs.mkdirSync(state, { mode: 0o700 });
    /* The tree may be where nobody else may look, as in /root. */
    const program = path.join(dir, 'tailrace');
    fs.copyFileSync(binary(), program);
    fs.chmodSync(program, 0o755);
    const child = spawn(program, ['status', '--state-dir', state], { uid: 65534, gid: 65534 });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, NOPERM, stderr);
    assert.match(stderr, /^tailrace: [^\n]* may not be opened by this user[^\n]*\n$/);
});
