/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tail: a database is filled while a rule with bulk-sink that sets nothing but where to writes
 * what comes into another one. How long after the last document was posted is the other complete,
 * in parts of the time that the filling took?
 *
 * At full speed, by curl with prepared bodies, the filling alone takes all of a server that has no
 * more than two processors, and the server has to do about three times as much for each document:
 * write it, tell of it, write it again. So what comes later is work that was not done before: `no
 * less` is the time by which the server's processor time for all of it is longer than the filling,
 * with all processors its own. A client that follows the same feed and only counts shows how much
 * of it is the telling. Loaders that take 60 % and 30 % of the full rate leave the server some of
 * its time.
 *
 * As long as the server is never idle, how late it is follows from two things: what the server
 * does for a document of the rule, in parts of what it does for one of the loader (r), and the
 * rule's share of its time meanwhile (s): (1 - s) r - s. With equal shares and r = 1.6 that is
 * 30 %; 5 % needs a share of three fifths.
 *
 * A server gives each of its processes the same, so a share is a matter of how many work for the
 * rule. One answer with documents is one process, whoever reads it: with CouchDB 3.5 on 2
 * processors 60,000 documents were 22 to 25 % late so, 13 % with pages whose documents were asked
 * for by 8 requests at once (core/feed/apart.h) and a window that holds them, 8 to 11 % when the
 * next page was read meanwhile. The other half is r: batches of neighbours instead of documents
 * that a hash had dealt out (core/dispatch/spread.c) write each leaf of the target's B-tree once,
 * which brought 5 to 7 %, and four batches at once instead of two 5 %. It stays at about 3,000 to
 * 7,000 documents, half a second, however long it goes on: of 100,000 documents that are 3 %.
 *
 * What the loader's last requests bring is seen only when they end: four of 2,000 documents are a
 * third of 24,000, and the rule was later with these than with 60,000.
 */
'use strict';

const http = require('node:http');
const os = require('node:os');
const bench = require('./lib/bench');
const copying = require('./lib/copying');
const { startTestServer, sleep } = require('../lib/couch');

process.env.TAILRACE_BIN ||= bench.TAILRACE;
process.env.TAILRACE_PLUGIN_DIR ||= bench.PLUGINS;
const { startTailrace } = require('../lib/tailrace');

const PATIENCE_MS = 600000;
const LF = 10;
const PACES = [1, 0.6, 0.3]; /* of what the loader does alone */

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

const NOBODY = { read: async () => Infinity, failure: () => '', stop: async () => {} };

const followers = {
    nobody: async () => NOBODY,
    'only reads': startReader,
    tailrace: startRule,
};

/* {load_s, late_s, late, server_cpu, floor}: the filling, how much later all had come, and its
 * part of that; seconds of the server's process; and the least that `late` can be with those. */
async function once(server, load, count, start) {
    const source = await server.makeDb();
    await server.post(source, { _id: 'first' });
    const follower = await start(server, source);
    try {
        await reach(1, follower.read, follower.failure); /* the rest is followed */
        const clock = copying.serverClock(server);
        const begin = Date.now();
        await load(source);
        const loaded = Date.now();
        await reach(count + 1, follower.read, follower.failure);
        const late_s = (Date.now() - loaded) / 1000;
        const load_s = (loaded - begin) / 1000;
        const server_cpu = clock();
        const floor = Math.max(0, server_cpu / os.cpus().length / load_s - 1);
        return { load_s, late_s, late: late_s / load_s, server_cpu, floor };
    } finally {
        await follower.stop();
        await server.removeDb(source);
    }
}

function summary(runs) {
    const keys = ['load_s', 'late_s', 'late', 'server_cpu', 'floor'];
    return Object.fromEntries(keys.map((key) => [key, bench.median(runs.map((r) => r[key]))]));
}

/* By pace and follower. The full rate is what was seen with nobody following. */
async function measure(server, bodies, connections, rounds) {
    const { count } = bodies;
    const runs = Object.fromEntries(
        PACES.map((pace) => [pace, { nobody: [], 'only reads': [], tailrace: [] }]),
    );
    for (let round = 0; round < rounds; round++)
        for (const pace of PACES)
            for (const [name, start] of Object.entries(followers)) {
                if (name === 'nobody' && pace < 1) continue;
                const rate = pace < 1 && (pace * count) / summary(runs[1].nobody).load_s;
                const load = (db) =>
                    pace < 1
                        ? copying.postEvenly(server, db, bodies, connections, rate)
                        : copying.post(server, db, bodies, connections);
                runs[pace][name].push(await once(server, load, count, start));
            }
    return runs;
}

function show(results) {
    const percent = (value) => `${bench.fixed(100 * value, 0)} %`;
    const rows = [
        ['rate', 'follows', 'filled in s', 'complete s later', 'of the filling', 'no less'],
    ];
    rows[0].push("server's CPU s");
    for (const { pace, name, ...r } of results)
        rows.push([
            percent(pace),
            name,
            bench.fixed(r.load_s, 1),
            name === 'nobody' ? '' : bench.fixed(r.late_s, 2),
            name === 'nobody' ? '' : percent(r.late),
            name === 'nobody' ? '' : percent(r.floor),
            bench.fixed(r.server_cpu, 1),
        ]);
    bench.table(rows);
}

module.exports = async function tail({ rows, rounds }) {
    const server = await startTestServer();
    /* The test server is written for tests, not for speed. */
    const count = server.isReal ? rows : Math.min(rows, 5000);
    try {
        const best = await copying.findBest(server, Math.max(1000, Math.round(count / 5)));
        const bodies = copying.writeBodies({ count, size: best.size, newEdits: true });
        const runs = await measure(server, bodies, best.connections, rounds);
        bodies.remove();
        const results = Object.entries(runs)
            .sort(([a], [b]) => b - a)
            .flatMap(([pace, byName]) =>
                Object.entries(byName)
                    .filter(([, all]) => all.length)
                    .map(([name, all]) => ({ pace: Number(pace), name, ...summary(all) })),
            );
        console.log(
            `\n  ${bench.count(count)} documents of 1 KB, medians of ${rounds}; the loader posts ` +
                `${bench.count(best.size)} at once on ${best.connections} connections:`,
        );
        show(results);
        return { documents: count, rounds, best, results };
    } finally {
        await server.close();
    }
};
