/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue of faults as tests/fault/README.md has it: the rows of its table.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const README = path.join(__dirname, '..', 'README.md');

/* [{number, fault, injected, expected, where}, …] in the order of the table. */
function readCatalogue() {
    return fs
        .readFileSync(README, 'utf8')
        .split('\n')
        .filter((line) => /^\| *\d+ *\|/.test(line))
        .map((line) => {
            const cells = line.split('|').map((cell) => cell.trim());
            const [, number, fault, injected, expected, where] = cells;
            return { number: Number(number), fault, injected, expected, where };
        });
}

module.exports = { readCatalogue };
