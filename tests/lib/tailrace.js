/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the tailrace command in tests: to its end, or as a daemon whose log is watched.
 *
 *   const dir = tempDir(t);
 *   const conf = writeConf(dir, {'tailrace.conf': '…', 'conf.d/a.conf': '…'});
 *   const d = startTailrace(['run', '-c', conf], {t});
 *   await d.waitForLog({msg: 'ready'});
 *   assert.equal((await d.stop()).code, 0);
 *
 * The binary is TAILRACE_BIN, the folder of the plugins TAILRACE_PLUGIN_DIR; without them what
 * the build tree build/dev has. With `t` (the test's context) the process is killed after the
 * test.
 */
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const { spawn } = require('node:child_process');
const { atEnd } = require('./at_end');

const REPO = path.resolve(__dirname, '..', '..');

function binary() {
    const bin = process.env.TAILRACE_BIN || path.join(REPO, 'build', 'dev', 'core', 'tailrace');
    if (!fs.existsSync(bin))
        throw new Error(`no tailrace at ${bin}: build it, or set TAILRACE_BIN`);
    return bin;
}

function pluginDir() {
    return process.env.TAILRACE_PLUGIN_DIR || path.join(REPO, 'build', 'dev', 'plugins');
}

/* A folder that goes away after the test; TAILRACE_KEEP=1 keeps it for a look. */
function tempDir(t) {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-test-'));
    if (t && !process.env.TAILRACE_KEEP)
        atEnd(t, () => fs.rmSync(dir, { recursive: true, force: true }));
    return dir;
}

/*
 * Write a config below dir: one text (tailrace.conf), or {name: text, …} with names like
 * 'conf.d/a.conf'. A file is readable by its owner only, as a passwords file has to be. Returns
 * the path of tailrace.conf.
 */
function writeConf(dir, content) {
    const files = typeof content === 'string' ? { 'tailrace.conf': content } : content;
    for (const [name, text] of Object.entries(files)) {
        const file = path.join(dir, name);
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.writeFileSync(file, text, { mode: 0o600 });
    }
    return path.join(dir, 'tailrace.conf');
}

/* `through`: words of a command that sets something up and becomes what follows, as env does. */
function launch(args, { cwd, env, through = [] } = {}) {
    const [command, ...words] = [...through, binary(), ...args];
    return spawn(command, words, { cwd, env: { ...process.env, ...env } });
}

/* Resolves to {code, signal} when the process and its pipes have ended. */
function ended(child) {
    return new Promise((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (code, signal) => resolve({ code, signal }));
    });
}

/* A test must not pass over what a sanitizer found. */
function judgeStderr(lines) {
    const sign = /ERROR: AddressSanitizer|ERROR: LeakSanitizer|ThreadSanitizer|runtime error:/;
    const at = lines.findIndex((line) => sign.test(line));
    if (at >= 0) throw new Error(`a sanitizer reports:\n${lines.slice(at, at + 40).join('\n')}`);
}

/* Run to the end. After timeoutMs it is killed: {signal: 'SIGKILL'}. */
async function tailrace(args, { input = '', timeoutMs = 60000, ...options } = {}) {
    const child = launch(args, options);
    const out = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'])
        child[name].setEncoding('utf8').on('data', (text) => (out[name] += text));
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.stdin.on('error', () => {}); /* it may end without reading */
    child.stdin.end(input);
    const exit = await ended(child).finally(() => clearTimeout(timer));
    judgeStderr(out.stderr.split('\n'));
    return { ...exit, ...out };
}

/* Does a log record have these fields? A RegExp as value matches the field as a string. */
function hasFields(record, fields) {
    return Object.entries(fields).every(([key, want]) =>
        want instanceof RegExp ? want.test(String(record[key])) : record[key] === want,
    );
}

class Daemon {
    constructor(args, options) {
        this.child = launch(args, options);
        this.pid = this.child.pid;
        this.stderrLines = [];
        this.stdout = '';
        this.waiters = new Set();
        this.running = true;
        this.exited = ended(this.child).then((exit) => {
            this.running = false;
            this.#wake();
            judgeStderr(this.stderrLines);
            return exit;
        });
        this.exited.catch(() => (this.running = false));
        this.child.stdout.setEncoding('utf8').on('data', (text) => (this.stdout += text));
        readline.createInterface({ input: this.child.stderr }).on('line', (line) => {
            this.stderrLines.push(line);
            this.#wake();
        });
        this.child.stdin.on('error', () => {});
        this.child.stdin.end(options.input || '');
        if (options.t) atEnd(options.t, () => this.kill9());
    }

    #wake() {
        for (const check of [...this.waiters]) check();
    }

    /* The log so far, as objects; lines that are not JSON are left out. */
    logs() {
        return this.stderrLines.flatMap((line) => {
            try {
                return [JSON.parse(line)];
            } catch {
                return [];
            }
        });
    }

    #find(what, from) {
        const lines = this.stderrLines.slice(from);
        if (what instanceof RegExp) return lines.find((line) => what.test(line));
        return this.logs.call({ stderrLines: lines }).find((record) => hasFields(record, what));
    }

    /*
     * A line of the log that a RegExp matches, or a record with these fields: an old one or one
     * to come; {from: n} leaves the first n lines out. Rejects with the log when the time is
     * over or the daemon has ended.
     */
    waitForLog(what, ms = 10000, { from = 0 } = {}) {
        return new Promise((resolve, reject) => {
            const done = () => (this.waiters.delete(check), clearTimeout(timer));
            const fail = (why) => {
                done();
                const want = what instanceof RegExp ? what : JSON.stringify(what);
                const log = this.stderrLines.slice(-40).join('\n');
                reject(new Error(`no ${want} in the log: ${why}. The log ends:\n${log}`));
            };
            const check = () => {
                const found = this.#find(what, from);
                if (found !== undefined) done(), resolve(found);
                else if (!this.running) fail('the daemon has ended');
            };
            const timer = setTimeout(() => fail(`not in ${ms} ms`), ms);
            this.waiters.add(check);
            check();
        });
    }

    signal(name) {
        this.child.kill(name);
    }

    /* Ask it to end; after timeoutMs it is killed, and its exit says so. */
    async stop(signal = 'SIGTERM', timeoutMs = 30000) {
        const timer = setTimeout(() => this.child.kill('SIGKILL'), timeoutMs);
        this.child.kill(signal);
        return this.exited.finally(() => clearTimeout(timer));
    }

    kill9() {
        if (this.running) this.child.kill('SIGKILL');
        return this.exited;
    }
}

/* Start and leave running; options: t, cwd, env, through, input. */
function startTailrace(args, options = {}) {
    return new Daemon(args, options);
}

module.exports = { tailrace, startTailrace, tempDir, writeConf, binary, pluginDir };
