/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 21, and more: the n-th allocation, file or socket operation, SQLite call or thread
 * fails. Here a few of each, by chance; tests/fault/nth/run tries them all.
 */
'use strict';

const test = require('./lib/fault')(21);
const { before, after } = require('node:test');
const assert = require('node:assert');
const { Rng } = require('./lib/rng');
const { CASES, WAYS } = require('./nth/cases');
const { openScene } = require('./nth/scene');
const { sample } = require('./nth/loop');

/* Most of what can go wrong is in a run; the other commands share much of it. */
const COUNT = { 'run --once': 4 };

let scene;

before(async () => (scene = await openScene()));
after(() => scene.close());

for (const it of CASES)
    test(`${it.name} survives the failure of any operation`, async () => {
        const rng = new Rng();
        const ways = COUNT[it.name] ? Object.values(WAYS) : [rng.pick(Object.values(WAYS))];
        for (const way of ways) {
            const { bad } = await sample(scene, it, way, COUNT[it.name] || 3, { rng });
            assert.deepEqual(bad, [], `seed ${rng.seed}`);
        }
    });
