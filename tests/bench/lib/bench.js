/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every benchmark needs: where the programs are, a command run and its cost taken down, a
 * configuration in a folder of its own, medians, and a table.
 */
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');

const REPO = path.resolve(__dirname, '..', '..', '..');
const BUILD = path.join(REPO, 'build', 'release');
const TAILRACE = process.env.TAILRACE_BIN || path.join(BUILD, 'core', 'tailrace');
const PLUGINS = process.env.TAILRACE_PLUGIN_DIR || path.join(BUILD, 'plugins');
const PROGRAMS = process.env.TAILRACE_BENCH_DIR || path.join(BUILD, 'tests', 'bench');

const program = (name) => path.join(PROGRAMS, name);
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-bench-'));
process.on('exit', () => fs.rmSync(work, { recursive: true, force: true }));

let folders = 0;
function makeFolder() {
    const dir = path.join(work, String(folders++));
    fs.mkdirSync(dir);
    return dir;
}

/*
 * Writes tailrace.conf with these sources and rules (libconfig text) and a state of its own.
 * `auth`: {host, user, password} for the passwords file; `main`: more of the main group.
 */
function writeConf({ sources, rules, auth, main = '' }) {
    const dir = makeFolder();
    let text = `state_dir = "${dir}/state";\nlog: { level = "notice"; format = "text"; };\n`;
    if (auth) {
        const secrets = { [auth.host]: { [auth.user]: auth.password } };
        fs.writeFileSync(`${dir}/passwords.json`, JSON.stringify(secrets), { mode: 0o600 });
        text += `passwords_file = "${dir}/passwords.json";\n`;
    }
    fs.writeFileSync(
        `${dir}/tailrace.conf`,
        `${text}${main}sources: { ${sources} };\nrules: { ${rules} };\n`,
    );
    return `${dir}/tailrace.conf`;
}

/* The lock of its state, which says what process runs it. */
const lockOf = (conf) => path.join(path.dirname(conf), 'state', 'lock');

/* Runs to the end; resolves to {cpu, user, sys, wall, rss_kb, stdout, stderr}, throws on failure. */
function cost(command, args) {
    const file = path.join(makeFolder(), 'cost.json');
    const child = spawn(program('bench_cost'), [file, command, ...args]);
    const out = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'])
        child[name].setEncoding('utf8').on('data', (text) => (out[name] += text));
    return new Promise((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (code) => {
            if (code !== 0)
                return reject(
                    new Error(
                        `${command} ${args.join(' ')} ended with ${code}:\n${out.stderr}`,
                    ),
                );
            const used = JSON.parse(fs.readFileSync(file, 'utf8'));
            resolve({ ...used, cpu: used.user + used.sys, ...out });
        });
    });
}

const runTailrace = (conf) =>
    cost(TAILRACE, ['run', '--once', '-c', conf, '--plugin-dir', PLUGINS]);

function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/* The median and an interval that holds the true one 19 times out of 20, whatever they are
 * spread like: that k or fewer of n lie on one side of it has the odds of n coins. Fewer than six
 * give all they have. */
function confidence(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const n = sorted.length;
    let odds = 0.5 ** n;
    let left = 0.025;
    let k = 0;
    for (; odds <= left; k++) {
        left -= odds;
        odds *= (n - k) / (k + 1);
    }
    const cut = Math.max(0, k - 1);
    return { middle: median(values), low: sorted[cut], high: sorted[n - 1 - cut] };
}

/*
 * Runs the contenders {name: async () => cost} in turn, `rounds` times, so that whatever else the
 * machine does meets all of them. Resolves to {name: {cpu, min, max, wall, rss_kb}}: medians of
 * CPU seconds, their range, and medians of wall time and peak memory.
 */
async function compare(contenders, rounds) {
    const runs = {};
    for (let round = 0; round < rounds; round++)
        for (const [name, run] of Object.entries(contenders))
            (runs[name] ||= []).push(await run());
    const summary = (all) => ({
        cpu: median(all.map((r) => r.cpu)),
        min: Math.min(...all.map((r) => r.cpu)),
        max: Math.max(...all.map((r) => r.cpu)),
        wall: median(all.map((r) => r.wall)),
        rss_kb: median(all.map((r) => r.rss_kb)),
    });
    return Object.fromEntries(Object.entries(runs).map(([name, all]) => [name, summary(all)]));
}

/* Rows of cells, the first of them the heads; all but the first column to the right. */
function table(rows) {
    const widths = rows[0].map((_, i) =>
        Math.max(...rows.map((row) => [...String(row[i])].length)),
    );
    const pad = (cell, i) =>
        i === 0 ? String(cell).padEnd(widths[i]) : String(cell).padStart(widths[i]);
    for (const row of rows) console.log(`  ${row.map(pad).join('   ')}`);
}

const fixed = (value, digits) => value.toFixed(digits);
const count = (value) => Math.round(value).toLocaleString('en-US');

module.exports = {
    TAILRACE,
    PLUGINS,
    BUILD,
    REPO,
    program,
    makeFolder,
    writeConf,
    lockOf,
    cost,
    runTailrace,
    compare,
    median,
    confidence,
    table,
    fixed,
    count,
};
