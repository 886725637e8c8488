/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 14: the disk of the state directory is full. Deliveries pause, the log and `tailrace
 * status` say why, and when there is room it goes on unaided: no restart, nothing lost, nothing
 * twice. The disk is a small tmpfs, for which one has to be root; a limit of the size of files
 * does nearly the same to anybody.
 */
'use strict';

const test = require('./lib/fault')(14);
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { startScripted } = require('./lib/scripted');
const { plan } = require('./lib/stage');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const SMALL_WINDOW = { window: { rows: 20 }, batch: { size: 5 } };

async function serve(t, count) {
    const sc = await startScripted([], { couch: { dbs: { db: rows(count) } } });
    atEnd(t, () => sc.close());
    return sc;
}

/* Rows come until the store stalls; resolves to what `status` says of it then. */
async function untilStalled(stage, sc, from) {
    let n = from;
    await stage.until(async () => {
        for (let i = 0; i < 10; i++) sc.couch.db('db').append(row(++n));
        return stage.logs({ msg: /the store is stalled/ }).length > 0;
    }, 'the store to stall');
    return { last: n, status: await stage.json('status') };
}

async function assertGoesOn(stage, sc, last) {
    await stage.untilLog({ msg: /the store works again/ });
    sc.couch.db('db').append(row(last + 1));
    await assertAll(stage, last + 1);
}

async function assertAll(stage, count) {
    await stage.untilIds([`doc-${count}`]);
    await stage.end();
    const want = rows(count).map((r) => r.id);
    assert.deepEqual(stage.ids(), want, stage.story('lost, repeated or out of order'));
    assert.match(String(await stage.checkpoint()), new RegExp(`^${count}-`));
}

/* A write beyond it is an error, with a signal that must end nobody. */
const limit = (stage, bytes) =>
    execFileSync('prlimit', ['--pid', stage.daemon.pid, `--fsize=${bytes}:unlimited`]);

test('a limit of the size of files: stalled, told, and on when it is lifted', async (t) => {
    const sc = await serve(t, 3);
    const stage = plan(t, sc.url, { rule: SMALL_WINDOW });
    stage.start();
    await stage.untilIds(['doc-3']);
    const wal = fs.statSync(path.join(stage.settings.state_dir, 'tailrace.db-wal'));
    limit(stage, wal.size + 1000);
    const { last, status } = await untilStalled(stage, sc, 3);
    assert.equal(status.store.state, 'stalled');
    assert.match(status.store.reason, /tailrace\.db/);
    limit(stage, 'unlimited');
    await assertGoesOn(stage, sc, last);
});

test('the file of a sink that has reached its limit is waited for', async (t) => {
    const sc = await serve(t, 50);
    const stage = plan(t, sc.url);
    stage.start();
    await stage.untilIds(['doc-50']);
    limit(stage, 1024);
    sc.couch.db('db').append(row(51));
    await stage.untilLog({ msg: /batch failed/, reason: /File too large/ });
    limit(stage, 'unlimited');
    await assertAll(stage, 51);
});

function smallDisk(t) {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'none', dir]);
    atEnd(t, () => {
        execFileSync('umount', ['-l', dir]);
        fs.rmdirSync(dir);
    });
    const ballast = path.join(dir, 'ballast');
    return {
        dir,
        fill() {
            const fd = fs.openSync(ballast, 'a');
            try {
                for (;;) fs.writeSync(fd, Buffer.alloc(4096));
            } catch (err) {
                assert.equal(err.code, 'ENOSPC');
            }
            fs.closeSync(fd);
        },
        free: () => fs.rmSync(ballast),
    };
}

const skip = process.getuid() === 0 ? false : 'only root mounts a tmpfs';

async function onSmallDisk(t) {
    const sc = await serve(t, 3);
    const disk = smallDisk(t);
    const stage = plan(t, sc.url, { rule: SMALL_WINDOW, config: { state_dir: disk.dir } });
    return { sc, stage, disk };
}

test('a disk that fills up: stalled, told, and on when there is room', { skip }, async (t) => {
    const { sc, stage, disk } = await onSmallDisk(t);
    stage.start();
    await stage.untilIds(['doc-3']);
    disk.fill();
    const { last, status } = await untilStalled(stage, sc, 3);
    assert.equal(status.store.state, 'stalled');
    assert.match(status.store.reason, /disk is full; make room/);
    assert.match((await stage.command('status')).stdout, /disk is full/);
    disk.free();
    await assertGoesOn(stage, sc, last);
});

test('a start on a full disk loses nothing', { skip }, async (t) => {
    const { sc, stage, disk } = await onSmallDisk(t);
    stage.start();
    await stage.untilIds(['doc-3']);
    await stage.until(async () => /^3-/.test(await stage.checkpoint()), 'its checkpoint');
    await stage.daemon.kill9();
    disk.fill();
    sc.couch.db('db').append(row(4));
    stage.start();
    await stage.untilIds(['doc-4']);
    disk.free();
    sc.couch.db('db').append(row(5));
    await stage.untilIds(['doc-5']);
    await stage.until(async () => /^5-/.test(await stage.checkpoint()), 'the checkpoint');
    await stage.end();
    const seen = new Set(stage.ids());
    assert.deepEqual([...seen], rows(5).map((r) => r.id), stage.story('lost'));
});

test('the first start on a full disk says so, and the next one works', { skip }, async (t) => {
    const { stage, disk } = await onSmallDisk(t);
    disk.fill();
    const failed = await stage.command('run', '--once');
    assert.ok([73, 74].includes(failed.code), failed.stderr);
    assert.match(failed.stderr, /disk is full|No space left/);
    disk.free();
    assert.equal((await stage.command('run', '--once')).code, 0);
    assert.deepEqual(stage.ids(), rows(3).map((r) => r.id));
});
