/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch in front of a server: writes down every request that passes, and may answer one itself.
 *
 *   const watch = await startWatch(couch.url);
 *   const site = makeSite(t, {url: watch.url, auth: couch.auth}, …);
 *   watch.clear();  …  watch.of(db)            requests about this database
 *   watch.answer = (req) => req.db === '_db_updates' ? {status: 404} : undefined;
 *   watch.cut((req) => req.kind === '_db_updates');      ends those under way
 *   watch.most                             connections that were held to it at once
 *
 * A request is {time, method, db, kind, query, keys, status, done}: `kind` is what follows the
 * database ("" for GET /db) or a name of the server's such as "_dbs_info"; `keys` are those that
 * were asked about together, `done` when it was over. An answer is {status, headers, body}, or
 * "cut" (closed without one) or "hang". HTTP only.
 */
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const { atEnd } = require('./at_end');

/* States of /proc/net/tcp in which whoever connected still has the connection: established, and
 * closed by the other end alone. */
const HELD = ['01', '08'];

/* How many connections to this port those who made them hold. What a server knows is too much:
 * of one that was closed it hears later than of the one that was opened instead. */
function held(port) {
    const rows = fs.readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1, -1);
    return rows.filter((row) => {
        const [, , remote, state] = row.trim().split(/\s+/);
        return HELD.includes(state) && parseInt(remote.split(':')[1], 16) === port;
    }).length;
}

function describe(msg) {
    const url = new URL(msg.url, 'http://watch');
    const [first, ...rest] = url.pathname.slice(1).split('/').map(decodeURIComponent);
    const own = first.startsWith('_') && !rest.length && first !== '_users';
    return {
        time: Date.now(),
        method: msg.method,
        db: own ? '' : first,
        kind: own ? first : rest.join('/'),
        query: Object.fromEntries(url.searchParams),
    };
}

class Watch {
    constructor(target) {
        const { hostname, port } = new URL(target);
        Object.assign(this, { hostname, port, answer: null, requests: [], most: 0 });
        this.agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
        this.running = new Map(); /* requests -> how to end them */
        this.sockets = new Set();
        this.server = http.createServer((msg, res) => this.#pass(msg, res));
        this.server.keepAliveTimeout = 0;
        this.server.on('connection', (socket) => {
            this.sockets.add(socket);
            this.most = Math.max(this.most, held(this.server.address().port));
            socket.on('close', () => this.sockets.delete(socket));
        });
    }

    listen() {
        return new Promise((resolve) =>
            this.server.listen(0, '127.0.0.1', () => {
                this.url = `http://127.0.0.1:${this.server.address().port}`;
                resolve(this);
            }),
        );
    }

    async #pass(msg, res) {
        const req = describe(msg);
        const parts = [];
        this.requests.push(req);
        res.on('close', () => ((req.done = Date.now()), this.running.delete(req)));
        try {
            for await (const part of msg) parts.push(part);
        } catch {
            return;
        }
        const body = Buffer.concat(parts);
        if (req.kind === '_dbs_info' && body.length) req.keys = JSON.parse(body).keys;
        this.running.set(req, () => res.destroy());
        const own = this.answer && this.answer(req);
        if (own) this.#reply(req, res, own);
        else this.#forward(req, msg, body, res);
    }

    #reply(req, res, own) {
        if (own === 'hang') return;
        if (own === 'cut') {
            res.destroy();
            return;
        }
        const { status = 200, headers, body = '' } = own;
        req.status = status;
        res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
        res.end(typeof body === 'string' ? body : JSON.stringify(body));
    }

    #forward(req, msg, body, res) {
        const { hostname, port, agent } = this;
        const { method, headers, url } = msg;
        const onward = http.request(
            { hostname, port, agent, path: url, method, headers },
            (answer) => {
                req.status = answer.statusCode;
                res.writeHead(answer.statusCode, answer.headers);
                answer.on('data', (part) => (req.bytes = (req.bytes || 0) + part.length));
                answer.on('aborted', () => res.destroy());
                answer.pipe(res);
            },
        );
        onward.on('error', () => res.destroy());
        res.on('close', () => onward.destroy());
        onward.end(body);
    }

    /* Requests about this database alone, or that a function likes. */
    of(what) {
        const likes = typeof what === 'function' ? what : (req) => req.db === what;
        return this.requests.filter(likes);
    }

    /* By name of the database, how many requests were about it alone. */
    byDb(prefix = '') {
        const counts = {};
        for (const { db } of this.requests)
            if (db && db.startsWith(prefix)) counts[db] = (counts[db] || 0) + 1;
        return counts;
    }

    /* The most requests of those that a function likes in a second, or in `ms`, wherever it
     * begins. */
    busiest(likes = () => true, ms = 1000) {
        const times = this.of(likes).map((req) => req.time);
        let most = 0;
        for (let from = 0, to = 0; to < times.length; to++) {
            while (times[to] - times[from] >= ms) from++;
            most = Math.max(most, to - from + 1);
        }
        return most;
    }

    /* Requests under way that a function likes. */
    open(likes = () => true) {
        return [...this.running.keys()].filter(likes);
    }

    cut(likes) {
        for (const req of this.open(likes)) this.running.get(req)();
    }

    clear() {
        this.requests = [];
    }

    close() {
        for (const socket of this.sockets) socket.destroy();
        this.agent.destroy();
        return new Promise((resolve) => this.server.close(resolve));
    }
}

/* With `t`, the context of a test, it is closed after the test. */
async function startWatch(target, t) {
    const watch = await new Watch(target).listen();
    if (t) atEnd(t, () => watch.close());
    return watch;
}

module.exports = { startWatch };
