/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage of a fault test: the daemon, its configuration and its sink, in a folder of their
 * own.
 *
 *   const stage = await follow(t, sc.url, {source: {heartbeat: '200ms'}, faults: proxy});
 *   await stage.until(() => stage.ids().includes('doc-3'), 'the third row');
 *   await stage.end();
 *
 * One source "main", one rule "rule", one database "db", file-sink as plugin; `source`,
 * `rule`, `options` and `config` add to these or replace them. Every failure shows the end of
 * the log and, with `faults`, the seed. A report of a sanitizer fails the test.
 */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const {
    startTailrace,
    tailrace,
    tempDir,
    writeConf,
    pluginDir,
} = require('../../lib/tailrace');
const { printConfig } = require('./config');
const { atEnd } = require('../../lib/at_end');

const REPORT = /(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:/;

/* No sanitizer had anything to say. */
function assertClean(lines, where = 'tailrace') {
    const text = Array.isArray(lines) ? lines.join('\n') : lines;
    const at = text.search(REPORT);
    assert.ok(
        at < 0,
        `${where}: a sanitizer reports:\n${text.slice(Math.max(0, at - 300), at + 3000)}`,
    );
}

/* The lines of a file that a sink appends to, read on from where the last look ended. */
class LineFile {
    constructor(file) {
        Object.assign(this, { file, lines: [], rest: Buffer.alloc(0), at: 0 });
    }

    read() {
        if (!fs.existsSync(this.file)) return this.lines;
        const fd = fs.openSync(this.file, 'r');
        const fresh = Buffer.alloc(fs.fstatSync(fd).size - this.at);
        this.at += fs.readSync(fd, fresh, 0, fresh.length, this.at);
        fs.closeSync(fd);
        let bytes = this.rest.length ? Buffer.concat([this.rest, fresh]) : fresh;
        for (let end; (end = bytes.indexOf(10)) >= 0; bytes = bytes.subarray(end + 1))
            this.lines.push(bytes.subarray(0, end));
        this.rest = bytes;
        return this.lines;
    }
}

class Stage {
    constructor(t, settings, { faults, env, through, files = {}, dir = tempDir(t) } = {}) {
        Object.assign(this, { t, settings, faults, env, through, dir });
        this.files = files;
        this.write();
        this.sink = new LineFile(path.join(dir, 'out.ndjson'));
        atEnd(t, () => this.daemon && assertClean(this.daemon.stderrLines));
    }

    /* Write the configuration, anew when a test changed `settings`. */
    write() {
        const main = printConfig(this.settings);
        this.conf = writeConf(this.dir, { ...this.files, 'tailrace.conf': main });
    }

    /* Start the daemon, or start it again. */
    start() {
        const args = ['run', '-c', this.conf, '--plugin-dir', pluginDir()];
        const { t, env, through } = this;
        this.daemon = startTailrace(args, { t, env, through });
        return this;
    }

    /* A command of tailrace on this configuration, to its end; sanitizers are watched. */
    async command(...args) {
        const words = [...args, '-c', this.conf, '--plugin-dir', pluginDir()];
        const got = await tailrace(words, { env: this.env });
        assertClean(got.stderr, args.join(' '));
        return got;
    }

    async json(...args) {
        const got = await this.command(...args, '--json');
        assert.equal(got.code, 0, this.story(`${args.join(' ')}: ${got.stderr}`));
        return JSON.parse(got.stdout);
    }

    /* What `checkpoint list` says, once there is a store. */
    async checkpoints() {
        await this.untilLog({ msg: /^(rule started|following|finished)/ });
        return (await this.json('checkpoint', 'list')).checkpoints;
    }

    /* Where a rule stands, as the store has it: the seq as a JSON value, or undefined. */
    async checkpoint(db = 'db', rule = 'rule') {
        const all = await this.checkpoints();
        return (all.find((c) => c.db === db && c.rule === rule) || {}).seq;
    }

    async deadLetters() {
        await this.untilLog({ msg: /^(rule started|following|finished)/ });
        return (await this.json('dead-letter', 'list')).dead_letters;
    }

    /* The rows that the sink has, as Buffers. */
    rows() {
        return this.sink.read();
    }

    ids() {
        return this.rows().map((line) => JSON.parse(line.toString()).id);
    }

    logs(fields) {
        return this.daemon
            .logs()
            .filter((r) => Object.entries(fields).every(([k, v]) => matches(r[k], v)));
    }

    /* A message for an assertion: what is wrong, the seed, the end of the log. */
    story(what) {
        const log = this.daemon ? this.daemon.stderrLines.slice(-25).join('\n') : '';
        const seed = this.faults ? `\n${this.faults.describe()}` : '';
        return `${what}${seed}\nThe log ends:\n${log}`;
    }

    /* Asks until the answer is truthy. */
    async until(check, what, ms = 15000) {
        const end = Date.now() + ms;
        for (;;) {
            const value = await check();
            if (value) return value;
            if (!this.daemon.running)
                assert.fail(this.story(`the daemon has ended before ${what}`));
            if (Date.now() > end) assert.fail(this.story(`in ${ms} ms not ${what}`));
            await sleep(10);
        }
    }

    async untilLog(fields, what = JSON.stringify(fields)) {
        await this.until(() => this.logs(fields).length > 0, `in the log: ${what}`);
        return this.logs(fields)[0];
    }

    async untilIds(ids) {
        await this.until(
            () => {
                const have = new Set(this.ids());
                return ids.every((id) => have.has(id));
            },
            `delivered: ${ids.slice(0, 10)}`,
        );
    }

    /* Stop it in order: everything is committed, nothing is reported, the exit code is 0. */
    async end() {
        const exit = await this.daemon.stop();
        assertClean(this.daemon.stderrLines);
        assert.deepEqual(
            exit,
            { code: 0, signal: null },
            this.story('it does not stop in order'),
        );
    }
}

function matches(value, want) {
    return want instanceof RegExp ? want.test(String(value)) : value === want;
}

/* A daemon for tests that retry in milliseconds, where one in the field takes seconds. */
const QUICK = { retry_min: '1ms', retry_max: '20ms', poll_interval: '20ms' };

/* A stage that is not started yet. */
function plan(t, url, { source, rule, options, config, databases = ['db'], ...rest } = {}) {
    const dir = rest.dir || tempDir(t);
    const settings = {
        state_dir: path.join(dir, 'state'),
        log: { format: 'json', level: 'debug' },
        sources: { main: { url, ...QUICK, ...source } },
        rules: {
            rule: {
                source: 'main',
                databases,
                plugin: 'file-sink',
                options: options || { path: path.join(dir, 'out.ndjson') },
                retry: { min: '1ms', max: '20ms' },
                commit: { interval: '5ms' },
                ...rule,
            },
        },
        ...config,
    };
    fs.mkdirSync(settings.state_dir, { recursive: true, mode: 0o700 });
    return new Stage(t, settings, { ...rest, dir });
}

/* Did a checkpoint stay at the beginning? */
const isStart = (seq) => seq === undefined || String(seq) === '0';

/* One of the plugins that show a behaviour, by name: its path. */
const testPlugin = (name) => path.join(pluginDir(), '..', 'tests', 'plugins', `${name}.so`);

function follow(t, url, options) {
    return plan(t, url, options).start();
}

module.exports = { plan, follow, LineFile, assertClean, isStart, testPlugin, QUICK };
