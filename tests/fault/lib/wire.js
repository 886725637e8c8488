/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads HTTP/1.1 requests off a byte stream, without ever losing a byte.
 *
 * node:http hides the bytes, and a fault needs them: the scripted server answers outside of the
 * rules of HTTP on a connection that stays open, the proxy passes requests on exactly as they
 * came and must still know where one ends. Feed it what arrives; it yields tokens in order:
 *
 *   {type:'head', raw, req}    a whole request head; req = {method, url, path, query, headers}
 *   {type:'body', raw, data}   a piece of the body; data is without chunk framing
 *   {type:'end', raw}          the request is complete (raw is empty)
 *   {type:'opaque', raw}       this is not HTTP (TLS, junk): bytes only, from here to the end
 *
 * The `raw` of all tokens, joined, is the input.
 */
'use strict';

const EMPTY = Buffer.alloc(0);
const HEAD_LIMIT = 1 << 20;

function parseHead(raw) {
    const [first, ...lines] = raw.toString('latin1').trimEnd().split('\r\n');
    const [method, url] = first.split(' ');
    const headers = {};
    for (const line of lines) {
        const colon = line.indexOf(':');
        if (colon < 0) continue;
        const name = line.slice(0, colon).toLowerCase();
        const value = line.slice(colon + 1).trim();
        headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
    }
    const mark = (url || '').indexOf('?');
    const path = mark < 0 ? url || '' : url.slice(0, mark);
    const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
    return { method, url: url || '', path, query, headers };
}

class RequestReader {
    constructor() {
        this.buf = EMPTY;
        this.state = 'head';
        this.left = 0;
    }

    *feed(chunk) {
        this.buf = this.buf.length ? Buffer.concat([this.buf, chunk]) : chunk;
        for (let token; (token = this.#next());) {
            yield token;
            if (token.type === 'head' && this.state === 'end') yield this.#end();
        }
    }

    /* What is held back because its end has not come: a head or a chunk size cut short. */
    rest() {
        const raw = this.buf;
        this.buf = EMPTY;
        return raw;
    }

    #take(n) {
        const raw = this.buf.subarray(0, n);
        this.buf = this.buf.subarray(n);
        return raw;
    }

    #end() {
        this.state = 'head';
        return { type: 'end', raw: EMPTY };
    }

    #next() {
        if (this.state === 'end') return this.#end();
        if (!this.buf.length) return null;
        switch (this.state) {
            case 'opaque':
                return { type: 'opaque', raw: this.#take(this.buf.length) };
            case 'head':
                return this.#head();
            case 'length':
            case 'data':
                return this.#data();
            default:
                return this.#line();
        }
    }

    #head() {
        const first = this.buf[0];
        const letter = first >= 0x41 && first <= 0x5a;
        const end = this.buf.indexOf('\r\n\r\n');
        if (!letter || (end < 0 && this.buf.length > HEAD_LIMIT)) {
            this.state = 'opaque';
            return this.#next();
        }
        if (end < 0) return null;
        const raw = this.#take(end + 4);
        const req = parseHead(raw);
        this.left = Number(req.headers['content-length'] || 0);
        if (/chunked/i.test(req.headers['transfer-encoding'] || '')) this.state = 'size';
        else this.state = this.left > 0 ? 'length' : 'end';
        return { type: 'head', raw, req };
    }

    #data() {
        const raw = this.#take(Math.min(this.left, this.buf.length));
        this.left -= raw.length;
        if (!this.left) this.state = this.state === 'length' ? 'end' : 'crlf';
        return { type: 'body', raw, data: raw };
    }

    /* The lines of chunk framing: a size, the CRLF after a chunk, the trailers. */
    #line() {
        const end = this.buf.indexOf('\r\n');
        if (end < 0) return null;
        const raw = this.#take(end + 2);
        if (this.state === 'size') {
            this.left = parseInt(raw.toString('latin1'), 16) || 0;
            this.state = this.left ? 'data' : 'trailer';
        } else if (this.state === 'crlf') {
            this.state = 'size';
        } else if (raw.length === 2) {
            this.state = 'end';
        }
        return { type: 'body', raw, data: EMPTY };
    }
}

module.exports = { RequestReader };
