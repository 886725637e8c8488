/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A webhook receiver: keeps every request and answers as the test says.
 *
 *   const hook = await startReceiver({reply: (req) => ({status: req.n < 3 ? 500 : 200})});
 *   await hook.waitFor(3);
 *
 * `reply` gets the request {n, method, url, path, query, headers, body, json(), time} (n counts
 * from 1) and returns, or resolves to, {status, headers, body, delayMs, hang, close}; without
 * it: 200. An object as body is sent as JSON. `hang` never answers, `close` closes without an
 * answer.
 */
'use strict';

const http = require('node:http');
const https = require('node:https');
const zlib = require('node:zlib');
const { setTimeout: sleep } = require('node:timers/promises');

async function readRequest(msg, n) {
    const parts = [];
    for await (const piece of msg) parts.push(piece);
    const bytes = Buffer.concat(parts);
    const { pathname, searchParams } = new URL(msg.url, 'http://receiver');
    const body = msg.headers['content-encoding'] === 'gzip' ? zlib.gunzipSync(bytes) : bytes;
    return {
        n,
        method: msg.method,
        url: msg.url,
        path: pathname,
        query: searchParams,
        headers: msg.headers,
        body: body.toString(),
        json: () => JSON.parse(body.toString()),
        time: Date.now(),
    };
}

class Receiver {
    constructor({ reply = () => ({}), tls }) {
        this.reply = reply; /* may be replaced in the middle of a test */
        this.tls = tls;
        this.requests = [];
        this.errors = [];
        this.waiters = new Set();
        const handler = (msg, res) =>
            this.#serve(msg, res).catch((err) => (this.errors.push(err), res.destroy()));
        this.server = tls ? https.createServer(tls, handler) : http.createServer(handler);
        this.sockets = new Set();
        this.server.on(
            'connection',
            (s) => this.sockets.add(s).size && s.on('close', () => this.sockets.delete(s)),
        );
    }

    listen(port) {
        return new Promise((resolve, reject) => {
            this.server.once('error', reject);
            this.server.listen(port, '127.0.0.1', () => {
                this.port = this.server.address().port;
                this.url = `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.port}`;
                resolve(this);
            });
        });
    }

    async #serve(msg, res) {
        const req = await readRequest(msg, this.requests.length + 1);
        req.n = this.requests.push(req);
        for (const check of [...this.waiters]) check();
        const {
            status = 200,
            headers = {},
            body = '',
            delayMs = 0,
            hang,
            close,
        } = (await this.reply(req)) || {};
        if (delayMs) await sleep(delayMs, null, { ref: false });
        if (hang) return;
        if (close) return void res.destroy();
        const isText = typeof body === 'string' || Buffer.isBuffer(body);
        res.writeHead(status, {
            ...(!isText && { 'Content-Type': 'application/json' }),
            ...headers,
        });
        res.end(isText ? body : JSON.stringify(body));
    }

    /*
     * Wait for n requests in all (a number), or for a request, past or to come, that a
     * predicate likes. Resolves to all requests, or to that one.
     */
    waitFor(what, timeoutMs = 10000) {
        const find =
            typeof what === 'number'
                ? () => (this.requests.length >= what ? this.requests : undefined)
                : () => this.requests.find(what);
        return new Promise((resolve, reject) => {
            const done = () => (this.waiters.delete(check), clearTimeout(timer));
            const check = () => {
                const found = find();
                if (found) done(), resolve(found);
            };
            const timer = setTimeout(() => {
                done();
                const got = this.requests.map(
                    (r) => `  ${r.method} ${r.url} ${r.body.slice(0, 200)}`,
                );
                reject(
                    new Error(
                        `not received in ${timeoutMs} ms: ${what}; got ${
                            got.length
                        }:\n${got.join('\n')}`,
                    ),
                );
            }, timeoutMs);
            this.waiters.add(check);
            check();
        });
    }

    /* Also ends requests that hang. */
    close() {
        return new Promise((resolve) => {
            this.server.close(() => resolve());
            for (const s of this.sockets) s.destroy();
        });
    }
}

/* Start on loopback. Options: port (0: any), reply, tls ({key, cert}: https). */
function startReceiver({ port = 0, ...options } = {}) {
    return new Receiver(options).listen(port);
}

module.exports = { startReceiver };
