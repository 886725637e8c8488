/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends documents by POST, so many at once, and prints what that cost:
 *
 *     node post.js agent|fetch URL COUNT CONCURRENCY
 *     node post.js rows URL FILE CONCURRENCY
 *
 * agent is node:http with a keep-alive agent, fetch is the undici within Node. The bodies are
 * made before the clock starts, and Node's own start does not count either. rows is agent with
 * what comes before: it reads a file of rows and sends their documents, each with a key of its
 * own. Only the status of an answer is looked at.
 */
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const { StringDecoder } = require('node:string_decoder');
const { makeDoc } = require('../lib/rows');

const [kind, url, what, concurrency] = process.argv.slice(2);
const headers = { 'Content-Type': 'application/json' };
const agent = new http.Agent({ keepAlive: true, maxSockets: Number(concurrency) });

function* linesOf(file) {
    const fd = fs.openSync(file);
    const piece = Buffer.alloc(65536);
    const decoder = new StringDecoder();
    let rest = '';
    for (let n; (n = fs.readSync(fd, piece)) > 0; ) {
        const lines = (rest + decoder.write(piece.subarray(0, n))).split('\n');
        rest = lines.pop();
        yield* lines;
    }
    fs.closeSync(fd);
}

function makeBodies() {
    return Array.from({ length: Number(what) }, (_, i) => JSON.stringify(makeDoc(i))).values();
}

function byRow(line) {
    const { id, changes, doc } = JSON.parse(line);
    return byAgent(JSON.stringify(doc), { 'Idempotency-Key': `${changes[0].rev}/${id}` });
}

function byAgent(body, more) {
    return new Promise((resolve, reject) => {
        const length = Buffer.byteLength(body);
        const request = http.request(
            url,
            { method: 'POST', agent, headers: { ...headers, ...more, 'Content-Length': length } },
            (answer) => {
                answer.resume();
                answer.on('end', () => resolve(answer.statusCode));
            },
        );
        request.on('error', reject);
        request.end(body);
    });
}

async function byFetch(body) {
    const answer = await fetch(url, { method: 'POST', headers, body });
    await answer.arrayBuffer();
    return answer.status;
}

async function main() {
    const send = { agent: byAgent, fetch: byFetch, rows: byRow }[kind];
    const items = kind === 'rows' ? linesOf(what) : makeBodies();
    const lane = async () => {
        for (let next = items.next(); !next.done; next = items.next()) {
            const status = await send(next.value);
            if (status !== 204) throw new Error(`the answer was ${status}`);
        }
    };
    const start = process.hrtime.bigint();
    const before = process.cpuUsage();
    await Promise.all(Array.from({ length: Number(concurrency) }, lane));
    const { user, system } = process.cpuUsage(before);
    const wall = Number(process.hrtime.bigint() - start) / 1e9;
    console.log(JSON.stringify({ user: user / 1e6, sys: system / 1e6, wall }));
    agent.destroy();
}

main().catch((err) => {
    console.error(err.message);
    process.exit(1);
});
