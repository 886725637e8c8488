/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage: a source server that can be killed, the proxy in front of it, many databases, the
 * sinks, tailrace's configuration, and one life of the daemon after the other.
 *
 *   const stage = await openStage({seed, databases: 30});
 *   await stage.begin({TAILRACE_FAILPOINTS: '…'});      a life
 *   const end = await stage.killed();                   {code, signal}
 *   const truth = await stage.truth();                  what the source has, at rest
 *   await stage.close();
 *
 * All that talks to the source goes through the proxy, the writers too.
 */
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const {
    spawnServer,
    startTestServer,
    TestServer,
    request,
    uniqueDb,
    waitFor,
    ADMIN,
} = require('../lib/couch');
const { freePort } = require('../lib/free_port');
const { startProxy } = require('../fault/lib/proxy');
const { eachOf } = require('../integration/lib/many');
const { makeSite } = require('../integration/lib/site');
const { Ledger, keyOf } = require('./ledger');
const { SINKS } = require('./sinks');
const { Writers } = require('./writers');

/* Impatient, so that a life of a second sees something; fewer feeds than databases. */
const SOURCE = {
    retry_min: '5ms',
    retry_max: '200ms',
    poll_interval: '100ms',
    discover_interval: '500ms',
    sweep_interval: '1s',
    read_size: '8KB',
    heartbeat: '1s',
    max_feeds: 8,
    max_connections: 16,
    request_rate: 2000,
};

/* The test server, which may be killed and comes back at its port; a real one may not. */
class Source {
    constructor(dir) {
        this.dir = dir;
    }

    async open() {
        if (process.env.TAILRACE_TEST_COUCHDB) {
            this.couch = await startTestServer();
        } else {
            this.port = String(await freePort());
            await this.restart();
            this.couch = new TestServer(this.server.url, ADMIN, false, null);
        }
        return this;
    }

    get isReal() {
        return this.couch.isReal;
    }

    async kill() {
        await this.server.stop('SIGKILL');
    }

    async restart() {
        this.server = await spawnServer(this.dir, ['--port', this.port, '--admin', ADMIN]);
    }

    async close(prefix) {
        if (this.server) return this.server.stop('SIGKILL');
        const names = (await this.couch.get('/_all_dbs')).json.filter((name) =>
            name.includes(prefix),
        );
        return eachOf(names, 4, (name) => this.couch.delete(`/${name}`));
    }
}

/* Rules that there are: a variant may name others. */
const only = (rules) =>
    Object.fromEntries(Object.entries(rules).filter(([, rule]) => rule !== undefined));

class Stage {
    constructor({ seed, databases, sinks, seqInterval, pauseMs, plant, manner }) {
        Object.assign(this, { seed, seqInterval, plant, manner, life: 0, quiet: false });
        this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-ledger-'));
        this.prefix = uniqueDb('ledger');
        this.dbs = Array.from(
            { length: databases },
            (_, i) => `${this.prefix}_${String(i).padStart(2, '0')}`,
        );
        this.ledger = new Ledger();
        this.wanted = sinks;
        this.pauseMs = pauseMs;
    }

    async open() {
        this.source = await new Source(path.join(this.dir, 'source')).open();
        this.couch = this.source.couch;
        await eachOf(this.dbs, 4, (db) => this.couch.makeDb(db));
        this.proxy = await startProxy(this.couch.url, { seed: this.seed });
        this.address = this.proxy.url.replace('://', '://admin@');
        this.site = makeSite(null, null, {
            passwords: { '127.0.0.1': { admin: this.couch.auth.split(':')[1] } },
        });
        this.sinks = this.wanted.map((name) => new SINKS[name](this));
        for (const sink of this.sinks) await sink.open();
        this.configure();
        const through = { url: this.proxy.url, auth: this.couch.auth };
        this.writers = new Writers(this.ledger, through, this.dbs, {
            seed: this.seed + 2,
            pauseMs: this.pauseMs,
        });
        return this;
    }

    sink(name) {
        return this.sinks[this.wanted.indexOf(name)];
    }

    /* All rules; `change` may leave some out, add others or change their options. */
    configure(change = (rules) => rules) {
        const databases = `^${this.prefix}_[0-9]+$`;
        const rules = Object.assign({}, ...this.sinks.map((sink) => sink.rules(databases)));
        const main = { url: this.address, seq_interval: this.seqInterval, ...SOURCE };
        this.site.write({
            sources: { main },
            rules: only(change(rules)),
            main: { log: { format: 'json', level: 'info' }, drain_timeout: '20s' },
        });
    }

    /* ---- lives of the daemon ---- */

    begin(env = {}) {
        const plant = this.plant ? { TAILRACE_PLANT: this.plant } : {};
        this.daemon = this.site.start({ env: { ...plant, ...env } });
        this.end = this.daemon.exited.catch((err) => ({ error: err.message }));
    }

    /* It is over: {code, signal} or {error}, a sanitizer's report. The next life has begun. */
    async ended() {
        const end = await this.end;
        fs.appendFileSync(
            this.log,
            `--- life ${this.life}\n${this.daemon.stderrLines.join('\n')}\n`,
        );
        for (const sink of this.sinks) if (sink.between) await sink.between();
        this.life++;
        return end;
    }

    get log() {
        return path.join(this.dir, 'daemon.log');
    }

    /* Whether the daemon said it, in this life. */
    said(pattern) {
        return this.daemon.stderrLines.some((line) => pattern.test(line));
    }

    /* How often a rule was stopped in this life while its sink failed, by rule. */
    cutShort() {
        const times = new Map();
        for (const { msg, rule } of this.daemon.logs())
            if (/^rule stopped while its sink failed/.test(msg))
                times.set(rule, (times.get(rule) || 0) + 1);
        return times;
    }

    /* ---- what the databases have ---- */

    /* {id, leaves, doc} of each document, by id; leaves sorted, the winner in front. */
    async read(db) {
        const where = `${this.couch.url}/${db}/_changes?style=all_docs&include_docs=true`;
        const answer = await request(where, { auth: this.couch.auth });
        const rows = answer.status === 200 ? answer.json.results : [];
        return new Map(
            rows.map(({ id, changes, doc }) => {
                const [winner, ...rest] = changes.map(({ rev }) => rev);
                return [id, { id, doc, leaves: [winner, ...rest.sort()] }];
            }),
        );
    }

    /* key -> {op, row} of all that the source has; and what it has lost, or made up. */
    async truth() {
        const truth = new Map();
        const findings = [];
        const report = (what) => findings.push({ kind: 'source', sink: 'source', what });
        for (const db of this.dbs)
            for (const row of (await this.read(db)).values()) {
                const { op, flaw } = this.ledger.judge(db, row.id, row.doc);
                if (flaw) report(flaw);
                else truth.set(keyOf(db, row.id), { op, row });
            }
        for (const key of this.ledger.docs.keys()) {
            const acked = this.ledger.lastAcked(key);
            const there = truth.get(key);
            if (acked && (!there || (!acked.forked && there.op.n < acked.n)))
                report(`${key}: operation ${acked.n} was acknowledged and is not there`);
        }
        return { truth, findings };
    }

    /* "rule db/id" of the dead letters. */
    async letters() {
        const { dead_letters: list } = await this.site.command(['dead-letter', 'list']);
        return new Set(list.map((letter) => `${letter.rule} ${letter.db}/${letter.doc_id}`));
    }

    /* ---- the end ---- */

    async close({ keep = false } = {}) {
        if (this.daemon) await this.daemon.kill9().catch(() => {});
        await this.writers.stop();
        for (const sink of this.sinks) await sink.close();
        await this.proxy.close();
        await this.source.close(this.prefix);
        if (!keep)
            for (const dir of [this.dir, this.site.dir])
                fs.rmSync(dir, { recursive: true, force: true });
    }
}

const openStage = (options) => new Stage(options).open();

module.exports = { openStage };
