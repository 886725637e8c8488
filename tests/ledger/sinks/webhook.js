/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two rules to a webhook receiver that is now and then slow, says 503, or closes without a
 * word; a change is a request, so that some of a batch succeed and others do not.
 *
 *   hook    everything, in order; poison is refused for good, until the receiver is lenient
 *   watch   posts only, by an expression which `endless` documents keep from an end, four lanes
 *
 * What was answered by 2xx counts as taken. All attempts at a change carry one Idempotency-Key.
 *
 * In a drill it may have another manner: `silent` never answers, so that all that was sent stays in
 * flight; `well` takes everything at once but the poison, as it does for all when faults are over.
 */
'use strict';

const { sleep, waitFor } = require('../../lib/couch');
const { startReceiver } = require('../../lib/receiver');
const { Rng } = require('../../fault/lib/rng');
const { toHook } = require('../../integration/lib/sink');
const { Rows } = require('./rows');

const HOOK = { concurrency: 1, batch: 10, commitRows: 20, window: 200 };
const WATCH = { concurrency: 4, batch: 5, commitRows: 20, window: 200 };

/* Commits by rows more than by time, so that kills find something to repeat. */
const ruleOf = ({ concurrency, batch, commitRows, window }) => ({
    concurrency,
    batch: { size: batch },
    window: { rows: window },
    commit: { interval: '2s', rows: commitRows },
    options: { batch_changes: 1, timeout: '5s' },
});

class Webhook {
    constructor(stage) {
        this.stage = stage;
        this.rng = new Rng(stage.seed + 1);
        this.lenient = false;
        this.keys = new Map();
        this.findings = [];
        this.hook = new Rows(stage, { rule: 'hook', limits: HOOK });
        this.watch = new Rows(stage, {
            rule: 'watch',
            limits: WATCH,
            wants: (op) => op.type === 'post',
        });
        this.books = [this.hook, this.watch];
    }

    async open() {
        this.receiver = await startReceiver({ reply: (req) => this.#reply(req) });
    }

    close() {
        return this.receiver.close();
    }

    /* What a life that is over had sent may still be on its way in. */
    async between() {
        await sleep(20);
        await waitFor(() => this.receiver.sockets.size === 0, 'the end of its connections');
    }

    rules(databases) {
        const to = (path) => ({ url: `${this.receiver.url}${path}` });
        return {
            hook: toHook(to('/hook'), databases, ruleOf(HOOK)),
            watch: toHook(to('/watch'), databases, {
                ...ruleOf(WATCH),
                if: { type: '^post$', v: '^(a|aa)+$' },
            }),
        };
    }

    #reply(req) {
        const change = req.json();
        const isHook = req.path.startsWith('/hook');
        this.receiver.requests.length = 0; /* the books keep what matters */
        this.#compareKeys(req, change, isHook);
        const manner = this.stage.quiet ? 'well' : this.stage.manner;
        if (manner === 'silent') return { hang: true };
        if (isHook && !this.lenient && change.id.startsWith('poison')) return { status: 400 };
        const fate = this.rng.float();
        if (manner === 'well' || fate > 0.12) return this.#take(isHook, change);
        if (fate > 0.08)
            return { ...this.#take(isHook, change), delayMs: this.rng.int(1, 150) };
        return fate > 0.02 ? { status: 503 } : { close: true };
    }

    #take(isHook, { db, id, doc }) {
        (isHook ? this.hook : this.watch).take({ db, id, doc });
        return { status: 200 };
    }

    #compareKeys(req, { db, id, rev }, isHook) {
        const change = `${isHook ? 'hook' : 'watch'} ${db}/${id}@${rev}`;
        const key = req.headers['idempotency-key'];
        const before = this.keys.get(change);
        this.keys.set(change, key);
        if (!key || (before && before !== key))
            this.findings.push({
                kind: 'key',
                sink: 'webhook',
                what: `${change}: ${key}, before ${before}`,
            });
    }

    /* What is not there yet, or never will be. */
    async missing(truth, letters) {
        return this.books.flatMap((book) =>
            book
                .missing(truth, letters)
                .map((what) => ({ kind: 'missing', sink: book.rule, what })),
        );
    }
}

module.exports = { Webhook };
