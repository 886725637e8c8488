/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fault tests of many databases share, on top of tests/integration/lib/many.js.
 */
'use strict';

const { followMany, untilIdle, eachOf } = require('../../integration/lib/many');

/* A daemon that has read all of them and was told that `_db_updates` is there. */
async function settled(t, couch, many, options = {}) {
    const run = await followMany(t, couch, many.pattern, options);
    await many.arrived(run.hook);
    await run.daemon.waitForLog({ msg: 'the server tells which databases change' });
    await untilIdle(run.watch, many.prefix, 500);
    return run;
}

async function writeToAll(many, id) {
    await eachOf(many.dbs, 4, (db) => many.write(db, id));
}

module.exports = { settled, writeToAll };
