// SPDX-License-Identifier: Apache-2.0
//
// Finding revisions: the winner, a named one, all leaves; and what of their attachments a client has.
'use strict';
const { latest } = require('pouchdb-merge');
const { leavesOf, revisionsOf } = require('./docbody');
const { notFound } = require('./reply');

/** [{meta, rev, text} | {missing: rev}] for 'all' leaves or the named revisions. */
async function openRevisions(level, id, revs, wantLatest) {
    const [meta] = await level.metas([id]);
    if (!meta) return revs === 'all' ? [] : revs.map((missing) => ({ missing }));
    let wanted = revs === 'all' ? leavesOf(meta).map((leaf) => leaf.rev) : revs;
    if (wantLatest) {
        wanted = [
            ...new Set(
                wanted.map((rev) => {
                    try {
                        return latest(rev, meta);
                    } catch (err) {
                        return rev;
                    }
                }),
            ),
        ];
    }
    const texts = await level.bodies(wanted.map((rev) => meta.rev_map[rev] || 0));
    return wanted.map((rev, i) =>
        texts[i] === undefined ? { missing: rev } : { meta, rev, text: texts[i] },
    );
}

/** One revision, the winner when none is named; 404 as CouchDB words it. */
async function openRevision(level, id, rev, wantLatest) {
    const [meta] = await level.metas([id]);
    if (!meta) throw notFound('missing');
    if (!rev && meta.deleted) throw notFound('deleted');
    const [found] = await openRevisions(level, id, [rev || meta.winningRev], wantLatest);
    if (found.missing) throw notFound('missing');
    return found;
}

/** The newest generation among `revs` that is in the history of `rev`: older attachments are known. */
function knownGeneration(meta, rev, revs) {
    if (!Array.isArray(revs) || !revs.length) return undefined;
    const { start, ids } = revisionsOf(meta, rev);
    const history = new Set(ids.map((hash, i) => `${start - i}-${hash}`));
    const known = revs.filter((r) => history.has(r)).map((r) => parseInt(r, 10));
    return known.length ? Math.max(...known) : undefined;
}

module.exports = { openRevisions, openRevision, knownGeneration };
