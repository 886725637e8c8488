/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chance that can be repeated: what a test draws comes from a seed that it prints, and
 * TAILRACE_TEST_SEED repeats one.
 */
'use strict';

const { Rng } = require('../../fault/lib/rng');

const SEED = Number(process.env.TAILRACE_TEST_SEED || Date.now() % 1000000);

/* A test's generator; `nth` tells those of a file apart. */
function seeded(t, nth = 0) {
    t.diagnostic(`seed ${SEED}: TAILRACE_TEST_SEED=${SEED} repeats it`);
    return new Rng(SEED + nth);
}

module.exports = { SEED, seeded };
