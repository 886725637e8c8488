/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One database of the believable CouchDB: an array of rows, a position in it, `_local`
 * documents.
 *
 * A seq stands for a position in the array. A row without a seq gets one that looks like
 * CouchDB's and names its position and this incarnation; a row with one of its own (a number,
 * an array, null, …) keeps it. As in CouchDB, a seq that looks right but belongs to another
 * database or incarnation is accepted and rewinds to the start, and one that does not is
 * refused.
 */
'use strict';

const { EventEmitter } = require('node:events');

let incarnations = 0;

class Database extends EventEmitter {
    constructor(name, { rows = [], instance_start_time } = {}) {
        super();
        this.setMaxListeners(0);
        this.incarnation = ++incarnations;
        this.name = name;
        this.rows = [...rows];
        this.locals = new Map();
        this.deleted = false;
        this.instanceStartTime =
            instance_start_time ?? String(Math.floor(Date.now() / 1000) + this.incarnation);
    }

    append(...rows) {
        this.rows.push(...rows);
        this.emit('change');
    }

    remove() {
        this.deleted = true;
        this.emit('change');
    }

    /* The seq that names position n. */
    token(n) {
        return `${n}-g1AAAACTeJzLYWBgYMpgTmHgz8tPSTV0MDQy1zMAQsMckEQiQ1L9${this.incarnation}`;
    }

    /* The seq of row i (0 is the first), as a JSON value. */
    seqOf(i) {
        const row = this.rows[i];
        if (typeof row !== 'string' && !Buffer.isBuffer(row))
            return row.seq === undefined ? this.token(i + 1) : row.seq;
        try {
            return JSON.parse(row.toString()).seq ?? this.token(i + 1);
        } catch {
            return this.token(i + 1);
        }
    }

    /* What a client shall save that has read up to position n. */
    lastSeq(n) {
        const seq = n > 0 ? this.seqOf(n - 1) : null;
        return seq === null ? this.token(n) : seq;
    }

    /* The position that `since` of a request names; null when it is malformed. */
    position(since) {
        if (since === null || since === '' || since === '0') return 0;
        if (since === 'now') return this.rows.length;
        for (let n = this.rows.length; n >= 0; n--)
            for (const seq of [this.lastSeq(n), this.token(n)])
                if (since === seq || since === JSON.stringify(seq)) return n;
        return /^"?\d+-/.test(since) ? 0 : null;
    }

    info() {
        return {
            instance_start_time: this.instanceStartTime,
            db_name: this.name,
            purge_seq: this.token(0),
            update_seq: this.lastSeq(this.rows.length),
            sizes: { file: 16692, external: 0, active: 0 },
            props: {},
            doc_del_count: 0,
            doc_count: this.rows.length,
            disk_format_version: 8,
            compact_running: false,
            cluster: { q: 2, n: 1, w: 1, r: 1 },
        };
    }
}

module.exports = { Database };
