// SPDX-License-Identifier: Apache-2.0
//
// A server with the face of CouchDB 3.5 and the store of PouchDB, for the tests. `startServer` binds
// the loopback address and resolves when it listens; `close` ends feeds, flushes and closes.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const https = require('https');
const { Store } = require('./store');
const { Recorder } = require('./updates');
const { handle } = require('./router');

function parseAdmin(text) {
    if (!text) return null;
    const colon = text.indexOf(':');
    if (colon < 1) throw new Error(`--admin takes name:password, not "${text}"`);
    return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

function listen(server, port) {
    return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, '127.0.0.1', 4096, () => resolve(server.address().port));
    });
}

/**
 * options: port (0 picks one), dir, admin "name:password", cookieTimeout (seconds), maxDocumentSize
 * (bytes), maxOpen (databases kept open), tlsCert and tlsKey (files). Resolves to {url, close()}.
 */
async function startServer(options) {
    const store = new Store(options.dir, options.maxOpen || 400);
    store.events = new Recorder(store);
    for (const name of options.systemDatabases || [
        '_users',
        '_replicator',
        '_global_changes',
    ]) {
        if (!store.exists(name)) store.create(name);
    }
    const server = {
        store,
        secret: store.registry.secret,
        uuid: crypto.createHash('md5').update(store.registry.secret).digest('hex'),
        admin: parseAdmin(options.admin),
        cookieTimeout: options.cookieTimeout || 600,
        options: { maxDocumentSize: options.maxDocumentSize || 8000000 },
        replications: new Map(), // under way, by what was asked for
    };
    const listener = (req, res) => handle(server, req, res);
    const tls = options.tlsCert
        ? { cert: fs.readFileSync(options.tlsCert), key: fs.readFileSync(options.tlsKey) }
        : null;
    const web = tls ? https.createServer(tls, listener) : http.createServer(listener);
    Object.assign(web, { keepAliveTimeout: 300000, headersTimeout: 0, requestTimeout: 0 });
    const port = await listen(web, options.port || 0);
    server.url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
    const close = async () => {
        const closed = new Promise((resolve) => web.close(resolve));
        web.closeAllConnections();
        await closed;
        await store.events.close();
        await store.close();
    };
    return { url: server.url, close };
}

module.exports = { startServer };
