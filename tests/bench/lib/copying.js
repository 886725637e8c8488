/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the benchmarks of copying share: filled databases, prepared bodies that curl posts, a rule
 * that copies, and the CPU time of the server's process.
 *
 *   const bodies = writeBodies({ count: 100000, size: 2000, newEdits: true });
 *   const cost = await post(server, db, bodies, connections);     // {cpu, wall, …}
 *   const clock = serverClock(server);  …  clock();               // CPU s since; NaN: not here
 */
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const bench = require('./bench');
const { makeDoc } = require('./rows');

const LINES = 8; /* a document of 1 KB */
const TRIALS = [
    { size: 1000, connections: 2 },
    { size: 2000, connections: 1 },
    { size: 2000, connections: 2 },
    { size: 2000, connections: 4 },
    { size: 4000, connections: 2 },
];

/* A document in its generation, with the history that leads to it. */
function makeCopy(i, generation) {
    const doc = makeDoc(i, LINES);
    const hash = doc._rev.slice(2);
    const ids = Array.from({ length: generation }, (_, k) => hash.slice(k) + hash.slice(0, k));
    doc._rev = `${generation}-${hash}`;
    doc._revisions = { start: generation, ids };
    return doc;
}

function makePosted(i, newEdits, generation) {
    if (!newEdits) return makeCopy(i, generation);
    const doc = makeDoc(i, LINES);
    delete doc._rev;
    return doc;
}

/* Files with `size` documents each; `generation` only counts without newEdits. */
function writeBodies({ count, size, newEdits, generation = 1 }) {
    const dir = bench.makeFolder();
    const files = [];
    for (let at = 0; at < count; at += size) {
        const docs = [];
        for (let i = at; i < Math.min(at + size, count); i++)
            docs.push(makePosted(i, newEdits, generation));
        const file = path.join(dir, `${files.length}.json`);
        fs.writeFileSync(file, JSON.stringify(newEdits ? { docs } : { new_edits: false, docs }));
        files.push(file);
    }
    return { count, size, files, remove: () => fs.rmSync(dir, { recursive: true }) };
}

/* Runs requests by curl, `connections` at once; each is lines of a curl configuration. */
async function curl(server, requests, connections) {
    const file = path.join(bench.makeFolder(), 'curl.conf');
    const common = [
        `user = "${server.auth}"`,
        'output = "/dev/null"',
        'write-out = "%{http_code}\\n"',
    ];
    const text = requests.map((lines) => [...lines, ...common].join('\n')).join('\nnext\n');
    fs.writeFileSync(file, text, { mode: 0o600 });
    const result = await bench.cost('curl', [
        '--no-progress-meter',
        '--parallel',
        '--parallel-max',
        String(connections),
        '--config',
        file,
    ]);
    const bad = result.stdout.split('\n').filter((line) => line && !/^2\d\d$/.test(line));
    if (bad.length) throw new Error(`${bad.length} of ${requests.length} requests: ${bad[0]}`);
    return result;
}

function postLines(server, where, file) {
    return [
        `url = "${server.url}${where}"`,
        `data-binary = "@${file}"`,
        'header = "Content-Type: application/json"',
        'header = "Expect:"',
    ];
}

function post(server, db, bodies, connections) {
    const requests = bodies.files.map((file) => postLines(server, `${db}/_bulk_docs`, file));
    return curl(server, requests, connections);
}

/* The same at no more than so many documents a second, by a client that is not in a hurry;
 * resolves when the last is stored. */
async function postEvenly(server, db, bodies, connections, rate) {
    const agent = new http.Agent({ keepAlive: true });
    const pause_ms = (1000 * bodies.size) / rate;
    const begin = Date.now();
    let next = 0;
    const worker = async () => {
        for (let n = next++; n < bodies.files.length; n = next++) {
            const early = begin + n * pause_ms - Date.now();
            if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
            const body = fs.readFileSync(bodies.files[n]);
            const answer = await server.request(`${db}/_bulk_docs`, {
                method: 'POST',
                body,
                agent,
            });
            if (answer.status !== 201) throw new Error(answer.text);
        }
    };
    await Promise.all(Array.from({ length: connections }, worker));
    agent.destroy();
}

/* The batch size and number of connections that post fastest: {size, connections}. */
async function findBest(server, count) {
    let best;
    for (const trial of TRIALS) {
        const bodies = writeBodies({ count, size: trial.size, newEdits: true });
        const target = await server.makeDb();
        const { wall } = await post(server, target, bodies, trial.connections);
        await server.removeDb(target);
        bodies.remove();
        if (!best || wall < best.wall) best = { ...trial, wall };
    }
    return best;
}

/* The feed to its end, thrown away. */
function read(server, db, withDocs) {
    const url = `${server.url}${db}/_changes?include_docs=${withDocs}&seq_interval=1000`;
    return curl(server, [[`url = "${url}"`]], 1);
}

/* Questions for the documents of the bodies. */
function writeQuestions(bodies) {
    const dir = bench.makeFolder();
    const files = bodies.files.map((body, n) => {
        const { docs } = JSON.parse(fs.readFileSync(body, 'utf8'));
        const question = { docs: docs.map(({ _id, _rev }) => ({ id: _id, rev: _rev })) };
        const file = path.join(dir, `${n}.json`);
        fs.writeFileSync(file, JSON.stringify(question));
        return file;
    });
    return { files, remove: () => fs.rmSync(dir, { recursive: true }) };
}

/* Documents with their histories, thrown away. */
function readHistories(server, db, questions, connections) {
    const where = `${db}/_bulk_get?revs=true`;
    const requests = questions.files.map((file) => postLines(server, where, file));
    return curl(server, requests, connections);
}

/* A database of such documents, with revisions of their own. */
async function makeSource(server, { count, size, generation }) {
    const db = await server.makeDb();
    const bodies = writeBodies({ count, size, newEdits: false, generation });
    await post(server, db, bodies, 2);
    bodies.remove();
    return db;
}

/* The configuration of a rule that copies one database to another and sets nothing else. */
function writeRule(server, source, target, { newEdits }) {
    const [user, password] = server.auth.split(':');
    const url = server.url.replace('://', `://${user}@`);
    return bench.writeConf({
        sources: `main: { url = "${url}"; };`,
        rules: `copy: {
            source = "main"; databases = "^${source.slice(1)}$"; plugin = "bulk-sink";
            options: { url = "${url}${target}"; new_edits = ${newEdits}; source_url = "${url}"; };
        };`,
        auth: { host: new URL(server.url).hostname, user, password },
    });
}

async function countDocs(server, db) {
    return (await server.get(db)).json.doc_count;
}

/* ---- the server's process ---- */

function socketsOf(pid) {
    try {
        return fs
            .readdirSync(`/proc/${pid}/fd`)
            .map((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch (err) {
        return []; /* of somebody else, or gone */
    }
}

/* Who listens on a port of this machine. */
function findListener(port) {
    const hex = Number(port).toString(16).toUpperCase().padStart(4, '0');
    const inodes = ['tcp', 'tcp6'].flatMap((name) =>
        fs
            .readFileSync(`/proc/net/${name}`, 'utf8')
            .split('\n')
            .map((line) => line.trim().split(/\s+/))
            .filter((cells) => cells[3] === '0A' && cells[1].endsWith(`:${hex}`))
            .map((cells) => `socket:[${cells[9]}]`),
    );
    return fs
        .readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .find((pid) => socketsOf(pid).some((socket) => inodes.includes(socket)));
}

function secondsOf(pid) {
    const cells = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
    return (Number(cells[11]) + Number(cells[12])) / 100; /* ticks, user and system */
}

function serverClock(server) {
    const pid = findListener(new URL(server.url).port);
    const before = pid ? secondsOf(pid) : NaN;
    return () => (pid ? secondsOf(pid) - before : NaN);
}

module.exports = {
    writeBodies,
    post,
    postEvenly,
    read,
    writeQuestions,
    readHistories,
    findBest,
    makeSource,
    writeRule,
    countDocs,
    serverClock,
};
