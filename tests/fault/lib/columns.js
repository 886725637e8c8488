/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row of the table of faults: five columns, whose words are wrapped. table.js has a row for each
 * fault of the catalogue, tests/prove for what is proved beside them.
 */
'use strict';

const HEADS = ['#', 'fault', 'injected by', 'expected', 'seen'];
const WIDTHS = [3, 30, 26, 42, 42];

function wrap(text, width) {
    const lines = [''];
    for (const word of String(text).split(' ')) {
        const last = lines[lines.length - 1];
        if (last && last.length + 1 + word.length > width) lines.push(word);
        else lines[lines.length - 1] = last ? `${last} ${word}` : word;
    }
    return lines;
}

function printRow(cells) {
    const columns = cells.map((cell, i) => cell.split('\n').flatMap((l) => wrap(l, WIDTHS[i])));
    const height = Math.max(...columns.map((lines) => lines.length));
    return Array.from({ length: height }, (_, y) =>
        columns
            .map((lines, i) => (lines[y] || '').padEnd(WIDTHS[i]))
            .join('  ')
            .trimEnd(),
    ).join('\n');
}

module.exports = { HEADS, printRow };
