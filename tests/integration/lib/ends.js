/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands that take two URLs, `verify` and `copy`: a passwords file for them, the URLs of
 * databases, and a run.
 *
 *   const ends = makeEnds(t, couch);
 *   const {code, stdout, stderr, json} = await ends.run('verify', a.where, b.where, '--json');
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { spawnServer, TestServer, ADMIN } = require('../../lib/couch');
const { tailrace, startTailrace, tempDir, pluginDir } = require('../../lib/tailrace');
const { passwordsOf } = require('./site');
const { atEnd } = require('../../lib/at_end');

class Ends {
    constructor(t, couch) {
        this.t = t;
        this.couch = couch;
        this.dir = tempDir(t);
        this.passwords = path.join(this.dir, 'passwords.json');
        fs.writeFileSync(this.passwords, JSON.stringify(passwordsOf(couch.auth)), {
            mode: 0o600,
        });
    }

    /* Of a path such as "/db"; "" is the server. A whole URL stays as it is. */
    url(where) {
        return where.includes('://') ? where : this.couch.url.replace('://', '://admin@') + where;
    }

    args(command, source, target, ...words) {
        const ends = [this.url(source), this.url(target)];
        return [command, ...ends, '-p', this.passwords, '--plugin-dir', pluginDir(), ...words];
    }

    get env() {
        return { TMPDIR: this.dir, XDG_STATE_HOME: path.join(this.dir, 'state') };
    }

    async run(...words) {
        const run = await tailrace(this.args(...words), { env: this.env, timeoutMs: 120000 });
        if (words.includes('--json') && run.stdout) run.json = JSON.parse(run.stdout);
        return run;
    }

    start(...words) {
        return startTailrace(this.args(...words), { t: this.t, env: this.env });
    }
}

/* A test server beside the one of the test, so that databases can have the same names. */
async function startSecond(t) {
    const server = await spawnServer(tempDir(t), ['--port', '0', '--admin', ADMIN]);
    const second = new TestServer(server.url, ADMIN, false, () => server.stop());
    atEnd(t, () => second.close());
    return second;
}

module.exports = { makeEnds: (t, couch) => new Ends(t, couch), startSecond };
