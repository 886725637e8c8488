/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoints: ten rules on ten thousand databases, so a hundred thousand checkpoints in the store.
 * How long after exec the first change arrives that was written while nobody was there.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const bench = require('./lib/bench');
const { openMany, sleep } = require('./lib/many');

const RULES = 10;

async function measure(many) {
    const names = Array.from({ length: RULES }, (_, i) => `r${i}`);
    const run = await many.plan({
        rules: Object.fromEntries(names.map((name) => [name, 'since = "now";'])),
    });
    run.launch();
    const placed_s = await run.looked();
    await sleep(5000);
    await run.stop();
    const state = path.join(path.dirname(run.conf), 'state');
    const bytes = fs
        .readdirSync(state)
        .reduce((sum, name) => sum + fs.statSync(path.join(state, name)).size, 0);
    const { db, id } = await many.write(many.names[many.names.length >> 1]);
    run.launch();
    const times = [];
    for (const rule of names) times.push(await run.came(db, id, { rule }));
    const looked_s = await run.looked();
    const result = {
        server: many.name,
        databases: many.names.length,
        rules: RULES,
        checkpoints: RULES * many.names.length,
        store_mb: bytes / 1048576,
        placed_s,
        first_s: (Math.min(...times) - run.began) / 1000,
        all_s: (Math.max(...times) - run.began) / 1000,
        looked_s,
        ...run.memory(),
    };
    await run.stop();
    return result;
}

module.exports = async function checkpoints(options) {
    const set = await openMany(options);
    try {
        const r = await measure(set);
        console.log(
            `\n  ${r.server}, ${bench.count(r.checkpoints)} checkpoints of ${RULES} rules:`,
        );
        bench.table([
            ['', 'measured', 'target'],
            ['until all are placed at now, s', bench.fixed(r.placed_s, 1), ''],
            ['store, MB', bench.fixed(r.store_mb, 1), ''],
            ['exec to the first change, s', bench.fixed(r.first_s, 2), '5'],
            ['  to all rules, s', bench.fixed(r.all_s, 2), ''],
            ['  until all databases are looked at, s', bench.fixed(r.looked_s, 1), ''],
            ['resident memory, MB', bench.fixed(r.rss_mb, 1), ''],
        ]);
        return r;
    } finally {
        await set.close();
    }
};
