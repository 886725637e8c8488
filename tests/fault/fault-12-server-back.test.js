/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 12: the server goes away and comes back, and many databases wait to be read. They come
 * back spread out: what is asked in a second stays within the budget of requests, and within
 * the connections.
 */
'use strict';

const test = require('./lib/fault')(12);
const { before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer, sleep } = require('../lib/couch');
const { makeMany, followMany, assertStops } = require('../integration/lib/many');
const { settled, writeToAll } = require('./lib/many');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

const isInfos = (req) => req.kind === '_dbs_info';

test('the server is away while many wait to be read: it is not overrun', async (t) => {
    const rate = 40;
    const many = await makeMany(couch, 100);
    const { hook, watch, daemon } = await followMany(t, couch, many.pattern, {
        source: { request_rate: rate, retry_max: '1s', retry_min: '50ms', db_updates: false },
    });
    const isOne = (req) => req.db.startsWith(many.prefix) || isInfos(req);
    await hook.until(10);
    watch.answer = () => 'cut';
    watch.cut(() => true);
    await sleep(3000);
    watch.answer = null;
    await many.arrived(hook, 60000);
    await assertStops(daemon);
    const story = JSON.stringify(
        watch.requests.map((req) => [req.time - watch.requests[0].time, req.db.slice(-3)]),
    );
    assert.ok(watch.busiest(isOne) <= 2 * rate, `${watch.busiest(isOne)} in a second: ${story}`);
    many.assertOnce(hook);
    test.saw(t, `${watch.busiest(isOne)} requests in the busiest second of ${2 * rate}`);
});

test('the server goes away and comes back while all is idle: every change arrives', async (t) => {
    const many = await makeMany(couch, 40);
    const rate = 100;
    const { hook, watch, daemon } = await settled(t, couch, many, {
        source: { request_rate: rate },
    });
    watch.clear();
    watch.answer = () => 'cut';
    watch.cut(() => true);
    await writeToAll(many, 'meanwhile');
    await sleep(2000);
    watch.answer = null;
    await many.arrived(hook);
    await assertStops(daemon);
    many.assertOnce(hook);
    assert.ok(watch.busiest((req) => req.db !== '') <= 2 * rate);
});
