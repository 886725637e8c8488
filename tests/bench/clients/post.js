/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends documents by POST, so many at once, and prints what that cost:
 *
 *     node post.js agent|fetch URL COUNT CONCURRENCY
 *
 * agent is node:http with a keep-alive agent, fetch is the undici within Node. The bodies are
 * made before the clock starts, and Node's own start does not count either. Only the status of
 * an answer is looked at.
 */
'use strict';

const http = require('node:http');
const { makeDoc } = require('../lib/rows');

const [kind, url, count, concurrency] = process.argv.slice(2);
const bodies = Array.from({ length: Number(count) }, (_, i) => JSON.stringify(makeDoc(i)));
const headers = { 'Content-Type': 'application/json' };
const agent = new http.Agent({ keepAlive: true, maxSockets: Number(concurrency) });

function byAgent(body) {
    return new Promise((resolve, reject) => {
        const length = Buffer.byteLength(body);
        const request = http.request(
            url,
            { method: 'POST', agent, headers: { ...headers, 'Content-Length': length } },
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
    const send = kind === 'agent' ? byAgent : byFetch;
    let next = 0;
    const lane = async () => {
        while (next < bodies.length) {
            const status = await send(bodies[next++]);
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
