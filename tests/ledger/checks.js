/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks, when the faults are over: first everything is given time to arrive, then each
 * promise is looked at. A finding is {kind, sink, what}.
 *
 *   missing     a last state that neither arrived nor is a dead letter; a leaf a copy lacks
 *   spurious    what arrived and was never written, or with other bytes (rows.js, copy.js)
 *   order       an older state of a document behind a newer one (rows.js)
 *   repeat      twice without a crash in between, or after a graceful stop, of a rule that did not
 *               say that it stopped while its sink failed
 *   duplicates  more repeated after a kill than was in flight and settled since the last commit
 *   key         another Idempotency-Key at a later attempt (webhook.js)
 *   figures     what is published is not what a recount gives (stats.js)
 *   accounts    received is not filtered + ok + dead lettered
 *   source      the source itself has lost something: then nothing can be said of tailrace
 */
'use strict';

const { sleep } = require('../lib/couch');
const { tailrace } = require('../lib/tailrace');

const PATIENCE_MS = 90000; /* for all of it */
const READ_ROWS = 160; /* more are not in twice the read_size of the stage: a read may follow */
const QUIET_MS = 5000; /* in which nothing moves: then nothing more will come */

const finding = (kind, sink, what) => ({ kind, sink, what });

/* What the daemon says of its rules; undefined when it does not answer. */
function askRules(stage) {
    return stage.site.command(['status']).then(
        ({ rules }) => rules,
        () => undefined,
    );
}

/* What moves while it settles: rows that came, rows on their way. */
async function pulse(stage) {
    const rules = await askRules(stage);
    const moving = ({ received, ok, retried, lag_rows: lag }) => [received, ok, retried, lag];
    return JSON.stringify(rules && rules.map(moving));
}

/* No faults, no writers: until all has come, or nothing more will. The findings. */
async function settle(stage) {
    const { truth, findings } = await stage.truth();
    const end = Date.now() + PATIENCE_MS;
    let moved = Date.now();
    await stage.daemon.waitForLog({ msg: 'rule started' });
    for (let before = ''; ; await sleep(400)) {
        const letters = await stage.letters();
        const missing = [];
        for (const sink of stage.sinks) missing.push(...(await sink.missing(truth, letters)));
        if (missing.length === 0) return findings;
        const now = await pulse(stage);
        if (now !== before) moved = Date.now();
        before = now;
        if (Date.now() > Math.min(end, moved + QUIET_MS)) return [...findings, ...missing];
    }
}

/*
 * What a kill may have repeated at most, of a rule that runs so: what was in flight, or with
 * several lanes what its window holds and one delivery on top, since a lane that retries holds
 * back what the others settle behind it; what was settled since the last commit, which is made
 * behind the batch that fills it; and as much again, since the next commit fills while that one
 * is on its way to the disk. Where the server gives a seq for every `seqInterval` rows only,
 * those behind the last one, of each database.
 */
function boundOf({ concurrency, batch, commitRows, window }, stage) {
    const inHand = concurrency > 1 ? window + READ_ROWS : batch;
    const behind = stage.dbs.length * Math.max(0, stage.seqInterval - 1);
    return inHand + 2 * (commitRows + batch) + behind;
}

/* Per rule: {rule, repeats, bound, worst}, and what is beyond the bound. */
function checkRepeats(stage, lives) {
    const findings = [];
    const books = stage.sinks.flatMap((sink) => sink.books);
    const rows = books.map((book) => {
        const bound = boundOf(book.limits, stage);
        let worst = 0;
        for (const { life, what } of book.twice)
            if (!lives[life].cutShort.has(book.rule))
                findings.push(finding('repeat', book.rule, what));
        lives.forEach(({ graceful, stalled, cutShort }, life) => {
            const repeats = book.repeats[life] || 0;
            const ends = (graceful ? 0 : 1) + (cutShort.get(book.rule) || 0);
            const may = stalled ? book.perLife[life] || 0 : ends * bound;
            if (!stalled) worst = Math.max(worst, repeats);
            if (repeats <= may) return;
            const kind = graceful ? 'repeat' : 'duplicates';
            const what = `life ${life}: ${repeats} came again, ${may} are allowed`;
            findings.push(finding(kind, book.rule, what));
        });
        return { rule: book.rule, ...book.summary(), bound, worst };
    });
    return { rows, findings };
}

/* At rest, which comes soon, every row that a rule received has one fate. */
async function checkAccounts(stage) {
    for (const end = Date.now() + QUIET_MS; ; await sleep(200)) {
        const rules = await askRules(stage);
        if (!rules) return [finding('death', 'daemon', 'it does not answer `tailrace status`')];
        const wrong = rules.filter(
            ({ received, filtered, ok, dead, skipped, window_rows: open }) =>
                open > 0 || received !== filtered + ok + dead + skipped,
        );
        if (wrong.length === 0 || Date.now() > end)
            return wrong.map((rule) => finding('accounts', rule.name, JSON.stringify(rule)));
    }
}

/* After a stop that drained, a start finds nothing to do again. */
async function checkStop(stage) {
    const count = () =>
        stage.sinks.flatMap((sink) => sink.books).reduce((sum, book) => sum + book.rows, 0);
    const end = await stage.daemon.stop().catch((err) => ({ error: err.message }));
    await stage.ended();
    if (end.code !== 0)
        return [finding('death', 'daemon', `SIGTERM at rest: ${JSON.stringify(end)}`)];
    const before = count();
    const args = stage.site.args('run', '--once', '--accept-dead-letters');
    const { code, stderr } = await tailrace(args, { timeoutMs: PATIENCE_MS });
    if (code !== 0)
        return [finding('death', 'daemon', `run --once: ${code}\n${stderr.slice(-1000)}`)];
    for (const sink of stage.sinks) if (sink.between) await sink.between();
    const more = count() - before;
    return more ? [finding('repeat', 'all', `${more} rows after a stop that drained`)] : [];
}

const seen = (stage) =>
    stage.sinks.flatMap((sink) => [
        ...sink.findings,
        ...sink.books.flatMap((book) => book.findings),
    ]);

module.exports = { settle, checkRepeats, checkAccounts, checkStop, seen };
