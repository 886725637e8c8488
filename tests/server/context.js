// SPDX-License-Identifier: Apache-2.0
//
// One request as the handlers see it: method, path, query, body (unpacked when it is gzip), user.
'use strict';
const zlib = require('zlib');
const auth = require('./auth');
const exact = require('./json');
const { Reply, badRequest } = require('./reply');

class Context {
    constructor(server, req, res) {
        const question = req.url.indexOf('?');
        const path = question < 0 ? req.url : req.url.slice(0, question);
        Object.assign(this, {
            server,
            req,
            res,
            store: server.store,
            options: server.options,
            method: req.method,
        });
        this.query = new URLSearchParams(question < 0 ? '' : req.url.slice(question + 1));
        this.path = path
            .split('/')
            .slice(1)
            .map((part) => {
                try {
                    return decodeURIComponent(part);
                } catch (err) {
                    throw badRequest('invalid percent encoding');
                }
            });
        if (this.path[this.path.length - 1] === '') this.path.pop();
    }

    async body() {
        if (this.bytes) return this.bytes;
        const chunks = [];
        for await (const chunk of this.req) chunks.push(chunk);
        const bytes = Buffer.concat(chunks);
        this.bytes =
            this.req.headers['content-encoding'] === 'gzip' ? zlib.gunzipSync(bytes) : bytes;
        return this.bytes;
    }

    /** The body as JSON; `required` also checks its Content-Type. */
    async json(required) {
        if (required && !/^application\/json/.test(this.req.headers['content-type'] || '')) {
            throw new Reply(415, 'bad_content_type', 'Content-Type must be application/json');
        }
        try {
            return exact.parse((await this.body()).toString());
        } catch (err) {
            throw badRequest('invalid UTF-8 JSON');
        }
    }

    /** Would the client take this content type? No Accept header takes all. */
    accepts(type) {
        const { accept } = this.req.headers;
        return !accept || accept.includes('*/*') || accept.includes(type);
    }

    /** Absolute address of a path on this server, for Location. */
    address(...parts) {
        return `http://${this.req.headers.host}/${parts.map(encodeURIComponent).join('/')}`;
    }

    userCtx(database) {
        return { db: database.name, name: this.user.name, roles: this.user.roles };
    }

    securityOf(database) {
        return auth.securityOf(database);
    }

    requireAdmin() {
        auth.requireAdmin(this.user);
    }

    requireDbAdmin(database) {
        auth.requireDbAdmin(this.user, database);
    }
}

module.exports = { Context };
