// SPDX-License-Identifier: Apache-2.0
//
// multipart/related and multipart/mixed: a document followed by its attachments, in requests and in
// answers, and a list of revisions (open_revs).
'use strict';
const crypto = require('crypto');
const zlib = require('zlib');
const exact = require('./json');
const { badRequest } = require('./reply');

const boundaryOf = (contentType) => {
    const match = /boundary=(?:"([^"]+)"|([^;\s]+))/.exec(contentType);
    return match ? match[1] || match[2] : null;
};

/** Splits a body into [{headers, data}]. */
function split(body, boundary) {
    const mark = Buffer.from(`--${boundary}`);
    const parts = [];
    let at = body.indexOf(mark);
    if (at < 0) throw badRequest('missing boundary');
    for (;;) {
        at += mark.length;
        if (body.slice(at, at + 2).toString() === '--') return parts;
        const headEnd = body.indexOf('\r\n\r\n', at);
        const next = body.indexOf(Buffer.from(`\r\n--${boundary}`), headEnd);
        if (headEnd < 0 || next < 0) throw badRequest('multipart body ends too early');
        const headers = {};
        for (const line of body.slice(at, headEnd).toString().split('\r\n')) {
            const colon = line.indexOf(':');
            if (colon > 0)
                headers[line.slice(0, colon).trim().toLowerCase()] = line
                    .slice(colon + 1)
                    .trim();
        }
        parts.push({ headers, data: body.slice(headEnd + 4, next) });
        at = next + 2;
    }
}

/** A PUT body: the document with the data of its `follows` attachments filled in. */
function parseDocument(body, contentType) {
    const boundary = boundaryOf(contentType);
    if (!boundary) throw badRequest('missing boundary');
    const [first, ...rest] = split(body, boundary);
    const doc = exact.parse(first.data.toString());
    const following = Object.entries(doc._attachments || {}).filter(([, att]) => att.follows);
    const named = new Map();
    for (const part of rest) {
        const match = /filename="([^"]*)"/.exec(part.headers['content-disposition'] || '');
        if (match) named.set(match[1], part);
    }
    following.forEach(([name, att], i) => {
        const part = named.get(name) || rest[i];
        if (!part) throw badRequest(`no part for attachment ${name}`);
        delete att.follows;
        att.data =
            att.encoding === 'gzip' ? zlib.gunzipSync(part.data) : Buffer.from(part.data);
        delete att.encoding;
        delete att.encoded_length;
    });
    return doc;
}

const newBoundary = () => crypto.randomBytes(16).toString('hex');

/** A document and its attachments [{name, type, data, encoding}] as one Buffer. */
function related(doc, attachments, boundary) {
    const pieces = [
        `--${boundary}\r\nContent-Type: application/json\r\n\r\n${exact.stringify(doc)}`,
    ];
    for (const { name, type, data, encoding } of attachments) {
        pieces.push(
            `\r\n--${boundary}\r\nContent-Disposition: attachment; filename="${name}"\r\nContent-Type: ${type}` +
                `\r\nContent-Length: ${data.length}${encoding ? `\r\nContent-Encoding: ${encoding}` : ''}\r\n\r\n`,
            data,
        );
    }
    pieces.push(`\r\n--${boundary}--`);
    return Buffer.concat(pieces.map((p) => (typeof p === 'string' ? Buffer.from(p) : p)));
}

/** One revision of an open_revs answer, without the outer boundary. */
function mixedPart(result) {
    if (result.missing)
        return Buffer.from(
            `Content-Type: application/json; error="true"\r\n\r\n{"missing":"${result.missing}"}`,
        );
    if (!result.attachments.length)
        return Buffer.from(
            `Content-Type: application/json\r\n\r\n${exact.stringify(result.doc)}`,
        );
    const inner = newBoundary();
    return Buffer.concat([
        Buffer.from(`Content-Type: multipart/related; boundary="${inner}"\r\n\r\n`),
        related(result.doc, result.attachments, inner),
    ]);
}

module.exports = { parseDocument, related, mixedPart, newBoundary };
