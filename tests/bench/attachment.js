/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attachment: one large attachment copied by the replicator from a database to another of the same
 * server: the time, and the peak of resident memory (VmHWM). That the target has its bytes is
 * seen by their digest. The bytes are never in this process either.
 *
 * It needs a real CouchDB, TAILRACE_TEST_COUCHDB, with room for two copies.
 */
'use strict';

const crypto = require('node:crypto');
const http = require('node:http');
const bench = require('./lib/bench');
const { startTestServer, uniqueDb } = require('../lib/couch');

const MB = 1 << 20;

/* Bytes that cannot be compressed, `size` of them, in pieces of a megabyte. */
function* noise(size) {
    const zeros = Buffer.alloc(MB);
    const cipher = crypto.createCipheriv('aes-128-ctr', crypto.randomBytes(16), Buffer.alloc(16));
    for (let left = size; left > 0; left -= MB)
        yield cipher.update(left < MB ? zeros.subarray(0, left) : zeros);
}

/* Writes it; resolves to its digest. */
function put(server, where, size) {
    const hash = crypto.createHash('md5');
    const request = http.request(`${server.url}${where}`, {
        method: 'PUT',
        headers: {
            Authorization: `Basic ${Buffer.from(server.auth).toString('base64')}`,
            'Content-Type': 'image/jpeg',
            'Content-Length': size,
        },
    });
    return new Promise((resolve, reject) => {
        const answered = (answer) => {
            answer.resume();
            if (answer.statusCode === 201) resolve(hash.digest('base64'));
            else reject(new Error(`the attachment was not taken: ${answer.statusCode}`));
        };
        request.on('response', answered);
        request.on('error', reject);
        (async () => {
            for (const piece of noise(size)) {
                hash.update(piece);
                if (!request.write(piece)) await new Promise((go) => request.once('drain', go));
            }
            request.end();
        })();
    });
}

async function digestOf(server, where) {
    const hash = crypto.createHash('md5');
    for await (const piece of await server.open(where)) hash.update(piece);
    return hash.digest('base64');
}

async function copy(server, from) {
    const [user, password] = server.auth.split(':');
    const url = (db) => `${server.url.replace('://', `://${user}@`)}${db ? `/${db}` : ''}`;
    const to = uniqueDb('tailrace_bench');
    server.made.push(`/${to}`);
    const conf = bench.writeConf({
        sources: `main: { url = "${url()}"; };`,
        rules: `r: { source = "main"; databases = ["${from}"]; plugin = "replicator";
            options: { source = "${url(from)}"; target = "${url(to)}"; create_target = true; };
        };`,
        auth: { user, password, host: new URL(server.url).hostname },
    });
    return { ...(await bench.runTailrace(conf)), to };
}

module.exports = async function attachment({ megabytes, rounds }) {
    const server = await startTestServer();
    if (!server.isReal) {
        await server.close();
        throw new Error('attachment needs a real CouchDB: set TAILRACE_TEST_COUCHDB');
    }
    const runs = [];
    try {
        const from = uniqueDb('tailrace_bench');
        await server.makeDb(from);
        const digest = await put(server, `/${from}/doc/photo`, megabytes * MB);
        for (let round = 0; round < rounds; round++) {
            const { to, ...run } = await copy(server, from);
            if ((await digestOf(server, `/${to}/doc/photo`)) !== digest)
                throw new Error('the copy is not what the source has');
            await server.removeDb(`/${to}`);
            runs.push(run);
        }
    } finally {
        await server.close();
    }
    const result = {
        megabytes,
        rounds,
        wall_s: Number(bench.fixed(bench.median(runs.map(({ wall }) => wall)), 1)),
        cpu_s: Number(bench.fixed(bench.median(runs.map(({ cpu }) => cpu)), 1)),
        max_mb: Number(bench.fixed(Math.max(...runs.map(({ rss_kb: kb }) => kb)) / 1024, 1)),
    };
    console.log(`\n  An attachment of ${megabytes} MiB from a database to another, ${rounds} rounds:`);
    bench.table([
        ['time', 'CPU', 'peak memory'],
        [`${result.wall_s} s`, `${result.cpu_s} s`, `${result.max_mb} MB`],
    ]);
    return result;
};
