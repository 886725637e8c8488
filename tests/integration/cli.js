/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cli's tests share: their own plugin, compiled once a process, and a configuration that
 * hands a file of documents to it. No server.
 */
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFileSync } = require('node:child_process');

const { tailrace, tempDir, writeConf } = require('../lib/tailrace.js');

const SDK = path.resolve(__dirname, '..', '..', 'sdk', 'include');
const USAGE = 64;
const DATAERR = 65;
const NOINPUT = 66;
const SOFTWARE = 70;
const TEMPFAIL = 75;
const CONFIG = 78;

let dir; /* of the compiled plugin */

function plugins() {
    if (dir) return dir;
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-plugin-'));
    process.on('exit', () => fs.rmSync(dir, { recursive: true, force: true }));
    const out = path.join(dir, 'cli-plugin.so');
    const flags = ['-D_GNU_SOURCE', '-std=gnu11', '-shared', '-fPIC', '-I', SDK, '-o', out];
    execFileSync(process.env.CC || 'cc', [...flags, path.join(__dirname, 'cli_plugin.c')]);
    fs.chmodSync(out, 0o755);
    return dir;
}

/* A row of a changes feed. */
function toRow(doc, i) {
    return { seq: `${i + 1}-x`, id: doc._id, changes: [{ rev: '1-a' }], doc };
}

/* Waits for something that another process does. The bound is there to end a broken test. */
async function until(what, condition) {
    const end = Date.now() + 30000;
    while (!(await condition()))
        if (Date.now() > end) throw new Error(`${what}: did not come`);
}

/*
 * A site of its own for a test: docs become rows in the file of a source "feed" with the database
 * "db" (`bare`: lines of documents), `rule` is what else stands in the rule "r". run() gives
 * {code, stdout, stderr}; json() the parsed output of a command that must have ended with 0.
 */
function site(t, { docs = [], bare = false, rule = '', more = '' } = {}) {
    const home = tempDir(t);
    const feed = path.join(home, 'rows.ndjson');
    const gate = path.join(home, 'gate');
    const state = path.join(home, 'state');

    const lines = bare ? docs : docs.map(toRow);
    fs.writeFileSync(feed, lines.map((line) => JSON.stringify(line) + '\n').join(''));
    const conf = writeConf(
        home,
        `state_dir = "${state}";
plugin_dirs = [ "${plugins()}" ];
log: { format = "json"; };
sources: { feed: { type = "file"; path = "${feed}"; database = "db"; }; };
rules: {
  r: {
    source = "feed";
    databases = "^db$";
    plugin = "cli-plugin";
    options: { gate = "${gate}"; };
    retry: { min = "1ms"; max = "10ms"; };
    ${rule}
  };
  ${more}
};
`,
    );
    const run = (words, options) =>
        tailrace([...(Array.isArray(words) ? words : words.split(' ')), '-c', conf], options);
    const json = async (words) => {
        const result = await run([...words.split(' '), '--json']);
        if (result.code !== 0) throw new Error(`exit code ${result.code}: ${result.stderr}`);
        return JSON.parse(result.stdout);
    };
    return { home, conf, feed, gate, state, run, json };
}

module.exports = {
    site,
    until,
    plugins,
    tailrace,
    tempDir,
    writeConf,
    USAGE,
    DATAERR,
    NOINPUT,
    SOFTWARE,
    TEMPFAIL,
    CONFIG,
};
