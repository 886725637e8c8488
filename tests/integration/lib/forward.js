/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP proxy: forwards plain requests, tunnels CONNECT. It counts what it forwarded:
 * `requests` (their targets), `headers`, `tunnels`, and `bytes` of answers.
 */
'use strict';

const http = require('node:http');
const net = require('node:net');
const { atEnd } = require('../../lib/at_end');

class Forward {
    constructor() {
        Object.assign(this, { requests: [], headers: [], tunnels: [], bytes: 0 });
        this.sockets = new Set();
        this.server = http.createServer((req, res) => this.pass(req, res));
        this.server.on('connect', (req, socket, head) => this.tunnel(req, socket, head));
        this.server.on('connection', (socket) => this.keep(socket));
    }

    keep(socket) {
        this.sockets.add(socket);
        socket.on('close', () => this.sockets.delete(socket));
        socket.on('error', () => {});
    }

    pass(req, res) {
        this.requests.push(req.url);
        this.headers.push(req.headers);
        const out = http.request(req.url, { method: req.method, headers: req.headers });
        out.on('response', (answer) => {
            res.writeHead(answer.statusCode, answer.headers);
            res.flushHeaders();
            answer.on('data', (piece) => (this.bytes += piece.length));
            answer.on('error', () => res.destroy());
            answer.pipe(res);
        });
        out.on('error', () => res.destroy());
        res.on('close', () => out.destroy());
        req.pipe(out);
    }

    tunnel(req, socket, head) {
        const [host, port] = req.url.split(':');
        this.tunnels.push(req.url);
        const out = net.connect(Number(port), host, () => {
            socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
            out.write(head);
            socket.pipe(out).pipe(socket);
        });
        this.keep(out);
        socket.on('close', () => out.destroy());
        out.on('close', () => socket.destroy());
    }

    close() {
        for (const socket of this.sockets) socket.destroy();
        return new Promise((resolve) => this.server.close(resolve));
    }
}

async function startForward(t) {
    const forward = new Forward();
    await new Promise((resolve) => forward.server.listen(0, '127.0.0.1', resolve));
    forward.url = `http://127.0.0.1:${forward.server.address().port}`;
    atEnd(t, () => forward.close());
    return forward;
}

module.exports = { startForward };
