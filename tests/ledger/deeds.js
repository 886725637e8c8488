/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The faults from outside, by the names that the schedule has for them. Each is done to the
 * life that runs (chaos.js) and resolves to whether its effect was seen; what it must not leave
 * behind goes into `chaos.undo`.
 */
'use strict';

const { execFileSync } = require('node:child_process');
const { sleep } = require('../lib/couch');
const { tailrace } = require('../lib/tailrace');
const faults = require('../fault/lib/faults');
const { toFile } = require('../integration/lib/sink');

const LIMIT = 4096; /* bytes of a file: all that grow are larger soon */

/* ---- signals ---- */

async function freeze(chaos, ms) {
    const { daemon } = chaos.stage;
    chaos.frozen = true;
    daemon.signal('SIGSTOP');
    await sleep(ms);
    const seen = chaos.isStopped();
    daemon.signal('SIGCONT');
    chaos.frozen = false;
    return seen || chaos.over;
}

/* SIGHUP, and the line in the log that must follow. */
async function hangUp(chaos, change, line) {
    const { daemon } = chaos.stage;
    await chaos.started();
    change();
    const from = daemon.stderrLines.length;
    daemon.signal('SIGHUP');
    return daemon.waitForLog(line, 3000, { from }).then(
        () => true,
        () => false,
    );
}

function withOptions(rule, options) {
    return rule && { ...rule, options: { ...rule.options, ...options } };
}

/* The rules as a reload may find them: one gone, options of another changed, or what a third
 * counts, so that it reads all databases again. All come back. */
const VARIANTS = [
    (rules) => rules,
    (rules) => ({ ...rules, watch: undefined }),
    ({ hook, ...rules }) => ({
        ...rules,
        hook: hook && { ...hook, retry: { min: '7ms', max: '90ms' } },
    }),
    ({ hook, ...rules }) => ({ ...rules, hook: withOptions(hook, { timeout: '6s' }) }),
    ({ file, ...rules }) => ({ ...rules, file: file && { ...file, window: { rows: 300 } } }),
    ({ stats, ...rules }) => ({
        ...rules,
        stats: withOptions(stats, { where: [{ field: 'type', is: ['post'] }] }),
    }),
];

function reload(chaos) {
    const variant = VARIANTS[chaos.reloads++ % VARIANTS.length];
    const change = () => chaos.stage.configure(variant);
    return hangUp(chaos, change, /configuration loaded again/);
}

/* Its first look at the databases is still to come. */
function newRule(chaos) {
    const { stage } = chaos;
    const name = `late-${++chaos.reloads}`;
    const rule = ({ file }) => toFile(`${file.options.path}.${name}`, [stage.dbs[0]]);
    const change = () =>
        stage.configure((rules) => ({ ...rules, [name]: rules.file && rule(rules) }));
    return hangUp(chaos, change, { msg: 'rule started', rule: name });
}

function badReload(chaos) {
    const change = () => chaos.stage.site.writeText('rules: { hook: { source = "nowhere"; };');
    return hangUp(chaos, change, /the new configuration is refused/);
}

/* ---- the way to the source, and the source ---- */

async function reset({ stage: { proxy } }) {
    const { connections } = proxy;
    proxy.killAll('rst');
    return connections > 0;
}

async function drop({ stage: { proxy }, undo }) {
    const before = proxy.stats.dropped;
    await proxy.set(faults.drop({ times: 10 }));
    undo.push(() => proxy.clear());
    await sleep(100);
    return proxy.stats.dropped > before;
}

/* In the middle of whatever comes. */
async function cut({ stage: { proxy }, undo }) {
    const match = /_changes|_bulk|_revs_diff/;
    const fault = faults.cut([1, 4000], { match, how: 'rst', times: 6 });
    await proxy.set(fault);
    undo.push(() => proxy.clear());
    await sleep(400);
    return proxy.struck(fault) > 0;
}

async function drip({ stage: { proxy } }, ms) {
    const before = proxy.stats.bytesDown;
    await proxy.set(faults.drip(20000));
    await sleep(ms);
    await proxy.clear();
    return proxy.stats.bytesDown > before;
}

async function restartSource({ stage: { source } }, ms) {
    await source.kill();
    await sleep(ms);
    await source.restart();
    return true;
}

/* ---- the machine ---- */

function limitFiles(pid, bytes) {
    try {
        execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`], {
            stdio: 'ignore',
        });
    } catch {
        /* it has died meanwhile */
    }
}

/* No file of the daemon may grow: its store's, and those of file-sink. */
async function fillDisk({ stage }, ms) {
    const { pid } = stage.daemon;
    limitFiles(pid, LIMIT);
    await sleep(ms);
    limitFiles(pid, 'unlimited');
    return stage.said(/store is stalled|cannot be written|File too large/);
}

/* ---- documents that nobody can settle ---- */

async function poison({ stage }) {
    await stage.writers.poison();
    return true;
}

async function endless({ stage }) {
    await stage.writers.endless();
    return true;
}

/* The receiver has come to like poison, for the rest of this life. */
async function replay(chaos) {
    const webhook = chaos.stage.sink('webhook');
    if (!webhook) return false;
    await chaos.started();
    webhook.lenient = true;
    chaos.undo.push(() => (webhook.lenient = false));
    const args = chaos.stage.site.args('dead-letter', 'replay', '--all');
    const { code } = await tailrace(args, { timeoutMs: 5000 });
    return code === 0 || chaos.over;
}

const DEEDS = {
    freeze,
    reload,
    'new rule': newRule,
    'bad reload': badReload,
    reset,
    drop,
    cut,
    drip,
    source: restartSource,
    'full disk': fillDisk,
    poison,
    endless,
    replay,
};

module.exports = { DEEDS };
