/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scene of the n-th failure: a feed, three rules to three sinks, and what has come to each.
 *
 *   const scene = await openScene();
 *   await scene.begin();               an empty state, empty sinks
 *   … scene.words('run', '--once') …
 *   scene.missing()                    ['hook doc-7', …]: what a sink has not got
 *
 * After begin({ from: 'letters' }) all has been delivered but what the hook refused, which are dead
 * letters; it would take them now. The feed and the target of bulk-sink are the scripted server's,
 * the hook is a receiver; both live in this process. `left` and `right` are two databases that
 * differ in one document. begin({ daemon: true }) leaves a daemon running, until the next begin()
 * without it.
 */
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { startTailrace, pluginDir } = require('../../lib/tailrace');
const { startReceiver } = require('../../lib/receiver');
const { startScripted, on } = require('../lib/scripted');
const { printConfig } = require('../lib/config');
const { rows, row } = require('../lib/rows');
const { QUICK } = require('../lib/stage');
const { runFaulty } = require('./program');

/* A disk takes its time for each fsync, of which there are many in 50,000 runs. */
const MEMORY = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
const ROWS = 24;
const FILL = 'x'.repeat(300);

/* The last one does not fit into a segment of the feed that has room for the others. */
function feed() {
    const fill = (n) => FILL.repeat(n === ROWS ? 500 : 1);
    return rows(ROWS).map((r, i) => ({ ...r, doc: { ...r.doc, fill: fill(i + 1) } }));
}

function idIn(line, where) {
    try {
        return JSON.parse(line).id;
    } catch {
        throw new Error(`${where} is no row: ${line.slice(0, 80)}`);
    }
}

class Scene {
    constructor(couch, hook) {
        Object.assign(this, { couch, hook, folders: 0 });
        this.root = fs.mkdtempSync(path.join(MEMORY, 'tailrace-nth-'));
        this.ids = rows(ROWS).map((r) => r.id);
    }

    #settings() {
        const rule = (plugin, options, more) => ({
            source: 'main',
            databases: ['db'],
            plugin,
            options,
            retry: { min: '1ms', max: '20ms' },
            commit: { interval: '5ms' },
            batch: { size: 5 },
            ...more,
        });
        const lua = { code: 'function transform(doc) doc.seen = true return doc end' };
        const params = { id: '$change.id' };
        return {
            state_dir: path.join(this.dir, 'state'),
            drain_timeout: '2s',
            sources: { main: { url: this.couch.url, ...QUICK } },
            rules: {
                bulk: rule('bulk-sink', { url: `${this.couch.url}/to` }),
                file: rule(
                    'file-sink',
                    { path: path.join(this.dir, '${db_name}', 'out.json') },
                    { transforms: [{ plugin: 'lua', options: lua }] },
                ),
                hook: rule('http-webhook', {
                    url: `${this.hook.url}/`,
                    method: 'POST',
                    batch_changes: 5,
                    params,
                }),
            },
        };
    }

    async begin({ from, daemon } = {}) {
        if (daemon && this.daemon) return;
        await this.#stopDaemon();
        if (from && !this.letters) await this.#makeLetters();
        this.#makeFolder();
        if (daemon) await this.#startDaemon();
        if (!from) return;
        fs.cpSync(this.letters, path.join(this.dir, 'state'), { recursive: true });
        this.came = Object.fromEntries(Object.keys(this.came).map((name) => [name, this.ids]));
        this.came.hook = [];
    }

    #makeFolder() {
        this.#removeFolder();
        this.dir = path.join(this.root, String(this.folders++));
        fs.mkdirSync(this.dir);
        this.conf = path.join(this.dir, 'tailrace.conf');
        fs.writeFileSync(this.conf, printConfig(this.#settings()));
        this.came = { bulk: [], hook: [] };
        this.couch.requests.length = this.hook.requests.length = 0;
    }

    async #startDaemon() {
        this.daemon = startTailrace(this.words('run', '--plugin-dir', pluginDir()));
        await this.daemon.waitForLog(/following/);
    }

    async #stopDaemon() {
        const daemon = this.daemon;
        this.daemon = undefined;
        if (daemon) await daemon.stop();
    }

    #removeFolder() {
        if (this.dir && !process.env.TAILRACE_KEEP)
            fs.rmSync(this.dir, { recursive: true, force: true });
    }

    /* Once: the state of a run in which the hook refused everything. */
    async #makeLetters() {
        this.#makeFolder();
        this.refusing = true;
        const words = this.words('run', '--once', '--accept-dead-letters');
        const run = await runFaulty(words, {});
        this.refusing = false;
        if (run.code !== 0) throw new Error(`no state to begin with: ${run.stderr}`);
        this.letters = path.join(this.root, 'letters');
        fs.cpSync(path.join(this.dir, 'state'), this.letters, { recursive: true });
    }

    /* What a sink is sent and says yes to. */
    take(name, docs) {
        if (name === 'hook' && this.refusing) return { status: 400 };
        this.came[name].push(...docs.map((doc) => doc._id || doc.id));
        return {};
    }

    words(...words) {
        return [...words, '-c', this.conf];
    }

    #inFile() {
        const file = path.join(this.dir, 'db', 'out.json');
        if (!fs.existsSync(file)) return [];
        const lines = fs.readFileSync(file, 'utf8').split('\n');
        if (lines.pop() !== '') throw new Error(`${file} ends in the middle of a line`);
        return lines.map((line, i) => idIn(line, `${file}:${i + 1}`));
    }

    missing() {
        const came = { ...this.came, file: this.#inFile() };
        return Object.entries(came).flatMap(([name, ids]) =>
            this.ids.filter((id) => !ids.includes(id)).map((id) => `${name} ${id}`),
        );
    }

    async close() {
        await this.#stopDaemon();
        fs.rmSync(this.root, { recursive: true, force: true });
        await Promise.all([this.couch.close(), this.hook.close()]);
    }
}

async function openScene() {
    const left = rows(40);
    const right = left.map((r, i) => (i === 20 ? row(21, { changes: [{ rev: '2-other' }] }) : r));
    let scene;
    const bulk = on('POST', /^\/to\/_bulk_docs/, (ctx) => {
        scene.take('bulk', ctx.req.json().docs);
        return ctx.couch();
    });
    const couch = await startScripted([bulk], {
        couch: { dbs: { db: feed(), to: [], left, right } },
    });
    const reply = (req) => scene.take('hook', [].concat(req.json()));
    scene = new Scene(couch, await startReceiver({ reply }));
    return scene;
}

module.exports = { openScene };
