/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook: what a request costs in CPU time: one change a request, a document of 1 KB by POST, 32
 * at once, to an nginx on loopback. tailrace's whole process counts, with its reading of the
 * feed (a file of rows); of the Node clients only the sending, but for one that reads the same
 * file, whose whole process counts as tailrace's does. Raw sockets (bench_post.c) show
 * what the kernel takes: nobody who sends one request at a time can cost less.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const bench = require('./lib/bench');
const { makeRow } = require('./lib/rows');
const { startNginx } = require('./lib/nginx');

const CLIENT = path.join(__dirname, 'clients', 'post.js');
const CONCURRENCY = 32;

function writeRows(count) {
    const file = path.join(bench.makeFolder(), 'rows.ndjson');
    const out = fs.openSync(file, 'w');
    for (let i = 1; i <= count; i++) fs.writeSync(out, `${makeRow(i)}\n`);
    fs.closeSync(out);
    return file;
}

async function tailrace(rows, url) {
    const conf = bench.writeConf({
        sources: `rows: { type = "file"; path = "${rows}"; database = "bench"; };`,
        rules: `hook: {
            source = "rows"; databases = "^bench$"; plugin = "http-webhook";
            concurrency = ${CONCURRENCY};
            options: { url = "${url}"; method = "POST"; max_connections = ${CONCURRENCY}; };
        };`,
    });
    return bench.runTailrace(conf);
}

function client(kind, url, what) {
    return bench.cost(process.execPath, [CLIENT, kind, url, String(what), String(CONCURRENCY)]);
}

async function node(kind, url, count) {
    const result = await client(kind, url, count);
    const sending = JSON.parse(result.stdout);
    return { ...result, ...sending, cpu: sending.user + sending.sys };
}

function raw(url, count) {
    const args = [new URL(url).port, String(count), String(CONCURRENCY)];
    return bench.cost(bench.program('bench_post'), args);
}

/* Both ways of the count: nothing is left out and nothing is sent twice. */
async function counted(nginx, count, run) {
    const before = await nginx.requests();
    const result = await run();
    const sent = (await nginx.requests()) - before - 1; /* the question itself is one */
    if (sent !== count) throw new Error(`nginx had ${sent} requests instead of ${count}`);
    return result;
}

module.exports = async function webhook({ rows, rounds }) {
    const count = Math.max(1000, Math.round(rows / 5));
    const file = writeRows(count);
    const nginx = await startNginx();
    try {
        const contenders = {
            tailrace: () => tailrace(file, nginx.url),
            'node:http, keep-alive': () => node('agent', nginx.url, count),
            'node:http, from the file': () => client('rows', nginx.url, file),
            'node fetch (undici)': () => node('fetch', nginx.url, count),
            'raw sockets': () => raw(nginx.url, count),
        };
        for (const [name, run] of Object.entries(contenders))
            contenders[name] = () => counted(nginx, count, run);
        const results = await bench.compare(contenders, rounds);
        const per = (r) => count / r.cpu;
        console.log(
            `\n  ${bench.count(count)} requests, ${CONCURRENCY} at once, medians of ${rounds}:`,
        );
        bench.table([
            ['', 'CPU s', 'range', 'wall s', 'requests/CPU s', 'requests/s', 'tailrace has'],
            ...Object.entries(results).map(([name, r]) => [
                name,
                bench.fixed(r.cpu, 3),
                `${bench.fixed(r.min, 3)}–${bench.fixed(r.max, 3)}`,
                bench.fixed(r.wall, 2),
                bench.count(per(r)),
                bench.count(count / r.wall),
                `${bench.fixed(per(results.tailrace) / per(r), 2)} ×`,
            ]),
        ]);
        return {
            requests: count,
            concurrency: CONCURRENCY,
            rounds,
            results,
            tailrace_by_agent: per(results.tailrace) / per(results['node:http, keep-alive']),
            tailrace_by_rows: per(results.tailrace) / per(results['node:http, from the file']),
            tailrace_by_fetch: per(results.tailrace) / per(results['node fetch (undici)']),
            tailrace_by_raw: per(results.tailrace) / per(results['raw sockets']),
        };
    } finally {
        await nginx.close();
    }
};
