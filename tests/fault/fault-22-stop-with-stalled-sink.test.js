/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 22: SIGTERM while the sink stands still. It drains up to the timeout, commits what is
 * settled and ends with 0; what was not settled is sent again after the next start.
 */
'use strict';

const test = require('./lib/fault')(22);
const assert = require('node:assert');
const { startScripted } = require('./lib/scripted');
const { plan, testPlugin, isStart } = require('./lib/stage');
const { startReceiver } = require('../lib/receiver');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const STOPPING = { msg: /^stopping/ };

async function toReceiver(t, reply, drain) {
    const sc = await startScripted([], { couch: { dbs: { db: rows(6) } } });
    atEnd(t, () => sc.close());
    const hook = await startReceiver({ reply });
    atEnd(t, () => hook.close());
    const stage = plan(t, sc.url, {
        source: { seq_interval: 0 } /* a position behind each row */,
        rule: { plugin: 'http-webhook', batch: { size: 1 } },
        options: {
            url: `${hook.url}/x`,
            method: 'POST',
            params: { id: '$change.id' },
            timeout: '60s',
        },
        config: { drain_timeout: drain },
    }).start();
    const ids = () => hook.requests.map((r) => r.json().id);
    return { sc, hook, stage, ids };
}

test('a sink that never answers is given up after the drain timeout', async (t) => {
    const { hook, stage, ids } = await toReceiver(t, (r) => ({ hang: r.n === 4 }), '300ms');
    await stage.until(() => hook.requests.length === 4, 'the fourth request');
    await stage.until(async () => /^3-/.test(await stage.checkpoint()), 'three are committed');
    await stage.end();
    assert.equal(stage.logs(STOPPING).length, 1);
    assert.match(await stage.checkpoint(), /^3-/);
    stage.start();
    await stage.until(() => hook.requests.length >= 7, 'the rest, again from the fourth');
    assert.deepEqual(
        ids().slice(4),
        ['doc-4', 'doc-5', 'doc-6'],
        stage.story('after the start'),
    );
    await stage.end();
    assert.match(await stage.checkpoint(), /^6-/);
});

test('a sink that answers during the drain is waited for', async (t) => {
    let release;
    const released = new Promise((resolve) => (release = resolve));
    const reply = async (r) => (r.n === 4 ? released : {});
    const { sc, hook, stage, ids } = await toReceiver(t, reply, '60s');
    await stage.until(() => hook.requests.length === 4, 'the fourth request');
    stage.daemon.signal('SIGTERM');
    await stage.untilLog(STOPPING);
    release({});
    assert.deepEqual(await stage.daemon.exited, { code: 0, signal: null }, stage.story('exit'));
    assert.match(await stage.checkpoint(), /^4-/);
    sc.couch.db('db').append(row(7));
    stage.start();
    await stage.until(() => ids().includes('doc-7'), 'the rest');
    assert.deepEqual(
        ids(),
        rows(7).map((r) => r.id),
        stage.story('lost or repeated'),
    );
    await stage.end();
});

for (const name of ['never_complete', 'slow'])
    test(`a plugin that keeps its batch (${name}) does not hold up the stop`, async (t) => {
        const sc = await startScripted([], { couch: { dbs: { db: rows(3) } } });
        atEnd(t, () => sc.close());
        const stage = plan(t, sc.url, {
            rule: { plugin: testPlugin(name) },
            options: {},
            config: { drain_timeout: '300ms' },
        }).start();
        await stage.untilLog({ msg: 'following' });
        await stage.end();
        const seq = await stage.checkpoint();
        assert.ok(isStart(seq) || name === 'slow', stage.story(`a checkpoint at ${seq}`));
    });

test('a second signal does not wait', async (t) => {
    const { hook, stage } = await toReceiver(t, (r) => ({ hang: r.n === 2 }), '1h');
    await stage.until(() => hook.requests.length === 2, 'the second request');
    stage.daemon.signal('SIGTERM');
    await stage.untilLog(STOPPING);
    await stage.end();
    assert.match(await stage.checkpoint(), /^1-/);
});
