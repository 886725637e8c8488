/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The play: one tailrace with the three pipelines as rules; acts.js plays and judges each of
 * them. `run` calls this; the exit code says whether all is as it should be.
 */
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { say, paint, openCouch, accountOf, writeConfig, Tailrace } = require('../quickstart/stage');
const { acts } = require('./acts');

const DIR = path.resolve(__dirname, '..', '..', 'build', 'transporter');
const TITLES = {
    tailToFile: 'a database is tailed into a file',
    mirror: 'a database is copied while it is filled, and tailrace is killed',
    bulk: 'a file is loaded in bulk; then half is updated, half deleted',
};

/* The names of the databases; on a server that is somebody's they are no one else's. */
function nameDbs(couch) {
    const suffix = couch.isReal ? `_${crypto.randomBytes(3).toString('hex')}` : '';
    return Object.fromEntries(
        ['testdb', 'enron', 'enronsink', 'bulk'].map((name) => [name, name + suffix]),
    );
}

function configure(couch, names) {
    const { url, secrets } = accountOf(couch);
    const replace = [
        ['"testdb"', `"${names.testdb}"`],
        ['"enron"', `"${names.enron}"`],
        ['/enronsink"', `/${names.enronsink}"`],
        ['/bulk"', `/${names.bulk}"`],
        ['http://admin@127.0.0.1:5984', url],
        ['/tmp/transporter', DIR],
    ];
    return writeConfig(__dirname, DIR, replace, secrets);
}

async function play(stage) {
    const { couch, tailrace, conf, names } = stage;
    const verdicts = [];

    for (const name of Object.values(names)) await couch.makeDb(name);
    fs.writeFileSync(path.join(DIR, 'rows.ndjson'), '');
    say('yellow', 'play', `configuration: ${path.relative(process.cwd(), conf)}, conf.d beside it`);
    say('dim', 'tailrace', tailrace.check(conf));
    await tailrace.start(conf);
    for (const [act, title] of Object.entries(TITLES)) {
        say('yellow', 'play', title);
        verdicts.push(await acts[act](stage));
    }
    const code = await tailrace.stop();
    if (code !== 0) throw new Error(`tailrace ended with ${code}`);
    const { dead_letters: letters } = JSON.parse(tailrace.ask('dead-letter list --json', conf));
    if (letters.length > 0) throw new Error(`${letters.length} dead letters`);
    return verdicts.every(Boolean);
}

async function main() {
    const text = { type: 'string' };
    const { values } = parseArgs({
        options: { couchdb: text, tree: text, mails: { ...text, default: '10000' } },
    });
    const mails = Number(values.mails);
    if (!Number.isInteger(mails) || mails < 1)
        throw new Error(`--mails ${values.mails}: it is a number of mails`);
    fs.rmSync(DIR, { recursive: true, force: true });
    fs.mkdirSync(DIR, { recursive: true });
    const couch = await openCouch(DIR, values.couchdb);
    const tailrace = new Tailrace(values.tree);
    const names = nameDbs(couch);
    const clean = async () => {
        await tailrace.stop();
        await couch.close();
    };
    process.once('SIGINT', () => clean().finally(() => process.exit(130)));
    try {
        const conf = configure(couch, names);
        const stage = { couch, tailrace, conf, names, dir: DIR, mails };
        process.exitCode = (await play(stage)) ? 0 : 1;
    } finally {
        await clean();
    }
    console.log(
        paint(
            'dim',
            'what came is in build/transporter; the files behind it are in examples/transporter',
        ),
    );
}

main().catch((err) => {
    say('red', 'FAILED', err.message);
    process.exit(1);
});
