/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plugin keeps (tr.state/1), with the whole program: counters that are exact whatever dies
 * when. The plugin `state` counts rows and documents, and logs at its start what it finds.
 * Kill times come from a seed that is printed; TAILRACE_TEST_SEED repeats one.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const path = require('node:path');
const { startTestServer, sleep } = require('../lib/couch');
const { pluginDir } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { makeFilled } = require('./lib/docs');

const SEED = Number(process.env.TAILRACE_TEST_SEED || Date.now() % 1000000);
const ROWS = 4000;

const keeper = (db, more = {}) => ({
    source: 'main',
    databases: [db],
    plugin: path.join(pluginDir(), '..', 'tests', 'plugins', 'state.so'),
    batch: { size: 13 },
    retry: { min: '1ms', max: '5ms' },
    ...more,
});

let couch;

before(async () => {
    couch = await startTestServer();
});
after(() => couch.close());

/* Numbers of [0, 1) that a seed gives (mulberry32). */
function random(seed) {
    let state = seed;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let x = Math.imul(state ^ (state >>> 15), 1 | state);
        x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
        return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
    };
}

/* What the plugin found at the start of a run, or undefined. */
function kept({ stderr }) {
    const found = /kept of .*: (\d+) documents, (\d+) changes, total (\d+)/.exec(stderr);
    if (!found) return undefined;
    const [documents, changes, total] = found.slice(1).map(Number);
    return { documents, changes, total };
}

async function settle(site) {
    await site.once();
    return kept(await site.once());
}

for (const concurrency of [1, 4])
    test(`a counter is exact after kill -9 again and again: concurrency ${concurrency}`, async (t) => {
        t.diagnostic(`seed ${SEED}: TAILRACE_TEST_SEED=${SEED} repeats it`);
        const { db } = await makeFilled(couch, ROWS);
        const next = random(SEED + concurrency);
        const site = makeSite(t, couch, {
            source: { seq_interval: 10, read_size: '8KB' },
            rules: {
                r: keeper(db, {
                    concurrency,
                    options: { total: concurrency === 1 },
                    window: { rows: 200 },
                    commit: { interval: '5ms', rows: 100 },
                }),
            },
        });
        for (let kills = 0; kills < 12; kills++) {
            const daemon = site.start();
            await daemon.waitForLog({ msg: /^rule started/ });
            await sleep(next() * 250);
            await daemon.stop(kills % 4 === 3 ? 'SIGTERM' : 'SIGKILL');
        }
        const total = concurrency === 1 ? ROWS : 0;
        const wanted = { documents: ROWS, changes: ROWS, total };
        assert.deepEqual(await settle(site), wanted, `seed ${SEED}`);
    });
