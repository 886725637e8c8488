/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replicate: databases copied by tailrace's replicator and by CouchDB's own, POST /_replicate, in
 * turn, into new databases of the same server. One of documents of generation 1, one of
 * generation 3 of which a tenth is in conflict. Documents a second count the leaves that were to
 * be copied; the server's CPU is that of all its processes on this machine while it ran.
 *
 * It needs a real CouchDB, TAILRACE_TEST_COUCHDB.
 */
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const bench = require('./lib/bench');
const { makeDoc } = require('./lib/rows');
const { startTestServer, uniqueDb } = require('../lib/couch');

const hash = (text) => crypto.createHash('md5').update(text).digest('hex');

/* How CouchDB's own was seen to be fastest on two cores, of what it offers. */
const BEST = { worker_processes: 4, worker_batch_size: 2000, http_connections: 20 };

/* ---- databases ---- */

/* A document with a history of `start` revisions. */
function grown(i, start, branch) {
    const { _rev, _revisions, ...doc } = makeDoc(i);
    const ids = [];
    for (let n = start; n > 0; n--) ids.push(hash(`${i} ${n} ${n === start ? branch : ''}`));
    return { ...doc, _rev: `${start}-${ids[0]}`, _revisions: { start, ids } };
}

function leavesOf(kind, i) {
    if (kind === 'generation 1') return [grown(i, 1, '')];
    return i % 10 === 0 ? [grown(i, 3, 'a'), grown(i, 3, 'b')] : [grown(i, 3, '')];
}

async function fill(server, kind, count) {
    const db = uniqueDb('tailrace_bench');
    let leaves = 0;
    await server.makeDb(db);
    for (let at = 0; at < count; at += 2000) {
        const docs = [];
        for (let i = at; i < Math.min(at + 2000, count); i++) docs.push(...leavesOf(kind, i));
        const answer = await server.post(`/${db}/_bulk_docs`, { docs, new_edits: false });
        if (answer.status !== 201) throw new Error(`filling ${db}: ${answer.text}`);
        leaves += docs.length;
    }
    return { db, count, leaves };
}

async function check(server, source, target) {
    const { json } = await server.get(`/${target}`);
    if (json.doc_count !== source.count)
        throw new Error(`${json.doc_count} of ${source.count} documents were copied`);
    await server.delete(`/${target}`);
}

/* ---- the server's CPU time, in seconds ---- */

function serverCpu() {
    const ticks = fs
        .readdirSync('/proc')
        .filter((pid) => /^\d+$/.test(pid))
        .map((pid) => {
            try {
                const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
                const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
                return stat.includes('(beam.smp)') ? Number(fields[11]) + Number(fields[12]) : 0;
            } catch {
                return 0; /* it has ended */
            }
        });
    return ticks.reduce((a, b) => a + b, 0) / 100;
}

async function withServerCpu(run) {
    const before = serverCpu();
    const result = await run();
    return { ...result, server: serverCpu() - before };
}

/* ---- the two ---- */

async function tailrace(server, source) {
    const [user, password] = server.auth.split(':');
    const url = (db) => `${server.url.replace('://', `://${user}@`)}${db ? `/${db}` : ''}`;
    const target = uniqueDb('tailrace_bench');
    const conf = bench.writeConf({
        sources: `main: { url = "${url()}"; };`,
        rules: `r: { source = "main"; databases = ["${source.db}"]; plugin = "replicator";
            design_documents = "include"; concurrency = 4; window: { rows = 20000; bytes = "32MB"; };
            batch: { size = 2000; bytes = "8MB"; wait = "200ms"; }; include_docs = ${source.docs};
            options: { source = "${url(source.db)}"; target = "${url(target)}";
                       create_target = true; fetch_docs = 1000; }; };`,
        auth: { user, password, host: new URL(server.url).hostname },
    });
    const result = await withServerCpu(() => bench.runTailrace(conf));
    await check(server, source, target);
    return result;
}

/* The time that it takes itself is in the answer; before that it may have waited to begin. */
async function couchdb(server, source) {
    const target = uniqueDb('tailrace_bench');
    const url = (db) => `${server.authUrl}/${db}`;
    const result = await withServerCpu(async () => {
        const answer = await server.post('/_replicate', {
            source: url(source.db),
            target: url(target),
            create_target: true,
            ...BEST,
        });
        if (answer.status !== 200) throw new Error(`_replicate: ${answer.text}`);
        const [session] = answer.json.history;
        const wall = (Date.parse(session.end_time) - Date.parse(session.start_time)) / 1000;
        return { wall, cpu: 0, rss_kb: 0 };
    });
    await check(server, source, target);
    return result;
}

async function measure(server, kind, count, rounds) {
    const source = { ...(await fill(server, kind, count)), docs: kind === 'generation 1' };
    const runs = { tailrace: [], CouchDB: [] };
    for (let round = 0; round < rounds; round++) {
        runs.tailrace.push(await tailrace(server, source));
        runs.CouchDB.push(await couchdb(server, source));
    }
    const middle = (name, what) => bench.median(runs[name].map((run) => run[what]));
    return Object.fromEntries(
        Object.keys(runs).map((name) => [
            name,
            {
                leaves_per_s: source.leaves / middle(name, 'wall'),
                server_cpu: middle(name, 'server'),
                cpu: middle(name, 'cpu'),
                rss_kb: middle(name, 'rss_kb'),
            },
        ]),
    );
}

function show(kind, result) {
    const ours = result.tailrace;
    bench.table([
        [kind, 'leaves/s', "the server's CPU s", 'own CPU s', 'peak KB'],
        ...Object.entries(result).map(([name, one]) => [
            name,
            bench.count(one.leaves_per_s),
            bench.fixed(one.server_cpu, 1),
            one.cpu ? bench.fixed(one.cpu, 2) : '',
            one.rss_kb ? bench.count(one.rss_kb) : '',
        ]),
    ]);
    console.log(
        `  ${bench.fixed(ours.leaves_per_s / result.CouchDB.leaves_per_s, 2)} times the leaves a ` +
            `second, ${bench.fixed((100 * ours.cpu) / ours.server_cpu, 1)} % of the server's CPU`,
    );
}

module.exports = async function replicate({ rows, rounds }) {
    const server = await startTestServer();
    const report = {};
    try {
        if (!server.isReal) throw new Error('replicate needs TAILRACE_TEST_COUCHDB');
        for (const [kind, count] of [
            ['generation 1', rows],
            ['generation 3', Math.ceil(rows / 4)],
        ]) {
            report[kind] = await measure(server, kind, count, rounds);
            show(kind, report[kind]);
        }
    } finally {
        await server.close();
    }
    return report;
};
