/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the answer to one request of the scripted server is written with: the `ctx` of a script.
 *
 * From the polite (`reply`) to the raw (`raw`, `reset`), all of it writes straight to the
 * socket. Every writer waits until the kernel took the bytes, so a body of any size is sent
 * with little memory, and resolves to false once the client has gone. Nothing is checked: a
 * test that wants a lying Content-Length gets it.
 *
 *   ctx.req         {n, method, url, path, query, headers, body, json(), time, received}; body
 *                   is there when the request is whole, `received` counts its bytes so far
 *   ctx.hit         how often this line of the script has answered, from 1
 *   ctx.couch()     answer as the believable CouchDB would
 *   ctx.gone        true once the client or the server has closed; ctx.signal tells when
 */
'use strict';

const http = require('node:http');

const SERVER = 'CouchDB/3.5.0 (Erlang OTP/26)';

class Reply {
    constructor(conn, req, hit, couch) {
        Object.assign(this, { conn, req, hit, signal: conn.signal });
        this.couch = () => couch.handle(this);
    }

    get gone() {
        return this.signal.aborted;
    }

    /* Bytes as they are: strings are UTF-8. */
    raw(...parts) {
        const bytes = Buffer.concat(
            parts.map((p) => (Buffer.isBuffer(p) ? p : Buffer.from(p)))
        );
        return new Promise((resolve) => {
            if (this.gone) return resolve(false);
            this.conn.socket.write(bytes, (err) => resolve(!err));
        });
    }

    /* A status line and headers; a header with value null is left out, an array is repeated. */
    head(status, headers = {}) {
        const all = { Server: SERVER, Date: new Date().toUTCString(), ...headers };
        let text = `HTTP/1.1 ${status} ${http.STATUS_CODES[status] || 'Unknown'}\r\n`;
        for (const [name, value] of Object.entries(all))
            for (const one of [].concat(value ?? [])) text += `${name}: ${one}\r\n`;
        return this.raw(Buffer.from(`${text}\r\n`, 'latin1'));
    }

    /* A whole, honest answer. */
    async reply({ status = 200, headers = {}, body = '', json } = {}) {
        const isJson = json !== undefined;
        const bytes = Buffer.from(isJson ? `${JSON.stringify(json)}\n` : body);
        await this.head(status, {
            ...(isJson && { 'Content-Type': 'application/json' }),
            'Content-Length': bytes.length,
            ...headers,
        });
        return this.req.method === 'HEAD' ? !this.gone : this.raw(bytes);
    }

    /* An error as CouchDB words it. */
    error(status, error, reason) {
        return this.reply({ status, json: { error, reason } });
    }

    /*
     * A chunked answer: one chunk for each piece that `source` yields. The source is an
     * iterable, or a generator function, async or not. {end: false} leaves the final chunk out.
     */
    async chunked(source, { status = 200, headers = {}, end = true } = {}) {
        await this.head(status, {
            'Transfer-Encoding': 'chunked',
            'Content-Type': 'application/json',
            'Cache-Control': 'must-revalidate',
            ...headers,
        });
        for await (const piece of typeof source === 'function' ? source(this) : source)
            if (!(await this.chunk(piece))) return false;
        return end ? this.endChunks() : true;
    }

    /*
     * One chunk; `size` may lie about its length. An empty piece would end the body: skipped.
     */
    chunk(piece, { size } = {}) {
        const bytes = Buffer.from(piece);
        if (!bytes.length && size === undefined) return Promise.resolve(!this.gone);
        return this.raw(`${(size ?? bytes.length).toString(16)}\r\n`, bytes, '\r\n');
    }

    endChunks() {
        return this.raw('0\r\n\r\n');
    }

    /* Bytes a few at a time. */
    async trickle(bytes, { size = 1, everyMs = 10 } = {}) {
        const all = Buffer.from(bytes);
        for (let i = 0; i < all.length && !this.gone; i += size) {
            await this.raw(all.subarray(i, i + size));
            await this.sleep(everyMs);
        }
        return !this.gone;
    }

    /* Wait; ends early when the client goes. */
    sleep(ms) {
        return new Promise((resolve) => {
            if (this.gone) return resolve(false);
            const stop = () => {
                clearTimeout(timer);
                this.signal.removeEventListener('abort', stop);
                resolve(!this.gone);
            };
            const timer = setTimeout(stop, ms);
            this.signal.addEventListener('abort', stop);
        });
    }

    /* Say nothing more, for as long as the client stays. */
    hang() {
        return new Promise((resolve) => {
            if (this.gone) return resolve(false);
            this.signal.addEventListener('abort', () => resolve(false), { once: true });
        });
    }

    /* Close in order (FIN) after what was written. */
    fin() {
        return this.conn.fin();
    }

    /* Close with RST. */
    reset() {
        return this.conn.reset();
    }
}

module.exports = { Reply };
