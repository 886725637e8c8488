/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run --once, the daemon, and the commands on what they leave behind: checkpoints and dead
 * letters. No server.
 */
'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');

const { site, until, tailrace, ...EX } = require('./cli.js');
const { startTailrace } = require('../lib/tailrace.js');

const DOCS = [{ _id: 'a' }, { _id: 'b', reject: true }, { _id: 'c', reject: true }];

async function ran(t, options = { docs: DOCS }) {
    const s = site(t, options);
    const { code, stderr } = await s.run('run --once --accept-dead-letters');
    assert.equal(code, 0, stderr);
    return s;
}

async function daemon(t, s) {
    const d = startTailrace(['run', '-c', s.conf], { t });
    await d.waitForLog({ msg: 'starting' });
    /* The store's lock is what the commands meet. */
    await until('the lock of the daemon', async () => {
        assert.ok(d.running, d.stderrLines.join('\n'));
        return (await s.run('checkpoint delete nobody --all')).code === EX.TEMPFAIL;
    });
    return d;
}

const checkpoints = async (s) => (await s.json('checkpoint list')).checkpoints;
const letters = async (s) => (await s.json('dead-letter list')).dead_letters;

/* ---- run ---- */

test('run --once sums up what it did', async (t) => {
    const s = site(t, { docs: DOCS });
    const { code, stderr } = await s.run('run --once --accept-dead-letters');
    assert.equal(code, 0, stderr);
    const log = stderr.trim().split('\n').map(JSON.parse);
    const last = log.find((record) => record.msg === 'finished');
    assert.ok(last, stderr);
    assert.equal(last.received, 3);
    assert.equal(last.ok, 1);
    assert.equal(last.dead, 2);
    assert.equal(last.received, last.filtered + last.ok + last.dead);
});

test('the command line wins over the log settings of the file', async (t) => {
    const s = site(t, { docs: DOCS });
    const { stderr } = await s.run('run --once --log-level error --log-format text');
    assert.equal(stderr, '');
});

test('run refuses a wrong configuration with file and line', async (t) => {
    const s = site(t, { rule: 'concurency = 2;' });
    const { code, stderr } = await s.run('run');
    assert.equal(code, EX.CONFIG);
    assert.match(stderr, /^[^\n]*tailrace\.conf:\d+: error: rules\.r\.concurency: unknown key/);
});

test('run refuses a secret that is not there', async (t) => {
    const s = site(t, {
        more: `x: { source = "feed"; databases = "x"; plugin = "cli-plugin";
               options: { token = "env:TAILRACE_TEST_NONE"; }; };`,
    });
    assert.equal((await s.run('check')).code, 0);
    const { code, stderr } = await s.run('run --once --accept-dead-letters');
    assert.equal(code, EX.CONFIG);
    assert.match(stderr, /rules\.x\.options\.token/);
});

test('a daemon stops on SIGTERM, reloads on SIGHUP, and holds its lock', async (t) => {
    const s = site(t, { docs: DOCS });
    const d = await daemon(t, s);
    const second = await s.run('run --once --accept-dead-letters');
    assert.equal(second.code, EX.TEMPFAIL);
    assert.match(second.stderr, /^tailrace: another tailrace with pid \d+ /m);
    d.signal('SIGHUP');
    await d.waitForLog({ msg: 'configuration loaded again' });
    fs.appendFileSync(s.conf, 'nonsense = 1;\n');
    d.signal('SIGHUP');
    await d.waitForLog(/refused, the old one stays/);
    assert.deepEqual(await d.stop('SIGTERM'), { code: 0, signal: null });
});

/* ---- checkpoint ---- */

test('checkpoint list and show tell where a rule stands', async (t) => {
    const s = await ran(t);
    const [one] = await checkpoints(s);
    assert.equal(one.rule, 'r');
    assert.equal(one.db, 'db');
    assert.equal(one.source, 'feed');
    assert.equal(one.rows, 3);
    assert.equal(one.seq, fs.statSync(s.feed).size);
    const list = await s.run('checkpoint list');
    assert.match(list.stdout, /^RULE +STREAM +ROWS +UPDATED +SEQ\nr +feed\/db@\S+ +3 /);
    for (const name of ['db', 'feed/db', one.stream]) {
        const shown = await s.run(['checkpoint', 'show', 'r', name]);
        assert.equal(shown.code, 0, shown.stderr);
        assert.match(shown.stdout, new RegExp(`^seq +${one.seq}$`, 'm'));
    }
    assert.deepEqual((await s.json('checkpoint list --rule r --db db')).checkpoints, [one]);
});

test('a rule or stream without a checkpoint is said in one line', async (t) => {
    const s = await ran(t);
    for (const words of ['show q db', 'show r other', 'set r other beginning', 'delete q --all']) {
        const { code, stderr, stdout } = await s.run(`checkpoint ${words}`);
        assert.equal(code, EX.NOINPUT, words);
        assert.match(stderr, /^tailrace: rule [qr] has no checkpoint[^\n]*\n$/);
        assert.equal(stdout, '');
    }
    assert.match((await s.run('checkpoint show r other')).stderr, /but on feed\/db@/);
});

test('checkpoint set keeps a seq as text, raw JSON, a number, or the beginning', async (t) => {
    const s = await ran(t);
    const cases = [
        ['10', 10], /* the source counts in numbers */
        ['12-abc', '12-abc'],
        ['77', '77'], /* now it does not */
        ['"5-x"', '5-x'],
        ['[1,"x"]', [1, 'x']],
        ['beginning', 0],
    ];
    for (const [given, stored] of cases) {
        const { code, stderr } = await s.run(['checkpoint', 'set', 'r', 'db', given]);
        assert.equal(code, 0, stderr);
        const [one] = await checkpoints(s);
        assert.deepEqual(one.seq, stored);
        assert.equal(one.rows, 3);
    }
    const broken = await s.run(['checkpoint', 'set', 'r', 'db', '"x']);
    assert.equal(broken.code, EX.DATAERR);
    assert.match(broken.stderr, /^tailrace: [^\n]*\n$/);
});

test('a rule that was set back reads again', async (t) => {
    const s = await ran(t, { docs: [{ _id: 'a' }] });
    const again = async () => {
        const { stderr } = await s.run('run --once --accept-dead-letters');
        return stderr.trim().split('\n').map(JSON.parse).find((it) => it.msg === 'finished');
    };
    assert.equal((await again()).received, 0);
    await s.run('checkpoint set r db beginning');
    assert.equal((await again()).received, 1);
    await s.run('checkpoint delete r db');
    assert.deepEqual(await checkpoints(s), []);
    assert.equal((await again()).received, 1);
});

test('checkpoint set and delete say what they did to programs too', async (t) => {
    const s = await ran(t);
    const [{ stream }] = await checkpoints(s);
    assert.deepEqual(await s.json('checkpoint set r db 1'), { rule: 'r', stream, seq: 1 });
    assert.deepEqual(await s.json('checkpoint delete r db'), { deleted: 1 });
    assert.deepEqual(await checkpoints(s), []);
});

/* A shell's variable that was not set must not stand for all there are. */
test('what is empty on the command line is refused', async (t) => {
    const s = await ran(t);
    for (const words of [
        ['checkpoint', 'delete', 'r', ''],
        ['checkpoint', 'delete', '', '--all'],
        ['checkpoint', 'set', 'r', '', 'beginning'],
        ['dead-letter', 'purge', '--rule', ''],
        ['dead-letter', 'purge', ''],
        ['dead-letter', 'replay', '--db='],
    ]) {
        const { code, stdout, stderr } = await s.run(words);
        assert.equal(code, EX.USAGE, words.join(' '));
        assert.equal(stdout, '');
        assert.match(stderr, /^tailrace: [^\n]* is empty[^\n]*\n$/);
    }
    assert.equal((await checkpoints(s)).length, 1);
    assert.equal((await letters(s)).length, 2);
});

test('checkpoints are read beside a daemon and not changed', async (t) => {
    const s = await ran(t);
    await daemon(t, s);
    assert.equal((await checkpoints(s)).length, 1);
    for (const words of ['set r db beginning', 'delete r --all']) {
        const { code, stderr } = await s.run(`checkpoint ${words}`);
        assert.equal(code, EX.TEMPFAIL);
        assert.match(stderr, /^tailrace: another tailrace with pid \d+ .*stop it first/);
    }
});

test('a state directory without a store is EX_NOINPUT and stays without', async (t) => {
    const s = site(t);
    const lines = ['checkpoint list', 'checkpoint set r db 1', 'dead-letter list'];
    for (const words of [...lines, 'dead-letter purge --all', 'dead-letter replay --all']) {
        const { code, stderr } = await s.run(words);
        assert.equal(code, EX.NOINPUT, words);
        assert.match(stderr, /^tailrace: there is no store in /);
    }
    assert.equal(fs.existsSync(s.state), false);
});

test('--state-dir needs no configuration', async (t) => {
    const s = await ran(t);
    const { code, stdout } = await tailrace(['dead-letter', 'list', '--state-dir', s.state]);
    assert.equal(code, 0);
    assert.match(stdout, /^1 +r +db +b /m);
});

test('the state is readable although a rule is wrong', async (t) => {
    const s = await ran(t);
    fs.writeFileSync(s.conf, fs.readFileSync(s.conf, 'utf8').replace('"cli-plugin"', '"gone"'));
    assert.equal((await s.run('check')).code, EX.CONFIG);
    assert.equal((await letters(s)).length, 2);
});

/* ---- dead-letter ---- */

test('dead-letter list and show keep what was rejected, and why', async (t) => {
    const s = await ran(t);
    const list = await letters(s);
    assert.deepEqual(
        list.map((it) => it.doc_id),
        ['b', 'c'],
    );
    assert.equal(list[0].error, 'as the document says');
    assert.deepEqual(await letters(s), list);
    assert.equal((await s.json('dead-letter list --limit 1')).dead_letters.length, 1);
    assert.deepEqual((await s.json('dead-letter list --db other')).dead_letters, []);
    const { stdout } = await s.run('dead-letter list --rule r');
    assert.match(stdout, /^ID +RULE +DATABASE +DOCUMENT +TRIES +LAST +ERROR\n1 +r +db +b +1 /);
    const shown = await s.json(`dead-letter show ${list[0].id}`);
    assert.match(JSON.stringify(shown.row), /"reject":true/);
    assert.match((await s.run('dead-letter show 1')).stdout, /^row +\{.*"reject":true/m);
    assert.equal((await s.run('dead-letter show 99')).code, EX.NOINPUT);
});

test('dead-letter replay without a daemon sends them itself', async (t) => {
    const s = await ran(t);
    const stays = await s.run('dead-letter replay --rule r');
    assert.equal(stays.code, EX.DATAERR, stays.stderr);
    assert.match(stays.stdout, /^2 dead letters sent again: 0 went, 2 stayed/);
    assert.ok((await letters(s)).every((it) => !it.replay && it.attempts === 2));
    fs.writeFileSync(s.gate, '');
    const one = await s.run('dead-letter replay 1');
    assert.equal(one.code, 0, one.stderr);
    assert.equal(one.stdout, '1 dead letter sent again: 1 went, 0 stayed\n');
    assert.deepEqual(
        (await letters(s)).map((it) => it.doc_id),
        ['c'],
    );
    assert.deepEqual(await s.json('dead-letter replay --all'), {
        marked: 1,
        sent: 1,
        stayed: 0,
        daemon: false,
    });
    assert.deepEqual(await letters(s), []);
});

test('dead-letter replay sends what a file of bare documents left', async (t) => {
    const s = await ran(t, { docs: DOCS, bare: true });
    fs.writeFileSync(s.gate, '');
    const { code, stdout, stderr } = await s.run('dead-letter replay --rule r');
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(await letters(s), []);
});

test('dead-letter replay beside a daemon lets the daemon send them', async (t) => {
    const s = await ran(t);
    fs.writeFileSync(s.gate, '');
    await daemon(t, s);
    const { code, stdout, stderr } = await s.run('dead-letter replay --rule r');
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '2 dead letters marked: the running daemon sends them\n');
    await until('the replay', async () => (await letters(s)).length === 0);
});

test('dead-letter replay of an id that is not there marks nothing', async (t) => {
    const s = await ran(t);
    const { code, stderr } = await s.run('dead-letter replay 1 99');
    assert.equal(code, EX.NOINPUT);
    assert.equal(stderr, 'tailrace: there is no dead letter 99\n');
    assert.ok((await letters(s)).every((it) => !it.replay));
});

test('dead-letter purge deletes by id, by age, and all', async (t) => {
    const s = await ran(t);
    const purge = (words) => s.run(`dead-letter purge ${words}`);
    assert.equal((await purge('--rule r --before 1d')).stdout, '0 dead letters purged\n');
    assert.equal((await purge('--before yesterday')).code, EX.USAGE);
    assert.equal((await purge('1')).stdout, '1 dead letter purged\n');
    assert.equal((await purge('1')).code, EX.NOINPUT);
    assert.equal((await purge('--before 2999-01-01')).stdout, '1 dead letter purged\n');
    assert.deepEqual(await letters(s), []);
    assert.deepEqual(await s.json('dead-letter purge --all'), { purged: 0 });
});
