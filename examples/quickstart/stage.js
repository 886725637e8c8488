/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a play needs around it: lines on the terminal, a server, the configuration with this run's
 * addresses in it, a file that is watched, and tailrace as a process. The plays of the other
 * examples use it too.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { spawn, spawnSync } = require('node:child_process');
const { TestServer, spawnServer } = require('../../tests/lib/couch');

const COLOURS = { dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };
const isColoured = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (colour, text) => (isColoured ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text);
const say = (colour, who, what) => console.log(`${paint(colour, who.padEnd(9))} ${what}`);

/* The server to follow: the one that was named, or a test server with its data below `dir`. */
async function openCouch(dir, url) {
    if (!url) {
        const args = ['--port', '0', '--admin', 'admin:secret'];
        const server = await spawnServer(path.join(dir, 'couchdb'), args);
        return new TestServer(server.url, 'admin:secret', false, server.stop);
    }
    const { protocol, host, username, password } = new URL(url);
    const auth = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    const couch = new TestServer(`${protocol}//${host}`, auth, true, null);
    const { status } = await couch.get('/_all_dbs');
    if (status !== 200)
        throw new Error(
            `${protocol}//${host}/_all_dbs answers ${status}: is it a CouchDB, and the user an admin?`,
        );
    return couch;
}

/* The server's URL with the user that tailrace is there, and that user's secret. */
function accountOf(couch) {
    const [user, password] = couch.auth.split(/:(.*)/s);
    const url = couch.url.replace('://', `://${encodeURIComponent(user)}@`);
    return { url, secrets: { [new URL(couch.url).hostname]: { [user]: password } } };
}

/*
 * Copies the configuration of the folder `from` to `dir` with `replace` ([from, to] pairs)
 * applied and these `secrets` ({host: {user: password}}) added; returns the path of the main
 * file.
 */
function writeConfig(from, dir, replace, secrets) {
    const names = ['tailrace.conf'];
    for (const name of fs.readdirSync(path.join(from, 'conf.d')))
        names.push(path.join('conf.d', name));
    fs.mkdirSync(path.join(dir, 'conf.d'), { recursive: true });
    for (const name of names) {
        let text = fs.readFileSync(path.join(from, name), 'utf8');
        for (const [old, now] of replace) text = text.replaceAll(old, now);
        fs.writeFileSync(path.join(dir, name), text);
    }
    const passwords = JSON.parse(fs.readFileSync(path.join(from, 'passwords.json'), 'utf8'));
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

    #args(words, conf) {
        return [...words, '-c', conf, '--plugin-dir', this.plugins];
    }

    /* Runs a command to its end; returns what it printed. */
    ask(command, conf) {
        const { status, stdout, stderr } = spawnSync(
            this.program,
            this.#args(command.split(' '), conf),
            { encoding: 'utf8' },
        );
        if (status !== 0) throw new Error(`tailrace ${command}: ${stdout}${stderr}`);
        return stdout.trim();
    }

    check(conf) {
        return this.ask('check', conf);
    }

    start(conf) {
        this.child = spawn(this.program, [...this.#args(['run'], conf), '--log-format', 'text'], {
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

    /* Asks it to end, as systemd does, or does not ask; resolves to its exit code. */
    async stop(signal = 'SIGTERM') {
        if (!this.child) return 0;
        this.child.kill(signal);
        this.child = null;
        return this.exited;
    }
}

module.exports = { say, paint, openCouch, accountOf, writeConfig, followFile, Tailrace };
