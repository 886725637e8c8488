/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names a test after its fault, by the number that it has in tests/fault/README.md:
 *
 *   const test = require('./lib/fault')(12);
 *   test('the server comes back', async (t) => …)      "fault 12: the server comes back"
 *   test.saw(t, '40 requests in the busiest second')   stands in the table of tests/fault/run
 */
'use strict';

const { test } = require('node:test');

module.exports = (number) => {
    const named = (title, ...rest) => test(`fault ${number}: ${title}`, ...rest);
    named.saw = (t, text) => t.diagnostic(`fault ${number} saw ${text}`);
    return named;
};
