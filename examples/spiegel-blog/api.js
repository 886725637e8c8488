/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blog's API, as the guide has it, for user "user" and password "secret":
 *
 *   PUT /calc-stats           {"change": POST}: counts the posts
 *   PUT /after-user-created   {"change": USER}: makes the user's database, and a replicator
 *                             document, if they are not there yet
 */
'use strict';

const http = require('node:http');

const AUTHORIZATION = `Basic ${Buffer.from('user:secret').toString('base64')}`;

async function readJson(message) {
    const parts = [];
    for await (const part of message) parts.push(part);
    return JSON.parse(Buffer.concat(parts).toString());
}

/*
 * Resolves to {address, posts, close()}; `posts` has by id all revisions that came. `onUser` may
 * be asynchronous: the answer waits for it, and with `block` the next user waits for the answer.
 */
function startApi({ onPost, onUser }) {
    const posts = new Map();

    async function calcStats(post) {
        if (post.type !== 'post') return;
        posts.set(post._id, [...(posts.get(post._id) || []), post._rev]);
        onPost(post, posts.size);
    }

    async function serve(request) {
        const routes = { '/calc-stats': calcStats, '/after-user-created': onUser };
        if (request.headers.authorization !== AUTHORIZATION) return 401;
        if (request.method !== 'PUT' || !routes[request.url]) return 404;
        await routes[request.url]((await readJson(request)).change);
        return 200;
    }

    const server = http.createServer(async (request, response) => {
        response.statusCode = await serve(request).catch(() => 500);
        response.end();
    });
    const close = () => {
        server.closeAllConnections?.();
        return new Promise((resolve) => server.close(resolve));
    };
    return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', () =>
            resolve({ address: `127.0.0.1:${server.address().port}`, posts, close }),
        );
    });
}

module.exports = { startApi };
