/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What benchmarks of many databases share: the databases, a daemon behind a counting proxy, and a
 * receiver that takes the time.
 *
 *   const many = await openMany({databases: 10000, prefix, keep});
 *   const run = await many.start({rules: {r: {since: 'now'}}});
 *   const ms = await run.deliver(() => many.write(name));
 *   await run.stop();  await many.close();
 *
 * They are PREFIX00000 and so on, of TAILRACE_TEST_COUCHDB or of the test server. Those that were
 * not there are made, with a document each, and removed at the end.
 */
'use strict';

const fs = require('node:fs');
const bench = require('./bench');
const { startTestServer, waitFor, sleep } = require('../../lib/couch');
const { startReceiver } = require('../../lib/receiver');
const { startWatch } = require('../../lib/watch');

process.env.TAILRACE_BIN ||= bench.TAILRACE;
process.env.TAILRACE_PLUGIN_DIR ||= bench.PLUGINS;
const { startTailrace, tailrace } = require('../../lib/tailrace');

async function eachOf(items, atOnce, work) {
    const queue = items.slice().reverse();
    const worker = async () => {
        while (queue.length) await work(queue.pop());
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
}

const quantile = (values, q) => {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
};

const isSweep = (req) => req.kind === '_dbs_info' || req.kind === '_all_dbs';
const isUpdates = (req) => req.kind === '_db_updates';

/* A daemon; `changes` has what came, by "rule db id". */
class Run {
    constructor(many, conf, watch, receiver, changes) {
        Object.assign(this, { many, conf, watch, receiver, changes });
    }

    launch() {
        this.began = Date.now();
        this.daemon = startTailrace(['run', '-c', this.conf, '--plugin-dir', bench.PLUGINS]);
    }

    async status() {
        const said = await tailrace(['status', '--json', '-c', this.conf]);
        return said.code === 0 ? JSON.parse(said.stdout) : null;
    }

    /* Resolves to the seconds since its start when it has looked at all databases and, with
     * `read`, has read them. */
    async looked({ read = false, ms = 600000 } = {}) {
        const good = async () => {
            const said = await this.status();
            if (!this.daemon.running)
                throw new Error(this.daemon.stderrLines.slice(-20).join('\n'));
            if (!said || !said.sources.length) return false;
            const { sweep, streams } = said.sources[0];
            if (sweep.state !== 'idle' || !(sweep.databases > 0)) return false;
            return !read || streams.queued + streams.reading === 0;
        };
        for (const end = Date.now() + ms; !(await good()); await sleep(250))
            if (Date.now() > end) throw new Error(`not through after ${ms / 1000} s`);
        return (Date.now() - this.began) / 1000;
    }

    /* When a document of this name came to a rule. */
    async came(db, id, { rule = 'r', ms = 60000 } = {}) {
        const key = `${rule} ${db} ${id}`;
        await waitFor(() => this.changes.has(key), key, ms);
        return this.changes.get(key);
    }

    memory() {
        const text = fs.readFileSync(`/proc/${this.daemon.pid}/status`, 'utf8');
        const mb = (name) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)[1]) / 1024;
        return { rss_mb: mb('VmRSS'), peak_mb: mb('VmHWM') };
    }

    stop() {
        return this.daemon.stop();
    }

    async close() {
        if (this.daemon) await this.daemon.kill9();
        await this.watch.close();
        await this.receiver.close();
    }
}

class Many {
    constructor(server, names, made) {
        Object.assign(this, { server, names, made, runs: [], writes: 0 });
        this.mark = Date.now().toString(36);
    }

    /* Writes a document; resolves to {db, id, time}: when the server said that it has it. */
    async write(db, doc = {}) {
        const id = `bench-${this.mark}-${this.writes++}`;
        const answer = await this.server.put(`/${db}/${id}`, doc);
        if (answer.status !== 201) throw new Error(`${db}/${id}: ${answer.text}`);
        return { db, id, time: Date.now() };
    }

    /* A daemon that is configured, but not launched. `rules` are options by name, as libconfig
     * text; `source` too. */
    async plan({ rules = { r: '' }, source = '', databases = this.pattern, plugin } = {}) {
        const changes = new Map();
        const watch = await startWatch(this.server.url);
        const receiver = await startReceiver({
            reply: (req) => {
                const { db, id } = req.json();
                changes.set(`${req.path.slice(1)} ${db} ${id}`, req.time);
                return {};
            },
        });
        const hook = (name) => `plugin = "http-webhook"; options: { url = "${receiver.url}/${name}";
            method = "POST"; params: { db = "$db_name"; id = "$change.id"; }; };`;
        const [user, password] = this.server.auth.split(':');
        const url = watch.url.replace('://', `://${user}@`);
        const conf = bench.writeConf({
            sources: `main: { url = "${url}"; ${source} };`,
            rules:
                plugin?.({ watch, receiver }) ||
                Object.entries(rules)
                    .map(
                        ([name, more]) =>
                            `${name}: { source = "main"; databases = "${databases}"; ${more} ${hook(name)} };`,
                    )
                    .join('\n'),
            auth: { host: '127.0.0.1', user, password },
        });
        const run = new Run(this, conf, watch, receiver, changes);
        this.runs.push(run);
        return run;
    }

    async start(options) {
        const run = await this.plan(options);
        run.launch();
        return run;
    }

    async close() {
        for (const run of this.runs) await run.close();
        await eachOf(this.made, 8, (name) => this.server.delete(`/${name}`));
        await this.server.close();
    }
}

async function openMany({ databases, prefix = 'tailrace_bench_', keep = false }) {
    const server = await startTestServer();
    const names = Array.from({ length: databases }, (_, i) => prefix + `${i}`.padStart(5, '0'));
    const there = new Set((await server.get('/_all_dbs')).json);
    const missing = names.filter((name) => !there.has(name));
    if (missing.length) console.log(`  making ${bench.count(missing.length)} databases…`);
    const many = new Many(server, names, keep ? [] : missing);
    many.pattern = `^${prefix}[0-9]{5}$`;
    many.name = server.isReal ? 'TAILRACE_TEST_COUCHDB' : 'the test server';
    try {
        await eachOf(missing, 8, async (name) => {
            const answer = await server.put(`/${name}`);
            if (answer.status !== 201 && answer.status !== 202) throw new Error(answer.text);
            await many.write(name);
        });
    } catch (err) {
        await many.close();
        throw err;
    }
    return many;
}

module.exports = { openMany, eachOf, quantile, isSweep, isUpdates, sleep };
