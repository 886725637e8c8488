/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the play needs around it: lines on the terminal, the configuration with this run's
 * addresses in it, a file that is watched, and tailrace as a process.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { spawn, spawnSync } = require('node:child_process');

const COLOURS = { dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };
const isColoured = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (colour, text) => (isColoured ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text);
const say = (colour, who, what) => console.log(`${paint(colour, who.padEnd(9))} ${what}`);

/*
 * Copies the configuration of this folder to `dir` with `replace` ([from, to] pairs) applied and
 * these `secrets` ({host: {user: password}}) added; returns the path of the main file.
 */
function writeConfig(dir, replace, secrets) {
    fs.mkdirSync(path.join(dir, 'conf.d'), { recursive: true });
    for (const name of ['tailrace.conf', 'conf.d/calc-stats.conf', 'conf.d/archive.conf']) {
        let text = fs.readFileSync(path.join(__dirname, name), 'utf8');
        for (const [from, to] of replace) text = text.replaceAll(from, to);
        fs.writeFileSync(path.join(dir, name), text);
    }
    const passwords = JSON.parse(
        fs.readFileSync(path.join(__dirname, 'passwords.json'), 'utf8'),
    );
    for (const [host, users] of Object.entries(secrets))
        passwords[host] = { ...passwords[host], ...users };
    const file = path.join(dir, 'passwords.json');
    fs.writeFileSync(file, JSON.stringify(passwords, null, 4), { mode: 0o600 });
    return path.join(dir, 'tailrace.conf');
}

/* Calls `each` with every line that is added to the file; end() looks a last time. */
function followFile(file, each) {
    let at = 0;
    const look = () => {
        if (!fs.existsSync(file)) return;
        const text = fs.readFileSync(file, 'utf8');
        const end = text.lastIndexOf('\n') + 1;
        if (end > at)
            text.slice(at, end - 1)
                .split('\n')
                .forEach(each);
        at = Math.max(at, end);
    };
    const timer = setInterval(look, 50);
    return { end: () => (clearInterval(timer), look()) };
}

/* tailrace of a build tree: check(conf), and start(conf), which resolves when it runs. */
class Tailrace {
    constructor(tree) {
        this.program = path.resolve(tree, 'core', 'tailrace');
        this.plugins = path.resolve(tree, 'plugins');
        this.child = null;
    }

    #args(command, conf) {
        return [command, '-c', conf, '--plugin-dir', this.plugins];
    }

    check(conf) {
        const { status, stdout, stderr } = spawnSync(this.program, this.#args('check', conf), {
            encoding: 'utf8',
        });
        if (status !== 0) throw new Error(`tailrace check: ${stdout}${stderr}`);
        return stdout.trim();
    }

    start(conf) {
        this.child = spawn(this.program, [...this.#args('run', conf), '--log-format', 'text'], {
            stdio: ['ignore', 'inherit', 'pipe'],
        });
        this.exited = new Promise((resolve) => this.child.once('exit', resolve));
        return new Promise((resolve, reject) => {
            this.child.once('error', reject);
            this.exited.then((code) => reject(new Error(`tailrace ended with ${code}`)));
            readline.createInterface({ input: this.child.stderr }).on('line', (line) => {
                say('dim', 'tailrace', paint('dim', line));
                if (line.includes('rule started')) resolve();
            });
        });
    }

    /* Asks it to end, as systemd does; resolves to its exit code. */
    async stop() {
        if (!this.child) return 0;
        this.child.kill('SIGTERM');
        this.child = null;
        return this.exited;
    }
}

module.exports = { say, paint, writeConfig, followFile, Tailrace };
