/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 15: an fsync of the store fails. What is on disk is unknown then, and a second fsync
 * would lie about it: the daemon ends, says why, and the next start reads what is there. No
 * checkpoint stands for what was not durable, and nothing is lost.
 */
'use strict';

const test = require('./lib/fault')(15);
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startScripted } = require('./lib/scripted');
const { plan } = require('./lib/stage');
const { preload } = require('./lib/preload');
const { pluginDir, tempDir } = require('../lib/tailrace');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const EX_IOERR = 74;
const LIBRARY = path.join(pluginDir(), '..', 'tests', 'fault', 'sync_fails.so');

test('the daemon ends, and the next start goes on from what is durable', async (t) => {
    const sc = await startScripted([], { couch: { dbs: { db: rows(5) } } });
    atEnd(t, () => sc.close());
    const dir = tempDir(t);
    const broken = path.join(dir, 'broken');
    const stage = plan(t, sc.url, { dir });
    stage.env = { ...preload(LIBRARY), TAILRACE_TEST_SYNC_FAILS: broken };
    stage.start();
    await stage.untilIds(['doc-5']);
    const durable = await stage.until(async () => {
        const seq = await stage.checkpoint();
        return /^5-/.test(seq) && seq;
    }, 'the checkpoint behind row 5');
    fs.writeFileSync(broken, '');
    sc.couch.db('db').append(row(6));
    await stage.untilLog({ msg: /fsync of the store failed/ });
    const exit = await stage.daemon.exited;
    assert.deepEqual(exit, { code: EX_IOERR, signal: null }, stage.story('its end'));
    fs.rmSync(broken);
    const asked = sc.requests.length;
    stage.start();
    sc.couch.db('db').append(row(7));
    await stage.untilIds(['doc-6', 'doc-7']);
    const first = sc.requests.slice(asked).find((r) => /_changes/.test(r.path));
    /* Row 6 had been written before its fsync failed, and may be there. */
    const isKnown = first.query.get('since') === durable || /^6-/.test(first.query.get('since'));
    assert.ok(isKnown, stage.story(first.url));
    await stage.end();
});
