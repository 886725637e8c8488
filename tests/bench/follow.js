/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow: what reading a feed to its end costs in CPU time. tailrace into a plugin that counts,
 * against curl that throws the same URLs away, and against nano's ChangesReader, with batches as
 * large as they are by default (100) and as large as tailrace's pages (10,000).
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const bench = require('./lib/bench');
const { makeDoc } = require('./lib/rows');
const { startFeedServer, DB } = require('./lib/feed_server');
const { startRecorder } = require('./lib/recorder');
const { startTestServer, uniqueDb } = require('../lib/couch');

const NANO = path.join(__dirname, 'clients', 'nano.js');

/* A server as the benchmark sees it: {name, url, auth, db, rows, close()}. */
async function staticFeed(rows) {
    const server = await startFeedServer(rows);
    return {
        name: 'a prepared feed',
        url: server.url,
        db: DB,
        rows,
        close: () => server.close(),
    };
}

async function couch(rows) {
    const server = await startTestServer();
    if (!server.isReal)
        rows = Math.min(rows, 10000); /* it is written for tests, not for speed */
    const db = uniqueDb('tailrace_bench');
    await server.makeDb(db);
    for (let at = 0; at < rows; at += 2000) {
        const docs = [];
        for (let i = at; i < Math.min(at + 2000, rows); i++) docs.push(makeDoc(i));
        const answer = await server.post(`/${db}/_bulk_docs`, { docs, new_edits: false });
        if (answer.status !== 201) throw new Error(`filling ${db}: ${answer.text}`);
    }
    const [user, password] = server.auth.split(':');
    return {
        name: server.isReal ? 'TAILRACE_TEST_COUCHDB' : 'the test server',
        url: server.url,
        auth: { user, password },
        db,
        rows,
        close: () => server.close(),
    };
}

function withUser(url, auth, password) {
    if (!auth) return url;
    return url.replace('://', `://${auth.user}${password ? `:${auth.password}` : ''}@`);
}

function expectCount(feed, result, text) {
    if (!text.includes(`counted ${feed.rows}`))
        throw new Error(`not all of ${feed.rows} rows came:\n${result.stdout}${result.stderr}`);
    return result;
}

async function tailrace(feed, url) {
    const conf = bench.writeConf({
        sources: `main: { url = "${withUser(url, feed.auth)}"; };`,
        rules: `count: { source = "main"; databases = "^${feed.db}$"; plugin = "${bench.program('count.so')}"; };`,
        auth: feed.auth && { ...feed.auth, host: new URL(url).hostname },
    });
    const result = await bench.runTailrace(conf);
    return expectCount(feed, result, result.stderr);
}

async function nano(feed, batchSize) {
    const args = [NANO, withUser(feed.url, feed.auth, true), feed.db];
    const result = await bench.cost(process.execPath, batchSize ? [...args, batchSize] : args);
    return expectCount(feed, result, result.stdout);
}

/* What tailrace asks for, as a file for curl. */
async function curlConf(feed) {
    const recorder = await startRecorder(feed.url);
    await tailrace(feed, recorder.url);
    await recorder.close();
    const file = path.join(bench.makeFolder(), 'curl.conf');
    const lines = recorder.seen
        .filter((url) => url.includes('/_changes'))
        .map((url) => `url = "${feed.url}${url}"\noutput = /dev/null`);
    if (feed.auth) lines.unshift(`user = "${feed.auth.user}:${feed.auth.password}"`);
    fs.writeFileSync(file, lines.join('\n'), { mode: 0o600 });
    return file;
}

async function measure(feed, rounds) {
    const conf = await curlConf(feed);
    const curl = () => bench.cost('curl', ['-s', '-S', '-f', '-K', conf]);
    const results = await bench.compare(
        {
            curl,
            tailrace: () => tailrace(feed, feed.url),
            'nano, batches of 100': () => nano(feed),
            'nano, batches of 10,000': () => nano(feed, '10000'),
        },
        rounds,
    );
    console.log(
        `\n  ${feed.name}, ${bench.count(feed.rows)} rows of 1 KB, medians of ${rounds}:`,
    );
    bench.table([
        ['', 'CPU s', 'range', 'wall s', 'rows/CPU s', 'rows/s', 'of tailrace'],
        ...Object.entries(results).map(([name, r]) => [
            name,
            bench.fixed(r.cpu, 3),
            `${bench.fixed(r.min, 3)}–${bench.fixed(r.max, 3)}`,
            bench.fixed(r.wall, 2),
            bench.count(feed.rows / r.cpu),
            bench.count(feed.rows / r.wall),
            `${bench.fixed(r.cpu / results.tailrace.cpu, 2)} ×`,
        ]),
    ]);
    return {
        feed: feed.name,
        rows: feed.rows,
        rounds,
        results,
        tailrace_by_curl: results.tailrace.cpu / results.curl.cpu,
        nano_by_tailrace: results['nano, batches of 100'].cpu / results.tailrace.cpu,
        nano_large_by_tailrace: results['nano, batches of 10,000'].cpu / results.tailrace.cpu,
    };
}

module.exports = async function follow({ rows, rounds }) {
    const all = [];
    for (const start of [staticFeed, couch]) {
        const feed = await start(rows);
        try {
            all.push(await measure(feed, rounds));
        } finally {
            await feed.close();
        }
    }
    return all;
};
