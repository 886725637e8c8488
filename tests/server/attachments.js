// SPDX-License-Identifier: Apache-2.0
//
// GET, PUT and DELETE of one attachment. A write makes a new revision of the document that keeps its
// other attachments as stubs.
'use strict';
const zlib = require('zlib');
const reply = require('./reply');
const { readAttachment, shape } = require('./docbody');
const { openRevision } = require('./revisions');
const { namedRev } = require('./documents');
const { writeOne } = require('./writer');

async function getAttachment(ctx, database, id, name) {
    await database.use(async (level) => {
        const found = await openRevision(level, id, ctx.query.get('rev'));
        const att = (JSON.parse(found.text)._attachments || {})[name];
        if (!att) throw reply.notFound('Document is missing attachment');
        const plain = await readAttachment(level, att);
        const zipped = att.gz && /\bgzip\b/.test(ctx.req.headers['accept-encoding'] || '');
        const data = zipped ? zlib.gzipSync(plain, { level: 8 }) : plain;
        reply.head(ctx.res, 200, {
            'Accept-Ranges': att.gz ? 'none' : 'bytes',
            ...(zipped && { 'Content-Encoding': 'gzip' }),
            'Content-Length': data.length,
            'Content-Security-Policy': 'sandbox',
            'Content-Type': att.content_type,
            ETag: `"${(att.gz || att).digest.slice(4)}"`,
        });
        ctx.res.end(ctx.method === 'HEAD' ? undefined : data);
    });
}

/** The document as it is, ready to be written again; `rev` must be one of its revisions. */
async function current(database, id, rev) {
    const [meta] = await database.use((level) => level.metas([id]));
    if (!meta || (meta.deleted && !rev)) return null;
    if (!rev) throw reply.conflict();
    return database.use(async (level) => {
        const found = await openRevision(level, id, rev).catch(() => {
            throw reply.conflict();
        });
        return shape(level, found.meta, found.rev, found.text, {});
    });
}

async function changeAttachment(ctx, database, id, name) {
    const rev = namedRev(ctx, {});
    const doc = (await current(database, id, rev)) || { _id: id };
    const atts = { ...doc._attachments };
    if (ctx.method === 'PUT') {
        atts[name] = {
            content_type: ctx.req.headers['content-type'] || 'application/octet-stream',
            data: await ctx.body(),
        };
    } else {
        if (!atts[name]) throw reply.notFound('Document is missing attachment');
        delete atts[name];
    }
    const result = await writeOne(ctx, database, { ...doc, _attachments: atts }, true);
    const status = ctx.method === 'PUT' ? 201 : 200;
    return reply.sendJson(ctx.res, status, result, { ETag: `"${result.rev}"` });
}

/** The handler of /db/ID/NAME. */
function attachment(ctx, database, id, name) {
    if (ctx.method === 'GET' || ctx.method === 'HEAD')
        return getAttachment(ctx, database, id, name);
    if (ctx.method === 'PUT' || ctx.method === 'DELETE')
        return changeAttachment(ctx, database, id, name);
    throw reply.notAllowed('DELETE,GET,HEAD,PUT');
}

module.exports = { attachment };
