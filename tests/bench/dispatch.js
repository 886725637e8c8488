/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch: CPU time of a change from the feed to a plugin and back (bench_dispatch.c). */
'use strict';

const bench = require('./lib/bench');

module.exports = async function dispatch({ rows, rounds }) {
    const { stdout } = await bench.cost(bench.program('bench_dispatch'), [
        `${rows}`,
        `${rounds}`,
    ]);
    const result = JSON.parse(stdout.trim().split('\n').pop());
    console.log(
        `\n  a change and binding, the fastest of ${rounds} rounds over ${bench.count(rows)} rows:`,
    );
    bench.table([
        ['', 'loop thread', 'all threads'],
        ['1 binding', `${result.loop_ns_1} ns`, `${result.all_ns_1} ns`],
        ['8 bindings', `${result.loop_ns_8} ns`, `${result.all_ns_8} ns`],
    ]);
    return result;
};
