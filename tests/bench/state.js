/* SPDX-License-Identifier: Apache-2.0 */
/* state: CPU time of a change whose plugin keeps something (bench_state.c). */
'use strict';

const bench = require('./lib/bench');

module.exports = async function state({ rows }) {
    const changes = Math.max(rows, 1000000); /* fewer than that fit into any cache */
    const { stdout } = await bench.cost(bench.program('bench_state'), [`${changes}`]);
    const result = JSON.parse(stdout.trim().split('\n').pop());
    const line = (name, ns) => [name, `${ns} ns`, `${bench.count(Math.round(1e9 / ns))}`];
    console.log(`\n  one get and one put a change, durable, over ${bench.count(changes)} rows:`);
    bench.table([
        ['', 'a change', 'changes a second and core'],
        line('keeps nothing', result.none_ns),
        line('all are new', result.fill_ns),
        line('all are known', result.update_ns),
    ]);
    return result;
};
