/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 19: the clock of the machine jumps by a year, forwards and back, while a live feed idles,
 * a batch waits to be full, and a sink is tried again. Nobody notices: timers are monotonic.
 * libfaketime moves the clock; CLOCK_MONOTONIC is left alone, as the kernel leaves it.
 */
'use strict';

const test = require('./lib/fault')(19);
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startScripted, on } = require('./lib/scripted');
const { plan } = require('./lib/stage');
const { preload } = require('./lib/preload');
const { tempDir } = require('../lib/tailrace');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const LIBRARY = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
    .map((arch) => `/usr/lib/${arch}/faketime/libfaketimeMT.so.1`)
    .find((file) => fs.existsSync(file));
const skip = LIBRARY ? false : 'libfaketime is not installed: tests/setup test';
const JUMPS = ['+365d', '-365d', '+0', '+3650d', '-0.9y', '+0'];

/* A daemon whose clock a file moves, at once. */
function withClock(t, url, options) {
    const dir = tempDir(t);
    const file = path.join(dir, 'clock');
    const stage = plan(t, url, { dir, ...options });
    stage.env = {
        ...preload(LIBRARY),
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    const jump = (offset) => fs.writeFileSync(file, `${offset}\n`);
    jump('+0');
    return { stage: stage.start(), jump };
}

const yearOf = (stage) => new Date(stage.daemon.logs().at(-1).ts).getFullYear();

test('a live feed goes on, and is not taken for dead', { skip }, async (t) => {
    const sc = await startScripted([], { couch: { dbs: { db: rows(2) } } });
    atEnd(t, () => sc.close());
    const { stage, jump } = withClock(t, sc.url, {
        source: { heartbeat: '1s' },
        rule: { batch: { size: 3, wait: '100ms' } },
    });
    await stage.untilLog({ msg: 'following' });
    let n = 2;
    for (const offset of JUMPS) {
        jump(offset);
        sc.couch.db('db').append(row(++n));
        await stage.untilIds([`doc-${n}`]);
        await stage.until(async () => (await stage.json('status')).rules[0].lag_rows === 0, 'ok');
    }
    assert.deepEqual(stage.ids(), rows(n).map((r) => r.id), stage.story('lost or repeated'));
    assert.equal(sc.seen('GET', /feed=continuous/).length, 1, stage.story('connected anew'));
    assert.equal(stage.logs({ level: 'warn' }).length, 0, stage.story('something was wrong'));
    await stage.end();
});

test('a retry comes when its time has come, not in a year', { skip }, async (t) => {
    const fails = on('POST', '/hook', { status: 503 }).times(JUMPS.length);
    const sc = await startScripted([fails, on('POST', '/hook', { status: 200 })], {
        couch: { dbs: { db: rows(1) } },
    });
    atEnd(t, () => sc.close());
    const { stage, jump } = withClock(t, sc.url, {
        rule: {
            plugin: 'http-webhook',
            options: { url: `${sc.url}/hook`, method: 'POST' },
            retry: { min: '100ms', max: '200ms' },
        },
    });
    const hooks = () => sc.seen('POST', '/hook');
    for (const [i, offset] of JUMPS.entries()) {
        await stage.until(() => hooks().length > i, `attempt ${i + 1}`);
        jump(offset);
    }
    await stage.until(() => hooks().length > JUMPS.length, 'the one that is taken');
    await stage.until(async () => /^1-/.test(await stage.checkpoint()), 'the checkpoint');
    const keys = new Set(hooks().map((r) => r.headers['idempotency-key']));
    assert.equal(keys.size, 1, 'the key stays with the change');
    await stage.end();
});

test('the log shows that the clock had jumped', { skip }, async (t) => {
    const sc = await startScripted([], { couch: { dbs: { db: rows(1) } } });
    atEnd(t, () => sc.close());
    const { stage, jump } = withClock(t, sc.url);
    await stage.untilLog({ msg: 'following' });
    const now = yearOf(stage);
    jump('+3650d');
    await stage.end();
    assert.ok(yearOf(stage) >= now + 9, stage.story('the clock has not moved'));
});
