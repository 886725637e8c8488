// SPDX-License-Identifier: Apache-2.0
//
// A stored revision as CouchDB prints it: _id, _rev, the body, _deleted, _revisions, _conflicts,
// _attachments, in that order. Plain documents are cut and joined as text; only those with
// attachments or extra members are parsed.
'use strict';
const { collectLeaves, rootToLeaf, traverseRevTree } = require('pouchdb-merge');
const { unmark } = require('./json');

const TAIL = /^,?"_id":(?:"(?:[^"\\]|\\.)*"),"_rev":"[^"]*"(,"_deleted":true)?\}$/;

/** Leaves as [{rev, deleted}], the winner first. */
function leavesOf(meta) {
    const leaves = collectLeaves(meta.rev_tree).map(({ rev, opts }) => ({
        rev,
        deleted: !!opts.deleted,
    }));
    const rank = (leaf) => (leaf.rev === meta.winningRev ? 0 : leaf.deleted ? 2 : 1);
    return leaves.sort((a, b) => rank(a) - rank(b));
}

/** The whole history {start, ids} of one revision. */
function revisionsOf(meta, rev) {
    const [generation, hash] = [parseInt(rev, 10), rev.slice(rev.indexOf('-') + 1)];
    for (const path of rootToLeaf(meta.rev_tree)) {
        const at = path.ids.findIndex(
            (node, i) => node.id === hash && path.pos + i === generation,
        );
        if (at >= 0)
            return {
                start: generation,
                ids: path.ids
                    .slice(0, at + 1)
                    .map((n) => n.id)
                    .reverse(),
            };
    }
    return { start: generation, ids: [hash] };
}

/** Status of every revision that the tree knows: Map rev → {status, deleted, leaf}. */
function treeOf(meta) {
    const known = new Map();
    traverseRevTree(meta.rev_tree, (leaf, pos, hash, ctx, opts) => {
        known.set(`${pos}-${hash}`, { leaf, deleted: !!opts.deleted, status: opts.status });
    });
    return known;
}

function stubOf(att, options) {
    const stub = {
        content_type: att.content_type,
        revpos: att.pos || att.revpos,
        digest: att.gz ? att.gz.digest : att.digest,
        length: att.length,
        stub: true,
    };
    if ((options.att_encoding_info || options.follows) && att.gz)
        Object.assign(stub, { encoding: 'gzip', encoded_length: att.gz.length });
    return stub;
}

/** `follows` stands where `stub` stood: before the encoding. */
function followed({ encoding, encoded_length: length, ...stub }) {
    return {
        ...stub,
        follows: true,
        ...(encoding ? { encoding, encoded_length: length } : {}),
    };
}

async function printAttachments(level, atts, options) {
    const out = {};
    for (const [name, att] of Object.entries(atts)) {
        const stub = stubOf(att, options);
        const wanted = options.follows || options.attachments;
        const known =
            options.atts_since_gen !== undefined && stub.revpos <= options.atts_since_gen;
        if (wanted && !known) {
            delete stub.stub;
            if (options.follows) out[name] = followed(stub);
            else {
                delete stub.length;
                stub.data = (await readAttachment(level, att)).toString('base64');
            }
        }
        if (!out[name]) out[name] = stub;
    }
    return out;
}

/** The bytes of an attachment as they came in. */
function readAttachment(level, att) {
    if (att.length === 0) return Promise.resolve(Buffer.alloc(0));
    return new Promise((resolve, reject) => {
        level.pouch._getAttachment(null, null, att, { binary: true }, (err, data) =>
            err ? reject(err) : resolve(data),
        );
    });
}

/** The document as an object, with the members that `options` ask for. */
async function shape(level, meta, rev, text, options) {
    const { _id, _rev, _deleted, _attachments, ...body } = JSON.parse(text);
    const doc = { _id: meta.id, _rev: rev, ...body };
    if (_deleted) doc._deleted = true;
    if (options.revs) doc._revisions = revisionsOf(meta, rev);
    if (options.revs_info) {
        const known = treeOf(meta);
        const { start, ids } = revisionsOf(meta, rev);
        doc._revs_info = ids.map((hash, i) => {
            const info = known.get(`${start - i}-${hash}`);
            const there = meta.rev_map[`${start - i}-${hash}`] !== undefined;
            return {
                rev: `${start - i}-${hash}`,
                status: !there ? 'missing' : info.deleted ? 'deleted' : 'available',
            };
        });
    }
    if (options.conflicts) {
        const others = leavesOf(meta)
            .filter((leaf) => leaf.rev !== rev && !leaf.deleted)
            .map((leaf) => leaf.rev);
        if (others.length) doc._conflicts = others;
    }
    if (options.deleted_conflicts) {
        const others = leavesOf(meta)
            .filter((leaf) => leaf.rev !== rev && leaf.deleted)
            .map((leaf) => leaf.rev);
        if (others.length) doc._deleted_conflicts = others;
    }
    if (options.local_seq) doc._local_seq = meta.seq;
    if (_attachments && Object.keys(_attachments).length) {
        doc._attachments = await printAttachments(level, _attachments, options);
    }
    return doc;
}

/** The same as text; the way of feeds. */
async function print(level, meta, rev, text, options) {
    const at = text.lastIndexOf('"_id":"') - 1;
    const plain = !options.conflicts && !options.revs && !text.includes('"_attachments":');
    const match =
        plain && at >= 0 ? TAIL.exec(text.slice(text[at] === ',' ? at : at + 1)) : null;
    if (!match) return unmark(JSON.stringify(await shape(level, meta, rev, text, options)));
    const body = text[at] === ',' ? `,${text.slice(1, at)}` : '';
    return unmark(`{"_id":${JSON.stringify(meta.id)},"_rev":"${rev}"${body}${match[1] || ''}}`);
}

module.exports = { leavesOf, revisionsOf, treeOf, shape, print, readAttachment };
