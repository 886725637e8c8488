/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is run with a failure in it, in which ways things fail, and what must hold afterwards.
 *
 * A case has `words`, a command; `begin`, what the scene is before; `codes`, how it ends when
 * nothing fails; and `after(scene, run)`, which resolves to complaints about what it left behind.
 * Whatever it is, it must end by itself, with success or a code of sysexits.h and a line that says
 * why.
 */
'use strict';

const { runFaulty, lastLines } = require('./program');

const SQLITE = { BUSY: 5, NOMEM: 7, IOERR: 10, FULL: 13 };
const ENOSPC = 28;

/* `times` 0: it fails from there on for ever, and so a program may go on for ever that waits for
 * better times; it has `patience` ms for them. */
const WAYS = {
    'an allocation': { kind: 'alloc', build: 'plain' },
    'all allocations': { kind: 'alloc', times: 0, build: 'plain', stride: 7, patience: 5000 },
    "an allocation of libcurl's": { kind: 'alloc', from: 'libcurl.so', build: 'plain' },
    "an allocation of a script's": { kind: 'alloc', from: 'lua.so', build: 'plain' },
    'a file operation': { kind: 'file' },
    'a file operation, too late': { kind: 'file', late: true },
    'file operations, disk full': { kind: 'file', errno: ENOSPC, times: 5 },
    'a socket operation': { kind: 'socket' },
    'a socket operation, too late': { kind: 'socket', late: true },
    'socket operations, ten of them': { kind: 'socket', times: 10 },
    'an SQLite call, I/O error': { kind: 'sqlite', errno: SQLITE.IOERR },
    'an SQLite call, too late': { kind: 'sqlite', errno: SQLITE.IOERR, late: true },
    'an SQLite call, disk full': { kind: 'sqlite', errno: SQLITE.FULL },
    'an SQLite call, busy': { kind: 'sqlite', errno: SQLITE.BUSY },
    'an SQLite call, no memory': { kind: 'sqlite', errno: SQLITE.NOMEM },
    'a thread': { kind: 'thread' },
    'all threads': { kind: 'thread', times: 0, patience: 5000 },
};

/* By the same build, in which nothing fails now. */
const unharmed = (words, { build }) => runFaulty(words, {}, { build });

async function json(scene, before, ...words) {
    const run = await unharmed(scene.words(...words, '--json'), before);
    return run.code === 0 ? JSON.parse(run.stdout) : { error: run.stderr };
}

/* The ledger: who says it is done has delivered all, and the next run delivers what is missing. */
async function allArrives(scene, run) {
    const said = run.code === 0 && !run.stopped ? scene.missing() : [];
    if (said.length) return [`it says that all is done, and missing are: ${said.join(', ')}`];
    const next = await unharmed(scene.words('run', '--once'), run);
    if (next.code !== 0)
        return [`the next run ends with ${next.code || next.signal}:\n${lastLines(next.stderr)}`];
    const lost = scene.missing();
    return lost.length ? [`lost: ${lost.join(', ')}`] : [];
}

/* A letter is gone only if the hook has what it was about. */
async function lettersHold(scene, run) {
    const { dead_letters: left, error } = await json(scene, run, 'dead-letter', 'list');
    if (error) return [`the dead letters cannot be listed: ${error}`];
    const kept = left.map((letter) => letter.doc_id);
    const lost = scene.ids.filter((id) => !kept.includes(id) && !scene.came.hook.includes(id));
    return lost.length ? [`neither dead letters nor delivered: ${lost.join(', ')}`] : [];
}

async function stateHolds(scene, run) {
    const { checkpoints, error } = await json(scene, run, 'checkpoint', 'list');
    if (error) return [`the checkpoints cannot be listed: ${error}`];
    const short = checkpoints.length === 3 ? [] : [`${checkpoints.length} of 3 checkpoints`];
    return [...short, ...(await lettersHold(scene, run))];
}

/* The databases differ in one document: to say that they are the same would be a lie. */
const verdict = async (scene, run) =>
    run.code === 0 || (run.code === 1 && JSON.parse(run.stdout).different !== 1)
        ? [`a wrong verdict: ${run.stdout}`]
        : [];

/* No plugin of ours is damaged. */
const honest = async (scene, run) =>
    /is cut short/.test(run.stderr) ? ['what cannot be read is told as damaged'] : [];

const daemonHolds = async (scene) => (scene.daemon.running ? [] : ['the daemon has ended']);

const LETTERS = { from: 'letters' };
const CASES = [
    { name: 'run --once', words: ['run', '--once'], after: allArrives },
    { name: 'check', words: ['check'], after: honest },
    { name: 'checkpoint list', words: ['checkpoint', 'list'], begin: LETTERS, after: stateHolds },
    { name: 'dead-letter list', words: ['dead-letter', 'list'], begin: LETTERS, after: stateHolds },
    {
        name: 'dead-letter replay',
        words: ['dead-letter', 'replay', '--all'],
        begin: LETTERS,
        after: lettersHold,
    },
    {
        name: 'verify',
        words: (scene) => [
            'verify',
            '--settle',
            '0',
            '--json',
            `${scene.couch.url}/left`,
            `${scene.couch.url}/right`,
        ],
        codes: [1],
        after: verdict,
    },
    { name: 'status', words: ['status'], begin: { daemon: true }, after: daemonHolds },
];

module.exports = { CASES, WAYS };
