/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: every operation that the writers send, written down before it is sent and marked
 * after it. Its number `n` stands in the document, so that whatever arrives anywhere names the
 * operation it came from, and what is written of it here says whether each byte is right.
 *
 *   const op = ledger.open(db, id, fields, traits);     op.body is what to send
 *   ledger.close(op, 'acked')                           or 'doubtful', or 'refused'
 *   ledger.judge(db, id, doc)                           {op} or {flaw}
 *
 * Traits of a document: `forked` (it has several leaves), `poison` (the webhook refuses it),
 * `endless` (a rule's expression cannot judge it). One that has none of them is plain: it has
 * one leaf, and its operations follow each other in the order of their numbers.
 */
'use strict';

const crypto = require('node:crypto');

/* The members of a document that are its writer's, whatever their order. */
function hashOf(doc) {
    const own = Object.keys(doc)
        .filter((key) => !key.startsWith('_'))
        .sort();
    const text = JSON.stringify(own.map((key) => [key, doc[key]]));
    return crypto.createHash('sha1').update(text).digest('base64');
}

const keyOf = (db, id) => `${db}/${id}`;

class Ledger {
    constructor() {
        this.ops = [];
        this.docs = new Map(); /* key -> operations, in order */
    }

    open(db, id, fields, traits = {}) {
        const body = { n: this.ops.length, ...fields };
        const deleted = Boolean(fields._deleted);
        const op = {
            n: body.n,
            db,
            id,
            type: fields.type,
            deleted,
            hash: hashOf(body),
            ...traits,
        };
        op.state = 'open';
        this.ops.push(op);
        const key = keyOf(db, id);
        if (!this.docs.has(key)) this.docs.set(key, []);
        this.docs.get(key).push(op);
        return { op, body };
    }

    close(op, state) {
        op.state = state;
    }

    /* What operation a document came from, if every byte of it is right. */
    judge(db, id, doc) {
        const where = `${db}/${id}`;
        if (!doc || !Number.isInteger(doc.n)) return { flaw: `${where}: no document of ours` };
        const op = this.ops[doc.n];
        if (!op || op.db !== db || op.id !== id)
            return {
                flaw: `${where}: it says operation ${doc.n}, which is of another document`,
            };
        if (op.state === 'refused')
            return { flaw: `${where}: operation ${op.n}, which the source refused` };
        if (op.hash !== hashOf(doc))
            return { flaw: `${where}: operation ${op.n}, but not the bytes that were written` };
        return { op };
    }

    /* The last operation of a plain document that the source must have: by number. */
    lastAcked(key) {
        const acked = this.docs.get(key).filter((op) => op.state === 'acked');
        return acked.length ? acked[acked.length - 1] : undefined;
    }

    count(state) {
        return this.ops.reduce((sum, op) => sum + (op.state === state), 0);
    }
}

module.exports = { Ledger, keyOf };
