/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of the self-tests: one request with node's own http, and everything that came
 * back, also when it broke off.
 */
'use strict';

const http = require('node:http');
const https = require('node:https');

/*
 * Resolves to {status, headers, body, error, complete}; never rejects. `error` is the code of
 * what ended it too early, `complete` whether HTTP itself was whole.
 */
function request(url, { method = 'GET', headers, body, agent = false, onData, ...tls } = {}) {
    return new Promise((resolve) => {
        const client = url.startsWith('https') ? https : http;
        const out = { parts: [], bytes: 0, complete: false };
        const done = (err) => {
            out.body = Buffer.concat(out.parts).toString();
            if (err) out.error = err.code || err.message;
            resolve(out);
        };
        const req = client.request(url, { method, headers, agent, ...tls }, (res) => {
            Object.assign(out, { status: res.statusCode, headers: res.headers });
            res.on('data', (piece) => {
                out.bytes += piece.length;
                if (onData) return onData(piece, req, out);
                out.parts.push(piece);
            });
            res.on('error', done);
            res.on('close', () => done());
            res.on('end', () => (out.complete = res.complete));
        });
        req.on('error', done);
        req.end(body);
    });
}

module.exports = { request };
