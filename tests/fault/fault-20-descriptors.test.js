/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 20: few descriptors, or none. Feeds never take those that plugins need: with few there are
 * fewer feeds, and all is delivered. When not one more can be opened, the daemon neither ends
 * nor spins, and goes on when there is room again.
 */
'use strict';

const test = require('./lib/fault')(20);
const assert = require('node:assert');
const fs = require('node:fs');
const { execFileSync } = require('node:child_process');
const { startScripted } = require('./lib/scripted');
const { plan } = require('./lib/stage');
const { row, rows } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const LIMIT = 64;
const COUNT = 80;

const names = Array.from({ length: COUNT }, (_, i) => `db-${String(i).padStart(2, '0')}`);
const idOf = (db, n) => `${db}-${n}`;
const openIn = (daemon) => fs.readdirSync(`/proc/${daemon.pid}/fd`).length;

async function serve(t) {
    const make = (db) => rows(2, (n) => ({ id: idOf(db, n) }));
    const dbs = Object.fromEntries(names.map((db) => [db, make(db)]));
    const sc = await startScripted([], { couch: { dbs } });
    atEnd(t, () => sc.close());
    return sc;
}

function assertOnce(stage, numbers) {
    const want = names.flatMap((db) => numbers.map((n) => idOf(db, n)));
    assert.deepEqual(stage.ids().sort(), want.sort(), stage.story('lost or repeated'));
}

test('with few there are fewer feeds, and all is delivered', async (t) => {
    const sc = await serve(t);
    const stage = plan(t, sc.url, {
        databases: names,
        source: { max_feeds: COUNT, max_connections: 2 * COUNT, sweep_interval: '200ms' },
        through: ['prlimit', `--nofile=${LIMIT}:${LIMIT}`],
    });
    stage.start();
    await stage.untilLog({ msg: /too few descriptors/ });
    await stage.untilIds(names.map((db) => idOf(db, 2)));
    for (const db of names) sc.couch.db(db).append(row(3, { id: idOf(db, 3) }));
    await stage.untilIds(names.map((db) => idOf(db, 3)));
    test.saw(t, `${COUNT} databases with ${openIn(stage.daemon)} of ${LIMIT} descriptors`);
    assert.equal(stage.logs({ reason: /Too many open files/ }).length, 0, stage.story('too many'));
    await stage.end();
    assertOnce(stage, [1, 2, 3]);
});

test('with none left it waits without a spin, and goes on unaided', async (t) => {
    const sc = await serve(t);
    const stage = plan(t, sc.url, {
        databases: names,
        source: { max_feeds: COUNT, max_connections: 2 * COUNT, retry_min: '50ms' },
    });
    stage.start();
    await stage.untilIds(names.map((db) => idOf(db, 2)));
    const following = () => new Set(stage.logs({ msg: 'following' }).map((r) => r.db)).size;
    await stage.until(() => following() === COUNT, 'all are followed');
    const allow = (n) =>
        execFileSync('prlimit', ['--pid', stage.daemon.pid, `--nofile=${n}:1024`]);
    allow(5);
    const said = stage.daemon.stderrLines.length;
    sc.dropAll();
    for (const db of names) sc.couch.db(db).append(row(3, { id: idOf(db, 3) }));
    await stage.untilLog({ msg: /cannot be read now/ });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.ok(stage.daemon.running, stage.story('it has ended'));
    const lines = stage.daemon.stderrLines.length - said;
    assert.ok(lines < 20 * COUNT, stage.story(`${lines} lines of log`));
    allow(1024);
    await stage.untilIds(names.map((db) => idOf(db, 3)));
    await stage.end();
    assertOnce(stage, [1, 2, 3]);
});

test('a start with too few to work says so, and does not hang', async (t) => {
    const sc = await serve(t);
    const stage = plan(t, sc.url, { through: ['prlimit', '--nofile=8:8'] });
    stage.start();
    const { code } = await stage.daemon.exited;
    assert.ok(code > 0, stage.story('it ended well'));
    assert.match(stage.daemon.stderrLines.join('\n'), /[Tt]oo many open files|unable to open/);
});
