/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scripted server: answers what a test tells it to, down to the byte.
 *
 *   const sc = await startScripted([
 *       on('GET', /^\/db\/_changes/, answers.html()).times(2),
 *       on('PUT', '/db/_local/x', {status: 409, json: {error: 'conflict'}}),
 *       on('GET', '/slow', (ctx) => ctx.trickle('HTTP/1.1 200 OK\r\n\r\n')),
 *   ], {couch: {dbs: {db: rows(3)}}});
 *
 * The first line that matches answers; what no line answers gets the believable CouchDB of
 * couch.js. Instead of a table, one function (ctx) => … answers everything. See reply.js for
 * ctx, answers.js for ready-made misbehaviour.
 */
'use strict';

const net = require('node:net');
const tls = require('node:tls');
const zlib = require('node:zlib');
const { rst } = require('./sockets');
const { RequestReader } = require('./wire');
const { Reply } = require('./reply');
const { Couch } = require('./couch');

/*
 * One line of a script: which requests, and the answer: a function of ctx, or what reply()
 * takes.
 */
class Line {
    constructor(method, url, answer) {
        Object.assign(this, { method, url, answer, seen: 0, hits: 0, most: Infinity, skip: 0 });
    }

    /* Answer this often, then no more. */
    times(n) {
        this.most = n;
        return this;
    }

    /* Let the first n matching requests go by. */
    after(n) {
        this.skip = n;
        return this;
    }

    /* Answer on the head already, without waiting for the request's body. */
    early() {
        this.isEarly = true;
        return this;
    }

    take(req) {
        if (this.method !== '*' && this.method !== req.method) return false;
        const { url } = this;
        if (url instanceof RegExp ? !url.test(req.url) : url !== req.path) return false;
        if (++this.seen <= this.skip || this.hits >= this.most) return false;
        return ++this.hits;
    }
}

/* `method` may be '*'; `url` is a path (without query) or a RegExp over path and query. */
function on(method, url, answer) {
    return new Line(method, url, answer);
}

/* A gzip body that is broken stays as it came: judging it is up to the test. */
function unpack(bytes, encoding) {
    if (encoding !== 'gzip') return bytes;
    try {
        return zlib.gunzipSync(bytes);
    } catch {
        return bytes;
    }
}

/* One client connection: requests are answered one after the other, in order. */
class Connection {
    constructor(server, tcp) {
        this.server = server;
        this.tcp = tcp;
        this.abort = new AbortController();
        this.signal = this.abort.signal;
        this.reader = new RequestReader();
        this.turn = Promise.resolve();
        this.socket = server.tls ? this.#secure(server.tls) : tcp;
        for (const s of new Set([tcp, this.socket])) {
            s.on('error', () => this.#gone());
            s.on('close', () => this.#gone());
        }
        this.socket.on('data', (chunk) => this.#data(chunk));
        this.socket.on('end', () => this.#gone());
    }

    #secure(options) {
        return new tls.TLSSocket(this.tcp, { isServer: true, ...options });
    }

    #gone() {
        this.abort.abort();
    }

    #data(chunk) {
        for (const token of this.reader.feed(chunk)) {
            if (token.type === 'head') this.#head(token.req);
            else if (token.type === 'body') this.#body(token.data);
            else if (token.type === 'end') this.#end();
            else this.server.junk.push(token.raw);
        }
    }

    #head(req) {
        const { server } = this;
        const { remotePort } = this.tcp;
        Object.assign(req, { time: Date.now(), body: Buffer.alloc(0), received: 0, remotePort });
        req.n = server.requests.push(req);
        req.json = () => JSON.parse(req.body.toString());
        this.parts = [];
        this.req = req;
        if (/100-continue/i.test(req.headers.expect || ''))
            this.socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        let hit;
        const line = server.lines.find((l) => (hit = l.take(req)));
        this.next = () => this.#answer(line, new Reply(this, req, hit || 1, server.couch));
        if (line && line.isEarly) this.#run();
    }

    #body(data) {
        this.parts.push(data);
        this.req.received += data.length;
    }

    #end() {
        const { req } = this;
        req.body = unpack(Buffer.concat(this.parts), req.headers['content-encoding']);
        this.server.arrived(req);
        this.#run();
    }

    #run() {
        const { next } = this;
        this.next = null;
        if (next) this.turn = this.turn.then(next);
    }

    async #answer(line, ctx) {
        try {
            const answer = line ? line.answer : this.server.handler || (() => ctx.couch());
            await (typeof answer === 'function' ? answer(ctx) : ctx.reply(answer));
            if (/close/i.test(ctx.req.headers.connection || '')) await this.fin();
        } catch (err) {
            this.server.errors.push(err);
            this.reset();
        }
    }

    fin() {
        return new Promise((resolve) => {
            if (this.socket.destroyed) return resolve(false);
            this.socket.end(() => resolve(true));
        });
    }

    reset() {
        rst(this.tcp);
        this.close();
    }

    close() {
        this.socket.destroy();
        this.tcp.destroy();
        this.#gone();
    }
}

class ScriptedServer {
    constructor(script, options) {
        this.lines = Array.isArray(script) ? [...script] : [];
        this.handler = typeof script === 'function' ? script : null;
        this.couch = new Couch(options.couch);
        this.tls = options.tls;
        this.onConnect = options.onConnect;
        Object.assign(this, { requests: [], junk: [], errors: [], accepted: 0 });
        this.connections = new Set();
        this.waiters = new Set();
        /* Without noDelay a second write waits 40 ms for the acknowledgement of the first. */
        this.net = net.createServer({ noDelay: true }, (tcp) => this.#accept(tcp));
    }

    #accept(tcp) {
        this.accepted++;
        if (this.onConnect && this.onConnect(tcp, this.accepted)) {
            tcp.on('error', () => {});
            this.connections.add({ reset: () => rst(tcp), close: () => tcp.destroy() });
            return;
        }
        const conn = new Connection(this, tcp);
        this.connections.add(conn);
        tcp.on('close', () => this.connections.delete(conn));
    }

    listen(port) {
        return new Promise((resolve, reject) => {
            this.net.once('error', reject);
            this.net.listen(port, '127.0.0.1', () => {
                this.port = this.net.address().port;
                this.url = `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.port}`;
                resolve(this);
            });
        });
    }

    /* Put a line before all others, also in the middle of a test. */
    on(method, url, answer) {
        const line = on(method, url, answer);
        this.lines.unshift(line);
        return line;
    }

    /* The requests whose path and query match. */
    seen(method, url) {
        return this.requests.filter((r) => new Line(method, url).take(r));
    }

    arrived(req) {
        for (const w of this.waiters) w(req);
    }

    /* The first request, past or to come, that the predicate likes. */
    waitFor(predicate, timeoutMs = 10000) {
        const old = this.requests.find(predicate);
        if (old) return Promise.resolve(old);
        return new Promise((resolve, reject) => {
            const done = () => (this.waiters.delete(check), clearTimeout(timer));
            const check = (req) => predicate(req) && (done(), resolve(req));
            const timer = setTimeout(() => {
                done();
                const got = this.requests.map((r) => `${r.method} ${r.url}`).join('\n  ');
                reject(new Error(`no such request in ${timeoutMs} ms; got:\n  ${got}`));
            }, timeoutMs);
            this.waiters.add(check);
        });
    }

    /* End every open connection in mid-answer, with 'fin' or 'rst'; keep listening. */
    dropAll(how = 'fin') {
        for (const conn of this.connections) how === 'rst' ? conn.reset() : conn.close();
        this.connections.clear();
    }

    close() {
        return new Promise((resolve) => {
            this.net.close(() => resolve());
            this.dropAll();
        });
    }
}

/*
 * Start on loopback. Options: port (0: any), tls ({key, cert} turns https on), couch (what the
 * believable CouchDB holds, see couch.js), onConnect(socket, n): true means that the test
 * handles this connection itself (never reads, speaks first, …). A script that threw is in
 * `errors`.
 */
function startScripted(script, { port = 0, ...options } = {}) {
    return new ScriptedServer(script, options).listen(port);
}

module.exports = { startScripted, on };
