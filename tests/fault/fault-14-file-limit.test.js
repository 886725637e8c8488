/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 14, by a limit of file sizes (ulimit -f) in place of a full disk: the signal that comes with
 * it does not end the daemon. It waits, says so, and goes on by itself when there is room.
 */
'use strict';

const { test } = require('node:test');
const { execFileSync } = require('node:child_process');
const { startScripted } = require('./lib/scripted');
const { follow } = require('./lib/stage');
const { rows, row } = require('./lib/rows');

const limitFiles = (pid, bytes) =>
    execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`]);

test('files at their limit are waited for, by the sink and by the store', async (t) => {
    const sc = await startScripted([], { couch: { dbs: { db: rows(50) } } });
    t.after(() => sc.close());
    const stage = await follow(t, sc.url);
    await stage.untilIds(['doc-50']);
    limitFiles(stage.daemon.pid, 1024);
    sc.couch.db('db').append(row(51));
    await stage.untilLog({ msg: /batch failed/, reason: /File too large/ });
    limitFiles(stage.daemon.pid, 'unlimited');
    await stage.untilIds(['doc-51']);
    await stage.end();
});
