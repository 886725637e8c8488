/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sink that is a database for each source database, on the same server. Writing there again
 * changes nothing, so it is judged at rest: leaf by leaf, and by the bytes of what wins.
 */
'use strict';

class Copies {
    /* `leaves`: all leaves must be there, not just the one that wins. */
    constructor(stage, name, { leaves }) {
        Object.assign(this, { stage, name, leaves, books: [], findings: [] });
    }

    async open() {}
    close() {}

    target(db) {
        return `${this.name}_${db}`;
    }

    async missing(truth) {
        const out = [];
        const report = (kind, what) => out.push({ kind, sink: this.name, what });
        for (const db of this.stage.dbs)
            this.#compare(db, truth, await this.stage.read(this.target(db)), report);
        return out;
    }

    #compare(db, truth, rows, report) {
        for (const row of rows.values()) {
            const { flaw } = this.stage.ledger.judge(db, row.id, row.doc);
            if (flaw) report('spurious', flaw);
        }
        for (const [key, { op, row }] of truth) {
            if (op.db !== db) continue;
            const there = rows.get(op.id);
            if (!there) report('missing', `${key}: operation ${op.n} (${op.state})`);
            else if (there.leaves[0] !== row.leaves[0])
                report(
                    'missing',
                    `${key}: ${row.leaves[0]} wins at the source, ${there.leaves[0]} here`,
                );
            else if (this.leaves && String(there.leaves) !== String(row.leaves))
                report('missing', `${key}: leaves ${row.leaves}, here ${there.leaves}`);
        }
    }
}

module.exports = { Copies };
