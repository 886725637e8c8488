/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 3: slow headers and bodies that drip. Other databases of the same source do not
 * notice, and what is slow but moves is waited for.
 */
'use strict';

const test = require('./lib/fault')(3);
const assert = require('node:assert');
const { startScripted } = require('./lib/scripted');
const { startProxy } = require('./lib/proxy');
const { follow } = require('./lib/stage');
const faults = require('./lib/faults');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const named = (db, n) => rows(n, (i) => ({ id: `${db}-${i}` }));

async function beside(t, fault) {
    const dbs = { slow: named('slow', 4), quick: named('quick', 20) };
    const sc = await startScripted([], { couch: { dbs } });
    atEnd(t, () => sc.close());
    const fp = await startProxy(sc.url, { faults: [fault] });
    atEnd(t, () => fp.close());
    const stage = follow(t, fp.url, {
        databases: ['slow', 'quick'],
        source: { heartbeat: '10s' },
        faults: fp,
    });
    const quick = (n) => named('quick', n).map((r) => r.id);
    await stage.untilIds(quick(20));
    for (let i = 21; i <= 40; i++) {
        sc.couch.db('quick').append(row(i, { id: `quick-${i}` }));
        await stage.untilIds([`quick-${i}`]);
    }
    /* All of this went on while the other one was slow. */
    assert.ok(!stage.ids().includes('slow-4'), stage.story('slow was not slow'));
    assert.deepEqual(
        stage.ids().filter((id) => id.startsWith('quick')),
        quick(40),
        stage.story('quick'),
    );
    await fp.clear();
    fp.killAll();
    await stage.untilIds(named('slow', 4).map((r) => r.id));
    await stage.end();
}

test('headers that are slow delay no other database', (t) =>
    beside(t, faults.delay(60000, { match: /^\/slow/ })));

test('a body that drips delays no other database', (t) =>
    beside(t, faults.drip(30, { match: /^\/slow/ })));

test('a body that drips and then stands still delays no other database', (t) =>
    beside(t, faults.stall(300, { match: /^\/slow/ })));

test('a body that drips, but never stops, arrives whole', async (t) => {
    const sc = await startScripted([], { couch: { dbs: { db: rows(5) } } });
    atEnd(t, () => sc.close());
    const fault = faults.drip(1500, { match: /_changes/ });
    const fp = await startProxy(sc.url, { faults: [fault] });
    atEnd(t, () => fp.close());
    const stage = follow(t, fp.url, { source: { heartbeat: '200ms' }, faults: fp });
    await stage.untilIds(rows(5).map((r) => r.id));
    assert.equal(stage.logs({ level: 'warn' }).length, 0, stage.story('it was given up'));
    await stage.end();
});
