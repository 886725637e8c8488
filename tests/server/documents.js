// SPDX-License-Identifier: Apache-2.0
//
// GET, PUT, DELETE and COPY of one document, as JSON or as multipart with its attachments.
'use strict';
const zlib = require('zlib');
const reply = require('./reply');
const { documentOptions, json } = require('./query');
const { shape, readAttachment } = require('./docbody');
const { openRevision, openRevisions, knownGeneration } = require('./revisions');
const { writeOne } = require('./writer');
const multipart = require('./multipart');

function readOptions(ctx) {
    return { ...documentOptions(ctx.query), attsSince: json(ctx.query, 'atts_since') };
}

function withKnown(options, found) {
    return {
        ...options,
        atts_since_gen: knownGeneration(found.meta, found.rev, options.attsSince),
    };
}

/** A revision with `follows` attachments and their bytes, compressed where they are kept so. */
async function withAttachments(level, found, options) {
    const doc = await shape(level, found.meta, found.rev, found.text, {
        ...withKnown(options, found),
        follows: true,
    });
    const stored = JSON.parse(found.text)._attachments || {};
    const attachments = [];
    for (const [name, att] of Object.entries(doc._attachments || {})) {
        if (!att.follows) continue;
        const data = await readAttachment(level, stored[name]);
        attachments.push({
            name,
            type: att.content_type,
            encoding: att.encoding,
            data: att.encoding ? zlib.gzipSync(data, { level: 8 }) : data,
        });
    }
    return { doc, attachments };
}

async function getOpenRevs(ctx, level, id, options) {
    const wanted = ctx.query.get('open_revs') === 'all' ? 'all' : json(ctx.query, 'open_revs');
    const found = await openRevisions(level, id, wanted, options.latest);
    if (!found.length) throw reply.notFound('missing');
    if (!ctx.accepts('multipart/mixed')) {
        const rows = await Promise.all(
            found.map(async (one) =>
                one.missing
                    ? one
                    : {
                          ok: await shape(
                              level,
                              one.meta,
                              one.rev,
                              one.text,
                              withKnown(options, one),
                          ),
                      },
            ),
        );
        return reply.sendJson(ctx.res, 200, rows);
    }
    const boundary = multipart.newBoundary();
    reply.head(ctx.res, 200, { 'Content-Type': `multipart/mixed; boundary="${boundary}"` });
    await reply.write(ctx.res, `--${boundary}`);
    for (const [i, one] of found.entries()) {
        const part = one.missing ? one : await withAttachments(level, one, options);
        await reply.write(ctx.res, `${i ? `--${boundary}` : ''}\r\n`);
        await reply.write(ctx.res, multipart.mixedPart(part));
        await reply.write(ctx.res, '\r\n');
    }
    return ctx.res.end(`--${boundary}--`);
}

async function getDoc(ctx, database, id) {
    if (await database.empty()) throw reply.notFound('missing');
    const options = readOptions(ctx);
    await database.use(async (level) => {
        if (ctx.query.has('open_revs')) return getOpenRevs(ctx, level, id, options);
        const found = await openRevision(level, id, ctx.query.get('rev'), options.latest);
        const extra =
            options.revs ||
            options.revs_info ||
            options.conflicts ||
            options.deleted_conflicts ||
            options.local_seq;
        const headers = extra ? {} : { ETag: `"${found.rev}"` };
        if (!extra && ctx.req.headers['if-none-match'] === headers.ETag) {
            reply.head(ctx.res, 304, headers);
            return ctx.res.end();
        }
        if (
            options.attachments &&
            found.text.includes('"_attachments":') &&
            ctx.accepts('multipart/related')
        ) {
            return sendRelated(ctx, await withAttachments(level, found, options), headers);
        }
        const doc = await shape(
            level,
            found.meta,
            found.rev,
            found.text,
            withKnown(options, found),
        );
        return reply.sendJson(ctx.res, 200, doc, headers);
    });
}

function sendRelated(ctx, { doc, attachments }, headers) {
    const boundary = multipart.newBoundary();
    const body = multipart.related(doc, attachments, boundary);
    reply.head(ctx.res, 200, {
        'Content-Type': `multipart/related; boundary="${boundary}"`,
        'Content-Length': body.length,
        ...headers,
    });
    ctx.res.end(body);
}

/** The revision that a write names: in the query, in If-Match, or in the body. */
function namedRev(ctx, doc) {
    const match = ctx.req.headers['if-match'];
    const named = ctx.query.get('rev') || (match && match.replace(/"/g, '')) || undefined;
    if (named && doc._rev && doc._rev !== named) {
        throw reply.badRequest(
            'Document rev from request body and query string have different values',
        );
    }
    return named || doc._rev;
}

async function putDoc(ctx, database, id) {
    const type = ctx.req.headers['content-type'] || '';
    const doc = type.startsWith('multipart/related')
        ? multipart.parseDocument(await ctx.body(), type)
        : await ctx.json();
    if (doc === null || typeof doc !== 'object' || Array.isArray(doc))
        throw reply.badRequest('Document must be a JSON object');
    doc._id = id;
    const rev = namedRev(ctx, doc);
    if (rev !== undefined) doc._rev = rev;
    const result = await writeOne(ctx, database, doc, ctx.query.get('new_edits') !== 'false');
    return reply.sendJson(ctx.res, 201, result, {
        ETag: `"${result.rev}"`,
        Location: ctx.address(database.name, id),
    });
}

async function deleteDoc(ctx, database, id) {
    const rev = namedRev(ctx, {});
    const [meta] = (await database.empty())
        ? [null]
        : await database.use((level) => level.metas([id]));
    if (!meta) throw reply.notFound('missing');
    if (!rev) throw meta.deleted ? reply.notFound('deleted') : reply.conflict();
    const result = await writeOne(ctx, database, { _id: id, _rev: rev, _deleted: true }, true);
    return reply.sendJson(ctx.res, 200, result, { ETag: `"${result.rev}"` });
}

async function copyDoc(ctx, database, id) {
    const target = /^([^?]+)(?:\?rev=(.+))?$/.exec(ctx.req.headers.destination || '');
    if (!target) throw reply.badRequest('Destination header is mandatory for COPY.');
    const copy = await database.use(async (level) => {
        const found = await openRevision(level, id, ctx.query.get('rev'));
        return shape(level, found.meta, found.rev, found.text, { attachments: true });
    });
    copy._id = decodeURIComponent(target[1]);
    copy._rev = target[2];
    if (!copy._rev) delete copy._rev;
    return reply.sendJson(ctx.res, 201, await writeOne(ctx, database, copy, true));
}

/** The handler of /db/ID and /db/_design/NAME. */
function document(ctx, database, id) {
    if (ctx.method === 'GET' || ctx.method === 'HEAD') return getDoc(ctx, database, id);
    if (ctx.method === 'PUT') return putDoc(ctx, database, id);
    if (ctx.method === 'DELETE') return deleteDoc(ctx, database, id);
    if (ctx.method === 'COPY') return copyDoc(ctx, database, id);
    throw reply.notAllowed('DELETE,GET,HEAD,POST,PUT,COPY');
}

module.exports = { document, namedRev };
