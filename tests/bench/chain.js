/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain: a thousand databases, and a rule for each that makes http-webhook write into the next
 * one. A write into the first runs through all of them; the seconds a hop are what it takes from
 * one write to the next, and most of them are the server's list of changed databases. After some
 * minutes it is ended, and what it came to counts.
 */
'use strict';

const bench = require('./lib/bench');
const { openMany, quantile, sleep } = require('./lib/many');

const LONGEST_MS = 180000;

/* Each writes into the one behind it; the last one tells the receiver. */
function rulesOf(names, user) {
    return ({ watch, receiver }) =>
        names
            .map((name, i) => {
                const next = names[i + 1];
                const to = watch.url.replace('://', `://${user}@`);
                const url = next ? `${to}/${next}` : `${receiver.url}/r`;
                return `hop${i}: { source = "main"; databases = ( "${name}" ); since = "now";
                    plugin = "http-webhook"; options: { url = "${url}"; method = "POST";
                    params: { db = "$db_name"; id = "$change.id"; }; }; };`;
            })
            .join('\n');
}

async function measure(many) {
    const [user] = many.server.auth.split(':');
    const run = await many.start({ plugin: rulesOf(many.names, user) });
    const start_s = await run.looked();
    await sleep(5000);
    const mine = new Set(many.names);
    const isHop = (req) => req.method === 'POST' && mine.has(req.db) && req.kind === '';
    run.watch.clear();
    const { time } = await many.write(many.names[0]);
    const hops = () => run.watch.of(isHop).length;
    while (hops() < many.names.length - 1 && Date.now() - time < LONGEST_MS) {
        if (!run.daemon.running) throw new Error(run.daemon.stderrLines.slice(-20).join('\n'));
        await sleep(50);
    }
    const times = [time, ...run.watch.of(isHop).map((req) => req.time)];
    const each = times.slice(1).map((at, i) => (at - times[i]) / 1000);
    const result = {
        server: many.name,
        databases: many.names.length,
        start_s,
        hops: each.length,
        hop_s: (times.at(-1) - times[0]) / 1000 / each.length,
        hop_p50_s: quantile(each, 0.5),
        hop_p99_s: quantile(each, 0.99),
        ...run.memory(),
    };
    await run.stop();
    return result;
}

module.exports = async function chain({ databases, ...options }) {
    const set = await openMany({ databases: Math.min(databases, 1000), ...options });
    try {
        const r = await measure(set);
        console.log(`\n  ${r.server}, ${bench.count(r.databases)} rules, each into the next:`);
        bench.table([
            ['', 'measured', 'target'],
            ['first look at all, s', bench.fixed(r.start_s, 1), ''],
            ['hops', r.hops, ''],
            ['a hop, s', bench.fixed(r.hop_s, 3), '0.5 (Spiegel: 4)'],
            ['  p50', bench.fixed(r.hop_p50_s, 3), ''],
            ['  p99', bench.fixed(r.hop_p99_s, 3), ''],
            ['resident memory, MB', bench.fixed(r.rss_mb, 1), ''],
        ]);
        return r;
    } finally {
        await set.close();
    }
};
