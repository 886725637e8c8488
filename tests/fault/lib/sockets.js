/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two things that node's sockets do not do by themselves, for the scripted server and the
 * proxy.
 */
'use strict';

/* Write, and wait until the kernel took it; rejects when the connection is over. */
function put(socket, bytes) {
    return new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new Error('the connection is closed'));
        socket.write(bytes, (err) => (err ? reject(err) : resolve()));
    });
}

/*
 * Close with RST. After a FIN it is too late for one: libuv refuses it, and node would then
 * keep the socket open for ever.
 */
function rst(socket) {
    if (socket.writableEnded || socket.destroyed) socket.destroy();
    else socket.resetAndDestroy();
}

module.exports = { put, rst };
