// SPDX-License-Identifier: Apache-2.0
//
// Every write of documents goes through here, single or bulk: ids, size, attachments, permission,
// validate_doc_update, then PouchDB. The result is one entry a document, in order.
'use strict';
const crypto = require('crypto');
const zlib = require('zlib');
const { Reply, badRequest, unknown } = require('./reply');
const { loadValidators, validate } = require('./design');
const { hashPassword } = require('./users');
const { putLocal } = require('./local');

const COMPRESSIBLE = /^(text\/|application\/(javascript|json|xml))/;
const md5 = (data) => `md5-${crypto.createHash('md5').update(data).digest('base64')}`;

function checkDoc(doc, newEdits, limit) {
    if (doc === null || typeof doc !== 'object' || Array.isArray(doc))
        throw badRequest('Document must be a JSON object');
    if (doc._id === undefined) doc._id = crypto.randomBytes(16).toString('hex');
    if (typeof doc._id !== 'string')
        throw new Reply(400, 'illegal_docid', 'Document id must be a string');
    if (doc._id === '') throw new Reply(400, 'illegal_docid', 'Document id must not be empty');
    if (doc._id[0] === '_' && !/^_(design|local)\/./.test(doc._id)) {
        throw new Reply(
            400,
            'illegal_docid',
            'Only reserved document ids may start with underscore.',
        );
    }
    if (doc._rev !== undefined && !/^\d+-./.test(doc._rev))
        throw badRequest('Invalid rev format');
    if (limit !== Infinity && sizeOf(doc) > limit)
        throw new Reply(413, 'document_too_large', doc._id);
    if (!newEdits && doc._rev === undefined && !doc._revisions) {
        throw badRequest(
            'When `new_edits: false`, the document needs `_rev` or `_revisions` specified',
        );
    }
    if (doc._deleted === false) delete doc._deleted;
}

/** The size that counts against max_document_size: the body without its attachments. */
function sizeOf(doc) {
    const { _attachments, _revisions, ...body } = doc;
    return Buffer.byteLength(JSON.stringify(body));
}

/** Makes attachments ready for PouchDB: bytes for data, the stored record for stubs. */
function prepareAttachments(doc, stored) {
    for (const [name, att] of Object.entries(doc._attachments || {})) {
        if (name[0] === '_')
            throw badRequest(`Attachment name '${name}' starts with prohibited character '_'`);
        if (att.stub) {
            const found = stored.get(name);
            if (!found)
                throw new Reply(
                    412,
                    'missing_stub',
                    `Invalid attachment stub in ${doc._id} for ${name}`,
                );
            doc._attachments[name] = { ...found, stub: true };
            continue;
        }
        if (typeof att.data === 'string') att.data = Buffer.from(att.data, 'base64');
        if (!Buffer.isBuffer(att.data)) throw badRequest(`Invalid attachment data for ${name}`);
        const type = att.content_type || 'application/octet-stream';
        const ready = { content_type: type, data: att.data };
        if (att.revpos) ready.pos = att.revpos;
        if (COMPRESSIBLE.test(type) && att.data.length) {
            const packed = zlib.gzipSync(att.data, { level: 8 });
            ready.gz = { digest: md5(packed), length: packed.length };
        }
        doc._attachments[name] = ready;
    }
}

/** Attachments that any leaf of the document has, by name: what a stub may refer to. */
async function storedAttachments(level, id) {
    const [meta] = await level.metas([id]);
    const stored = new Map();
    if (!meta) return stored;
    const texts = await level.bodies(Object.values(meta.rev_map));
    for (const text of texts.filter(Boolean)) {
        for (const [name, att] of Object.entries(JSON.parse(text)._attachments || {}))
            stored.set(name, att);
    }
    return stored;
}

async function winnerOf(level, id) {
    const [meta] = await level.metas([id]);
    if (!meta) return null;
    const [text] = await level.bodies([meta.rev_map[meta.winningRev]]);
    return text ? JSON.parse(text) : null;
}

/** Permission and validation of one document; throws a Reply that concerns only this document. */
async function authorize(ctx, database, level, doc, validators) {
    if (doc._id.startsWith('_design/')) ctx.requireDbAdmin(database);
    if (!validators.length || doc._id.startsWith('_design/')) return;
    const { _attachments, ...plain } = doc;
    validate(
        validators,
        plain,
        await winnerOf(level, doc._id),
        ctx.userCtx(database),
        ctx.securityOf(database),
    );
}

function resultOf(doc, found, newEdits) {
    if (!found || found.ok) return { ok: true, id: doc._id, rev: found ? found.rev : doc._rev };
    if (found.status === 409)
        return {
            id: doc._id,
            error: 'conflict',
            reason: 'Document update conflict.',
            status: 409,
        };
    return {
        id: doc._id,
        ...(newEdits ? {} : { rev: doc._rev }),
        error: found.name,
        reason: found.reason || found.message,
        status: found.status || 500,
    };
}

function translate(err) {
    if (err instanceof Reply) return err;
    if (err.name === 'doc_validation')
        return new Reply(400, err.name, `Bad special document member: ${err.reason}`);
    if (err.status && err.name)
        return new Reply(err.status, err.name, err.reason || err.message);
    return unknown(String(err.message || err));
}

/** Writes; returns [{ok, id, rev} | {id, error, reason, status}] in the order of `docs`. */
async function writeDocs(ctx, database, docs, newEdits) {
    for (const doc of docs) checkDoc(doc, newEdits, ctx.options.maxDocumentSize);
    const validators = await loadValidators(database);
    const results = new Array(docs.length);
    const accepted = [];
    await database.use(async (level) => {
        for (let i = 0; i < docs.length; i++) {
            const doc = docs[i];
            if (doc._id.startsWith('_local/')) {
                results[i] = await putLocal(level, doc);
                continue;
            }
            if (database.name === '_users') hashPassword(doc);
            if (doc._attachments)
                prepareAttachments(doc, await storedAttachments(level, doc._id));
            try {
                await authorize(ctx, database, level, doc, validators);
                accepted.push(i);
            } catch (err) {
                if (!(err instanceof Reply) || docs.length === 0) throw err;
                results[i] = {
                    id: doc._id,
                    ...(newEdits ? {} : { rev: doc._rev }),
                    ...err.body,
                    status: err.status,
                };
            }
        }
    });
    if (!accepted.length) return results;
    let found;
    try {
        found = await database.write(
            accepted.map((i) => docs[i]),
            newEdits,
        );
    } catch (err) {
        throw translate(err);
    }
    const failed = newEdits
        ? null
        : new Map(found.filter((r) => r.error).map((r) => [r.id, r]));
    accepted.forEach((at, i) => {
        results[at] = resultOf(
            docs[at],
            newEdits ? found[i] : failed.get(docs[at]._id),
            newEdits,
        );
    });
    return results;
}

/** One document; an error of it is the error of the request. */
async function writeOne(ctx, database, doc, newEdits) {
    const [result] = await writeDocs(ctx, database, [doc], newEdits);
    if (result.error) throw new Reply(result.status, result.error, result.reason);
    return result;
}

module.exports = { writeDocs, writeOne };
