/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger test from its beginning to its end. `run` and `planted` call it.
 */
'use strict';

const { binary } = require('../lib/tailrace');
const fs = require('node:fs');
const { Rng } = require('../fault/lib/rng');
const { Chaos } = require('./chaos');
const checks = require('./checks');
const { Report } = require('./report');
const { makeSchedule, makeDrill, failpoints } = require('./schedule');
const { SINKS } = require('./sinks');
const { openStage } = require('./stage');

function assertFailpoints() {
    if (!fs.readFileSync(binary()).includes('TAILRACE_FAILPOINTS'))
        throw new Error(
            `${binary()} has no failpoints: build it with -DTAILRACE_FAILPOINTS=ON`,
        );
}

/* The lives of the schedule, one after the other, while the writers write; until the time is
 * over or somebody has enough (SIGINT, SIGTERM). */
async function play(stage, lives, report, { say, minutes = Infinity }) {
    const end = Date.now() + minutes * 60000;
    let enough = false;
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => (enough = true));
    const chaos = new Chaos(stage, report);
    stage.writers.start();
    for (const life of lives) {
        if (enough || Date.now() > end) break;
        await chaos.play(life);
        if (stage.life % 10 === 0)
            say(
                `life ${stage.life} of ${lives.length}, ${report.kills} kills, ` +
                    `${stage.ledger.ops.length} operations`,
            );
    }
    await stage.writers.stop();
    await stage.proxy.clear();
}

/* No more faults: all must arrive, be right, and stay so. */
async function judge(stage, report) {
    stage.quiet = true;
    stage.configure();
    stage.begin();
    report.findings.push(...(await checks.settle(stage)));
    report.findings.push(...(await checks.checkAccounts(stage)));
    report.life(stage.life, { graceful: true, cutShort: new Map() });
    report.findings.push(...(await checks.checkStop(stage)));
    const { rows, findings: beyond } = checks.checkRepeats(stage, report.lives);
    report.findings.push(...beyond, ...checks.seen(stage));
    return rows;
}

/*
 * Options: kills, seed, databases, sinks (names; all), keep (the folders); plant, a bug; drill,
 * lives that all go one way instead of a schedule, with a webhook of that `manner` (webhook.js);
 * minutes, at most; silent. Resolves to the report.
 */
async function main({
    kills,
    seed,
    databases = 30,
    sinks = Object.keys(SINKS),
    keep,
    plant,
    drill,
    silent,
    minutes,
}) {
    assertFailpoints();
    const rng = new Rng(seed);
    const small = databases === 30 ? '' : ` --databases ${databases}`;
    const report = new Report({
        seed: rng.seed,
        command: `tests/ledger/run --seed ${rng.seed} --kills ${kills}${small}`,
    });
    const say = silent ? () => {} : console.log;
    const points = failpoints();
    say(`seed ${rng.seed}, ${kills} kills, ${databases} databases, sinks ${sinks.join(', ')}`);
    const stage = await openStage({
        seed: rng.seed,
        databases,
        sinks,
        plant,
        manner: drill && drill.manner,
        seqInterval: drill ? 0 : rng.pick([0, 10]),
        pauseMs: drill ? 20 : 60,
    });
    let judged = false;
    try {
        const without = stage.source.isReal ? ['source'] : [];
        const lives = drill
            ? makeDrill({ kills, ...drill })
            : makeSchedule({ seed: rng.seed, kills, points, without });
        await play(stage, lives, report, { say, minutes });
        const rows = await judge(stage, report);
        if (!silent) report.print({ stage, points, rows });
        judged = true;
    } finally {
        await stage.close({ keep: keep || !judged || (report.findings.length > 0 && !plant) });
    }
    return report;
}

module.exports = { main };
