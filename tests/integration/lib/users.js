/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users with a database each, as Spiegel is tried with: a message in the database of the first is
 * to be in those of all others, by a `replicator` document for each, and an API is called for
 * each change of each, by one `on_change` document.
 *
 *   const users = await makeUsers(t, couch, 10);
 *   await users.start();                       the daemon, with the on_change document
 *   await users.looked();
 *   await users.befriend();                    the replicator documents
 *   await users.say();                         a message
 *   await users.all();                         everybody has it, and the API knows of it
 *   const exit = await users.stop();
 *   await users.judge(exit);                   nothing went wrong
 *
 * The daemon reaches the server through a watch, which counts; replications do not. Waiting ends
 * by an error after `patienceMs`, or when the daemon does.
 */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const readline = require('node:readline');
const { uniqueDb, sleep } = require('../../lib/couch');
const { startReceiver } = require('../../lib/receiver');
const { startWatch } = require('../../lib/watch');
const { makeSite } = require('./site');
const { fill } = require('./docs');
const { eachOf } = require('./many');
const { atEnd } = require('../../lib/at_end');

const NAMES_A_REQUEST = 100;
const TICKS = 100; /* of a second, in /proc */

class Users {
    constructor(t, couch, count, { patienceMs = 60000 } = {}) {
        const prefix = `user_${uniqueDb('t')}_`;
        Object.assign(this, { t, couch, patienceMs, messages: [], ended: { cpu_s: 0 } });
        this.changed = new Map(); /* when, by name */
        this.names = Array.from({ length: count }, (_, i) => prefix + i);
        this.pattern = `^${prefix}(.*)$`;
        this.rules = uniqueDb('spiegel');
    }

    async make({ options, defaults, source }) {
        const { t, couch } = this;
        await eachOf([...this.names, this.rules], 8, (name) => couch.makeDb(name));
        await this.#listen();
        this.api = await startReceiver();
        atEnd(t, () => this.api.close());
        this.watch = await startWatch(couch.url, t);
        const group = {
            source: 'main',
            database: this.rules,
            plugins: ['http-webhook', 'replicator'],
            defaults,
        };
        this.site = makeSite(
            t,
            { url: this.watch.url, auth: couch.auth },
            {
                source,
                main: { log: { level: 'info' }, rule_documents: { spiegel: group }, ...options },
            },
        );
        await this.#put([
            {
                _id: 'api',
                type: 'on_change',
                db_name: this.pattern,
                url: `${this.api.url}/message/after`,
                params: { change: '$change', db_name: '$db_name', num_users: this.names.length },
                method: 'POST',
                debounce: true,
            },
        ]);
    }

    /* The server tells when a database has changed: to ask it about a thousand is work for it. */
    async #listen() {
        const agent = new http.Agent();
        const where = '/_db_updates?feed=continuous&since=now&heartbeat=10000';
        const feed = await this.couch.open(where, { agent });
        atEnd(this.t, () => agent.destroy());
        feed.on('error', () => {});
        const lines = readline.createInterface({ input: feed });
        lines.on('error', () => {});
        lines.on('line', (line) => {
            if (line) this.changed.set(JSON.parse(line).db_name, Date.now());
        });
    }

    #put(docs) {
        const byId = new Map(docs.map((doc) => [doc._id, doc]));
        return fill(this.couch, `/${this.rules}`, [...byId.keys()], (id) => byId.get(id));
    }

    /* Resolves to the seconds until `check` was truthy. */
    async #until(check, what, pauseMs = 100) {
        const begin = Date.now();
        while (!(await check())) {
            if (!this.daemon.running)
                throw new Error(`the daemon ended:\n${this.#tail()}`);
            if (Date.now() - begin > this.patienceMs)
                throw new Error(
                    `${this.patienceMs} ms in vain for ${what()}; the log:\n${this.#tail()}`,
                );
            await sleep(pauseMs);
        }
        return (Date.now() - begin) / 1000;
    }

    #tail() {
        return this.daemon.stderrLines.slice(-20).join('\n');
    }

    #started() {
        return this.daemon.stderrLines.filter((line) => line.includes('"rule started"')).length;
    }

    /* Resolves to the seconds until `rules` rules have started. */
    async start(rules = 1) {
        this.daemon = this.site.start();
        return this.#until(
            () => this.#started() >= rules,
            () => `${rules} rules; there are ${this.#started()}`,
        );
    }

    /* Resolves to the seconds until all databases were looked at. */
    looked() {
        const isOver = async () => {
            const { sources } = await this.site.command(['status']).catch(() => ({ sources: [] }));
            const [{ sweep, streams } = {}] = sources;
            if (sweep?.state !== 'idle' || sweep.finished_s_ago === undefined) return false;
            return streams.queued + streams.reading === 0;
        };
        return this.#until(isOver, () => 'a look at all databases', 200);
    }

    /* Puts a replicator document from the first user to each other one, all at once or, with
     * `oneByOne`, 8 at a time; resolves to the seconds until all rules have started. */
    async befriend({ oneByOne = false } = {}) {
        const begin = Date.now();
        const url = (name) => `${this.couch.url.replace('://', '://admin@')}/${name}`;
        const [first, ...others] = this.names;
        const docs = others.map((name) => ({
            _id: `to-${name}`,
            type: 'replicator',
            source: url(first),
            target: url(name),
        }));
        if (oneByOne) await eachOf(docs, 8, (doc) => this.#put([doc]));
        else await this.#put(docs);
        await this.#until(
            () => this.#started() >= this.names.length,
            () => `${this.names.length} rules; there are ${this.#started()}`,
        );
        return (Date.now() - begin) / 1000;
    }

    /* Resolves to the seconds until no replication is under way, and nothing was asked about single
     * databases for a while. */
    settled(ms = 1500) {
        const isOf = (req) => req.db.startsWith('user_') || req.kind === '_replicate';
        const isRun = (req) => req.kind === '_replicate';
        const count = () => this.watch.of(isOf).length;
        const runs = () => this.watch.open(isRun).length;
        let last = -1;
        return this.#until(
            () => {
                const before = last;
                last = count();
                return before === last && runs() === 0;
            },
            () => `the end of ${runs()} replications`,
            ms,
        );
    }

    async say() {
        const id = `message-${this.messages.length + 1}`;
        this.said = Date.now();
        const answer = await this.couch.put(`/${this.names[0]}/${id}`, { msg: `this is ${id}` });
        if (answer.status !== 201) throw new Error(answer.text);
        this.messages.push(id);
    }

    /* Those that have not got all messages, of the first hundred of `names`. */
    async #without(names) {
        const keys = names.slice(0, NAMES_A_REQUEST);
        const answer = await this.couch.post('/_dbs_info', { keys });
        if (answer.status !== 200) throw new Error(answer.text);
        const has = (entry) => entry.info?.doc_count >= this.messages.length;
        return answer.json.filter((entry) => !has(entry)).map((entry) => entry.key);
    }

    /* Resolves when everybody has all messages, as the server says. */
    async arrived() {
        let left = this.names;
        let pause = 0;
        await this.#until(
            async () => {
                if (pause) await sleep(pause);
                const still = await this.#without(left);
                const asked = Math.min(left.length, NAMES_A_REQUEST);
                pause = still.length === asked ? 500 : 100;
                left = [...left.slice(asked), ...still];
                return left.length === 0;
            },
            () => `the messages in ${left.length} databases, as ${left[0]}`,
            0,
        );
    }

    /* How often the API was called, by database and message. */
    calls() {
        const calls = new Map();
        for (const req of this.api.requests) {
            const { change, db_name: db } = req.json();
            const key = `${db}/${change._id}`;
            calls.set(key, (calls.get(key) || 0) + 1);
        }
        return calls;
    }

    /* Resolves to the seconds until the API was told of each message in each database. */
    told() {
        const wanted = this.names.length * this.messages.length;
        const count = () =>
            this.api.requests.length < wanted ? this.api.requests.length : this.calls().size;
        return this.#until(
            () => count() >= wanted,
            () => `${wanted} calls of the API; there were ${count()}`,
            200,
        );
    }

    /* Resolves to the seconds until the last database had the last message, and until the API knew
     * of all. */
    async all() {
        const begin = Date.now();
        const told_s = await this.told();
        const times = () => this.names.map((name) => this.changed.get(name) || 0);
        await this.#until(
            () => times().every((time) => time >= this.said),
            () => 'word of the server that all databases have changed',
        );
        const arrived_s = Math.max(0, Math.max(...times()) - begin) / 1000;
        await this.arrived();
        return { arrived_s, told_s };
    }

    /* Requests to the server since `watch.clear()`: POST _replicate, those about the database of
     * the first user, about all others, and of other kinds. */
    requests() {
        const count = (likes) => this.watch.of(likes).length;
        const [first] = this.names;
        const isUser = (req) => req.db.startsWith('user_');
        return {
            replications: count((req) => req.kind === '_replicate'),
            replications_refused: count(
                (req) => req.kind === '_replicate' && req.status && req.status !== 200,
            ),
        of_source: count((req) => req.db === first),
            of_targets: count((req) => isUser(req) && req.db !== first),
            of_server: count((req) => !isUser(req) && req.kind !== '_replicate'),
        };
    }

    /* CPU seconds since the beginning, peak of memory, threads: of all daemons so far. */
    cost() {
        if (!this.daemon.running) return this.ended;
        const stat = fs.readFileSync(`/proc/${this.daemon.pid}/stat`, 'utf8');
        const status = fs.readFileSync(`/proc/${this.daemon.pid}/status`, 'utf8');
        const [utime, stime] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13);
        const field = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]);
        return {
            cpu_s: (Number(utime) + Number(stime)) / TICKS,
            rss_mb: field('VmRSS') / 1024,
            peak_mb: field('VmHWM') / 1024,
            threads: field('Threads'),
            connections: this.watch.sockets.size,
        };
    }

    /* Resolves to {code, signal, stop_s}. */
    async stop() {
        const begin = Date.now();
        this.ended = this.cost();
        const exit = await this.daemon.stop('SIGTERM', this.patienceMs);
        this.records = [...(this.records || []), ...this.daemon.logs()];
        return { ...exit, stop_s: (Date.now() - begin) / 1000 };
    }

    /* After a stop: it ended well, no line of its log is an error, no rule was held, nothing was
     * given up, and nobody was told what did not happen. */
    async judge({ code, signal }) {
        assert.deepEqual({ code, signal }, { code: 0, signal: null }, this.#tail());
        const errors = this.records.filter((record) => record.level === 'error');
        assert.deepEqual(errors, []);
        const { dead_letters: letters } = await this.site.command(['dead-letter', 'list']);
        assert.deepEqual(letters, []);
        const wanted = this.names.flatMap((db) => this.messages.map((id) => `${db}/${id}`));
        assert.deepEqual([...this.calls().keys()].sort(), wanted.sort());
    }

    /* Lines of the log that warn, by what they say. */
    warnings() {
        const counts = {};
        for (const { level, msg, reason } of this.records)
            if (level === 'warn') {
                const text = reason ? `${msg}: ${reason}` : msg;
                counts[text] = (counts[text] || 0) + 1;
            }
        return counts;
    }

    /* Many at a time, which a real server has use for. */
    async remove() {
        if (this.daemon) await this.daemon.kill9();
        const all = [...this.names, this.rules];
        await eachOf(all, 8, (name) => this.couch.delete(`/${name}`));
        const gone = new Set(all.map((name) => `/${name}`));
        this.couch.made = this.couch.made.filter((where) => !gone.has(where));
    }
}

/* `options`: patienceMs; main options of the daemon, `defaults` of the group, `source`. */
async function makeUsers(t, couch, count, { patienceMs, ...parts } = {}) {
    const users = new Users(t, couch, count, { patienceMs });
    atEnd(t, () => users.remove());
    await users.make(parts);
    return users;
}

module.exports = { makeUsers };
