/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coldstart: ten thousand databases that all have to be read, by a daemon that has no state. It
 * shall be through with them, and never ask more often than `request_rate` says.
 */
'use strict';

const bench = require('./lib/bench');
const { openMany, isUpdates } = require('./lib/many');

const RATE = 200;

async function measure(many) {
    const run = await many.start({ source: `request_rate = ${RATE};` });
    const took_s = await run.looked({ read: true });
    const isCounted = (req) => !isUpdates(req);
    const result = {
        server: many.name,
        databases: many.names.length,
        took_s,
        requests: run.watch.of(isCounted).length,
        busiest: run.watch.busiest(isCounted),
        busiest_of_ten: run.watch.busiest(isCounted, 10000) / 10,
        changes: run.changes.size,
        ...run.memory(),
        connections: run.watch.most,
    };
    await run.stop();
    return result;
}

module.exports = async function coldstart(options) {
    const set = await openMany(options);
    try {
        const r = await measure(set);
        console.log(`\n  ${r.server}, ${bench.count(r.databases)} databases, from nothing:`);
        bench.table([
            ['', 'measured', 'target'],
            ['until all are read, s', bench.fixed(r.took_s, 1), `${(r.databases * 2) / RATE}`],
            ['requests', bench.count(r.requests), `${r.databases * 2}`],
            ['  a second, in the busiest ten', bench.fixed(r.busiest_of_ten, 0), `${RATE}`],
            ['  in the busiest second', r.busiest, `${RATE}`],
            ['changes delivered', bench.count(r.changes), ''],
            ['resident memory, MB', bench.fixed(r.rss_mb, 1), ''],
            ['  at most', bench.fixed(r.peak_mb, 1), ''],
            ['connections at most', r.connections, '32'],
        ]);
        return r;
    } finally {
        await set.close();
    }
};
