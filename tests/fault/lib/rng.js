/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A seeded random number generator (splitmix32) for faults and chaos tests.
 *
 * Math.random() cannot be seeded, so a failure it caused could not be repeated. Everything
 * random in these tests comes from here, and the seed is part of every failure message.
 *
 * Seed order: the caller's, else TAILRACE_SEED from the environment, else a fresh one.
 */
'use strict';

const crypto = require('node:crypto');

function pickSeed(seed) {
    if (seed !== undefined && seed !== null) return Number(seed) >>> 0;
    if (process.env.TAILRACE_SEED) return Number(process.env.TAILRACE_SEED) >>> 0;
    return crypto.randomInt(0, 2 ** 32 - 1);
}

class Rng {
    constructor(seed) {
        this.seed = pickSeed(seed);
        this.state = this.seed;
    }

    /* An unsigned 32-bit integer. */
    u32() {
        this.state = (this.state + 0x9e3779b9) >>> 0;
        let z = this.state;
        z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
        z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
        return (z ^ (z >>> 15)) >>> 0;
    }

    /* A float in [0, 1). */
    float() {
        return this.u32() / 2 ** 32;
    }

    /* An integer in [lo, hi], both ends included. */
    int(lo, hi) {
        return lo + Math.floor(this.float() * (hi - lo + 1));
    }

    /* An integer in [0, n). */
    below(n) {
        return this.int(0, n - 1);
    }

    /* True with probability p. */
    chance(p) {
        return this.float() < p;
    }

    pick(list) {
        return list[this.int(0, list.length - 1)];
    }
}

module.exports = { Rng };
