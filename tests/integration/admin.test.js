/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin endpoint of a running daemon: metrics as a strict scraper reads them and as the man
 * page, the alerts and the dashboard name them, health, who may ask, and where it listens.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');
const { pluginDir, tailrace, tempDir } = require('../lib/tailrace');
const { parse } = require('../lib/prometheus');
const { ask } = require('./lib/admin');
const { freePort } = require('../lib/free_port');
const { startHook, toHook } = require('./lib/sink');
const { makeSite } = require('./lib/site');
const { dbOf, makeFilled, put } = require('./lib/docs');
const { atEnd } = require('../lib/at_end');

const REPO = path.resolve(__dirname, '..', '..');
const DATA = path.join(REPO, 'etc', 'prometheus');
const CONFIG = 78;

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

/* A site whose endpoint listens, and the daemon: {site, daemon, where}. */
async function started(t, parts, admin = {}) {
    const port = await freePort();
    const main = { admin: { listen: `127.0.0.1:${port}`, ...admin }, ...parts.main };
    const site = makeSite(t, couch, { ...parts, main });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'admin endpoint listens' });
    return { site, daemon, where: { port } };
}

const scrape = async (where) => parse((await ask(where, '/metrics')).text);

/* The metrics once they are as a function of them says. */
async function until(where, what, good) {
    let last;
    await waitFor(async () => good((last = await scrape(where))), what);
    return last;
}

test('metrics tell of rules that do well, of one that fails and of dead letters', async (t) => {
    const { db, ids } = await makeFilled(couch, 3);
    const good = await startHook(t);
    const bad = await startHook(t, () => 503);
    const picky = await startHook(t, () => 422);
    const { where } = await started(t, {
        rules: { good: toHook(good, [db]), bad: toHook(bad, [db]),
            picky: toHook(picky, [db]) },
    });
    const it = await until(where, 'all three rules', (m) =>
        m.value('tailrace_rule_changes_delivered_total', { rule: 'good' }) === ids.length &&
        m.value('tailrace_rule_retrying', { rule: 'bad' }) > 0 &&
        m.value('tailrace_rule_dead_letters', { rule: 'picky' }) === ids.length);
    const of = (name, rule) => it.value(`tailrace_rule_${name}`, { rule });
    assert.equal(of('changes_received_total', 'good'), ids.length);
    assert.equal(of('lag_rows', 'good'), 0);
    assert.equal(of('settle_seconds_count', 'good'), ids.length);
    assert.ok(of('batch_seconds_count', 'good') >= 1);
    assert.ok(of('changes_retried_total', 'bad') >= ids.length);
    assert.ok(of('lag_seconds', 'bad') > 0);
    assert.ok(of('window_bytes', 'bad') > 0);
    assert.equal(of('changes_delivered_total', 'bad'), 0);
    assert.equal(of('changes_dead_lettered_total', 'picky'), ids.length);
    assert.deepEqual(
        it.samples('tailrace_rule_held').map(({ labels }) => labels.plugin),
        ['http-webhook', 'http-webhook', 'http-webhook'],
    );
    const hooks = { plugin: 'http-webhook' };
    assert.equal(it.value('tailrace_plugin_rules', hooks), 3);
    assert.equal(it.value('tailrace_plugin_changes_delivered_total', hooks), ids.length);
    assert.equal(it.value('tailrace_rules', { state: 'running' }), 3);
    assert.equal(it.value('tailrace_source_up', { source: 'main' }), 1);
    assert.ok(it.value('tailrace_source_rows_total', { source: 'main' }) >= ids.length);
    assert.ok(it.value('tailrace_source_row_bytes_total', { source: 'main' }) > 0);
    assert.ok(it.value('tailrace_source_received_bytes_total', { source: 'main' }) > 0);
    assert.ok(it.value('tailrace_source_requests_total', { source: 'main', result: '2xx' }) > 0);
    assert.equal(it.value('tailrace_store_dead_letters'), ids.length);
    assert.equal(it.value('tailrace_store_stalled'), 0);
    assert.ok(it.value('process_resident_memory_bytes') > 0);
    const start = it.value('process_start_time_seconds') * 1000;
    assert.ok(Math.abs(Date.now() - start) < 600000, 'it began not long ago');
});

test('every metric is in the man page, and every one of the man page is told', async (t) => {
    const { db, ids } = await makeFilled(couch, 1);
    const hook = await startHook(t);
    const rules = await couch.makeDb(uniqueDb());
    await put(couch, rules, 'bad', { type: 'rule', plugin: 'http-webhook', databases: '(' });
    const group = { source: 'main', database: dbOf(rules), plugins: ['http-webhook'] };
    const { where } = await started(t, {
        rules: { r: toHook(hook, [db]) },
        main: { rule_documents: { g: group } },
    });
    const told = await until(where, 'the rule and the document', (m) =>
        m.value('tailrace_rule_changes_delivered_total', { rule: 'r' }) === ids.length &&
        m.value('tailrace_documents_invalid', { group: 'g' }) === 1);
    const page = fs.readFileSync(path.join(REPO, 'docs', 'tailrace-metrics.7'), 'utf8');
    const named = new Set(page.match(/\b(?:tailrace|process)_[a-z][a-z_]*[a-z]\b/g));
    assert.deepEqual([...told.families.keys()].sort(), [...named].sort());
});

test('alerts and dashboard name only metrics that there are', () => {
    const page = fs.readFileSync(path.join(REPO, 'docs', 'tailrace-metrics.7'), 'utf8');
    const known = new Set(page.match(/\b(?:tailrace|process)_[a-z][a-z_]*[a-z]\b/g));
    const dashboard = fs.readFileSync(path.join(DATA, 'tailrace.dashboard.json'), 'utf8');
    const alerts = fs.readFileSync(path.join(DATA, 'tailrace.rules.yml'), 'utf8');
    JSON.parse(dashboard);
    for (const text of [dashboard, alerts]) {
        const names = text.match(/\b(?:tailrace|process)_[a-z][a-z_]*[a-z]\b/g);
        assert.ok(names.length > 5);
        for (const name of names)
            assert.ok(known.has(name.replace(/_(bucket|sum|count)$/, '')), name);
    }
});

/* Where nobody else may write, whatever the umask of the build was. */
function testPlugin(t, name) {
    const file = path.join(tempDir(t), `${name}.so`);
    fs.copyFileSync(path.join(pluginDir(), '..', 'tests', 'plugins', `${name}.so`), file);
    fs.chmodSync(file, 0o644);
    return file;
}

test('a plugin has figures of its own beside the others', async (t) => {
    const { db, ids } = await makeFilled(couch, 3);
    const { where } = await started(t, {
        rules: { r: { source: 'main', databases: [db], plugin: testPlugin(t, 'metrics') } },
    });
    const rule = { rule: 'r' };
    const it = await until(where, 'all changes', (m) =>
        m.value('tailrace_metrics_batch_changes_sum', rule) === ids.length);
    const letters = it.samples('tailrace_metrics_changes_total');
    assert.ok(letters.every(({ labels }) => labels.rule === 'r' && labels.letter.length === 1));
    assert.equal(letters.reduce((sum, { value }) => sum + value, 0), ids.length);
    assert.equal(it.families.get('tailrace_metrics_batch_changes').type, 'histogram');
});

test('of many rules the later ones are added up, also when they have ended', async (t) => {
    const feed = path.join(tempDir(t), 'rows.ndjson');
    fs.writeFileSync(feed, '{"_id":"a"}\n{"_id":"b"}\n');
    const rule = { source: 'feed', databases: ['db'], plugin: 'file-sink',
        options: { path: '-' } };
    const names = Array.from({ length: 505 }, (_, i) => `r${String(i).padStart(3, '0')}`);
    const rules = Object.fromEntries(names.map((name) => [name, rule]));
    const sources = { feed: { type: 'file', path: feed, database: 'db' } };
    const { site, daemon, where } = await started(t, { sources, rules });
    const other = { rule: 'other' };
    const all = await until(where, 'all rules', (m) =>
        m.value('tailrace_rule_changes_delivered_total', other) === 10);
    assert.equal(all.samples('tailrace_rule_held').length, 501);
    assert.equal(all.value('tailrace_plugin_rules', { plugin: 'file-sink' }), 505);
    delete rules[names.at(-1)];
    site.write({ rules });
    daemon.signal('SIGHUP');
    const less = await until(where, 'one rule less', (m) =>
        m.value('tailrace_plugin_rules', { plugin: 'file-sink' }) === 504);
    assert.equal(less.value('tailrace_rule_changes_delivered_total', other), 10);
    assert.equal(
        less.value('tailrace_plugin_changes_delivered_total', { plugin: 'file-sink' }),
        2 * names.length,
    );
});

test('the status is that of the command, and health is told', async (t) => {
    const { db } = await makeFilled(couch, 1);
    const hook = await startHook(t);
    const { site, where } = await started(t, { rules: { r: toHook(hook, [db]) } });
    const status = await ask(where, '/status');
    assert.equal(status.headers['content-type'], 'application/json');
    const said = JSON.parse(status.text);
    assert.deepEqual(Object.keys(said), Object.keys(await site.command(['status'])));
    assert.equal((await ask(where, '/healthz')).text, 'ok\n');
    await waitFor(async () => (await ask(where, '/readyz')).status === 200, 'readiness');
    assert.doesNotMatch(status.text, new RegExp(couch.auth.split(':')[1]));
});

test('a source that cannot be reached is told of, and the daemon is healthy', async (t) => {
    const hook = await startHook(t);
    const { where } = await started(t, {
        source: { url: 'http://admin@127.0.0.1:9/', retry_min: '5ms' },
        rules: { r: toHook(hook, '^x') },
    });
    const { status, text } = await ask(where, '/readyz');
    assert.equal(status, 503);
    assert.match(text, /^source main: [^\n]+\n$/);
    assert.equal((await ask(where, '/healthz')).status, 200);
    const it = await until(where, 'a failed request', (m) =>
        m.value('tailrace_source_requests_total', { source: 'main', result: 'failed' }) > 0);
    assert.equal(it.value('tailrace_source_up', { source: 'main' }), 0);
});

test('only reading is done, and only by who means this server', async (t) => {
    const { where } = await started(t, { rules: {} }, { hosts: ['tailrace.example.com'] });
    for (const [method, status] of [['GET', 200], ['HEAD', 200], ['POST', 405], ['PUT', 405],
        ['DELETE', 405], ['OPTIONS', 405], ['TRACE', 405]])
        assert.equal((await ask(where, '/metrics', { method })).status, status, method);
    for (const [host, status] of [['localhost', 200], ['[::1]:9464', 200],
        ['tailrace.example.com:80', 200], ['evil.example.com', 421],
        ['127.0.0.1.evil.example.com', 421]])
        assert.equal((await ask(where, '/status', { headers: { host } })).status, status, host);
    assert.equal((await ask(where, '/etc/passwd')).status, 404);
    assert.equal((await ask(where, '/../page.js')).status, 404);
    const page = await ask(where, '/');
    assert.match(page.headers['content-security-policy'], /^default-src 'none'; script-src 'self'/);
    assert.equal(page.headers['x-content-type-options'], 'nosniff');
    assert.equal(page.headers['cache-control'], 'no-store');
    assert.equal(page.headers['access-control-allow-origin'], undefined);
    assert.doesNotMatch(page.text, /https?:\/\//); /* nothing from elsewhere */
});

test('a crowd, and clients that say nothing, disturb no change', async (t) => {
    const { db, ids } = await makeFilled(couch, 3);
    const hook = await startHook(t);
    const { daemon, where } = await started(t, { rules: { r: toHook(hook, [db]) } });
    const silent = Array.from({ length: 60 }, () => net.connect(where.port, '127.0.0.1'));
    atEnd(t, () => silent.forEach((socket) => socket.destroy()));
    for (const socket of silent) socket.on('error', () => {}).write('GET /metrics HTTP/1.1\r\n');
    await hook.until(ids.length);
    assert.ok(daemon.running);
    silent.forEach((socket) => socket.destroy());
    await waitFor(() => ask(where, '/healthz').then((it) => it.status === 200), 'an answer');
    const { code } = await daemon.stop();
    assert.equal(code, 0);
});

test('a socket is open to user and group, and gone after the end', async (t) => {
    const site = makeSite(t, couch, { rules: {} });
    const socketPath = path.join(site.dir, 'admin.sock');
    site.write({ main: { admin: { listen: `unix:${socketPath}` } } });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'admin endpoint listens' });
    assert.equal(fs.statSync(socketPath).mode & 0o777, 0o660);
    const { status } = await ask({ socketPath }, '/metrics', { headers: { host: 'any' } });
    assert.equal(status, 200);
    await daemon.stop();
    assert.ok(!fs.existsSync(socketPath));
});

test('a port that is taken is a line in the log, and changes go on', async (t) => {
    const { db, ids } = await makeFilled(couch, 2);
    const hook = await startHook(t);
    const other = net.createServer();
    await new Promise((resolve) => other.listen(0, '127.0.0.1', resolve));
    atEnd(t, () => other.close());
    const listen = `127.0.0.1:${other.address().port}`;
    const site = makeSite(t, couch, {
        rules: { r: toHook(hook, [db]) },
        main: { admin: { listen } },
    });
    const daemon = site.start();
    await daemon.waitForLog({ level: 'error', address: listen, reason: /another process/ });
    await hook.until(ids.length);
    assert.equal((await daemon.stop()).code, 0);
});

test('a reload moves the endpoint, and one that does not leaves it alone', async (t) => {
    const { site, daemon, where } = await started(t, { rules: {} });
    const keep = new http.Agent({ keepAlive: true, maxSockets: 1 });
    atEnd(t, () => keep.destroy());
    const reload = async (n) => {
        daemon.signal('SIGHUP');
        await waitFor(() => daemon.logs().filter(
            (it) => it.msg === 'configuration loaded again').length === n, 'the reload');
    };
    await reload(1);
    assert.equal((await scrape(where)).value('tailrace_config_reloads_total'), 1);
    const port = await freePort();
    site.write({ main: { admin: { listen: `127.0.0.1:${port}` } } });
    await reload(2);
    assert.equal((await ask({ port }, '/healthz')).status, 200);
    await assert.rejects(ask(where, '/healthz'));
    site.write({ main: {} });
    await reload(3);
    await assert.rejects(ask({ port }, '/healthz'));
    assert.equal((await daemon.stop()).code, 0);
});

test('an address that others reach has to be meant', async (t) => {
    const site = makeSite(t, couch, { rules: {} });
    for (const [admin, code] of [
        [{ listen: '0.0.0.0:9464' }, CONFIG],
        [{ listen: '[::]:9464' }, CONFIG],
        [{ listen: '0.0.0.0:9464', remote: true }, 0],
        [{ listen: 'example.com:9464' }, CONFIG],
        [{ listen: 'unix:admin.sock' }, CONFIG],
        [{ listen: '[::1]:9464' }, 0],
    ]) {
        site.write({ main: { admin } });
        const run = await tailrace(site.args('check'));
        assert.equal(run.code, code, `${admin.listen}: ${run.stderr}`);
        if (code) assert.match(run.stderr, /tailrace\.conf:\d+: error: [^\n]*listen/);
    }
});
