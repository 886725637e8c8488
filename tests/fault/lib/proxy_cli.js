/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of the fault proxy; see proxy.js. */
'use strict';

const readline = require('node:readline');
const { parseArgs } = require('node:util');
const { parseFault } = require('./faults');

const USAGE =
    'usage: proxy.js --target URL [--listen PORT] [--seed N] [--fault KIND[:key=value,…]]…';

const OPTIONS = {
    target: { type: 'string' },
    listen: { type: 'string', default: '0' },
    seed: { type: 'string' },
    fault: { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean' },
};

function readArgs(argv) {
    const { values } = parseArgs({ args: argv, options: OPTIONS });
    if (values.help) return null;
    if (!values.target)
        throw new Error('--target is missing: the URL of the server to stand before');
    return { ...values, faults: values.fault.map(parseFault) };
}

function say(value) {
    process.stdout.write(`${JSON.stringify(value)}\n`);
}

async function obey(proxy, line) {
    const word = line.trim();
    if (!word) return;
    if (word === 'stats') return say({ ...proxy.stats, connections: proxy.connections });
    if (word === 'clear') await proxy.clear();
    else await proxy.add(parseFault(word));
    say({ ok: true });
}

async function main(argv) {
    const { startProxy } = require('./proxy');
    let args;
    try {
        args = readArgs(argv);
    } catch (err) {
        process.stderr.write(`proxy.js: ${err.message}\n${USAGE}\n`);
        process.exit(64);
    }
    if (!args) return process.stdout.write(`${USAGE}\n`);
    const proxy = await startProxy(args.target, {
        port: Number(args.listen),
        seed: args.seed,
        faults: args.faults,
    });
    say({ url: proxy.url, seed: proxy.seed });
    for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
    for await (const line of readline.createInterface({ input: process.stdin }))
        await obey(proxy, line).catch((err) => say({ error: err.message }));
}

module.exports = { main };
