/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres-sink: one table for all databases, deleted documents marked. Judged at rest, row by
 * row: revision, deleted or not, and the bytes of the document.
 */
'use strict';

const { startPostgres, toPostgres } = require('../../integration/lib/postgres');
const { keyOf } = require('../ledger');

const ALL = 'SELECT db, id, rev, deleted, doc FROM docs';

class PostgresTable {
    constructor(stage) {
        Object.assign(this, { stage, books: [], findings: [] });
    }

    async open() {
        this.postgres = await startPostgres();
    }

    close() {
        return this.postgres.close();
    }

    rules(databases) {
        const options = { table: 'docs', deletes: 'mark' };
        const rule = toPostgres(this.postgres, '', options, { commit: { interval: '300ms' } });
        return { postgres: { ...rule, databases } };
    }

    async missing(truth) {
        const out = [];
        const report = (kind, what) => out.push({ kind, sink: 'postgres', what });
        const rows = new Map(
            (await this.postgres.rows(ALL)).map((row) => [keyOf(row.db, row.id), row]),
        );
        for (const [key, row] of rows) this.#judge(key, row, report);
        for (const [key, { op, row }] of truth) {
            const there = rows.get(key);
            if (!there) report('missing', `${key}: operation ${op.n} (${op.state})`);
            else if (there.rev !== row.leaves[0] || there.deleted !== op.deleted)
                report('missing', `${key}: ${row.leaves[0]}, in the table ${there.rev}`);
        }
        return out;
    }

    #judge(key, { db, id, doc, deleted }, report) {
        if (deleted) return; /* the table may keep no document of it */
        const { flaw } = this.stage.ledger.judge(db, id, doc);
        if (flaw) report('spurious', flaw);
    }
}

module.exports = { PostgresTable };
