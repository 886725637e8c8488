/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reporter for node's test runner that prints the catalogue of faults with what was seen of
 * each: how many of its tests went as expected, what they told by saw(), which failed, and why
 * any was skipped. Tests that belong to no fault are in the last line only.
 */
'use strict';

const { readCatalogue } = require('./catalogue');
const { HEADS, printRow } = require('./columns');

class Tally {
    constructor() {
        Object.assign(this, { passed: 0, failed: [], skipped: [], said: [] });
    }

    add(title, event, data) {
        if (event === 'test:fail') this.failed.push(title);
        else if (data.skip !== undefined) this.skipped.push(data.skip || title);
        else this.passed++;
    }

    /* What was seen, as the last cell of a row. */
    print() {
        const all = this.passed + this.failed.length;
        const lines = [];
        if (this.failed.length) lines.push(`FAILED ${this.failed.length} of ${all}:`);
        else if (all) lines.push(`as expected, ${all} of ${all}`);
        else if (!this.skipped.length) lines.push('not run');
        lines.push(...this.failed.map((title) => `- ${title}`), ...new Set(this.said));
        for (const reason of new Set(this.skipped)) lines.push(`skipped: ${reason}`);
        return lines.join('\n');
    }
}

function count(tallies) {
    const sum = (of) => [...tallies.values()].reduce((n, tally) => n + of(tally), 0);
    const [passed, failed] = [sum((t) => t.passed), sum((t) => t.failed.length)];
    return `${passed} as expected, ${failed} not, ${sum((t) => t.skipped.length)} skipped`;
}

module.exports = async function* table(source) {
    const tallies = new Map();
    const of = (number) => {
        if (!tallies.has(number)) tallies.set(number, new Tally());
        return tallies.get(number);
    };
    for await (const { type, data } of source) {
        const text = type === 'test:diagnostic' ? data.message : data.name;
        const [, number, saw, rest] = /^fault (\d+)(:| saw) (.*)$/s.exec(text) || [];
        if (type === 'test:pass' || type === 'test:fail')
            of(Number(number || 0)).add(rest || data.name, type, data);
        else if (type === 'test:diagnostic' && number && saw !== ':')
            of(Number(number)).said.push(rest);
    }
    const rows = readCatalogue().filter((row) => !process.env.ONLY || tallies.has(row.number));
    yield `${printRow(HEADS)}\n`;
    for (const row of rows)
        yield `${printRow([
            String(row.number),
            row.fault,
            row.injected,
            row.expected,
            of(row.number).print(),
        ])}\n\n`;
    yield `${count(tallies)}\n`;
};
