// SPDX-License-Identifier: Apache-2.0
//
// One open PouchDB on LevelDB. Writes, conflicts and revision trees are PouchDB's own; the two reads
// that feeds live on (rows by sequence, metadata of many documents) go to the LevelDB below it, as
// text, since parsing and printing each document again would halve the rate of a feed.
'use strict';
const leveldown = require('leveldown');
const PouchDB = require('pouchdb-core').plugin(require('pouchdb-adapter-leveldb'));
const { safeJsonParse } = require('pouchdb-json');

const captured = new Map();

/** PouchDB opens LevelDB by calling this; the handle is kept for the raw reads. */
function capture(location) {
    const level = leveldown(location);
    captured.set(location, level);
    return level;
}
capture.destroy = leveldown.destroy;

const SEQ_PREFIX = '\xffby-sequence\xff';
const DOC_PREFIX = '\xffdocument-store\xff';
const SEQ_END = '\xffby-sequence\u0100';
const DOC_END = '\xffdocument-store\u0100';
const pad = (seq) => String(seq).padStart(16, '0');
const TEXT = { keyAsBuffer: false, valueAsBuffer: false, asBuffer: false };

/** Opens the folder; creates it when it is not there. */
async function openLevel(folder) {
    const pouch = new PouchDB(folder, { adapter: 'leveldb', db: capture });
    pouch.setMaxListeners(0);
    await pouch.info();
    return new Level(pouch, captured.get(folder), folder);
}

function collect(iterator, rows, bytes) {
    return new Promise((resolve, reject) => {
        const out = [];
        let size = 0;
        const finish = (err) => iterator.end(() => (err ? reject(err) : resolve(out)));
        const step = (err, key, value) => {
            if (err || key === undefined) return finish(err);
            out.push([key, value]);
            size += value.length;
            return out.length >= rows || size >= bytes ? finish() : iterator.next(step);
        };
        iterator.next(step);
    });
}

class Level {
    constructor(pouch, level, folder) {
        Object.assign(this, { pouch, level, folder });
    }

    getMany(prefix, keys) {
        if (!keys.length) return Promise.resolve([]);
        return new Promise((resolve, reject) => {
            this.level.getMany(
                keys.map((k) => prefix + k),
                TEXT,
                (err, values) => (err ? reject(err) : resolve(values)),
            );
        });
    }

    /** Metadata (id, seq, winningRev, deleted, rev_tree, rev_map) of each id, or null. */
    async metas(ids) {
        const texts = await this.getMany(DOC_PREFIX, ids);
        return texts.map((text) => (text === undefined ? null : safeJsonParse(text)));
    }

    /** Stored text of the revisions with these sequences. */
    bodies(seqs) {
        return this.getMany(SEQ_PREFIX, seqs.map(pad));
    }

    /** [[seq, text]…] after `since` (before it when descending), at most so many rows and bytes. */
    async revisions(since, rows, bytes, descending) {
        const range = descending
            ? {
                  reverse: true,
                  gte: SEQ_PREFIX,
                  lt: since === Infinity ? SEQ_END : SEQ_PREFIX + pad(since),
              }
            : { gt: SEQ_PREFIX + pad(since), lt: SEQ_END };
        const found = await collect(
            this.level.iterator({ ...range, ...TEXT, highWaterMark: 262144 }),
            rows,
            bytes,
        );
        return found.map(([key, text]) => [Number(key.slice(SEQ_PREFIX.length)), text]);
    }

    /** Metadata in order of id between two bounds: {gte, gt, lt, lte, reverse}. */
    async metaRange(range, rows) {
        const bounds = { gte: DOC_PREFIX, lt: DOC_END, reverse: !!range.reverse };
        for (const name of ['gte', 'gt'])
            if (name in range) {
                delete bounds.gte;
                bounds[name] = DOC_PREFIX + range[name];
            }
        for (const name of ['lte', 'lt'])
            if (name in range) {
                delete bounds.lt;
                bounds[name] = DOC_PREFIX + range[name];
            }
        const found = await collect(
            this.level.iterator({ ...bounds, ...TEXT, highWaterMark: 262144 }),
            rows,
            16e6,
        );
        return found.map(([, text]) => safeJsonParse(text));
    }

    /**
     * PouchDB's adapter directly: the public bulkDocs drops what it does not know of an attachment,
     * and the server keeps there what CouchDB shows (digest and length of the compressed form).
     */
    write(docs, newEdits) {
        const generation = (doc) =>
            doc._revisions ? doc._revisions.start : parseInt(doc._rev, 10);
        if (!newEdits)
            docs.sort((a, b) =>
                a._id < b._id ? -1 : a._id > b._id ? 1 : generation(a) - generation(b),
            );
        const ids = docs.map((doc) => doc._id);
        return new Promise((resolve, reject) => {
            this.pouch._bulkDocs({ docs }, { new_edits: newEdits }, (err, results) => {
                if (err) return reject(err);
                return resolve(
                    results.map((result, i) => ({ ...result, id: result.id || ids[i] })),
                );
            });
        });
    }

    close() {
        captured.delete(this.folder);
        return this.pouch.close();
    }
}

module.exports = { openLevel };
