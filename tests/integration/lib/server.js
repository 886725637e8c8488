/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test server of a test's own, also where the suite runs against a real CouchDB: to be stopped
 * and started again, to be given options, and to be asked with wrong passwords, for which a real
 * one would lock the account that everybody uses.
 *
 *   let server = await ownServer(t, {args: ['--cookie-timeout', '1']});
 *   await server.end('SIGKILL');
 *   server = await server.again();         the same folder, the same port
 */
'use strict';

const { spawnServer, TestServer, ADMIN } = require('../../lib/couch');
const { tempDir } = require('../../lib/tailrace');
const { freePort } = require('../../lib/free_port');
const { atEnd } = require('../../lib/at_end');

async function ownServer(t, { args = [], dir = tempDir(t), port } = {}) {
    port ??= await freePort();
    const spawned = await spawnServer(dir, ['--port', String(port), '--admin', ADMIN, ...args]);
    const server = new TestServer(spawned.url, ADMIN, false, null);
    let running = true;
    server.end = (signal) => ((running = false), spawned.stop(signal));
    server.again = () => ownServer(t, { args, dir, port: new URL(spawned.url).port });
    atEnd(t, () => running && server.end());
    return server;
}

module.exports = { ownServer };
