/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 21: out of memory at any allocation; and with it any file or socket operation, call of SQLite
 * or thread that fails. Here a few of each, by chance; tests/fault/nth/run tries them all.
 */
'use strict';

const { before, after } = require('node:test');
const test = require('./lib/fault')(21);
const assert = require('node:assert');
const { Rng } = require('./lib/rng');
const { CASES, WAYS } = require('./nth/cases');
const { openScene } = require('./nth/scene');
const { sample } = require('./nth/loop');

/* Most of what can go wrong is in a run; the other commands share much of it. */
const COUNT = { 'run --once': 2 };

let scene;

before(async () => (scene = await openScene()));
after(() => scene.close());

for (const it of CASES)
    test(`${it.name} survives the failure of any operation`, async (t) => {
        const rng = new Rng();
        const all = Object.values(WAYS);
        const ways = COUNT[it.name] ? all : [rng.pick(all.filter(({ from }) => !from))];
        const saw = { fine: 0, refused: 0 };
        for (const way of ways) {
            const sum = await sample(scene, it, way, COUNT[it.name] || 3, { rng });
            assert.deepEqual(sum.bad, [], `seed ${rng.seed}`);
            saw.fine += sum.fine;
            saw.refused += sum.refused;
        }
        test.saw(t, `${saw.fine} runs of ${it.name} survive it, ${saw.refused} end in order`);
    });
