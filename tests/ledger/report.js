/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report: faults injected, expected, seen; what the sinks took, duplicates against the bound;
 * and the findings, with the seed that repeats the schedule.
 */
'use strict';

const SHOWN = 8; /* findings of a kind */

/* What must follow a fault, by its beginning. */
const EXPECTED = [
    [/^kill/, 'dead; the next life goes on'],
    [/^SIGTERM/, 'drains, exits with 0, repeats nothing'],
    [/^stop at|^freeze/, 'stands still, goes on'],
    [/^delay at/, 'later, no more'],
    [/^clock/, 'no one waits for it'],
    [/^reload/, 'taken over, the rest goes on'],
    [/^bad reload/, 'refused, the old one stays'],
    [/^reset|^drop|^cut|^drip/, 'read on behind the last whole row'],
    [/^source/, 'waits, reads on'],
    [/^full disk/, 'waits until there is room'],
    [/^poison|^endless/, 'a dead letter'],
    [/^replay/, 'sent again; gone after ok'],
];

const pad = (text, width) => String(text).padEnd(width);
const right = (n, width) => String(n).padStart(width);

class Report {
    constructor(options) {
        this.options = options;
        this.began = Date.now();
        this.faults = new Map();
        this.lives = [];
        this.findings = [];
    }

    #fault(name) {
        if (!this.faults.has(name)) this.faults.set(name, { injected: 0, seen: 0 });
        return this.faults.get(name);
    }

    injected(name) {
        this.#fault(name).injected++;
    }

    seen(name) {
        this.#fault(name).seen++;
    }

    /* How a life ended: {graceful, stalled}. */
    life(n, how) {
        this.lives[n] = how;
    }

    find(finding) {
        this.findings.push(finding);
    }

    get kills() {
        return this.lives.filter((life) => !life.graceful).length;
    }

    kinds() {
        return new Set(this.findings.map(({ kind }) => kind));
    }

    /* The end of it. `points`: the failpoints that there are; `rows`: of checks.checkRepeats(). */
    print({ stage, points, rows }) {
        this.#printFaults();
        const reached = new Set(
            [...this.faults]
                .filter(([, { seen }]) => seen)
                .map(([name]) => name.split(' at ')[1]),
        );
        const missed = points.filter((point) => !reached.has(point));
        if (missed.length)
            console.log(`\nfailpoints not reached this time: ${missed.join(', ')}`);
        this.#printSinks(rows);
        this.#printLedger(stage);
        this.printFindings(stage);
    }

    #printFaults() {
        console.log(
            `\n${pad('fault', 38)}${right('injected', 9)}${right('seen', 6)}  expected`,
        );
        for (const [name, { injected, seen }] of [...this.faults].sort(([a], [b]) =>
            a < b ? -1 : 1,
        )) {
            const [, expected] = EXPECTED.find(([pattern]) => pattern.test(name)) || [];
            console.log(`${pad(name, 38)}${right(injected, 9)}${right(seen, 6)}  ${expected}`);
        }
    }

    #printSinks(rows) {
        console.log(
            `\n${pad('sink', 10)}${['taken', 'distinct', 'again', 'a kill', 'bound'].map((h) => right(h, 10)).join('')}`,
        );
        for (const { rule, taken, distinct, repeats, worst, bound } of rows)
            console.log(
                pad(rule, 10) +
                    [taken, distinct, repeats, worst, bound].map((n) => right(n, 10)).join(''),
            );
    }

    #printLedger({ ledger, dbs }) {
        const count = (state) => ledger.count(state);
        const of = (kind) => this.findings.filter((finding) => finding.kind === kind).length;
        console.log(
            `\n${dbs.length} databases, ${ledger.ops.length} operations: ${count('acked')} acknowledged, ` +
                `${count('doubtful')} doubtful, ${count('refused')} refused`,
        );
        console.log(
            `${this.lives.length} lives, ${this.kills} kills survived; missing ${of('missing')}, spurious ` +
                `${of('spurious')}, out of order ${of('order')}, beyond the bound ${of('duplicates') + of('repeat')}; ` +
                `${Math.round((Date.now() - this.began) / 1000)} s`,
        );
    }

    printFindings(stage) {
        const { seed, command } = this.options;
        for (const kind of this.kinds()) {
            const list = this.findings.filter((finding) => finding.kind === kind);
            console.log(`\nFOUND ${kind}, ${list.length}:`);
            for (const { sink, what } of list.slice(0, SHOWN))
                console.log(`  ${sink}: ${what}`);
        }
        if (this.findings.length && stage)
            console.log(`\nthe daemon's log: ${stage.log}\nits state: ${stage.site.dir}`);
        console.log(`\nseed ${seed}: ${command} repeats the schedule`);
    }
}

module.exports = { Report };
