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
const { pluginDir, tailrace } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { makeFilled } = require('./lib/docs');
const { SEED, seeded } = require('./lib/seed');

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
        const { db } = await makeFilled(couch, ROWS);
        const rng = seeded(t, concurrency);
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
            await sleep(rng.below(250));
            await daemon.stop(kills % 4 === 3 ? 'SIGTERM' : 'SIGKILL');
        }
        const total = concurrency === 1 ? ROWS : 0;
        const wanted = { documents: ROWS, changes: ROWS, total };
        assert.deepEqual(await settle(site), wanted, `seed ${SEED}`);
    });

/* ---- whoever runs it ---- */

async function filledSite(t, rows) {
    const { db } = await makeFilled(couch, rows);
    const site = makeSite(t, couch, { rules: { r: keeper(db) } });
    await site.once();
    return { db, site };
}

const listed = async (site) => (await site.command(['state', 'list'])).state;

test('what is kept is listed, and deleted while the checkpoints stay', async (t) => {
    const { db, site } = await filledSite(t, 10);
    const [one, ...others] = await listed(site);
    assert.deepEqual(others, []);
    assert.equal(one.rule, 'r');
    assert.equal(one.db, db);
    assert.equal(one.entries, 11);
    assert.ok(one.bytes > 11 * 8);
    const text = await tailrace(site.args('state', 'list'));
    assert.match(text.stdout, /^RULE +STREAM +ENTRIES +BYTES\nr .*\b11\b/);
    assert.equal((await tailrace(site.args('state', 'delete', 'r', 'nothing'))).code, 66);
    assert.deepEqual(await site.command(['state', 'delete', 'r', db]), { deleted: 1 });
    assert.deepEqual(await listed(site), []);
    assert.equal(kept(await site.once()), undefined);
    assert.equal((await site.command(['checkpoint', 'list'])).checkpoints.length, 1);
});

test('a rule that begins again counts anew', async (t) => {
    const { site } = await filledSite(t, 10);
    await tailrace(site.args('backfill', 'r'));
    assert.deepEqual(await settle(site), { documents: 10, changes: 10, total: 10 });
    await tailrace(site.args('checkpoint', 'delete', 'r', '--all'));
    assert.deepEqual(await listed(site), []);
    assert.deepEqual(await settle(site), { documents: 10, changes: 10, total: 10 });
});

test('at its bound a rule waits, and goes on when that is raised', async (t) => {
    const { db } = await makeFilled(couch, 10);
    const site = makeSite(t, couch, { rules: { r: keeper(db, { state: { max_bytes: 100 } }) } });
    const daemon = site.start();
    await daemon.waitForLog({ msg: /at its bound/ });
    await daemon.waitForLog({ msg: /batch failed/, reason: /nothing can be kept now/ });
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    site.write({ rules: { r: keeper(db, { state: { max_bytes: '1MB' } }) } });
    assert.deepEqual(await settle(site), { documents: 10, changes: 10, total: 10 });
});

test('of standard input nothing is remembered', async (t) => {
    const plugin = path.join(pluginDir(), '..', 'tests', 'plugins', 'state.so');
    const input = '{"id":"a","seq":1,"changes":[{"rev":"1-a"}]}\n';
    const args = ['try', plugin, '--feed', '-', '--json'];
    for (let i = 0; i < 2; i++) {
        const run = await tailrace(args, { input });
        assert.equal(run.code, 0, run.stderr);
        assert.equal(JSON.parse(run.stdout).ok, 1);
    }
});
