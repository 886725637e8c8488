/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats-calculator: what it publishes, in a file and in a document, is a plain recount of the
 * live documents of all databases; of quantiles within their bound, everything else exactly.
 * Updates, deletions and documents that come twice show in the sums, one by one.
 *
 * Documents are grouped by type, and by number as if that were a time: so groups begin all the
 * while, and the older ones are only changed. The file is looked at between two lives too: it is
 * replaced as a whole, whatever kills the daemon.
 */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { assertField, assertValues, groupBy } = require('../../integration/lib/stats');

const BUCKET_MS = 15 * 60000;
const NUMBERS = ['sum', 'sumsqr', 'mean', 'min', 'max', 'quantiles', 'distinct'];
const OPTIONS = {
    group_by: ['type'],
    time: { field: 'n', bucket: '15m' },
    stats: [
        { name: 'n', figures: NUMBERS },
        { name: 'v', figures: ['distinct', 'top'] },
        { name: 'text', figures: ['distinct'] },
        { name: 'pad', figures: ['count'] },
    ],
};

/* The group of a document, as it is published. */
function groupOf({ type, n }) {
    const begin = n * 1000 - ((n * 1000) % BUCKET_MS);
    return `${type} ${new Date(begin).toISOString().replace('.000', '')}`;
}

function assertGroup({ documents, figures }, docs) {
    assert.strictEqual(documents, docs.length, 'documents');
    assertField(figures.n, docs, 'n');
    for (const field of ['v', 'text', 'pad']) assertValues(figures[field], docs, field);
}

class Stats {
    constructor(stage) {
        Object.assign(this, { stage, books: [], findings: [] });
        this.db = `figures_${stage.prefix}`;
    }

    async open() {
        this.file = path.join(this.stage.site.dir, 'figures.json');
        await this.stage.couch.makeDb(this.db);
    }

    close() {}

    rules(databases) {
        const url = `${this.stage.address}/${this.db}`;
        const publish = { url, document: 'figures', file: this.file, wait: '100ms' };
        return {
            stats: {
                source: 'main',
                databases,
                plugin: 'stats-calculator',
                batch: { size: 50 },
                retry: { min: '5ms', max: '200ms' },
                commit: { interval: '300ms', rows: 100 },
                options: { ...OPTIONS, publish },
            },
        };
    }

    /* The daemon is dead, or at rest. */
    between() {
        try {
            this.#page();
        } catch (err) {
            this.#find(this.findings, `the file, in life ${this.stage.life}: ${err.message}`);
        }
    }

    #page() {
        return fs.existsSync(this.file) && JSON.parse(fs.readFileSync(this.file, 'utf8'));
    }

    #find(findings, what) {
        findings.push({ kind: 'figures', sink: 'stats', what });
    }

    async missing(truth) {
        const out = [];
        const { json } = await this.stage.couch.get(`/${this.db}/figures`);
        this.#compare('the file', this.#page(), truth, out);
        this.#compare('the document', json.stats, truth, out);
        return out;
    }

    #compare(where, page, truth, out) {
        if (!page) return this.#find(out, `${where} is not there`);
        const all = [...truth.values()];
        const live = all.map(({ row }) => row.doc).filter((doc) => !doc._deleted);
        const named = live.map((doc) => ({ ...doc, group: groupOf(doc) }));
        const docs = groupBy(named, 'group');
        const groups = new Map(page.groups.map((it) => [`${it.group.type} ${it.time}`, it]));
        const look = (what, check) => {
            try {
                check();
            } catch (err) {
                this.#find(out, `${where}, ${what}: ${err.message}`);
            }
        };
        look('all', () => {
            assert.strictEqual(page.databases, new Set(all.map(({ op }) => op.db)).size);
            assert.strictEqual(page.documents, live.length);
            assert.strictEqual(page.other, undefined);
            assert.deepStrictEqual([...groups.keys()].sort(), Object.keys(docs).sort());
        });
        for (const [key, group] of groups) look(key, () => assertGroup(group, docs[key] || []));
        return undefined;
    }
}

module.exports = { Stats };
