/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory: the peak of resident memory (VmHWM) while 8 rules follow the same feed and one of them
 * has a sink that hangs. It is looked at when the other seven have all rows.
 */
'use strict';

const fs = require('node:fs');
const readline = require('node:readline');
const { spawn } = require('node:child_process');
const bench = require('./lib/bench');
const { startFeedServer, DB } = require('./lib/feed_server');

const RULES = 8;

function writeConf(url, rows) {
    const rule = (i) => `r${i}: {
        source = "main"; databases = "^${DB}$"; plugin = "${bench.program('count.so')}";
        options: { report_at = ${rows}; stall = ${i === 1}; };
    };`;
    return bench.writeConf({
        sources: `main: { url = "${url}"; };`,
        rules: Array.from({ length: RULES }, (_, i) => rule(i + 1)).join('\n'),
    });
}

/* Runs until seven rules have counted all rows; resolves to the peak in kB. */
function peak(conf, rows) {
    const args = ['run', '--once', '-c', conf, '--plugin-dir', bench.PLUGINS];
    const child = spawn(bench.TAILRACE, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const log = [];
    let counted = 0;
    let kb;
    return new Promise((resolve, reject) => {
        readline.createInterface({ input: child.stderr }).on('line', (line) => {
            log.push(line);
            if (!line.includes(`counted ${rows}`) || ++counted !== RULES - 1) return;
            const status = fs.readFileSync(`/proc/${child.pid}/status`, 'utf8');
            kb = Number(/VmHWM:\s+(\d+) kB/.exec(status)[1]);
            child.kill('SIGKILL'); /* a drain would wait for the sink that hangs */
        });
        child.on('error', reject);
        child.on('close', () => {
            if (kb) resolve(kb);
            else
                reject(
                    new Error(
                        `${counted} of ${RULES - 1} rules got to the end:\n${log.join('\n')}`,
                    ),
                );
        });
    });
}

module.exports = async function memory({ rows, rounds }) {
    const feed = await startFeedServer(rows);
    const peaks = [];
    try {
        for (let round = 0; round < rounds; round++)
            peaks.push(await peak(writeConf(feed.url, rows), rows));
    } finally {
        await feed.close();
    }
    const mb = (kb) => bench.fixed(kb / 1024, 1);
    const result = {
        rules: RULES,
        rows,
        rounds,
        median_mb: Number(mb(bench.median(peaks))),
        max_mb: Number(mb(Math.max(...peaks))),
    };
    console.log(
        `\n  ${RULES} rules, one stalled, ${bench.count(rows)} rows of 1 KB, ${rounds} rounds:`,
    );
    bench.table([
        ['median', 'most'],
        [`${result.median_mb} MB`, `${result.max_mb} MB`],
    ]);
    return result;
};
