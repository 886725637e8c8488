/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue is whole: each number from 1 on has a row, a file of its own and a test in it
 * with its name, no file has tests of another number, and what a row names is there.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { readCatalogue } = require('../lib/catalogue');

const FAULT = path.join(__dirname, '..');
const TESTS = path.join(FAULT, '..');

const rows = readCatalogue();
const fileOf = (number) => {
    const start = `fault-${String(number).padStart(2, '0')}-`;
    return fs.readdirSync(FAULT).filter((name) => name.startsWith(start));
};

test('each fault has a row, in order', () => {
    assert.deepEqual(
        rows.map((row) => row.number),
        Array.from({ length: 34 }, (_, i) => i + 1),
    );
    for (const row of rows)
        for (const cell of ['fault', 'injected', 'expected'])
            assert.ok(row[cell].length > 0, `fault ${row.number} lacks its ${cell}`);
});

for (const { number, where } of rows) {
    test(`fault ${number} has a file of its own, and tests in it`, () => {
        const files = fileOf(number);
        assert.equal(files.length, 1, `files of fault ${number}: ${files}`);
        const text = fs.readFileSync(path.join(FAULT, files[0]), 'utf8');
        assert.match(text, new RegExp(`const test = require\\('./lib/fault'\\)\\(${number}\\);`));
        assert.match(text, /^ *test\(/m);
    });

    test(`what the row of fault ${number} names is there`, () => {
        for (const [, name] of where.matchAll(/`([^`]+)`/g)) {
            const file = name.startsWith('fuzz_') ? `fuzz/${name}.c` : name;
            assert.ok(
                fs.existsSync(path.join(TESTS, file)) || fs.existsSync(path.join(FAULT, file)),
                `${name} is not there`,
            );
        }
    });
}
