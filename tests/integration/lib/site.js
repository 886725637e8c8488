/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A site: a folder with a configuration, its passwords file and its state, and the commands that
 * are run there.
 *
 *   const site = makeSite(t, couch, {rules: {r: toHook(hook, 'db')}});
 *   const run = await site.once();                 {code, stderr, logs}
 *   const daemon = site.start();                   see tests/lib/tailrace.js
 *   site.write({rules: {…}});  daemon.signal('SIGHUP');
 *
 * `couch` is of tests/lib/couch.js and becomes the source "main"; `source` adds options to it,
 * `sources` adds sources, `main` adds to the main group. Configurations are objects: an array is
 * a list, a number in a string such as "1MB" stays a string.
 */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const {
    tailrace,
    startTailrace,
    tempDir,
    writeConf,
    pluginDir,
} = require('../../lib/tailrace');

/* An object as libconfig's text. */
function confText(value, indent = '') {
    const deeper = `${indent}  `;
    if (typeof value === 'string') return `"${value.replace(/["\\]/g, '\\$&')}"`;
    if (typeof value === 'number')
        return Math.abs(value) > 2147483647 ? `${value}L` : String(value);
    if (typeof value === 'boolean') return String(value);
    if (Array.isArray(value)) {
        const list = value.some((item) => typeof item === 'object');
        const items = value.map((item) => confText(item, deeper)).join(', ');
        return list ? `(${items})` : `[${items}]`;
    }
    return `{\n${members(value, deeper)}${indent}}`;
}

function members(group, indent = '') {
    return Object.entries(group)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${indent}${name} = ${confText(value, indent)};\n`)
        .join('');
}

/* {host: {user: password}} for the user that the server's admin is. */
function passwordsOf(auth, host = '127.0.0.1') {
    const [user, password] = auth.split(':');
    return { [host]: { [user]: password } };
}

class Site {
    constructor(t, couch, parts) {
        this.t = t;
        this.dir = tempDir(t);
        this.stateDir = path.join(this.dir, 'state');
        this.passwordsFile = path.join(this.dir, 'passwords.json');
        this.couch = couch;
        this.parts = {};
        this.setPasswords(parts.passwords || (couch ? passwordsOf(couch.auth) : {}));
        this.write(parts);
    }

    setPasswords(passwords) {
        fs.writeFileSync(this.passwordsFile, JSON.stringify(passwords), { mode: 0o600 });
    }

    /* Writes the configuration anew; parts that are not named stay. */
    write(parts) {
        Object.assign(this.parts, parts);
        const { rules = {}, source, sources, main } = this.parts;
        const own = this.couch && {
            url: this.couch.url.replace('://', '://admin@'),
            ...source,
        };
        this.writeText(
            members({
                state_dir: this.stateDir,
                passwords_file: this.passwordsFile,
                ...main,
                sources: { ...(own && { main: own }), ...sources },
                rules,
            }),
        );
    }

    /* In one step, as whoever edits below a running daemon should. */
    writeText(text) {
        this.conf = path.join(this.dir, 'tailrace.conf');
        writeConf(this.dir, { 'tailrace.conf.new': text });
        fs.renameSync(`${this.conf}.new`, this.conf);
    }

    args(...words) {
        return [...words, '-c', this.conf, '--plugin-dir', pluginDir()];
    }

    /* `tailrace run --once`, whose dead letters the test looks at itself; with `code` that exit
     * code is asserted. */
    async once({ code = 0, ...options } = {}) {
        const run = await tailrace(this.args('run', '--once', '--accept-dead-letters'), options);
        assert.equal(run.code, code, `exit code ${run.code} ${run.signal}:\n${run.stderr}`);
        return run;
    }

    /* Another subcommand; its JSON output, parsed. */
    async command(words, { code = 0 } = {}) {
        const run = await tailrace(this.args(...words, '--json'));
        assert.equal(run.code, code, `${words.join(' ')}: ${run.code}\n${run.stderr}`);
        return run.stdout.trim() ? JSON.parse(run.stdout) : undefined;
    }

    start(options = {}) {
        return startTailrace(this.args('run'), { t: this.t, ...options });
    }
}

function makeSite(t, couch, parts = {}) {
    return new Site(t, couch, parts);
}

module.exports = { makeSite, passwordsOf, confText };
