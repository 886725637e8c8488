/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blog's API: PUT /calc-stats with {"change": DOCUMENT}, for user "user" and password
 * "secret". It keeps what it was sent, since the play looks at that in the end, and counts posts.
 */
'use strict';

const http = require('node:http');

const AUTHORIZATION = `Basic ${Buffer.from('user:secret').toString('base64')}`;

async function readJson(message) {
    const parts = [];
    for await (const part of message) parts.push(part);
    return JSON.parse(Buffer.concat(parts).toString());
}

/* Resolves to {address, calls, close()}; `onCall` gets each document with the posts so far. */
function startApi(onCall) {
    const calls = [];
    const posts = new Set();

    async function serve(request, response) {
        if (request.headers.authorization !== AUTHORIZATION) return 401;
        if (request.method !== 'PUT' || request.url !== '/calc-stats') return 404;
        const { change } = await readJson(request);
        calls.push(change);
        posts.add(change._id);
        onCall(change, posts.size);
        return 200;
    }

    const server = http.createServer(async (request, response) => {
        response.statusCode = await serve(request, response).catch(() => 400);
        response.end();
    });
    const close = () => {
        server.closeAllConnections?.();
        return new Promise((resolve) => server.close(resolve));
    };
    return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', () =>
            resolve({ address: `127.0.0.1:${server.address().port}`, calls, close }),
        );
    });
}

module.exports = { startApi };
