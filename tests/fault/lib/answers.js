/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ready-made misbehaviour for the lines of a script. Each function makes an answer, that is a
 * function of ctx (see reply.js):
 *
 *   on('GET', /_changes/, answers.gzipHalf(page))
 */
'use strict';

const zlib = require('node:zlib');
const { rev } = require('./rows');

/* An error in the way CouchDB words it. */
function error(status, name, reason, headers) {
    return (ctx) => ctx.reply({ status, headers, json: { error: name, reason } });
}

/* What a captive portal or a proxy in between says: 200 and a web page. */
function html(body = '<!DOCTYPE html><html><body><h1>Please sign in</h1></body></html>') {
    return (ctx) => ctx.reply({ headers: { 'Content-Type': 'text/html' }, body });
}

/* Bytes that are no HTTP at all, then the end. */
function junk(bytes = Buffer.from([0, 255, 254, 13, 10, 13, 10, 7])) {
    return async (ctx) => {
        await ctx.raw(bytes);
        await ctx.fin();
    };
}

/* Accept, read, and never say a word. */
function hang() {
    return (ctx) => ctx.hang();
}

/* Accept, read, close: in order or with RST. */
function fin() {
    return (ctx) => ctx.fin();
}

function reset() {
    return (ctx) => ctx.reset();
}

/* A Content-Length for all of the body, the first n bytes of it, then FIN or RST. */
function cutLength(body, n, { rst = false, headers } = {}) {
    return async (ctx) => {
        const bytes = Buffer.from(body);
        await ctx.head(200, {
            'Content-Length': bytes.length,
            'Content-Type': 'application/json',
            ...headers,
        });
        await ctx.raw(bytes.subarray(0, n));
        await (rst ? ctx.reset() : ctx.fin());
    };
}

/*
 * The pieces as chunks, without the final chunk: what a CouchDB that is stopped leaves
 * behind.
 */
function cutChunks(pieces, { rst = false } = {}) {
    return async (ctx) => {
        await ctx.chunked(pieces, { end: false });
        await (rst ? ctx.reset() : ctx.fin());
    };
}

/* A chunk that announces more bytes than come before the end. */
function cutInChunk(bytes, missing = 100) {
    return async (ctx) => {
        await ctx.head(200, {
            'Transfer-Encoding': 'chunked',
            'Content-Type': 'application/json',
        });
        await ctx.raw(`${(Buffer.byteLength(bytes) + missing).toString(16)}\r\n`, bytes);
        await ctx.fin();
    };
}

/* HTTP is whole, the gzip stream inside stops half way: some clients call that a success. */
function gzipHalf(body, keep = 0.5) {
    return (ctx) => {
        const all = zlib.gzipSync(body);
        const half = all.subarray(0, Math.floor(all.length * keep));
        const headers = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' };
        return ctx.reply({ headers, body: half });
    };
}

/* Each answer leads to another address. */
function redirectForEver(to = (n) => `/round-${n}`, status = 302) {
    return (ctx) => ctx.reply({ status, headers: { Location: to(ctx.hit) } });
}

/*
 * Answers to `_bulk_docs` (with new_edits) that are not one result a document in order:
 *   short      the last result is missing
 *   reordered  last document first
 *   partial    the JSON stops in the middle, while HTTP is whole
 *   unknown    a result for a document that was not sent
 *   conflicts  every second document is refused
 */
function bulk(shape) {
    const shapes = {
        short: (results) => JSON.stringify(results.slice(0, -1)),
        reordered: (results) => JSON.stringify([...results].reverse()),
        partial: (results) => JSON.stringify(results).slice(0, -20),
        unknown: (results) =>
            JSON.stringify([{ ...results[0], id: 'never-sent' }, ...results.slice(1)]),
        conflicts: (results) => JSON.stringify(results.map(refuseSecond)),
    };
    const refuseSecond = (r, i) =>
        i % 2 ? { id: r.id, error: 'conflict', reason: 'Document update conflict.' } : r;
    if (!shapes[shape]) throw new Error(`no such shape: ${shape}; have ${Object.keys(shapes)}`);
    return (ctx) => {
        const results = ctx.req
            .json()
            .docs.map((d) => ({ ok: true, id: d._id, rev: d._rev || rev(1, d._id) }));
        return ctx.reply({
            status: 201,
            headers: { 'Content-Type': 'application/json' },
            body: shapes[shape](results),
        });
    };
}

module.exports = {
    error,
    html,
    junk,
    hang,
    fin,
    reset,
    cutLength,
    cutChunks,
    cutInChunk,
    gzipHalf,
    redirectForEver,
    bulk,
};
