/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tailrace run --once`: how far it is, on a terminal and in a log; its summary and exit codes.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer, uniqueDb } = require('../lib/couch');
const { tailrace, startTailrace } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { startHook, toHook, sortedIds } = require('./lib/sink');
const { makeFilled } = require('./lib/docs');
const { startOnTerminal } = require('./lib/screen');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

/* A hook that takes `count` changes and lets whoever comes then wait for open(). */
async function startGate(t, count = 0) {
    let open;
    const opened = new Promise((resolve) => (open = resolve));
    const hook = await startHook(t, async (changes) => {
        if (hook.taken.length + changes.length > count) await opened;
        return 200;
    });
    return { hook, open };
}

/* A hundred documents, ten a page and a batch; `count` are taken until it is opened. */
async function gatedSite(t, count = 50) {
    const filled = await makeFilled(couch, 100);
    const { hook, open } = await startGate(t, count);
    const site = makeSite(t, couch, {
        source: { page_rows: 10 },
        rules: {
            r: toHook(hook, [filled.db], {
                concurrency: 1,
                batch: { size: 10 },
                window: { rows: 20 },
                options: { batch_changes: 10 },
            }),
        },
    });
    return { filled, hook, open, site };
}

const onTerminal = (t, site, words = [], options) =>
    startOnTerminal(t, site.args('run', '--once', ...words), options);

const HALF = /^ 50% {2}\[={10} {10}\] {2}0 of 1 database {2}\d+ rows/;
const showsHalf = (screen) => HALF.test(screen.bottom());

/* Nothing is on the screen but whole lines of a log, and the next thing is written below. */
function assertOnlyLog(screen) {
    assert.ok(screen.isWhole());
    assert.equal(screen.column, 0);
    assert.equal(screen.lines[screen.row], '');
    const lines = screen.text().split('\n');
    assert.ok(lines.length <= screen.row, screen.text());
    for (const line of lines.filter(Boolean))
        assert.match(line, /^\d\d:\d\d:\d\d\.\d{3} [A-Z]+ /);
}

/* ---- on a terminal ---- */

test('a line at the bottom says how far it is, and goes at the end', async (t) => {
    const { hook, open, site, filled } = await gatedSite(t);
    const run = onTerminal(t, site);
    const screen = await run.until(showsHalf);
    assert.match(screen.text(), / starting /);
    open();
    const { code } = await run.ended;
    assert.equal(code, 0, screen.text());
    assertOnlyLog(screen);
    assert.match(screen.text(), / finished received=100 filtered=0 ok=100 /);
    assert.deepEqual(sortedIds(hook.taken), filled.ids);
});

test('log lines scroll above the line, and none of both is torn', async (t) => {
    const filled = await makeFilled(couch, 1);
    let fails = true;
    const hook = await startHook(t, () => (fails ? 503 : 200));
    const site = makeSite(t, couch, { rules: { r: toHook(hook, [filled.db]) } });
    const run = onTerminal(t, site, ['--log-level', 'debug'], { rows: 6 });
    const screen = await run.until(
        (it) => /^ {2}0% {2}\[ {20}\] {2}1 of 1 database {2}1 row/.test(it.bottom()) && hook.offered.length > 30,
    );
    assert.doesNotMatch(screen.lines.slice(0, -1).join('\n'), /of 1 database/);
    fails = false;
    assert.equal((await run.ended).code, 0);
    assertOnlyLog(screen);
});

test('databases are counted where there are many', async (t) => {
    const prefix = uniqueDb();
    for (const name of ['_a', '_b', '_c', '_d'])
        await makeFilled(couch, 1, { name: `${prefix}${name}` });
    const held = await startHook(t, async ([{ db }]) => {
        if (db.endsWith('_d')) await opened;
        return 200;
    });
    let open;
    const opened = new Promise((resolve) => (open = resolve));
    const site = makeSite(t, couch, {
        rules: { r: toHook(held, `^${prefix}_`, { batch: { size: 1 } }) },
    });
    const run = onTerminal(t, site);
    const screen = await run.until((it) => /\d of 4 databases {2}4 rows/.test(it.bottom()));
    open();
    assert.equal((await run.ended).code, 0);
    assertOnlyLog(screen);
});

test('a line fits the terminal, also one that is made smaller or larger', async (t) => {
    const { open, site } = await gatedSite(t);
    const run = onTerminal(t, site, [], { columns: 200 });
    const screen = await run.until((it) => showsHalf(it) && /rows\/s/.test(it.bottom()));
    run.resize(12, 24);
    await run.until((it) => /^ 50%/.test(it.bottom()) && it.end === it.rows - 2);
    assert.ok(screen.bottom().length < 24, screen.bottom());
    run.resize(30, 200);
    await run.until((it) => showsHalf(it) && it.end === it.rows - 2);
    assert.equal(screen.text().match(/ 50%/g).length, 1, screen.text());
    open();
    assert.equal((await run.ended).code, 0);
    assert.ok(screen.isWhole());
});

test('the terminal is whole after a crash, and after being stopped', async (t) => {
    const { site } = await gatedSite(t);
    const run = onTerminal(t, site);
    const screen = await run.until(showsHalf);
    const times = () => screen.raw.split('\x1b[r').length;
    run.signal('SIGTSTP'); /* nobody could continue it here, so the system does not stop it */
    await run.until((it) => times() === 2 && showsHalf(it) && !it.isWhole());
    run.signal('SIGQUIT');
    assert.notEqual((await run.ended).code, 0);
    assertOnlyLog(screen);
});

for (const [what, words, env] of [
    ['--progress=never', ['--progress=never']],
    ['--progress=log', ['--progress=log']],
    ['TERM=dumb', [], { TERM: 'dumb' }],
])
    test(`${what}: no line on the terminal`, async (t) => {
        const { open, site } = await gatedSite(t);
        const run = onTerminal(t, site, words, { env });
        setTimeout(open, 1500);
        const { code, screen } = await run.ended;
        assert.equal(code, 0, screen.text());
        assert.ok(!screen.raw.includes('\x1b'), JSON.stringify(screen.raw));
    });

/* ---- in a log ---- */

test('a log says every ten seconds how far it is, unless never', async (t) => {
    const [quiet, said] = [await gatedSite(t), await gatedSite(t)];
    const start = (words) => startTailrace(words, { t });
    const silent = start(quiet.site.args('run', '--once', '--progress=never'));
    await silent.waitForLog({ msg: 'starting' });
    const run = start(said.site.args('run', '--once'));
    const record = await run.waitForLog({ msg: 'progress' }, 30000);
    assert.equal(record.level, 'info');
    assert.equal(record.percent, 50);
    assert.equal(record.databases_read, 0);
    assert.equal(record.databases, 1);
    assert.equal(typeof record.rows_per_s, 'number');
    assert.equal(said.hook.taken.length, 50);
    for (const { open } of [quiet, said]) open();
    for (const { exited } of [silent, run]) assert.equal((await exited).code, 0);
    assert.ok(run.stderrLines.every((line) => line.startsWith('{')));
    assert.ok(!silent.logs().some(({ msg }) => msg === 'progress'));
});

/* ---- the end ---- */

const summary = ({ stderr }) =>
    stderr
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .find(({ msg }) => msg === 'finished');

test('the summary tells rows, time and exit code', async (t) => {
    const make = (id) => ({ even: `${Number(id.slice(4)) % 2 === 0}` });
    const filled = await makeFilled(couch, 20, { make });
    const hook = await startHook(t);
    let failures = 2;
    hook.reply = () => (failures-- > 0 ? 503 : 200);
    const site = makeSite(t, couch, {
        rules: { r: toHook(hook, [filled.db], { if: { even: '^true$' } }) },
    });
    const said = summary(await site.once());
    const { received, filtered, ok, dead, skipped, exit_code } = said;
    assert.deepEqual(
        { received, filtered, ok, dead, skipped, exit_code },
        { received: 20, filtered: 10, ok: 10, dead: 0, skipped: 0, exit_code: 0 },
    );
    assert.ok(said.retried > 0);
    assert.ok(said.took_ms > 0);
    assert.equal(said.rows_per_s, Math.floor(20000 / said.took_ms));
});

test('complete with dead letters is a code of its own, unless they are accepted', async (t) => {
    const filled = await makeFilled(couch, 3);
    const hook = await startHook(t, () => 400);
    const rules = { r: toHook(hook, [filled.db]) };
    const args = (...words) => makeSite(t, couch, { rules }).args('run', '--once', ...words);
    const strict = args();
    const first = await tailrace(strict);
    assert.equal(first.code, 65, first.stderr);
    assert.equal(summary(first).exit_code, 65);
    assert.equal(summary(first).dead, 3);
    const second = await tailrace(strict);
    assert.equal(second.code, 0, 'old dead letters are none of this run');
    const accepted = await tailrace(args('--accept-dead-letters'));
    assert.equal(accepted.code, 0, accepted.stderr);
    assert.equal(summary(accepted).dead, 3);
});

for (const signals of [1, 2])
    test(`a run that ${signals} x SIGINT stopped is not complete: EX_TEMPFAIL`, async (t) => {
        const { filled, hook, open, site } = await gatedSite(t);
        const run = onTerminal(t, site);
        const screen = await run.until(showsHalf);
        run.signal('SIGINT');
        await run.until((it) => / stopping/.test(it.text()));
        if (signals === 2) run.signal('SIGINT');
        else open();
        assert.equal((await run.ended).code, 75, screen.text());
        assertOnlyLog(screen);
        open();
        await site.once();
        assert.deepEqual([...new Set(sortedIds(hook.taken))], filled.ids);
    });

/* ---- the command line ---- */

for (const [words, pattern] of [
    [['--progress=auto'], /^tailrace: run: --progress goes with --once /],
    [['--accept-dead-letters'], /^tailrace: run: --accept-dead-letters goes with --once /],
    [['--once', '--progress=bar'], /--progress bar: it is one of auto, log, never/],
    [['--once', '--progress'], /--progress lacks its value/],
])
    test(`run ${words.join(' ')} is refused: EX_USAGE`, async () => {
        const { code, stderr } = await tailrace(['run', ...words]);
        assert.equal(code, 64);
        assert.match(stderr, pattern);
        assert.equal(stderr.trim().split('\n').length, 1);
    });
