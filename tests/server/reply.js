// SPDX-License-Identifier: Apache-2.0
//
// How every answer looks: headers, JSON bodies that end with a line feed, and the errors of CouchDB
// as one exception class. Handlers throw a Reply; the router sends it. Nothing else writes headers.
'use strict';
const crypto = require('crypto');
const exact = require('./json');

const SERVER = 'CouchDB/3.5.0 (Erlang OTP/25)';

class Reply extends Error {
    constructor(status, error, reason, headers) {
        super(`${status} ${error}: ${reason}`);
        this.status = status;
        this.body = { error, reason };
        this.headers = headers || {};
    }
}

const badRequest = (reason) => new Reply(400, 'bad_request', reason);
const notFound = (reason) => new Reply(404, 'not_found', reason || 'missing');
const noDatabase = () => notFound('Database does not exist.');
const conflict = () => new Reply(409, 'conflict', 'Document update conflict.');

/** A crash inside the real server: 500 with a reference that changes from call to call. */
function unknown(reason) {
    const reply = new Reply(500, 'unknown_error', reason);
    reply.body.ref = crypto.randomBytes(4).readUInt32LE(0);
    return reply;
}

function notAllowed(methods) {
    return new Reply(405, 'method_not_allowed', `Only ${methods} allowed`, { Allow: methods });
}

function head(res, status, headers) {
    res.writeHead(status, {
        'Cache-Control': 'must-revalidate',
        Server: SERVER,
        'X-Couch-Request-ID': crypto.randomBytes(5).toString('hex'),
        'X-CouchDB-Body-Time': '0',
        ...headers,
    });
}

/** Sends a whole JSON body; a HEAD request gets the headers alone. */
function sendJson(res, status, body, headers) {
    const text = Buffer.from((typeof body === 'string' ? body : exact.stringify(body)) + '\n');
    head(res, status, {
        'Content-Type': 'application/json',
        'Content-Length': text.length,
        ...headers,
    });
    res.end(res.req && res.req.method === 'HEAD' ? undefined : text);
}

function sendError(res, reply) {
    sendJson(res, reply.status, reply.body, reply.headers);
}

/** Writes and waits until the client has taken it, so that a slow reader costs no memory. */
function write(res, chunk) {
    if (res.destroyed || res.write(chunk)) return undefined;
    return new Promise((resolve) => {
        const done = () => {
            res.removeListener('drain', done);
            res.removeListener('close', done);
            resolve();
        };
        res.on('drain', done);
        res.on('close', done);
    });
}

module.exports = {
    Reply,
    SERVER,
    badRequest,
    notFound,
    noDatabase,
    conflict,
    unknown,
    notAllowed,
    head,
    sendJson,
    sendError,
    write,
};
