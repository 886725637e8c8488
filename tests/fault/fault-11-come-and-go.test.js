/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 11: databases are created and deleted by the hundred (TAILRACE_TEST_DATABASES says how
 * many; 5,000 take about a minute on the test server). Connections stay within their bound, and
 * of those that went nothing is left: no descriptor, no entry, no trouble.
 */
'use strict';

const test = require('./lib/fault')(11);
const { before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const { startTestServer, waitFor } = require('../lib/couch');
const { makeMany, assertStops, eachOf, keyOf, SOURCE } = require('../integration/lib/many');
const { settled, writeToAll } = require('./lib/many');

const COUNT = Number(process.env.TAILRACE_TEST_DATABASES || 150);
const ROUND = 50;

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

const descriptors = (daemon) => fs.readdirSync(`/proc/${daemon.pid}/fd`).length;

async function comeAndGo(many, round) {
    const names = Array.from({ length: ROUND }, (_, i) => `${many.prefix}gone-${round}-${i}`);
    await eachOf(names, 8, async (name) => {
        await couch.makeDb(name);
        await couch.put(`/${name}/one`, {});
        await couch.delete(`/${name}`);
    });
}

test('databases that come and go leave nothing behind', async (t) => {
    const many = await makeMany(couch, 6);
    const { hook, watch, site, daemon } = await settled(t, couch, many, {
        source: { sweep_interval: '500ms' },
    });
    const opened = descriptors(daemon);
    for (let round = 0; round < COUNT / ROUND; round++) await comeAndGo(many, round);
    const source = async () => (await site.command(['status'])).sources[0];
    await waitFor(async () => (await source()).databases === many.dbs.length, 'six databases');
    await waitFor(() => descriptors(daemon) <= opened + SOURCE.max_connections, 'descriptors');
    const { streams, troubles } = await source();
    assert.deepEqual(troubles, []);
    assert.equal(streams.waiting + streams.missing + streams.queued, 0, JSON.stringify(streams));
    assert.ok(watch.most <= SOURCE.max_connections, `${watch.most} connections`);
    await writeToAll(many, 'after');
    await many.arrived(hook);
    test.saw(t, `${COUNT} came and went over ${watch.most} connections at most`);
    await assertStops(daemon);
    many.assertOnce({ taken: hook.taken.filter((it) => !keyOf(it).includes('gone-')) });
});
