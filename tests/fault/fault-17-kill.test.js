/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 17: kill -9 at any moment, again and again, while rows come from databases in pages and
 * live. Nothing is missing at the end, and what came twice is at most what was in flight or not
 * committed yet at a kill. TAILRACE_TEST_KILLS says how often.
 */
'use strict';

const test = require('./lib/fault')(17);
const assert = require('node:assert');
const { startScripted } = require('./lib/scripted');
const { setTimeout: sleep } = require('node:timers/promises');
const { plan } = require('./lib/stage');
const { Rng } = require('./lib/rng');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const KILLS = Number(process.env.TAILRACE_TEST_KILLS || 15);
const DBS = ['a', 'b', 'c'];
const WINDOW = 20;

test('nothing is missing, and few come twice', async (t) => {
    const rng = new Rng();
    const dbs = Object.fromEntries(
        DBS.map((db) => [db, rows(100, (i) => ({ id: `${db}-${i}` }))]),
    );
    const sc = await startScripted([], { couch: { dbs } });
    atEnd(t, () => sc.close());
    const stage = plan(t, sc.url, {
        databases: DBS,
        source: { page_rows: 10 },
        rule: { window: { rows: WINDOW }, batch: { size: 7 }, commit: { interval: '10ms' } },
        faults: { describe: () => `TAILRACE_SEED=${rng.seed}` },
    });
    let n = 100;
    for (let kill = 0; kill < KILLS; kill++) {
        stage.start();
        const ready = stage.untilLog({ msg: 'rule started' });
        if (rng.int(0, 4) > 0) await ready;
        else ready.catch(() => {}); /* killed on its way up */
        for (let i = 0; i < 20; i++) {
            n++;
            for (const db of DBS) sc.couch.db(db).append(row(n, { id: `${db}-${n}` }));
        }
        await sleep(rng.int(0, 300));
        await stage.daemon.kill9();
    }
    stage.start();
    await stage.untilLog({ msg: 'rule started' }); /* before that no signal stops it in order */
    const want = DBS.flatMap((db) => Array.from({ length: n }, (_, i) => `${db}-${i + 1}`));
    await stage.until(() => new Set(stage.ids()).size >= want.length, 'all rows', 30000);
    await stage.end();
    const ids = stage.ids();
    assert.deepEqual([...new Set(ids)].sort(), want.sort(), stage.story('missing or foreign'));
    const twice = ids.length - want.length;
    /* In flight, and settled since the last commit: a window of each at most. */
    assert.ok(twice <= KILLS * 2 * WINDOW, stage.story(`${twice} came twice`));
    test.saw(t, `${KILLS} kills, ${want.length} rows, 0 missing, ${twice} twice`);
});
