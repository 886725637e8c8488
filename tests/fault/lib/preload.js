/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment that has the daemon load libraries before all else. A sanitizer's runtime wants
 * to be the first of them.
 */
'use strict';

const { execFileSync } = require('node:child_process');
const { binary } = require('../../lib/tailrace');

function runtimes() {
    const lines = execFileSync('ldd', [binary()], { encoding: 'utf8' }).split('\n');
    return lines.flatMap((line) => {
        const [, file] = /lib[a-z]+san\.so\S* => (\S+)/.exec(line) || [];
        return file ? [file] : [];
    });
}

const preload = (...libraries) => ({ LD_PRELOAD: [...runtimes(), ...libraries].join(':') });

module.exports = { preload };
