/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where changes arrive: a webhook receiver that keeps what it took, and rules that lead there.
 *
 *   const hook = await startHook(t, (changes, req) => 503);
 *   rules: {r: toHook(hook, '^orders$', {batch: {size: 10}})}
 *   await hook.until(100);  ids(hook.taken)
 *
 * A reply is a status, or what a reply of tests/lib/receiver.js is; `hook.reply` may be replaced.
 * `taken` holds the changes {db, id, rev, seq, doc} of requests that were answered by 2xx, in
 * order; `offered` those of all requests.
 */
'use strict';

const fs = require('node:fs');
const { startReceiver } = require('../../lib/receiver');
const { waitFor } = require('../../lib/couch');
const { atEnd } = require('../../lib/at_end');

class Hook {
    constructor(reply) {
        this.reply = reply;
        this.taken = [];
        this.offered = [];
        this.batches = [];
    }

    async answer(req) {
        const body = req.json();
        const changes = Array.isArray(body) ? body : [body];
        this.offered.push(...changes);
        this.batches.push(changes.length);
        const said = this.reply ? await this.reply(changes, req) : 200;
        const reply = typeof said === 'number' ? { status: said } : said || {};
        const status = reply.status || 200;
        if (status >= 200 && status < 300 && !reply.hang && !reply.close)
            this.taken.push(...changes);
        return reply;
    }

    /* n changes, or what a function of the changes likes. */
    until(what, ms) {
        const good = typeof what === 'function' ? what : (taken) => taken.length >= what;
        return waitFor(() => good(this.taken), `${what} changes`, ms).catch((err) => {
            const some = this.taken.slice(-5).map((c) => `${c.db}/${c.id}`);
            throw new Error(`${err.message}; ${this.taken.length} came: … ${some}`);
        });
    }

    clear() {
        this.taken.length = this.offered.length = this.batches.length = 0;
    }
}

async function startHook(t, reply) {
    const hook = new Hook(reply);
    const receiver = await startReceiver({ reply: (req) => hook.answer(req) });
    hook.url = receiver.url;
    hook.receiver = receiver;
    atEnd(t, () => receiver.close());
    return hook;
}

const FIELDS = {
    db: '$db_name',
    id: '$change.id',
    rev: '$change.rev',
    seq: '$seq',
    doc: '$change',
};

/* A rule; `options` adds to those of the plugin. Attempts are fast, so that tests are. */
function toHook(hook, databases, { options, ...rule } = {}) {
    return {
        source: 'main',
        databases,
        plugin: 'http-webhook',
        retry: { min: '5ms', max: '100ms' },
        ...rule,
        options: {
            url: `${hook.url}/`,
            method: 'POST',
            batch_changes: 500,
            params: FIELDS,
            ...options,
        },
    };
}

function toFile(file, databases, { options, ...rule } = {}) {
    return {
        source: 'main',
        databases,
        plugin: 'file-sink',
        ...rule,
        options: { path: file, ...options },
    };
}

/* Whole lines of a file, parsed; [] when there is none. */
function linesOf(file) {
    if (!fs.existsSync(file)) return [];
    const lines = fs.readFileSync(file, 'utf8').split('\n');
    if (lines.pop() !== '') throw new Error(`${file} ends in the middle of a line`);
    return lines.map((line) => JSON.parse(line));
}

const ids = (changes) => changes.map((change) => change.id);
const sortedIds = (changes) => ids(changes).sort();

module.exports = { startHook, toHook, toFile, linesOf, ids, sortedIds };
