/* SPDX-License-Identifier: Apache-2.0 */
/*
 * many: one rule on ten thousand databases, of which a hundred are written to. What those that are
 * idle cost, what a change costs, and how long it takes from the server's answer to a write until
 * the plugin's receiver has the change. All requests pass a counting proxy in Node, and the server,
 * the receiver and whoever writes are on the same machine.
 */
'use strict';

const bench = require('./lib/bench');
const { openMany, quantile, isSweep, isUpdates, sleep } = require('./lib/many');

const IDLE_MS = 10000;
const HOT = 8;

const isOne = (req) => !isSweep(req) && !isUpdates(req) && req.db !== '';

async function delays(run, writes) {
    const all = [];
    for (const { db, id, time } of writes)
        all.push(Math.max(0, ((await run.came(db, id)) - time) / 1000));
    return all;
}

/* One write into each of them, ten a second: seconds until the change is there, and those of them
 * until the server is asked about the database. */
async function cold(many, run, names) {
    const writes = [];
    for (const name of names) {
        writes.push(await many.write(name));
        await sleep(80 + Math.random() * 40);
    }
    const all = await delays(run, writes);
    const told = writes.map(({ db, time }) => {
        const first = run.watch.of(db).find((req) => req.kind === '');
        return Math.max(0, (first.time - time) / 1000);
    });
    return { all, told };
}

/* Changes of databases that have a feed of their own by then. */
async function hot(many, run, names) {
    const isFeed = (req) => req.query.feed === 'continuous' && names.includes(req.db);
    for (let n = 0; n < 20 && run.watch.open(isFeed).length < names.length; n++) {
        for (const name of names) await many.write(name);
        await sleep(700);
    }
    const writes = [];
    for (let n = 0; n < 200; n++) {
        writes.push(await many.write(names[n % names.length]));
        await sleep(30);
    }
    return { feeds: run.watch.open(isFeed).length, delays: await delays(run, writes) };
}

/* Requests that one reading took: a reading begins with GET /db. A database that was made just
 * before becomes hot by its change, and its feed is no part of that. */
function requestsARead(watch) {
    const counts = new Map();
    for (const req of watch.of((it) => isOne(it) && it.query.feed !== 'continuous')) {
        const all = counts.get(req.db) || { reads: 0, requests: 0 };
        all.reads += req.kind === '';
        all.requests++;
        counts.set(req.db, all);
    }
    const each = [...counts.values()];
    return {
        databases: each.length,
        reads: each.reduce((sum, it) => sum + it.reads, 0),
        most: Math.max(...each.map((it) => it.requests / Math.max(1, it.reads))),
    };
}

async function measure(many) {
    const run = await many.start({ rules: { r: 'since = "now";' } });
    const start_s = await run.looked();
    await sleep(5000);
    run.watch.clear();
    await sleep(IDLE_MS);
    const idle = run.watch.of(isOne).length;
    const written = many.names.filter((_, i) => i % Math.ceil(many.names.length / 100) === 0);
    run.watch.clear();
    const colds = await cold(many, run, written);
    const cost = requestsARead(run.watch);
    const hotOnes = await hot(many, run, many.names.slice(1, HOT + 1));
    const result = {
        server: many.name,
        databases: many.names.length,
        start_s,
        ...run.memory(),
        connections: run.watch.most,
        idle_requests: idle,
        cost,
        cold_p50_s: quantile(colds.all, 0.5),
        cold_p99_s: quantile(colds.all, 0.99),
        told_p50_s: quantile(colds.told, 0.5),
        told_p99_s: quantile(colds.told, 0.99),
        hot_feeds: hotOnes.feeds,
        hot_p50_s: quantile(hotOnes.delays, 0.5),
        hot_p99_s: quantile(hotOnes.delays, 0.99),
    };
    await run.stop();
    return result;
}

module.exports = async function many(options) {
    const set = await openMany(options);
    try {
        const r = await measure(set);
        console.log(`\n  ${r.server}, ${bench.count(r.databases)} databases, one rule:`);
        bench.table([
            ['', 'measured', 'target'],
            ['first look at all, s', bench.fixed(r.start_s, 1), ''],
            ['resident memory, MB', bench.fixed(r.rss_mb, 1), ''],
            ['  at most', bench.fixed(r.peak_mb, 1), ''],
            ['connections at most', r.connections, '32'],
            ['requests for idle databases', r.idle_requests, '0'],
            ['requests a changed database and read', bench.fixed(r.cost.most, 1), '2'],
            [`databases read for 100 written`, r.cost.databases, '100'],
            ['  how often', r.cost.reads, '100'],
            ['cold: write to plugin, p50 s', bench.fixed(r.cold_p50_s, 3), '0.5'],
            ['  p99 s', bench.fixed(r.cold_p99_s, 3), '2'],
            ['  until the server tells, p50 s', bench.fixed(r.told_p50_s, 3), ''],
            ['    p99 s', bench.fixed(r.told_p99_s, 3), ''],
            [`hot (${r.hot_feeds} feeds): p50 s`, bench.fixed(r.hot_p50_s, 3), ''],
            ['  p99 s', bench.fixed(r.hot_p99_s, 3), '0.1'],
        ]);
        return r;
    } finally {
        await set.close();
    }
};
