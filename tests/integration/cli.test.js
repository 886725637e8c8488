/* SPDX-License-Identifier: Apache-2.0 */
/* The command line itself: help, version, mistakes; check and plugins. No server. */
'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');

const { site, plugins, tailrace, tempDir, writeConf, ...EX } = require('./cli.js');

const COMMANDS = [
    ['run'],
    ['check'],
    ['explain'],
    ['try'],
    ['plugins'],
    ['backfill'],
    ...['list', 'show', 'set', 'delete'].map((verb) => ['checkpoint', verb]),
    ...['list', 'show', 'replay', 'purge'].map((verb) => ['dead-letter', verb]),
];

function assertUsage(result, pattern) {
    assert.equal(result.code, EX.USAGE, result.stderr);
    assert.equal(result.stdout, '');
    assert.match(result.stderr, /^tailrace: [^\n]*\n$/, 'one line');
    assert.match(result.stderr, pattern);
}

test('--help names every command and ends well', async () => {
    const { code, stdout, stderr } = await tailrace(['--help']);
    assert.equal(code, 0);
    assert.equal(stderr, '');
    for (const words of COMMANDS) assert.match(stdout, new RegExp(`^  ${words.join(' ')} `, 'm'));
});

test('--version says the version', async () => {
    const { code, stdout } = await tailrace(['--version']);
    assert.equal(code, 0);
    assert.match(stdout, /^tailrace \d+\.\d+\.\d+\n$/);
});

for (const words of COMMANDS)
    test(`${words.join(' ')} --help shows an example`, async () => {
        const { code, stdout, stderr } = await tailrace([...words, '--help']);
        assert.equal(code, 0, stderr);
        assert.match(stdout, new RegExp(`^usage: tailrace ${words.join(' ')}`));
        assert.match(stdout, /\nexample:\n  .*tailrace /);
        assert.ok(
            stdout.split('\n').every((line) => line.length <= 100),
            'no line is wider than a terminal',
        );
    });

test('checkpoint --help lists its verbs', async () => {
    const { code, stdout } = await tailrace(['checkpoint', '--help']);
    assert.equal(code, 0);
    assert.match(stdout, /checkpoint set/);
    assert.doesNotMatch(stdout, /dead-letter/);
});

test('a mistyped command is a wrong usage and names the near one', async () => {
    assertUsage(await tailrace(['chekc']), /did you mean "check"/);
    assertUsage(await tailrace(['checkpoint', 'lits']), /did you mean "checkpoint list"/);
    assertUsage(await tailrace(['xyzzy']), /--help/);
});

test('wrong usage is one line on stderr', async () => {
    assertUsage(await tailrace([]), /no command/);
    assertUsage(await tailrace(['-c', 'x', 'run']), /command comes before/);
    assertUsage(await tailrace(['run', '--onze']), /did you mean --once/);
    assertUsage(await tailrace(['run', '-q']), /no option -q/);
    assertUsage(await tailrace(['run', '--once=1']), /takes no value/);
    assertUsage(await tailrace(['run', '--config']), /lacks its value/);
    assertUsage(await tailrace(['run', 'twice']), /one word too many/);
    assertUsage(await tailrace(['run', '--log-level', 'loud']), /error, warning/);
    assertUsage(await tailrace(['run', '--log-format', 'xml']), /auto, text/);
    assertUsage(await tailrace(['checkpoint']), /lacks a verb/);
    assertUsage(await tailrace(['explain', 'db']), /DATABASE DOCUMENT/);
    assertUsage(await tailrace(['dead-letter', 'list', '--limit', 'x']), /whole number/);
    assertUsage(await tailrace(['dead-letter', 'show', 'x']), /not the id/);
    assertUsage(await tailrace(['dead-letter', 'purge']), /which ones/);
    assertUsage(await tailrace(['dead-letter', 'purge', '1', '--all']), /exclude each other/);
    assertUsage(await tailrace(['checkpoint', 'delete', 'r']), /--all/);
});

test('output that cannot be written is not success', { skip: !fs.existsSync('/dev/full') }, () => {
    const { spawnSync } = require('node:child_process');
    const { binary } = require('../lib/tailrace.js');
    const full = fs.openSync('/dev/full', 'w');
    const { status } = spawnSync(binary(), ['--help'], { stdio: ['ignore', full, 'pipe'] });
    fs.closeSync(full);
    assert.equal(status, 74);
});

test('check says what a good configuration has', async (t) => {
    const s = site(t, {
        more: `off: { source = "feed"; databases = "x"; plugin = "cli-plugin";
               enabled = false; };`,
    });
    const { code, stdout, stderr } = await s.run('check');
    assert.equal(code, 0, stderr);
    assert.equal(stdout, 'configuration is fine: 1 source, 2 rules (1 disabled)\n');
    const answer = await s.json('check');
    assert.deepEqual(answer, { ok: true, sources: 1, rules: 2, disabled: 1, diagnostics: [] });
});

test('check reports every mistake with file and line', async (t) => {
    const s = site(t, { rule: 'concurency = 2;\n timeout = "x";\n deleted = "maybe";' });
    const { code, stdout, stderr } = await s.run('check');
    assert.equal(code, EX.CONFIG);
    assert.equal(stdout, '');
    const lines = stderr.trim().split('\n');
    assert.ok(lines.length >= 3, stderr);
    for (const line of lines) assert.match(line, /tailrace\.conf:\d+: error: rules\.r\./);
    assert.match(stderr, /did you mean "concurrency"/);
    const asJson = await s.run('check --json');
    assert.equal(asJson.code, EX.CONFIG);
    const answer = JSON.parse(asJson.stdout);
    assert.equal(answer.ok, false);
    assert.ok(answer.diagnostics.every((d) => d.line > 0 && d.file === s.conf));
});

test('check finds what only the plugin can judge', async (t) => {
    const s = site(t, {
        more: `bad: { source = "feed"; databases = "x"; plugin = "cli-plugin";
               options: { prefix = "bad"; }; };`,
    });
    const { code, stderr } = await s.run('check');
    assert.equal(code, EX.CONFIG);
    assert.match(stderr, /prefix may not be bad/);
});

test('check reads a configuration from standard input', async (t) => {
    const s = site(t);
    const result = await tailrace(['check', '-c', '-'], { input: fs.readFileSync(s.conf) });
    assert.equal(result.code, 0, result.stderr);
});

test('a configuration that is not there is EX_NOINPUT', async (t) => {
    const none = path.join(tempDir(t), 'none.conf');
    for (const words of [['check'], ['run'], ['plugins'], ['dead-letter', 'list']]) {
        const { code, stderr } = await tailrace([...words, '-c', none]);
        assert.equal(code, EX.NOINPUT, words.join(' '));
        assert.match(stderr, /none\.conf/);
    }
});

test('plugins lists what is usable, and why the rest is refused', async (t) => {
    const dir = tempDir(t);
    fs.copyFileSync(path.join(plugins(), 'cli-plugin.so'), path.join(dir, 'good.so'));
    fs.copyFileSync(path.join(plugins(), 'cli-plugin.so'), path.join(dir, 'open.so'));
    fs.chmodSync(path.join(dir, 'good.so'), 0o755);
    fs.chmodSync(path.join(dir, 'open.so'), 0o777);
    fs.writeFileSync(path.join(dir, 'junk.so'), 'junk');
    const conf = writeConf(dir, '');
    const args = ['plugins', '-c', conf, '--plugin-dir', dir];
    const { code, stdout } = await tailrace(args);
    assert.equal(code, 0);
    assert.match(stdout, /^good +sink +1\.2\.3 +does as its documents say/m);
    assert.match(stdout, /^refused: junk: /m);
    assert.match(stdout, /^refused: open: .*writable by others/m);
    const list = JSON.parse((await tailrace([...args, '--json'])).stdout).plugins;
    const usable = Object.fromEntries(list.map((plugin) => [plugin.name, plugin.usable]));
    assert.equal(usable.good, true);
    assert.equal(usable.junk, false);
    assert.equal(usable.open, false);
});

test('plugins NAME shows the options as a table', async (t) => {
    const s = site(t);
    const { code, stdout, stderr } = await s.run('plugins cli-plugin');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^cli-plugin 1\.2\.3: does as/);
    assert.match(stdout, /^prefix +string +doc +.*\[live\]$/m);
    assert.match(stdout, /^pause +duration +2s +1s to 1h +a time$/m);
    assert.match(stdout, /^room +size +64KB +1KB to 1MB +a size$/m);
    assert.match(stdout, /^level +enum +low +low, high +a choice$/m);
    assert.match(stdout, /^tags +list of string /m);
    assert.match(stdout, /^limits\.rate +int +5 +1 to 9 +how many$/m);
});

test('plugins NAME --json has the same table for programs', async (t) => {
    const plugin = await site(t).json('plugins cli-plugin');
    const option = (name) => plugin.options.find((it) => it.name === name);
    assert.equal(plugin.version, '1.2.3');
    assert.deepEqual(option('level').choices, ['low', 'high']);
    assert.equal(option('pause').max, 3600000);
    assert.equal(option('limits').options[0].name, 'rate');
    assert.equal(option('tags').list, true);
});

test('plugins by path, and one that is not there', async (t) => {
    const s = site(t);
    assert.equal((await s.run(['plugins', path.join(plugins(), 'cli-plugin.so')])).code, 0);
    const { code, stderr } = await s.run('plugins nothing');
    assert.equal(code, EX.NOINPUT);
    assert.match(stderr, /^tailrace: there is no plugin "nothing"/);
});

test("plugins --core has tailrace's own tables", async () => {
    const { code, stdout } = await tailrace(['plugins', '--core', '--json']);
    assert.equal(code, 0);
    const tables = JSON.parse(stdout);
    assert.deepEqual(Object.keys(tables), ['main', 'source', 'rule', 'transform', 'documents']);
    assert.ok(tables.rule.some((option) => option.name === 'source' && option.required));
    assert.equal((await tailrace(['plugins', '--core', 'x'])).code, EX.USAGE);
});
