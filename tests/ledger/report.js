/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report: faults injected, expected, seen; what the sinks took, duplicates against the
 * bound; and the findings, with the seed that repeats the schedule.
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
    [/^reload|^new rule/, 'taken over, the rest goes on'],
    [/^bad reload/, 'refused, the old one stays'],
    [/^reset|^drop|^cut|^drip/, 'read on behind the last whole row'],
    [/^source/, 'waits, reads on'],
    [/^full disk/, 'waits until there is room'],
    [/^poison|^endless/, 'a dead letter'],
    [/^replay/, 'sent again; gone after ok'],
];

/* A line of a table: the first column is left-aligned, the others are numbers. */
const line = (width, first, ...rest) =>
    String(first).padEnd(width) + rest.map((n) => String(n).padStart(10)).join('');

const expectedOf = (name) => EXPECTED.find(([pattern]) => pattern.test(name))[1];

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

    /* How a life ended: {graceful, stalled, cutShort}. */
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

    count(kind) {
        return this.findings.filter((finding) => finding.kind === kind).length;
    }

    /* `points`: the failpoints that there are; `rows`: of checks.checkRepeats(). */
    print({ stage, points, rows }) {
        this.#printFaults(points);
        this.#printSinks(rows);
        this.#printSum(stage);
        this.printFindings(stage);
    }

    #printFaults(points) {
        const faults = [...this.faults].sort(([a], [b]) => a.localeCompare(b));
        console.log(`\n${line(36, 'fault', 'injected', 'seen')}  expected`);
        for (const [name, { injected, seen }] of faults)
            console.log(`${line(36, name, injected, seen)}  ${expectedOf(name)}`);
        const reached = (point) =>
            faults.some(([name, { seen }]) => seen && name.endsWith(` at ${point}`));
        const missed = points.filter((point) => !reached(point));
        if (missed.length) console.log(`not reached this time: ${missed.join(', ')}`);
    }

    #printSinks(rows) {
        console.log(`\n${line(10, 'sink', 'taken', 'distinct', 'again', 'a kill', 'bound')}`);
        for (const { rule, taken, distinct, repeats, worst, bound } of rows)
            console.log(line(10, rule, taken, distinct, repeats, worst, bound));
    }

    #printSum({ ledger }) {
        const written = ['acked', 'doubtful', 'refused'].map(
            (it) => `${ledger.count(it)} ${it}`,
        );
        const beyond = this.count('duplicates') + this.count('repeat');
        const seconds = Math.round((Date.now() - this.began) / 1000);
        console.log(
            [
                `\n${ledger.ops.length} operations: ${written.join(', ')}`,
                `${this.kills} kills survived in ${this.lives.length} lives, ${seconds} s`,
                `missing ${this.count('missing')}, spurious ${this.count('spurious')}, ` +
                    `out of order ${this.count('order')}, beyond the bound ${beyond}`,
            ].join('\n'),
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
