/* SPDX-License-Identifier: Apache-2.0 */
/* The schedule: a seed gives the same one again, and every failpoint gets its turn. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { makeSchedule, failpoints } = require('./schedule');

const points = failpoints();

test('the same seed gives the same schedule, another seed another', () => {
    const make = (seed) => makeSchedule({ seed, kills: 50, points });
    assert.deepEqual(make(7), make(7));
    assert.notDeepEqual(make(7), make(8));
});

test('it has as many kills as were asked for', () => {
    for (const kills of [1, 10, 300]) {
        const lives = makeSchedule({ seed: kills, kills, points });
        assert.equal(lives.filter(({ end }) => end.how !== 'stop').length, kills);
    }
});

test('every failpoint of the sources has its turn in a long one', () => {
    const lives = makeSchedule({ seed: 1, kills: 300, points });
    const armed = new Set(lives.flatMap(({ arms }) => arms.map(({ point }) => point)));
    assert.ok(points.length >= 20, points.join());
    assert.deepEqual(
        points.filter((point) => !armed.has(point)),
        [],
    );
});

test('what is left out does not come', () => {
    const lives = makeSchedule({ seed: 1, kills: 300, points, without: ['source'] });
    assert.ok(!lives.some(({ acts }) => acts.some(({ what }) => what === 'source')));
});
