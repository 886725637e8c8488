/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The book of a sink that takes rows: what it took, in which life of the daemon, and what
 * follows at once from it. A sink says `take(row)` for each row that it has answered for.
 *
 *   spurious    a row that is nothing the ledger has, to the last byte
 *   order       an older state of a document behind a newer one
 *   repeats     rows that it had before, by the life that took them last: a crash may repeat
 *   twice       those of them that came again in the same life
 *
 * Which states are compared: `sink.wants(op)` says what its rule lets through. Forked documents
 * come again whenever one of their leaves changes, and dead letters when they are sent
 * again: of these the last state must be there, and nothing more is asked.
 */
'use strict';

const { keyOf } = require('../ledger');

class Rows {
    /* `limits`: of its rule: {concurrency, batch, commitRows, window}. */
    constructor(stage, { rule, wants = () => true, limits }) {
        Object.assign(this, { stage, rule, wants, limits });
        this.taken = new Map(); /* number of an operation -> the life that took it last */
        this.newest = new Map(); /* key -> number */
        this.rows = 0;
        this.perLife = []; /* rows that a life took */
        this.repeats = []; /* those of them that came again, later */
        this.twice = []; /* and of these, in the same life: {life, what} */
        this.findings = [];
    }

    take({ db, id, doc, life = this.stage.life }) {
        const { op, flaw } = this.stage.ledger.judge(db, id, doc);
        this.rows++;
        this.perLife[life] = (this.perLife[life] || 0) + 1;
        if (flaw) return this.#find('spurious', flaw);
        if (!this.wants(op)) return this.#find('spurious', `${db}/${id}: not for this rule`);
        if (!op.forked && !op.poison && !op.endless) this.#compare(op, life);
        this.taken.set(op.n, life);
        return undefined;
    }

    #compare(op, life) {
        const key = keyOf(op.db, op.id);
        const newest = this.newest.get(key) ?? -1;
        const before = this.taken.get(op.n);
        if (op.n < newest) this.#find('order', `${key}: operation ${op.n} behind ${newest}`);
        this.newest.set(key, Math.max(op.n, newest));
        if (before === undefined) return;
        this.repeats[before] = (this.repeats[before] || 0) + 1;
        if (before === life)
            this.twice.push({ life, what: `${key}: operation ${op.n} twice in life ${life}` });
    }

    #find(kind, what) {
        this.findings.push({ kind, sink: this.rule, what });
    }

    /* Last states that neither came nor are dead letters. */
    missing(truth, letters) {
        const out = [];
        for (const [key, { op }] of truth)
            if (this.wants(op) && !this.taken.has(op.n) && !letters.has(`${this.rule} ${key}`))
                out.push(`${key}: operation ${op.n} (${op.state})`);
        return out;
    }

    summary() {
        const repeats = this.repeats.reduce((sum, n) => sum + (n || 0), 0);
        return { taken: this.rows, distinct: this.taken.size, repeats };
    }
}

module.exports = { Rows };
