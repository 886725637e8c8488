/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: what the metrics cost of the CPU of following. That is less than two runs alike differ
 * by, so it is looked for in three ways:
 *
 *   - Pairs of short runs, in turn without an endpoint and with one that is scraped five times a
 *     second, which is as often as its text is made. Of the differences of all pairs, the median
 *     and the interval that holds the true one 19 times out of 20.
 *   - Within these runs: the CPU time of the endpoint's thread by the kernel's count, and the time
 *     that the loop took to gather the figures by its own, which waits are part of.
 *   - What is always done, whether anybody asks or not: bench_counting counts as the road does.
 *
 * All of it is told for one scrape a second; Prometheus asks every 15 s or every minute. Beside it
 * is what a scrape costs where there are ten thousand databases and a thousand rules.
 */
'use strict';

const path = require('node:path');
const bench = require('./lib/bench');
const { startFeedServer } = require('./lib/feed_server');
const { runScraped } = require('./lib/scrapes');

const DATABASES = 10;
const EVERY_MS = 200;
const PAIRS = 8; /* for each round */
const MANY_RULES = 1000;
const MANY_DATABASES = 10;

const listen = (socket) => `admin: { listen = "unix:${socket}"; };\n`;
const makeSocket = () => path.join(bench.makeFolder(), 's');

function followConf(feed, main) {
    return bench.writeConf({
        main,
        sources: `main: { url = "${feed.url}"; };`,
        rules: `count: { source = "main"; databases = "^bench"; plugin = "${bench.program('count.so')}"; };`,
    });
}

const plain = (feed) => bench.runTailrace(followConf(feed, ''));

function scraped(feed) {
    const socket = makeSocket();
    return runScraped(followConf(feed, listen(socket)), socket, EVERY_MS);
}

/* Each first in half of the pairs, so that whatever rises or falls meanwhile meets both alike. */
async function runPairs(feed, count) {
    const pairs = [];
    await plain(feed);
    for (let i = 0; i < count; i++) {
        const pair = {};
        for (const name of i % 2 ? ['on', 'off'] : ['off', 'on'])
            pair[name] = await (name === 'on' ? scraped(feed) : plain(feed));
        if (pair.on.scrapes.count === 0) throw new Error('nothing was scraped: give more rows');
        pairs.push(pair);
    }
    return pairs;
}

/* What counting costs a change, in seconds. */
async function counting() {
    const { stdout } = await bench.cost(bench.program('bench_counting'), []);
    return JSON.parse(stdout.trim().split('\n').pop()).ns_a_change / 1e9;
}

/* {name: {ms: a scrape, share: of following, at one a second, low, high}} */
function judge(pairs, rows, countingS) {
    const follow = bench.median(pairs.map(({ off }) => off.cpu));
    const busy = bench.median(pairs.map(({ off }) => off.cpu / off.wall));
    const share = (ms) => ms / 1000 / busy;
    const parts = pairs.map(({ off, on }) => ({
        all: (1000 * (on.cpu - off.cpu)) / on.scrapes.count,
        endpoint: on.scrapes.spent.endpoint / on.scrapes.count,
        gathering: bench.median(on.scrapes.gathered),
    }));
    const of = (name) => {
        const { middle, low, high } = bench.confidence(parts.map((part) => part[name]));
        return { ms: middle, share: share(middle), low: share(low), high: share(high) };
    };
    const counted = (rows * countingS) / follow;
    return {
        'runs with and without': of('all'),
        "the endpoint's thread": of('endpoint'),
        'gathering, on the loop': of('gathering'),
        'counting, always': { share: counted, low: counted, high: counted },
    };
}

/* {ms, bytes}: what it takes to gather the figures of many databases and rules. */
async function gatherMany() {
    const names = [];
    for (let rule = 0; rule < MANY_RULES; rule++)
        for (let i = 0; i < MANY_DATABASES; i++) names.push(`bench-${rule}-${i}`);
    const feed = await startFeedServer(0, names);
    const socket = makeSocket();
    const rule = (_, i) => `r${i}: {
        source = "main"; databases = "^bench-${i}-"; plugin = "http-webhook";
        options: { url = "${feed.url}"; };
    };`;
    const conf = bench.writeConf({
        main: listen(socket),
        sources: `main: { url = "${feed.url}"; request_rate = 3000; };`,
        rules: Array.from({ length: MANY_RULES }, rule).join('\n'),
    });
    try {
        const { scrapes } = await runScraped(conf, socket, EVERY_MS);
        const ms = bench.median(scrapes.gathered);
        return { databases: names.length, rules: MANY_RULES, ms, bytes: scrapes.bytes };
    } finally {
        await feed.close();
    }
}

module.exports = async function metrics({ rows, rounds }) {
    const names = Array.from({ length: DATABASES }, (_, i) => `bench${i}`);
    const feed = await startFeedServer(rows, names);
    try {
        const pairs = await runPairs(feed, rounds * PAIRS);
        const all = rows * DATABASES;
        const costs = judge(pairs, all, await counting());
        const percent = (value) => `${bench.fixed(100 * value, 3)} %`;
        const off = bench.confidence(pairs.map((pair) => pair.off.cpu));
        const scrapes = pairs.reduce((sum, pair) => sum + pair.on.scrapes.count, 0);
        console.log(
            `  ${pairs.length} pairs, each run ${bench.count(all)} rows of 1 KB in ` +
                `${bench.fixed(off.middle, 2)} s of CPU; ${scrapes} scrapes`,
        );
        bench.table([
            ['', 'ms a scrape', 'of following, at one a second', '19 of 20 times within'],
            ...Object.entries(costs).map(([name, { ms, share, low, high }]) => [
                name,
                ms === undefined ? '' : bench.fixed(ms, 3),
                percent(share),
                `${percent(low)} to ${percent(high)}`,
            ]),
        ]);
        const many = await gatherMany();
        console.log(
            `  ${bench.count(many.databases)} databases and ${bench.count(many.rules)} rules: ` +
                `${bench.fixed(many.ms, 2)} ms to gather ${bench.count(many.bytes / 1024)} KB`,
        );
        return { rows: all, pairs: pairs.length, scrapes, cpu: off, costs, many };
    } finally {
        await feed.close();
    }
};
