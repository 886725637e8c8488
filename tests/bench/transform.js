/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transform: documents through pick, omit and rename, in memory on one core (bench_transform.c),
 * and what the three add to the road from a prepared feed to a plugin that counts.
 */
'use strict';

const bench = require('./lib/bench');
const { startFeedServer, DB } = require('./lib/feed_server');

const MB = 1000;
const CHAIN = `transforms = (
    { plugin = "pick"; options: {
        fields = [ "type", "author", "created", "likes", "tags", "body" ]; }; },
    { plugin = "omit"; options: { fields = [ "author.mail", "created" ]; }; },
    { plugin = "rename"; options: { fields = (
        { from = "type"; to = "kind"; }, { from = "author.name"; to = "writer.name"; } ); }; }
);`;

async function inMemory(rounds) {
    const args = [bench.PLUGINS, `${MB}`, `${rounds}`];
    const { stdout } = await bench.cost(bench.program('bench_transform'), args);
    return JSON.parse(stdout.trim().split('\n').pop());
}

async function run(feed, transforms) {
    const count = bench.program('count.so');
    const conf = bench.writeConf({
        sources: `main: { url = "${feed.url}"; };`,
        rules: `r: { source = "main"; databases = "^${DB}$"; plugin = "${count}";
                     include_docs = true; ${transforms} };`,
    });
    const result = await bench.runTailrace(conf);
    if (!result.stderr.includes(`counted ${feed.rows}`))
        throw new Error(`not all of ${feed.rows} rows came:\n${result.stderr}`);
    return result;
}

async function wholeRoad(rows, rounds) {
    const feed = await startFeedServer(rows);
    const contenders = {
        'without transforms': () => run(feed, ''),
        'pick, omit, rename': () => run(feed, CHAIN),
    };
    try {
        return await bench.compare(contenders, rounds);
    } finally {
        await feed.close();
    }
}

module.exports = async function transform({ rows, rounds }) {
    const memory = await inMemory(rounds);
    console.log(`\n  ${MB} MB of documents of 1 KB, one core, the fastest of ${rounds} rounds:`);
    bench.table([
        ['pick', 'omit', 'rename', 'all three'],
        ['pick', 'omit', 'rename', 'chain'].map((name) => `${memory[`${name}_mb_per_s`]} MB/s`),
    ]);
    const road = await wholeRoad(rows, rounds);
    console.log(
        `\n  from a prepared feed to a plugin, ${bench.count(rows)} rows, medians of ${rounds}:`,
    );
    bench.table([
        ['', 'CPU s', 'range', 'wall s', 'rows/CPU s'],
        ...Object.entries(road).map(([name, r]) => [
            name,
            bench.fixed(r.cpu, 3),
            `${bench.fixed(r.min, 3)}–${bench.fixed(r.max, 3)}`,
            bench.fixed(r.wall, 2),
            bench.count(rows / r.cpu),
        ]),
    ]);
    return { memory, rows, rounds, road };
};
