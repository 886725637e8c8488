/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writers: they create, update, delete and fork documents in all databases until they are
 * stopped, through the same faults that tailrace has to live with. Each operation is in the
 * ledger before it is sent. An answer that does not come leaves it doubtful, and its document
 * is looked up before it is touched again.
 *
 * A document belongs to one writer, so that its operations follow each other. Most are written
 * once and left alone: a later state would cover the loss of an earlier one.
 */
'use strict';

const crypto = require('node:crypto');
const { request, sleep } = require('../lib/couch');
const { Rng } = require('../fault/lib/rng');

const PIECES = [
    'plain',
    'ünïcödé',
    '日本語',
    '"quoted"',
    'back\\slash',
    'tab\t',
    '\u2028',
    '𝄞',
    '{[',
    '}]',
];
const ENDLESS = `${'a'.repeat(5000)}!`; /* ^(a|aa)+$ comes to no end with it */
const LARGE = 30000;
const LATE_MS = 3000;
const PATIENCE_MS = 300; /* with a source that does not answer */

/* One in so many operations is of that kind; the rest creates plain documents. */
const KINDS = [
    ['update', 0.2],
    ['remove', 0.08],
    ['fork', 0.05],
    ['poison', 0.02],
    ['large', 0.03],
];

class Writer {
    constructor(crew, name, rng) {
        Object.assign(this, { crew, name, rng, made: 0, live: [] });
    }

    text() {
        const words = Array.from({ length: this.rng.int(3, 30) }, () => this.rng.pick(PIECES));
        return words.join(' ');
    }

    pickKind() {
        let p = this.rng.float();
        for (const [kind, share] of KINDS) if ((p -= share) < 0) return kind;
        return 'create';
    }

    newId(prefix) {
        return `${prefix}-${this.name}-${++this.made}`;
    }

    fields(more) {
        const type = this.rng.chance(0.5) ? 'post' : 'note';
        return { type, v: 'aa', text: this.text(), ...more };
    }

    /* One of its own that is no longer under way. */
    pickLive() {
        const doc = this.live[this.rng.int(0, this.live.length - 1)];
        return doc && !doc.busy ? doc : undefined;
    }

    /* What to do next: {doc, fields, traits}. */
    next(db) {
        const kind = this.pickKind();
        const old = kind === 'update' || kind === 'remove' ? this.pickLive() : undefined;
        if (old)
            return { doc: old, fields: this.fields(kind === 'remove' && { _deleted: true }) };
        const prefix = kind === 'fork' || kind === 'poison' ? kind : 'doc';
        const doc = { db, id: this.newId(prefix), traits: {} };
        if (kind === 'fork') doc.traits = { forked: true };
        if (kind === 'poison') doc.traits = { poison: true };
        return { doc, fields: this.fields(kind === 'large' && { pad: 'x'.repeat(LARGE) }) };
    }

    /* A few documents of one database in one request. */
    async write(db, tasks) {
        const { ledger } = this.crew;
        const entries = [];
        for (const { doc, fields } of tasks) {
            if (doc.lost && !(await this.find(doc))) continue;
            doc.busy = true;
            const { op, body } = ledger.open(doc.db, doc.id, fields, doc.traits);
            const rev = doc.rev ? { _rev: doc.rev } : {};
            entries.push({ doc, op, json: { _id: doc.id, ...rev, ...body } });
        }
        if (entries.length === 0) return;
        const answer = await this.post(db, { docs: entries.map((entry) => entry.json) });
        entries.forEach((entry, i) => this.note(entry, answer && answer[i]));
        for (const { doc } of entries.filter(
            (entry) => entry.doc.traits.forked && entry.doc.rev,
        ))
            await this.fork(doc);
    }

    async post(db, body) {
        try {
            const answer = await this.crew.send(db, '/_bulk_docs', { method: 'POST', body });
            if (answer.status === 201) return answer.json;
        } catch {
            /* it may have been written, or not */
        }
        await sleep(PATIENCE_MS);
        return undefined;
    }

    note({ doc, op }, said) {
        const { ledger } = this.crew;
        doc.busy = false;
        doc.lost = !said || Boolean(said.error);
        if (!doc.lost) ledger.close(op, 'acked');
        else ledger.close(op, said && said.error === 'conflict' ? 'refused' : 'doubtful');
        if (doc.lost) return;
        doc.rev = said.rev;
        if (op.deleted) this.live = this.live.filter((other) => other !== doc);
        else if (!doc.known && !doc.traits.forked && !doc.traits.poison) this.live.push(doc);
        doc.known = true;
    }

    /* A second leaf, as a replicator brings one. */
    async fork(doc) {
        const { op, body } = this.crew.ledger.open(doc.db, doc.id, this.fields(), doc.traits);
        const hash = crypto.createHash('md5').update(`${doc.id} ${op.n}`).digest('hex');
        const docs = [
            { _id: doc.id, _rev: `1-${hash}`, _revisions: { start: 1, ids: [hash] }, ...body },
        ];
        const answer = await this.post(doc.db, { docs, new_edits: false });
        this.crew.ledger.close(op, answer ? 'acked' : 'doubtful');
    }

    /* What the source has of a document whose last answer did not come. */
    async find(doc) {
        try {
            const answer = await this.crew.send(doc.db, `/${doc.id}`, {});
            if (answer.status !== 200) return false; /* not there, or deleted: let it be */
            doc.rev = answer.json._rev;
            doc.lost = false;
            return true;
        } catch {
            return false;
        }
    }

    async run() {
        while (!this.crew.stopping) {
            const db = this.rng.pick(this.crew.dbs);
            const first = this.next(db);
            const tasks = [first];
            for (let more = this.rng.int(0, 5); more > 0; more--) {
                const task = this.next(first.doc.db);
                if (task.doc.db === first.doc.db && tasks.every((it) => it.doc !== task.doc))
                    tasks.push(task);
            }
            await this.write(first.doc.db, tasks);
            await sleep(this.rng.int(1, 2 * this.crew.pauseMs));
        }
    }
}

/* `couch`: {url, auth}, of the proxy; `pauseMs`: between two requests of a writer. */
class Writers {
    constructor(ledger, couch, dbs, { seed, count = 4, pauseMs = 60 }) {
        Object.assign(this, { ledger, couch, dbs, pauseMs, stopping: false });
        const rng = new Rng(seed);
        this.writers = Array.from(
            { length: count },
            (_, i) => new Writer(this, `w${i}`, new Rng(rng.u32())),
        );
        this.extra = new Writer(this, 'x', new Rng(rng.u32()));
    }

    /* No answer in a while is none. */
    send(db, where, options) {
        const { url, auth } = this.couch;
        const late = sleep(LATE_MS).then(() => Promise.reject(new Error('no answer')));
        return Promise.race([request(`${url}/${db}${where}`, { auth, ...options }), late]);
    }

    start() {
        this.running = Promise.all(this.writers.map((writer) => writer.run()));
    }

    async stop() {
        this.stopping = true;
        await this.running;
    }

    /* One that the webhook refuses, now. */
    poison() {
        return this.#one('poison', { poison: true }, {});
    }

    /* One that no expression can judge. */
    endless() {
        return this.#one('endless', { endless: true }, { v: ENDLESS });
    }

    #one(prefix, traits, more) {
        const { extra } = this;
        const db = extra.rng.pick(this.dbs);
        const doc = { db, id: extra.newId(prefix), traits };
        return extra.write(db, [{ doc, fields: { ...extra.fields(more), type: 'post' } }]);
    }
}

module.exports = { Writers };
