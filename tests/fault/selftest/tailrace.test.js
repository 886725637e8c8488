/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner of the daemon, shown with a stand-in for it: a script that logs as the daemon
 * does.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const {
    tailrace,
    startTailrace,
    tempDir,
    writeConf,
    binary,
    pluginDir,
} = require('../../lib/tailrace');
const { atEnd } = require('../../lib/at_end');

const STAND_IN = `#!${process.execPath}
const [cmd, ...args] = process.argv.slice(2);
const log = (msg, more) => console.error(JSON.stringify({ts: 1, level: 'info', msg, ...more}));
if (cmd === 'cat') {
    process.stdin.pipe(process.stdout);
    process.on('exit', () => console.error(process.cwd(), process.env.X));
    process.exitCode = 64;
} else if (cmd === 'run') {
    process.on('SIGTERM', () => (log('stopped'), process.exit(0)));
    process.on('SIGHUP', () => log('reloaded', {file: args[1]}));
    console.error('not json');
    log('ready', {feeds: 3});
    setInterval(() => {}, 1000);
}
`;

function useStandIn(t) {
    const dir = tempDir(t);
    const bin = path.join(dir, 'tailrace');
    fs.writeFileSync(bin, STAND_IN, { mode: 0o755 });
    const old = process.env.TAILRACE_BIN;
    process.env.TAILRACE_BIN = bin;
    atEnd(t, () =>
        old === undefined ? delete process.env.TAILRACE_BIN : (process.env.TAILRACE_BIN = old)
    );
    return dir;
}

test('tailrace runs to the end with input, folder and environment', async (t) => {
    const cwd = fs.realpathSync(useStandIn(t));
    const got = await tailrace(['cat'], { cwd, env: { X: 'y' }, input: 'hello' });
    assert.deepEqual(got, { code: 64, signal: null, stdout: 'hello', stderr: `${cwd} y\n` });
});

test('a command that does not end is killed', async (t) => {
    useStandIn(t);
    assert.equal((await tailrace(['run'], { timeoutMs: 50 })).signal, 'SIGKILL');
});

test('a daemon is watched by its log, signalled and stopped', async (t) => {
    const conf = writeConf(useStandIn(t), 'x = 1;');
    const d = startTailrace(['run', '-c', conf], { t });
    assert.equal((await d.waitForLog({ msg: 'ready', feeds: 3 })).level, 'info');
    assert.equal(await d.waitForLog(/^not/), 'not json');
    d.signal('SIGHUP');
    await d.waitForLog({ msg: /^re/, file: conf }, 10000, { from: 2 });
    assert.deepEqual(await d.stop(), { code: 0, signal: null });
    assert.equal(d.logs().at(-1).msg, 'stopped');
    assert.equal(d.stderrLines.length, 4);
});

test('waiting for a log line ends when the daemon does, and shows the log', async (t) => {
    useStandIn(t);
    const d = startTailrace(['run'], { t });
    await d.waitForLog({ msg: 'ready' });
    await assert.rejects(
        d.waitForLog({ msg: 'never' }, 10),
        /no {"msg":"never"}.*not in 10 ms[^]*ready/
    );
    const waiting = assert.rejects(d.waitForLog(/never/), /the daemon has ended/);
    assert.equal((await d.kill9()).signal, 'SIGKILL');
    await waiting;
});

test('a daemon does not outlive its test', async (t) => {
    useStandIn(t);
    let d;
    await t.test('inner', (inner) => {
        d = startTailrace(['run'], { t: inner });
    });
    assert.equal((await d.exited).signal, 'SIGKILL');
});

test('a config is several files, readable by their owner only', (t) => {
    const dir = tempDir(t);
    const conf = writeConf(dir, { 'tailrace.conf': 'a', 'conf.d/b.conf': 'b' });
    assert.equal(fs.readFileSync(conf, 'utf8'), 'a');
    assert.equal(fs.statSync(path.join(dir, 'conf.d/b.conf')).mode & 0o777, 0o600);
});

test('a temporary folder goes away with its test', async (t) => {
    let dir;
    await t.test('inner', (inner) => {
        dir = tempDir(inner);
        assert.ok(fs.existsSync(dir));
    });
    assert.equal(fs.existsSync(dir), false);
});

test('the binary and the plugins are where the environment says', (t) => {
    const dir = useStandIn(t);
    assert.equal(binary(), path.join(dir, 'tailrace'));
    process.env.TAILRACE_BIN = path.join(dir, 'missing');
    assert.throws(binary, /build it, or set TAILRACE_BIN/);
    assert.match(pluginDir(), /plugins$|^\//);
});
