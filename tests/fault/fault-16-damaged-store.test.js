/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 16: the store was cut, or bytes in it turned. A start refuses it clearly and leaves it as
 * it is, or the damage lies where it does no harm; never does the daemon begin anew by itself.
 * unit/test_store_crash.c does the same to every length and to many more bytes.
 */
'use strict';

const test = require('./lib/fault')(16);
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startScripted } = require('./lib/scripted');
const { follow } = require('./lib/stage');
const { Rng } = require('./lib/rng');
const { rows } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const EX_DATAERR = 65;
const DBS = ['db', 'other'];

/* A store with checkpoints, closed in order: all of it is in one file. */
async function filled(t) {
    const dbs = Object.fromEntries(DBS.map((db) => [db, rows(5)]));
    const sc = await startScripted([], { couch: { dbs } });
    atEnd(t, () => sc.close());
    const stage = follow(t, sc.url, { databases: DBS });
    await stage.until(() => stage.rows().length === 10, 'all rows');
    await stage.end();
    const file = path.join(stage.settings.state_dir, 'tailrace.db');
    return { sc, stage, file, whole: fs.readFileSync(file) };
}

/* Whether a start refused it; it has to do that, or to go on from where it was. */
async function refusesOrGoesOn({ sc, stage, file }, bytes, what) {
    for (const suffix of ['-wal', '-shm']) fs.rmSync(file + suffix, { force: true });
    fs.writeFileSync(file, bytes, { mode: 0o600 });
    const asked = sc.requests.length;
    const { code, stderr } = await stage.command('run', '--once');
    const read = sc.requests.slice(asked).filter((r) => /_changes/.test(r.path));
    if (code !== 0) {
        assert.equal(code, EX_DATAERR, `${what}: ${stderr}`);
        assert.match(stderr, /damaged or not a store.*it was left as it is/s, what);
        assert.deepEqual(read, [], `${what}: it read although it refused`);
        assert.ok(fs.readFileSync(file).equals(bytes), `${what}: it was changed`);
        return true;
    }
    const since = read.map((r) => r.query.get('since'));
    assert.ok(since.length >= DBS.length && since.every((s) => /^5-/.test(s)), `${what}: ${since}`);
    assert.equal(stage.rows().length, 10, `${what}: rows were repeated`);
    return false;
}

test('cut at any length it is refused', async (t) => {
    const made = await filled(t);
    const { whole } = made;
    const lengths = [0, 1, 15, 100, 4095, 4096, whole.length >> 1, whole.length - 1];
    for (const n of lengths) {
        const refused = await refusesOrGoesOn(made, whole.subarray(0, n), `cut at byte ${n}`);
        assert.ok(refused, `a store cut at byte ${n} of ${whole.length} was taken`);
    }
});

test('with a byte turned it is refused, or does what it did', async (t) => {
    const made = await filled(t);
    const rng = new Rng();
    const places = [0, 18, 28, 60, 68, ...Array.from({ length: 7 }, () => rng.int(100, 8191))];
    let refused = 0;
    for (const at of places) {
        const bytes = Buffer.from(made.whole);
        bytes[at] ^= 0xff;
        refused += await refusesOrGoesOn(made, bytes, `byte ${at}, seed ${rng.seed}`);
    }
    assert.ok(refused > 0);
    test.saw(t, `${refused} of ${places.length} turned bytes refused`);
});

test('emptied, gone with its log left behind, or another file: refused', async (t) => {
    const made = await filled(t);
    assert.ok(await refusesOrGoesOn(made, Buffer.alloc(made.whole.length), 'zeros'));
    assert.ok(await refusesOrGoesOn(made, Buffer.from('#!/bin/sh\nexit 0\n'), 'a script'));
    fs.rmSync(made.file);
    fs.writeFileSync(`${made.file}-wal`, 'x');
    const { code, stderr } = await made.stage.command('run', '--once');
    assert.equal(code, EX_DATAERR, stderr);
    assert.match(stderr, /its -wal is still there/);
});
