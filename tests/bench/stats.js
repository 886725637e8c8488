/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats: count, sum and quantiles of one field, grouped by another, exact under updates. tailrace
 * with stats-calculator reads a file of rows (ten for each one of --rows: a million). It is
 * compared with the same logic behind http-webhook and a Node server, one change a request, that
 * gets a twentieth of those rows: once one that keeps all in memory, and once one that makes the
 * promise that the plugin makes, to answer for a change when it would survive a power cut.
 *
 * What is durable is so by fsync in both: SQLite's write-ahead log with synchronous=FULL here, a
 * LevelDB written with sync there, on one disk; and both share an fsync among the changes that are
 * in flight. All must say the same of the rows that all had, and the durable server must after it
 * was killed and all rows came to it once more. What is compared are changes a second and a CPU
 * second, all processes together.
 */
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const bench = require('./lib/bench');
const { makeSeq } = require('./lib/rows');

const SERVER = path.join(__dirname, 'clients', 'stats.js');
const COUNTRIES = Array.from({ length: 100 }, (_, i) => `country-${i}`);
const CONCURRENCY = 32;
const FEWER = 20;

/* A tenth of the rows are updates of documents that came before. */
function makeRow(i) {
    const isUpdate = i % 10 === 9;
    const id = `order-${String(isUpdate ? i - 9 : i).padStart(8, '0')}`;
    const rev = `${isUpdate ? 2 : 1}-${crypto.createHash('md5').update(String(i)).digest('hex')}`;
    const doc = {
        _id: id,
        _rev: rev,
        type: 'order',
        country: COUNTRIES[(Math.floor(i / 7) * 31) % COUNTRIES.length],
        customer: { id: (i * 31) % 100000, name: `Ada ${i % 997}` },
        amount: ((i * 7907) % 100000) / 100 + 0.01,
        items: ['couch', 'change', 'feed'],
        created_at: '2024-03-07T08:15:00Z',
    };
    const changes = `[{"rev":"${rev}"}]`;
    return `{"seq":"${makeSeq(i)}","id":"${id}","changes":${changes},"doc":${JSON.stringify(doc)}}`;
}

function writeRows(count) {
    const file = path.join(bench.makeFolder(), 'rows.ndjson');
    const out = fs.openSync(file, 'w');
    for (let i = 0; i < count; i += 1000) {
        const rows = [];
        for (let k = i; k < Math.min(i + 1000, count); k++) rows.push(makeRow(k));
        fs.writeSync(out, `${rows.join('\n')}\n`);
    }
    fs.closeSync(out);
    return file;
}

/* {cpu, wall, …, figures: {country: {count, sum}}} */
async function byPlugin(rows) {
    const file = path.join(bench.makeFolder(), 'figures.json');
    const conf = bench.writeConf({
        sources: `rows: { type = "file"; path = "${rows}"; database = "bench"; };`,
        rules: `stats: {
            source = "rows"; databases = "^bench$"; plugin = "stats-calculator";
            options: {
                group_by = "country";
                stats = ( { name = "amount"; figures = [ "count", "sum", "quantiles" ]; } );
                publish: { file = "${file}"; };
            };
        };`,
    });
    const result = await bench.runTailrace(conf);
    const { groups } = JSON.parse(fs.readFileSync(file, 'utf8'));
    result.figures = Object.fromEntries(
        groups.map(({ group, figures: { amount } }) => [group.country, amount]),
    );
    return result;
}

/* `dir`: where it keeps what it was told; none: in memory. */
function startServer(dir) {
    const args = dir ? [SERVER, dir] : [SERVER];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    return new Promise((resolve, reject) => {
        child.on('error', reject);
        child.stdout.once('data', (port) => resolve({ child, url: `http://127.0.0.1:${+port}/` }));
    });
}

/* As byPlugin(). The server ends by SIGKILL. */
async function byWebhook(rows, dir) {
    const { child, url } = await startServer(dir);
    try {
        const conf = bench.writeConf({
            sources: `rows: { type = "file"; path = "${rows}"; database = "bench"; };`,
            rules: `hook: {
                source = "rows"; databases = "^bench$"; plugin = "http-webhook";
                concurrency = ${CONCURRENCY};
                options: {
                    url = "${url}"; method = "PUT"; params: { change = "$change"; };
                    max_connections = ${CONCURRENCY};
                };
            };`,
        });
        const result = await bench.runTailrace(conf);
        const { figures, cpu } = await (await fetch(url)).json();
        return { ...result, cpu: result.cpu + cpu, figures };
    } finally {
        child.kill('SIGKILL');
    }
}

function assertSame(one, other) {
    for (const [country, { count, sum }] of Object.entries(other)) {
        const found = one[country];
        if (!found || found.count !== count || Math.abs(found.sum - sum) > 1e-6 * sum)
            throw new Error(`${country}: ${JSON.stringify(found)} is not ${count}, ${sum}`);
    }
}

/* Before anything is measured. */
async function assertAgree(rows) {
    const dir = bench.makeFolder();
    const { figures } = await byPlugin(rows);
    assertSame(figures, (await byWebhook(rows)).figures);
    assertSame(figures, (await byWebhook(rows, dir)).figures);
    assertSame(figures, (await byWebhook(rows, dir)).figures);
}

module.exports = async function stats({ rows, rounds }) {
    const count = rows * 10;
    const fewer = Math.max(1000, Math.round(count / FEWER));
    const many = writeRows(count);
    const few = writeRows(fewer);
    await assertAgree(few);
    const results = await bench.compare(
        {
            'stats-calculator': () => byPlugin(many),
            'Node, in memory': () => byWebhook(few),
            'Node, durable': () => byWebhook(few, bench.makeFolder()),
        },
        rounds,
    );
    const rates = Object.entries(results).map(([name, r], i) => {
        const changes = i === 0 ? count : fewer;
        return { name, changes, wall: changes / r.wall, cpu: changes / r.cpu, r };
    });
    const [plugin, ...servers] = rates;
    console.log(`\n  medians of ${rounds}, updates one in ten, ${COUNTRIES.length} groups:`);
    bench.table([
        [
            '', 'changes', 'wall s', 'CPU s', 'changes/s', 'changes/CPU s', 'peak MB',
            'plugin has', 'by CPU',
        ],
        ...rates.map(({ name, changes, wall, cpu, r }) => [
            name,
            bench.count(changes),
            bench.fixed(r.wall, 2),
            bench.fixed(r.cpu, 2),
            bench.count(wall),
            bench.count(cpu),
            bench.count(r.rss_kb / 1024),
            `${bench.fixed(plugin.wall / wall, 1)} ×`,
            `${bench.fixed(plugin.cpu / cpu, 1)} ×`,
        ]),
    ]);
    const ratios = ({ wall, cpu }) => ({ by_wall: plugin.wall / wall, by_cpu: plugin.cpu / cpu });
    return {
        changes: count,
        fewer,
        rounds,
        results,
        in_memory: ratios(servers[0]),
        durable: ratios(servers[1]),
    };
};
