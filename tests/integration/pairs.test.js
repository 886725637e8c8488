/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many pairs of databases of which a few change: about the others nothing is asked, at neither
 * end, also when the daemon is started again. The benchmark `pairs` in small.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer, sleep } = require('../lib/couch');
const { makePairs } = require('./lib/pairs');

const COUNT = 60;
const CHANGED = 5;
/* More databases than feeds. */
const SOURCE = {
    poll_interval: '200ms',
    discover_interval: '300ms',
    retry_max: '300ms',
    max_feeds: 2,
    max_connections: 8,
    request_rate: 1000,
    hot_idle: '1s',
};

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

for (const [by, what, options] of [
    ['rule', 'one rule', { checkpoint_interval: '300ms' }],
    ['documents', 'a replicator document each', { checkpoint_interval: 300 }],
])
    test(`nothing is asked about pairs that do not change: ${what}`, async (t) => {
        const pairs = await makePairs(t, couch, COUNT, { by, source: SOURCE, options });
        const changeSome = async () => {
            const changed = pairs.some(CHANGED);
            pairs.watch.clear();
            await pairs.change(changed);
            await pairs.settled();
            assert.ok(pairs.asked().length >= 2 * CHANGED, 'about both ends of those that do');
            assert.deepEqual(pairs.idle(changed), []);
        };
        await pairs.start();
        await pairs.settled();
        await changeSome();
        await pairs.atRest();
        pairs.watch.clear();
        await pairs.stop();
        await pairs.start();
        await pairs.settled();
        assert.deepEqual(pairs.asked(), [], 'by a stop at rest and another start');
        await changeSome();
        await pairs.stop();
    });

test('a daemon that is stopped while copies begin ends well, and the next one goes on', async (t) => {
    const pairs = await makePairs(t, couch, 20, { by: 'documents', source: SOURCE });
    for (const ms of [0, 30, 60, 120, 250]) {
        await pairs.start();
        await sleep(ms);
        await pairs.stop();
        await pairs.change(pairs.names);
    }
    await pairs.start();
    await pairs.settled(0);
    await pairs.stop();
});
