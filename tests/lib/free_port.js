/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loopback port for what listens later, or listens again: free now, and of those that the kernel
 * gives to nobody who did not ask for that very one (Linux gives 32768 to 60999 by default). One of
 * the others is now and then taken by another test before it is used.
 *
 *   const port = await freePort();
 */
'use strict';

const net = require('node:net');

const FIRST = 16384;
const COUNT = 16384;

function tryPort(port) {
    return new Promise((resolve) => {
        const server = net.createServer();
        server.once('error', () => resolve(false));
        server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
}

async function freePort() {
    for (;;) {
        const port = FIRST + Math.floor(Math.random() * COUNT);
        if (await tryPort(port)) return port;
    }
}

module.exports = { freePort };
