/* SPDX-License-Identifier: Apache-2.0 */
/* scan: how fast rows are found and scanned, in memory, on one thread (bench_scan.c). */
'use strict';

const bench = require('./lib/bench');

module.exports = async function scan({ rows, rounds }) {
    const { stdout } = await bench.cost(bench.program('bench_scan'), [`${rows}`, `${rounds}`]);
    const result = JSON.parse(stdout.trim().split('\n').pop());
    console.log(`\n  the fastest of ${rounds} rounds over ${bench.count(rows)} rows of 1 KB:`);
    bench.table([
        ['GB/s', 'rows/s'],
        [bench.fixed(result.best_gb_per_s, 2), bench.count(result.best_rows_per_s)],
    ]);
    return result;
};
