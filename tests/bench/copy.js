/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy: documents of 1 KB from one database to another of the same server, by a rule with
 * bulk-sink that sets nothing but where to, against what the server can do at best: curl reads
 * the feed and throws it away while curl posts prepared bodies of the same documents, with the
 * batch size and the connections that were fastest in a trial. Reading and writing both cost the
 * server, so the limit is the time that it takes for both, side by side.
 *
 * Three ways: the target makes revisions of its own; it gets those of the source, which are first
 * ones; or third ones, whose histories have to be asked for by _bulk_get.
 */
'use strict';

const bench = require('./lib/bench');
const copying = require('./lib/copying');
const { startTestServer } = require('../lib/couch');

const WAYS = [
    { name: 'new_edits = true', newEdits: true, generation: 1 },
    { name: 'new_edits = false', newEdits: false, generation: 1 },
    { name: 'and of third revisions', newEdits: false, generation: 3 },
];

/* With a target of its own; adds what the server's process took, and checks the count. */
async function toTarget(server, count, copy) {
    const target = await server.makeDb();
    const clock = copying.serverClock(server);
    const result = await copy(target);
    const server_cpu = clock();
    const there = await copying.countDocs(server, target);
    if (there !== count) throw new Error(`${there} of ${count} documents arrived`);
    await server.removeDb(target);
    return { ...result, server_cpu };
}

/* `questions`: null where the feed's documents do. */
async function limit(server, source, target, { bodies, questions, connections }) {
    const results = await Promise.all([
        copying.read(server, source, !questions),
        copying.post(server, target, bodies, connections),
        ...(questions
            ? [copying.readHistories(server, source, questions, connections)]
            : []),
    ]);
    return {
        wall: Math.max(...results.map((r) => r.wall)),
        cpu: results.reduce((sum, r) => sum + r.cpu, 0),
    };
}

function tailrace(server, source, target, way) {
    return bench.runTailrace(copying.writeRule(server, source, target, way));
}

const middle = (runs, key) => bench.median(runs.map((run) => run[key]));

async function measure(server, way, count, rounds, best) {
    const { size, connections } = best;
    const bodies = copying.writeBodies({ count, size, ...way });
    const questions = way.generation > 1 ? copying.writeQuestions(bodies) : null;
    const source = await copying.makeSource(server, { count, size, generation: way.generation });
    const runs = { limit: [], tailrace: [] };
    for (let round = 0; round < rounds; round++) {
        runs.limit.push(
            await toTarget(server, count, (target) =>
                limit(server, source, target, { bodies, questions, connections }),
            ),
        );
        runs.tailrace.push(
            await toTarget(server, count, (target) => tailrace(server, source, target, way)),
        );
    }
    await server.removeDb(source);
    bodies.remove();
    questions?.remove();
    const ratios = runs.limit.map((run, i) => run.wall / runs.tailrace[i].wall);
    return {
        way: way.name,
        by_limit: bench.median(ratios),
        own_by_server: middle(runs.tailrace, 'cpu') / middle(runs.tailrace, 'server_cpu'),
        ...Object.fromEntries(
            Object.entries(runs).map(([name, all]) => [
                name,
                {
                    documents_s: count / middle(all, 'wall'),
                    wall: middle(all, 'wall'),
                    cpu: middle(all, 'cpu'),
                    server_cpu: middle(all, 'server_cpu'),
                },
            ]),
        ),
    };
}

function print(result) {
    for (const name of ['limit', 'tailrace'])
        result.rows.push([
            name === 'limit' ? result.way : '',
            name,
            bench.count(result[name].documents_s),
            bench.fixed(result[name].wall, 1),
            bench.fixed(result[name].server_cpu, 1),
            bench.fixed(result[name].cpu, 2),
            name === 'limit' ? '' : `${bench.fixed(100 * result.by_limit, 0)} %`,
            name === 'limit' ? '' : `${bench.fixed(100 * result.own_by_server, 1)} %`,
        ]);
}

module.exports = async function copy({ rows, rounds }) {
    const server = await startTestServer();
    /* The test server is written for tests, not for speed. */
    const count = server.isReal ? rows : Math.min(rows, 5000);
    try {
        const best = await copying.findBest(server, Math.max(1000, Math.round(count / 5)));
        const results = [];
        for (const way of WAYS) results.push(await measure(server, way, count, rounds, best));
        console.log(
            `\n  ${bench.count(count)} documents of 1 KB, medians of ${rounds}; curl posts ` +
                `${bench.count(best.size)} at once on ${best.connections} connections:`,
        );
        const table = [
            ['', '', 'documents/s', 'wall s', 'server CPU s', 'own CPU s', 'of limit', 'of server'],
        ];
        for (const result of results) print({ ...result, rows: table });
        bench.table(table);
        return { documents: count, rounds, best, results };
    } finally {
        await server.close();
    }
};
