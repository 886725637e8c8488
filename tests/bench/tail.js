/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tail: a database is filled as fast as the server takes it, by curl with prepared bodies, while
 * a rule with bulk-sink that sets nothing but where to writes what comes into another one. How
 * long after the last of them was posted is the other complete, in parts of the time that the
 * filling took? A server that is busy with writing is slow to tell of it; how slow shows a
 * client that follows the same feed and only counts.
 */
'use strict';

const http = require('node:http');
const bench = require('./lib/bench');
const copying = require('./lib/copying');
const { startTestServer, sleep } = require('../lib/couch');

process.env.TAILRACE_BIN ||= bench.TAILRACE;
process.env.TAILRACE_PLUGIN_DIR ||= bench.PLUGINS;
const { startTailrace } = require('../lib/tailrace');

const PATIENCE_MS = 600000;
const LF = 10;

async function reach(count, read, failure) {
    for (const end = Date.now() + PATIENCE_MS; (await read()) < count; await sleep(20)) {
        const text = failure();
        if (text || Date.now() > end) throw new Error(text || 'it was not complete after all');
    }
}

/* {read, failure, stop}: how many have come to the target, which the daemon fills. */
async function startRule(server, source) {
    const target = await server.makeDb();
    const conf = copying.writeRule(server, source, target, { newEdits: true });
    const daemon = startTailrace(['run', '-c', conf, '--plugin-dir', bench.PLUGINS]);
    return {
        read: () => copying.countDocs(server, target),
        failure: () => !daemon.running && daemon.stderrLines.slice(-20).join('\n'),
        stop: async () => {
            await daemon.stop();
            await server.removeDb(target);
        },
    };
}

/* The same for how many lines of the feed have come. */
async function startReader(server, source) {
    const where = `${source}/_changes?feed=continuous&include_docs=true&heartbeat=60000`;
    const agent = new http.Agent();
    const response = await server.open(where, { agent });
    let lines = 0;
    let failure = '';
    response.on('data', (bytes) => {
        for (const byte of bytes) lines += byte === LF;
    });
    response.on('error', (err) => (failure = err.message));
    return {
        read: async () => lines,
        failure: () => failure,
        stop: async () => agent.destroy(),
    };
}

/* {load_s, late_s, late}: the filling, how much later all had come, and its part of that. */
async function once(server, bodies, connections, start) {
    const source = await server.makeDb();
    await server.post(source, { _id: 'first' });
    const follower = await start(server, source);
    try {
        await reach(1, follower.read, follower.failure); /* the rest is followed */
        const begin = Date.now();
        await copying.post(server, source, bodies, connections);
        const loaded = Date.now();
        await reach(bodies.count + 1, follower.read, follower.failure);
        const late_s = (Date.now() - loaded) / 1000;
        const load_s = (loaded - begin) / 1000;
        return { load_s, late_s, late: late_s / load_s };
    } finally {
        await follower.stop();
        await server.removeDb(source);
    }
}

function summary(runs) {
    const keys = ['load_s', 'late_s', 'late'];
    return Object.fromEntries(keys.map((key) => [key, bench.median(runs.map((r) => r[key]))]));
}

module.exports = async function tail({ rows, rounds }) {
    const server = await startTestServer();
    /* The test server is written for tests, not for speed. */
    const count = server.isReal ? rows : Math.min(rows, 5000);
    try {
        const best = await copying.findBest(server, Math.max(1000, Math.round(count / 5)));
        const bodies = copying.writeBodies({ count, size: best.size, newEdits: true });
        const runs = { 'only reads': [], tailrace: [] };
        for (let round = 0; round < rounds; round++) {
            const { connections } = best;
            runs['only reads'].push(await once(server, bodies, connections, startReader));
            runs.tailrace.push(await once(server, bodies, connections, startRule));
        }
        bodies.remove();
        const results = Object.fromEntries(
            Object.entries(runs).map(([name, all]) => [name, summary(all)]),
        );
        console.log(
            `\n  ${bench.count(count)} documents of 1 KB, medians of ${rounds}; curl posts ` +
                `${bench.count(best.size)} at once on ${best.connections} connections:`,
        );
        bench.table([
            ['', 'filled in s', 'complete s later', 'of the filling'],
            ...Object.entries(results).map(([name, r]) => [
                name,
                bench.fixed(r.load_s, 1),
                bench.fixed(r.late_s, 2),
                `${bench.fixed(100 * r.late, 0)} %`,
            ]),
        ]);
        return { documents: count, rounds, best, results };
    } finally {
        await server.close();
    }
};
