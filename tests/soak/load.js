/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load of a soak: writers that keep a rate, into databases that do not grow, and sinks that
 * fail now and then.
 *
 *   const load = await startLoad({ rate: 50, databases: 8, rng });
 *   load.settings(1)                  a configuration that leads all to the sinks; 1, 2: variants
 *   load.stop(); await load.arrived() when all that was written last has come to each sink
 *   await load.close();
 *
 * Documents are written again and again, so that a database is as large in the end as in the
 * beginning. What is compared is the last revision of each with what a sink got: earlier ones need
 * not come, since a feed tells of the latest alone.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { startTestServer, sleep, waitFor } = require('../lib/couch');
const { startReceiver } = require('../lib/receiver');

const DOCS = 200; /* of a database */
const AT_ONCE = 5; /* of a request */
const FILL = 'lorem ipsum dolor sit amet '.repeat(12);

const QUICK = { min: '50ms', max: '2s' };

class Load {
    constructor(server, dir, { rate, databases, rng }) {
        Object.assign(this, { server, dir, rate, rng });
        this.written = 0;
        this.requests = 0;
        this.delivered = 0;
        this.latest = new Map(); /* "db id" -> revision */
        this.came = { hook: new Map(), bulk: new Map() };
        this.running = true;
        this.count = databases;
    }

    async open() {
        this.dbs = [];
        for (let i = 0; i < this.count; i++) this.dbs.push(await this.server.makeDb());
        this.hook = await startReceiver({ reply: (req) => this.#take('hook', req) });
        this.bulk = await startReceiver({ reply: (req) => this.#take('bulk', req) });
        this.writers = this.dbs.map((where, i) => this.#write(where, i));
        return this;
    }

    /* One in fifty requests fails, and one in a hundred takes a while. */
    async #take(name, req) {
        if (req.method !== 'POST') return { status: 404, body: { error: 'not_found' } };
        const body = req.json();
        this.requests++;
        (name === 'hook' ? this.hook : this.bulk).requests.length = 0;
        if (this.rng.chance(0.02)) return { status: 503, body: { error: 'busy' } };
        const docs = name === 'hook' ? [].concat(body) : body.docs;
        const db = name === 'hook' ? null : decodeURIComponent(req.path.split('/')[1]);
        for (const doc of docs) {
            const [where, id] = [doc.db || db, doc.id || doc._id];
            this.came[name].set(`${where} ${id}`, doc.rev || doc._rev);
            this.delivered++;
        }
        const said = docs.map((doc) => ({ ok: true, id: doc._id, rev: doc._rev }));
        return {
            status: 201,
            body: name === 'hook' ? {} : body.new_edits === false ? [] : said,
            delayMs: this.rng.chance(0.01) ? 300 : 0,
        };
    }

    /* Each database by turns, so that all keep the rate together. */
    async #write(where, place) {
        const every = (AT_ONCE * this.count * 1000) / this.rate;
        const db = decodeURIComponent(where.slice(1));
        await sleep((every * place) / this.count);
        for (let due = Date.now(); this.running; due += every) {
            await this.#post(where, db);
            await sleep(Math.max(0, due + every - Date.now()));
        }
    }

    async #post(where, db) {
        const ids = new Set();
        while (ids.size < AT_ONCE) ids.add(`doc-${this.rng.int(1, DOCS)}`);
        const docs = [...ids].map((_id) => ({
            _id,
            _rev: this.latest.get(`${db} ${_id}`),
            at: this.written,
            fill: FILL.slice(0, this.rng.int(20, FILL.length)),
        }));
        const answer = await this.server.post(`${where}/_bulk_docs`, { docs });
        for (const row of answer.json)
            if (row.ok) {
                this.latest.set(`${db} ${row.id}`, row.rev);
                this.written++;
            }
    }

    /* Variants differ in what a reload can change: a batch, and a rule that is there or not. */
    settings(variant) {
        const rule = (plugin, options, more) => ({
            source: 'main',
            databases: this.dbs.map((where) => decodeURIComponent(where.slice(1))),
            plugin,
            options,
            retry: QUICK,
            ...more,
        });
        const params = { db: '$db_name', id: '$change.id', rev: '$change.rev' };
        const hook = { url: `${this.hook.url}/`, method: 'POST', batch_changes: 50, params };
        const file = { path: path.join(this.dir, 'out.ndjson'), rotate_size: '1MB', rotate_keep: 2 };
        const bulk = { url: this.bulk.url, database: '$db_name', new_edits: false };
        const extra = { extra: rule('file-sink', { ...file, path: path.join(this.dir, 'extra.ndjson') }) };
        return {
            state_dir: path.join(this.dir, 'state'),
            passwords_file: path.join(this.dir, 'passwords.json'),
            log: { level: 'info', format: 'json' },
            sources: { main: { url: this.server.url.replace('://', '://admin@'), sweep_interval: '30s' } },
            rules: {
                hook: rule('http-webhook', hook, { batch: { size: variant % 2 ? 50 : 40 } }),
                bulk: rule('bulk-sink', { ...bulk, source_url: this.server.url.replace('://', '://admin@') }),
                file: rule('file-sink', file, {
                    transforms: [{ plugin: 'omit', options: { fields: ['fill'] } }],
                }),
                never: rule('http-webhook', hook, { if: { fill: '^x{9}' } }),
                ...(variant % 2 ? extra : {}),
            },
        };
    }

    passwords() {
        const [user, password] = this.server.auth.split(':');
        return JSON.stringify({ [new URL(this.server.url).hostname]: { [user]: password } });
    }

    async stop() {
        this.running = false;
        await Promise.all(this.writers);
    }

    /* What has not come, by sink. */
    missing() {
        return Object.entries(this.came).flatMap(([name, came]) =>
            [...this.latest].filter(([key, rev]) => came.get(key) !== rev).map(([key]) => `${name} ${key}`),
        );
    }

    arrived(ms = 60000) {
        return waitFor(() => this.missing().length === 0, 'the last revisions', ms);
    }

    async close() {
        await Promise.all([this.hook.close(), this.bulk.close()]);
        await this.server.close();
        fs.rmSync(this.dir, { recursive: true, force: true });
    }
}

async function startLoad(dir, options) {
    return new Load(await startTestServer(), dir, options).open();
}

module.exports = { startLoad };
