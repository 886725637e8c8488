/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: what the admin endpoint costs while feeds are read to their end, in CPU time: without
 * one, with one that nobody asks, and with one that is scraped each second. The rows come from
 * several databases alike, so that a run takes some seconds.
 */
'use strict';

const http = require('node:http');
const path = require('node:path');
const bench = require('./lib/bench');
const { startFeedServer } = require('./lib/feed_server');

const DATABASES = 40;
const EVERY_MS = 1000;

/* One scrape; those that meet no daemon, at its start and its end, do not count. */
function scrape(socketPath) {
    return new Promise((resolve) => {
        const request = http.get({ socketPath, path: '/metrics' }, (answer) => {
            let bytes = 0;
            answer.on('data', (piece) => (bytes += piece.length));
            answer.on('end', () => resolve(answer.statusCode === 200 ? bytes : 0));
        });
        request.on('error', () => resolve(0));
    });
}

async function run(feed, { listens, scrapes }, seen) {
    const socket = path.join(bench.makeFolder(), 's');
    const conf = bench.writeConf({
        main: listens ? `admin: { listen = "unix:${socket}"; };\n` : '',
        sources: `main: { url = "${feed.url}"; };`,
        rules: `count: { source = "main"; databases = "^bench"; plugin = "${bench.program('count.so')}"; };`,
    });
    const timer = scrapes && setInterval(async () => seen.push(await scrape(socket)), EVERY_MS);
    try {
        return await bench.runTailrace(conf);
    } finally {
        clearInterval(timer);
    }
}

module.exports = async function metrics({ rows, rounds }) {
    const names = Array.from({ length: DATABASES }, (_, i) => `bench${i}`);
    const feed = await startFeedServer(rows, names);
    const seen = [];
    try {
        const contender = (how) => () => run(feed, how, seen);
        const results = await bench.compare(
            {
                'no endpoint': contender({}),
                'one that nobody asks': contender({ listens: true }),
                'scraped each second': contender({ listens: true, scrapes: true }),
            },
            rounds,
        );
        const answers = seen.filter((bytes) => bytes > 0);
        const all = rows * DATABASES;
        const off = results['no endpoint'].cpu;
        console.log(`  ${bench.count(all)} rows of 1 KB, ${answers.length} scrapes in all`);
        bench.table([
            ['', 'CPU s', 'range', 'wall s', 'rows/CPU s', 'of none'],
            ...Object.entries(results).map(([name, r]) => [
                name,
                bench.fixed(r.cpu, 3),
                `${bench.fixed(r.min, 3)}–${bench.fixed(r.max, 3)}`,
                bench.fixed(r.wall, 2),
                bench.count(all / r.cpu),
                `${bench.fixed(r.cpu / off, 3)} ×`,
            ]),
        ]);
        if (answers.length === 0) throw new Error('nothing was scraped: give more rows');
        return { rows: all, rounds, scrapes: answers.length, results };
    } finally {
        await feed.close();
    }
};
