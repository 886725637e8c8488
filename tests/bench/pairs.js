/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pairs: a thousand databases with a copy each, of which fifty change: by one rule with a pattern,
 * and by a thousand `replicator` documents of Spiegel's. What is asked about the others (nothing, at
 * neither end), what a change costs, and how long it takes from the server's answer to a write until
 * the copy has it; twice, and the second time by a daemon that was started again. All requests pass
 * a counting proxy in Node, and the server and whoever writes are on the same machine.
 */
'use strict';

const bench = require('./lib/bench');

process.env.TAILRACE_BIN ||= bench.TAILRACE;
process.env.TAILRACE_PLUGIN_DIR ||= bench.PLUGINS;
const { quantile } = require('./lib/many');
const { makeContext } = require('./lib/context');
const { startTestServer } = require('../lib/couch');
const { makePairs } = require('../integration/lib/pairs');

const PATIENCE_MS = 1800000;
const OFTEN_MS = 5000; /* checkpoint_interval: so that the end of it all can be awaited */
const SILENCE_MS = OFTEN_MS + 2000;
const WAYS = ['rule', 'documents'];

/* What a thousand replications of fifty changes took. */
async function changes(pairs, count) {
    const changed = pairs.some(count);
    const before = pairs.cpu();
    pairs.watch.clear();
    const writes = await pairs.change(changed);
    await pairs.settled(SILENCE_MS);
    const delays = writes.map(({ source, time }) => (pairs.arrival(source) - time) / 1000);
    const asked = pairs.asked().reduce((sum, [, n]) => sum + n, 0);
    const idle = pairs.idle(changed).reduce((sum, [, n]) => sum + n, 0);
    return {
        idle_requests: idle,
        requests_a_pair: (asked - idle) / count,
        cpu_ms_a_pair: (1000 * (pairs.cpu() - before)) / count,
        p50_s: Math.max(0, quantile(delays, 0.5)),
        p99_s: Math.max(0, quantile(delays, 0.99)),
    };
}

async function measure(server, by, count, changed) {
    const t = makeContext();
    try {
        const pairs = await makePairs(t, server, count, {
            by,
            options: { checkpoint_interval: by === 'rule' ? `${OFTEN_MS}ms` : OFTEN_MS },
            patienceMs: PATIENCE_MS,
        });
        const begin = Date.now();
        await pairs.start();
        await pairs.settled(SILENCE_MS);
        const filled_s = (Date.now() - begin - SILENCE_MS) / 1000;
        const first = await changes(pairs, changed);
        pairs.watch.clear();
        await pairs.stop();
        await pairs.start();
        await pairs.settled(SILENCE_MS);
        const restart = { requests: pairs.asked().length, cpu_s: pairs.cpu() };
        const second = await changes(pairs, changed);
        await pairs.stop();
        return { by, filled_s, first, restart, second };
    } finally {
        await t.close();
    }
}

function show(results) {
    const row = (name, value) => [name, ...results.map(value)];
    const both = (r, key, digits) =>
        `${bench.fixed(r.first[key], digits)}, ${bench.fixed(r.second[key], digits)}`;
    bench.table([
        row('', (r) => (r.by === 'rule' ? 'one rule' : 'a document each')),
        row('all copied for the first time, s', (r) => bench.fixed(r.filled_s, 1)),
        row('requests about pairs that did not change', (r) => both(r, 'idle_requests', 0)),
        row('  by a stop and a start', (r) => r.restart.requests),
        row('requests a changed pair', (r) => both(r, 'requests_a_pair', 1)),
        row('CPU a changed pair, ms', (r) => both(r, 'cpu_ms_a_pair', 1)),
        row('from the write to the copy, p50 s', (r) => both(r, 'p50_s', 2)),
        row('  p99 s', (r) => both(r, 'p99_s', 2)),
        row('CPU of a start, s', (r) => bench.fixed(r.restart.cpu_s, 2)),
    ]);
}

module.exports = async function pairs({ pairs: count = 1000 }) {
    const server = await startTestServer();
    const changed = Math.max(1, Math.round(count / 20));
    try {
        const results = [];
        for (const by of WAYS) results.push(await measure(server, by, count, changed));
        const kind = server.isReal ? 'a real CouchDB' : 'the test server';
        console.log(`\n  ${bench.count(count)} pairs, of which ${changed} change, ${kind}:`);
        show(results);
        return { pairs: count, changed, results };
    } finally {
        await server.close();
    }
};
