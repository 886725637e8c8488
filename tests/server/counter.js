// SPDX-License-Identifier: Apache-2.0
//
// How many documents a database holds after a position: `pending` of a feed, and doc_del_count.
// PouchDB counts neither, so the metadata is scanned and the live sequences of each shard are kept,
// sorted, until the database changes. In a big database under writes the answer is an upper bound:
// the scan is then repeated only when a tenth of the database has changed.
'use strict';
const { shardOf } = require('./seq');

const SMALL = 5000;
const CHUNK = 2000;

function countAfter(sorted, position) {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (sorted[middle] > position) high = middle;
        else low = middle + 1;
    }
    return sorted.length - low;
}

class Counter {
    constructor(database) {
        this.database = database;
        this.at = 0;
        this.live = [[], []];
        this.deletedCount = 0;
        this.scanning = null;
    }

    async scan(level) {
        const at = this.database.updateSeq;
        const live = [[], []];
        let deletedCount = 0;
        let range = {};
        for (;;) {
            const metas = await level.metaRange(range, CHUNK);
            for (const meta of metas) {
                live[shardOf(meta.id)].push(meta.seq);
                if (meta.deleted) deletedCount++;
            }
            if (metas.length < CHUNK) break;
            range = { gt: metas[metas.length - 1].id };
        }
        this.live = live.map((seqs) => seqs.sort((a, b) => a - b));
        this.deletedCount = deletedCount;
        this.at = at;
    }

    async refresh() {
        const stale = (await this.database.position()) - this.at;
        const size = this.live[0].length + this.live[1].length;
        if (stale === 0 || (size > SMALL && stale < size / 10)) return;
        if (!this.scanning) {
            this.scanning = this.database
                .use((level) => this.scan(level))
                .finally(() => {
                    this.scanning = null;
                });
        }
        await this.scanning;
    }

    async deleted() {
        await this.refresh();
        return this.deletedCount;
    }

    /** Documents whose current sequence is after the position of their shard. */
    async after(pair) {
        const now = await this.database.position();
        if (pair[0] >= now && pair[1] >= now) return 0;
        await this.refresh();
        const unseen = Math.max(0, now - Math.max(this.at, pair[0], pair[1]));
        return countAfter(this.live[0], pair[0]) + countAfter(this.live[1], pair[1]) + unseen;
    }
}

module.exports = { Counter };
