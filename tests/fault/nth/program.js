/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program in which the n-th operation of a kind fails, by nth.c.
 *
 *   const run = await runFaulty(words, { kind: 'file', at: 17, times: 1 }, { build: 'plain' });
 *
 * The answer is {code, signal, stdout, stderr, seen, failed, first, hung, stopped, build}: `seen`
 * counts the operations by kind, `failed` those that failed, `first` names the first of these and
 * where it was called. A program that goes on for ever, as it should when a server stays away, is asked to
 * stop (`stopped`) after `patience` milliseconds; one that is still there after as much again and
 * ten seconds is killed (`hung`).
 *
 * Of the two builds the plain one (build/release) is for allocations, which AddressSanitizer keeps
 * to itself; the other is what the tests run on otherwise.
 */
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFileSync, spawn } = require('node:child_process');
const lib = require('../../lib/tailrace');

const RELEASE = path.resolve(__dirname, '..', '..', '..', 'build', 'release');
const NTH = path.join(RELEASE, 'tests', 'fault', 'nth', 'nth.so');

/* As in nth.c: struct report. */
const KINDS = ['alloc', 'file', 'socket', 'sqlite', 'thread'];
const FAILED_AT = KINDS.length * 8;
const FIRST_AT = FAILED_AT + 8;
const REPORT_BYTES = FIRST_AT + 216;

/* libconfig 1.5 takes every allocation for granted: a first start without memory for its own
 * configuration ends in a crash there, before anything was done. */
const SPARE = 'libconfig.so';

const BUILDS = {
    plain: () => ({
        bin: path.join(RELEASE, 'core', 'tailrace'),
        plugins: path.join(RELEASE, 'plugins'),
    }),
    tested: () => ({ bin: lib.binary(), plugins: lib.pluginDir() }),
};

/* A sanitizer's library has to come first of all. */
function preloaded(bin) {
    const found = /\S*libasan\.so\S*/.exec(execFileSync('ldd', [bin], { encoding: 'utf8' }));
    return [...(found ? [found[0]] : []), NTH].join(':');
}

const builds = new Map();
function buildOf(name) {
    if (!builds.has(name)) {
        const build = BUILDS[name]();
        for (const file of [build.bin, NTH])
            if (!fs.existsSync(file))
                throw new Error(`there is no ${file}: build the preset release first`);
        builds.set(name, { ...build, preload: preloaded(build.bin) });
    }
    return builds.get(name);
}

const reportDir = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-nth-'));
process.on('exit', () => fs.rmSync(reportDir, { recursive: true, force: true }));
let reports = 0;

function makeReport() {
    const file = path.join(reportDir, String(reports++));
    fs.writeFileSync(file, Buffer.alloc(REPORT_BYTES));
    return file;
}

function takeReport(file) {
    const bytes = fs.readFileSync(file);
    fs.unlinkSync(file);
    const number = (at) => Number(bytes.readBigUInt64LE(at));
    return {
        seen: Object.fromEntries(KINDS.map((kind, i) => [kind, number(i * 8)])),
        failed: number(FAILED_AT),
        first: bytes.toString('utf8', FIRST_AT).replace(/\0.*$/s, ''),
    };
}

function environment(build, report, { kind, at = 0, times = 1, errno = 0, late = false, from = '' }) {
    return {
        ...process.env,
        LD_PRELOAD: build.preload,
        NTH_REPORT: report,
        NTH_KIND: kind,
        NTH_AT: String(at),
        NTH_TIMES: String(times),
        NTH_ERRNO: String(errno),
        NTH_LATE: late ? '1' : '0',
        NTH_FROM: from,
        NTH_SPARE: SPARE,
        MALLOC_PERTURB_: '165' /* what was freed is no use any more */,
    };
}

async function runFaulty(words, fault, { build: name = 'tested', patience = 60000 } = {}) {
    const build = buildOf(name);
    const report = makeReport();
    const child = spawn(build.bin, [...words, '--plugin-dir', build.plugins], {
        env: environment(build, report, fault),
        stdio: ['ignore', 'pipe', 'pipe'],
    });
    const run = { stdout: '', stderr: '', stopped: false, hung: false };
    for (const name of ['stdout', 'stderr'])
        child[name].setEncoding('utf8').on('data', (text) => (run[name] += text));
    const asked = setTimeout(() => (run.stopped = child.kill('SIGTERM')), patience);
    const killed = setTimeout(() => (run.hung = child.kill('SIGKILL')), 2 * patience + 10000);
    const exit = await new Promise((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (code, signal) => resolve({ code, signal }));
    });
    clearTimeout(asked);
    clearTimeout(killed);
    return { ...run, ...exit, ...takeReport(report), build: name };
}

/* The end of what was logged, as much of it as can be read. */
function lastLines(log) {
    const lines = log.trimEnd().split('\n').slice(-6);
    return lines.map((line) => `    ${line.slice(0, 300)}`).join('\n');
}

module.exports = { runFaulty, lastLines };
