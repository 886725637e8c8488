/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few users with a database each: the benchmark `users` in small. Spiegel is tried the same way.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer } = require('../lib/couch');
const { makeUsers } = require('./lib/users');

const COUNT = 10;
const SOURCE = { poll_interval: '200ms', discover_interval: '300ms', retry_max: '300ms' };
/* More databases than feeds. */
const MANY = { ...SOURCE, max_feeds: 2, max_connections: 8 };
const PATIENCE = { patienceMs: 120000 };

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

for (const [what, source] of [
    ['a feed each', SOURCE],
    ['two feeds', MANY],
])
    test(`a message comes to all users, and the API hears of each: ${what}`, async (t) => {
        const users = await makeUsers(t, couch, COUNT, { ...PATIENCE, source });
        await users.start();
        await users.looked();
        await users.befriend();
        for (let n = 0; n < 2; n++) {
            await users.say();
            await users.all();
        }
        await users.judge(await users.stop());
    });

test('documents that come one by one do not cost a feed each', async (t) => {
    const users = await makeUsers(t, couch, COUNT, { ...PATIENCE, source: MANY });
    await users.start();
    await users.looked();
    await users.say();
    await users.befriend({ oneByOne: true });
    await users.all();
    await users.settled();
    users.watch.clear();
    await users.say();
    await users.all();
    await users.settled();
    const { of_source: reads } = users.requests();
    assert.ok(reads < COUNT, `${reads} requests about one database for a message`);
    await users.judge(await users.stop());
});

test('a stop in the middle loses nothing', async (t) => {
    const users = await makeUsers(t, couch, COUNT, { ...PATIENCE, source: SOURCE });
    await users.start();
    await users.looked();
    await users.befriend();
    await users.say();
    const { code, signal } = await users.stop();
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
    await users.start(COUNT);
    await users.say();
    await users.all();
    await users.judge(await users.stop());
});
