/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace top: on a terminal a screen with keys, elsewhere what status prints, again and again;
 * beside a daemon that comes and goes.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { startTestServer, waitFor } = require('../lib/couch');
const { tailrace, binary, tempDir } = require('../lib/tailrace');
const { startHook, toHook } = require('./lib/sink');
const { makeSite } = require('./lib/site');
const { makeFilled } = require('./lib/docs');
const { startOnTerminal } = require('./lib/screen');
const { atEnd } = require('../lib/at_end');

const UNAVAILABLE = 69;

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

async function started(site) {
    const daemon = site.start();
    const socket = path.join(site.stateDir, 'tailrace.sock');
    await waitFor(() => fs.existsSync(socket) || !daemon.running, 'the socket');
    assert.ok(daemon.running, daemon.stderrLines.join('\n'));
    return daemon;
}

/* A site with a rule that does well and one that is held. */
async function makePair(t) {
    const { db } = await makeFilled(couch, 3);
    const good = await startHook(t);
    const bad = await startHook(t, () => 422);
    return makeSite(t, couch, {
        rules: { alpha: toHook(good, [db]), zeta: toHook(bad, [db], { on_reject: 'stop' }) },
    });
}

const rows = (screen) => screen.lines.filter((line) => /^(alpha|zeta) /.test(line));

test('top shows rules, sorts them by keys, and gives the terminal back', async (t) => {
    const site = await makePair(t);
    await started(site);
    const run = startOnTerminal(t, site.args('top'), { rows: 24, columns: 110 });
    const screen = await run.until((it) => /^rule zeta +held: .*422/m.test(it.text()));
    assert.ok(screen.second && screen.hidden);
    assert.match(screen.lines[0], /^tailrace \S+ +is running +up /);
    assert.match(screen.lines[1], /^delivered\/s [\d.]+ +read\/s [\d.]+ .* trouble 1 /);
    assert.match(screen.bottom(), /^by trouble +q quit /);
    assert.match(rows(screen)[0], /^zeta +http-webhook +held /);
    run.press('n');
    await run.until((it) => /^by name /.test(it.bottom()));
    assert.match(rows(screen)[0], /^alpha +http-webhook +running /);
    run.press('i');
    await run.until((it) => /^by name inverted /.test(it.bottom()));
    assert.match(rows(screen)[0], /^zeta /);
    run.press('q');
    const { code } = await run.ended;
    assert.equal(code, 0);
    assert.ok(!screen.second && !screen.hidden);
});

test('top fits a small terminal, and one that changes its size', async (t) => {
    const site = await makePair(t);
    await started(site);
    const run = startOnTerminal(t, site.args('top'), { rows: 10, columns: 36 });
    const screen = await run.until((it) => rows(it).length === 2);
    assert.ok(screen.lines.every((line) => line.length <= 36));
    assert.doesNotMatch(screen.text(), /PLUGIN/);
    run.resize(24, 110);
    await run.until((it) => /^RULE +PLUGIN +STATE /m.test(it.text()));
    run.signal('SIGTERM');
    assert.equal((await run.ended).code, 0);
});

test('top outlives a restart of the daemon', async (t) => {
    const site = await makePair(t);
    const daemon = await started(site);
    const run = startOnTerminal(t, site.args('top'), { rows: 24, columns: 110 });
    await run.until((it) => rows(it).length === 2);
    await daemon.stop();
    await run.until((it) => /^no tailrace runs /.test(it.lines[0]));
    await started(site);
    await run.until((it) => /^tailrace \S+ +is running /.test(it.lines[0]));
    run.signal('SIGINT');
    assert.equal((await run.ended).code, 0);
});

test('where there is no terminal the tables come again and again, and it ends with 0', async (t) => {
    const site = await makePair(t);
    const daemon = await started(site);
    const child = spawn(binary(), [...site.args('top'), '1']);
    atEnd(t, () => child.kill('SIGKILL'));
    const ended = new Promise((resolve) => child.on('close', (code) => resolve(code)));
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    const frames = () => stdout.split(/^tailrace .*, running, up /m).length - 1;
    await waitFor(() => frames() >= 2, 'two frames');
    await daemon.stop();
    await waitFor(() => stderr.includes('no tailrace runs'), 'a word about the end');
    await started(site);
    const seen = frames();
    await waitFor(() => frames() > seen, 'a frame of the second daemon');
    child.kill('SIGINT');
    assert.equal(await ended, 0);
    assert.doesNotMatch(stdout, /\x1b/); /* a pipe has no cursor */
});

test('with --json there is a document a line', async (t) => {
    const site = await makePair(t);
    await started(site);
    const child = spawn(binary(), site.args('top', '--json'));
    atEnd(t, () => child.kill('SIGKILL'));
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    await waitFor(() => stdout.split('\n').length > 2, 'two lines');
    const ended = new Promise((resolve) => child.on('close', (code) => resolve(code)));
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
    for (const line of stdout.trimEnd().split('\n')) assert.equal(JSON.parse(line).format, 1);
});

test('without a daemon, or with words that make no sense, there is one line', async (t) => {
    const dir = tempDir(t);
    const none = await tailrace(['top', '--state-dir', dir]);
    assert.equal(none.code, UNAVAILABLE);
    assert.match(none.stderr, /^tailrace: no tailrace runs with the state directory [^\n]*\n$/);
    for (const words of [['x'], ['0'], ['1', '2']]) {
        const { code, stderr } = await tailrace(['top', '--state-dir', dir, ...words]);
        assert.equal(code, 64, words.join(' '));
        assert.match(stderr, /^tailrace: top: [^\n]*\n$/);
    }
});
