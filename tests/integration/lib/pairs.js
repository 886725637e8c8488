/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs of databases, each of which is to have in its copy what it has: by one rule with a pattern,
 * or by a `replicator` document of Spiegel's for each. A daemon replicates them through a watch,
 * which counts what is asked about each database, of either end.
 *
 *   const pairs = await makePairs(t, couch, 60, { by: 'rule' });
 *   await pairs.start();
 *   await pairs.settled();                       all is copied, and nothing is asked any more
 *   const changed = pairs.some(5);
 *   pairs.watch.clear();
 *   const writes = await pairs.change(changed);  [{source, time}]
 *   await pairs.settled();
 *   pairs.idle(changed);                         requests about databases that are none of these
 *   await pairs.stop();
 *
 * Waiting ends by an error after `patienceMs`, or when the daemon does.
 */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const { uniqueDb, sleep } = require('../../lib/couch');
const { startWatch } = require('../../lib/watch');
const { makeSite } = require('./site');
const { fill } = require('./docs');
const { eachOf } = require('./many');
const { atEnd } = require('../../lib/at_end');

const NAMES_A_REQUEST = 100;
const TICKS = 100; /* of a second, in /proc */

const copyOf = (name) => `copy_of_${name}`;

class Pairs {
    constructor(t, couch, count, patienceMs) {
        Object.assign(this, { t, couch, patienceMs, rounds: 0 });
        this.prefix = `${uniqueDb('pair')}_`;
        this.names = Array.from(
            { length: count },
            (_, i) => this.prefix + String(i).padStart(5, '0'),
        );
        this.documents = new Map(this.names.map((name) => [name, 1]));
    }

    async make({ by, source, options }) {
        const { t, couch, names } = this;
        await eachOf(names, 8, async (name) => {
            await couch.makeDb(name);
            await couch.makeDb(copyOf(name));
            await fill(couch, `/${name}`, ['first']);
        });
        this.watch = await startWatch(couch.url, t);
        this.rules = by === 'rule' ? 1 : names.length;
        this.site = makeSite(
            t,
            { url: this.watch.url, auth: couch.auth },
            { source, ...(by === 'rule' ? this.#rule(options) : await this.#many(options)) },
        );
    }

    #url(name) {
        return `${this.watch.url.replace('://', '://admin@')}/${name}`;
    }

    #rule(options) {
        const copies = {
            source: 'main',
            databases: `^${this.prefix}`,
            plugin: 'replicator',
            options: {
                source_url: this.#url(''),
                target: this.#url(copyOf('$db_name')),
                ...options,
            },
        };
        return { rules: { copies } };
    }

    async #many(options) {
        const database = uniqueDb('pairs_spiegel');
        const docs = new Map(
            this.names.map((name) => [
                `of-${name}`,
                {
                    type: 'replicator',
                    source: this.#url(name),
                    target: this.#url(copyOf(name)),
                    ...options,
                },
            ]),
        );
        await this.couch.makeDb(database);
        await fill(this.couch, `/${database}`, [...docs.keys()], (id) => docs.get(id));
        const spiegel = { source: 'main', database, plugins: ['replicator'] };
        return { main: { rule_documents: { spiegel } } };
    }

    async #until(check, what, pauseMs = 100) {
        for (const end = Date.now() + this.patienceMs; !(await check()); await sleep(pauseMs)) {
            const tail = this.daemon.stderrLines.slice(-20).join('\n');
            if (!this.daemon.running) throw new Error(`the daemon ended:\n${tail}`);
            if (Date.now() > end) throw new Error(`in vain for ${what()}; the log:\n${tail}`);
        }
    }

    /* Resolves when all rules run. */
    async start() {
        this.daemon = this.site.start();
        const started = () =>
            this.daemon.stderrLines.filter((line) => line.includes('rule started')).length;
        await this.#until(
            () => started() >= this.rules,
            () => `${this.rules} rules; there are ${started()}`,
        );
    }

    /* Those whose copies lack something, of these. */
    async #without(names) {
        const keys = names.slice(0, NAMES_A_REQUEST).map(copyOf);
        const answer = await this.couch.post('/_dbs_info', { keys });
        assert.equal(answer.status, 200, answer.text);
        const left = answer.json.filter(
            ({ info }, i) => info.doc_count < this.documents.get(names[i]),
        );
        return left.map(({ key }) => this.names.find((name) => copyOf(name) === key));
    }

    /* Resolves when every copy is complete, all databases were looked at, and nothing was asked
     * about single ones for a while, which is longer than `checkpoint_interval` should be. */
    async settled(ms = 1500) {
        let left = this.names;
        await this.#until(
            async () => {
                const asked = left.slice(0, NAMES_A_REQUEST);
                left = [...left.slice(asked.length), ...(await this.#without(asked))];
                return left.length === 0;
            },
            () => `${left.length} copies, as of ${left[0]}`,
            20,
        );
        await this.#until(
            () => this.#looked(),
            () => 'a look at all databases',
        );
        const isOurs = (req) => req.db.includes(this.prefix);
        const waits = (req) => isOurs(req) && req.query.feed !== 'continuous';
        let last = -1;
        await this.#until(
            () => {
                const before = last;
                last = this.watch.of(isOurs).length;
                return before === last && this.watch.open(waits).length === 0;
            },
            () => 'silence',
            ms,
        );
    }

    /* Resolves when none has a feed any more: up to where one has read is known of it for good only
     * when it ends. */
    async atRest() {
        await this.#until(
            () => this.watch.open((req) => req.db.includes(this.prefix)).length === 0,
            () => 'the end of the last feed',
        );
        await this.settled();
    }

    async #looked() {
        const { sources } = await this.site.command(['status']).catch(() => ({ sources: [] }));
        const [{ sweep, streams } = {}] = sources;
        if (sweep?.state !== 'idle' || sweep.finished_s_ago === undefined) return false;
        return streams.queued + streams.reading === 0;
    }

    /* So many of the sources, spread over all. */
    some(count) {
        const step = Math.floor(this.names.length / count);
        return this.names.filter((_, i) => i % step === 0).slice(0, count);
    }

    /* Writes a document into each; when the server said that it has it. */
    async change(names) {
        const id = `change-${++this.rounds}`;
        const writes = [];
        for (const source of names) {
            const answer = await this.couch.put(`/${source}/${id}`, { round: this.rounds });
            assert.equal(answer.status, 201, answer.text);
            writes.push({ source, time: Date.now() });
            this.documents.set(source, this.documents.get(source) + 1);
        }
        return writes;
    }

    /* When what was written came to the copy, by the first answer to a write there. */
    arrival(source) {
        return this.watch.of(copyOf(source)).find((req) => req.kind === '_bulk_docs')?.done;
    }

    /* The names of databases, of either end, that something was asked about, and how often. */
    asked() {
        return Object.entries(this.watch.byDb()).filter(([db]) => db.includes(this.prefix));
    }

    /* The same of those that do not belong to `changed`. */
    idle(changed = []) {
        const busy = new Set(changed.flatMap((name) => [name, copyOf(name)]));
        return this.asked().filter(([db]) => !busy.has(db));
    }

    cpu() {
        const stat = fs.readFileSync(`/proc/${this.daemon.pid}/stat`, 'utf8');
        const [utime, stime] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13);
        return (Number(utime) + Number(stime)) / TICKS;
    }

    async stop() {
        const exit = await this.daemon.stop('SIGTERM', this.patienceMs);
        const tail = this.daemon.stderrLines.slice(-20).join('\n');
        assert.deepEqual(exit, { code: 0, signal: null }, tail);
    }

    /* Many at a time, which a real server has use for. */
    async remove() {
        if (this.daemon) await this.daemon.kill9();
        const all = this.names.flatMap((name) => [name, copyOf(name)]);
        await eachOf(all, 8, (name) => this.couch.delete(`/${name}`));
        const gone = new Set(all.map((name) => `/${name}`));
        this.couch.made = this.couch.made.filter((where) => !gone.has(where));
    }
}

/* `by`: 'rule' or 'documents'; `source` of the configuration; `options` of the plugin, or fields of
 * the documents. */
async function makePairs(t, couch, count, { by, source, options, patienceMs = 60000 }) {
    const pairs = new Pairs(t, couch, count, patienceMs);
    atEnd(t, () => pairs.remove());
    await pairs.make({ by, source, options });
    return pairs;
}

module.exports = { makePairs };
