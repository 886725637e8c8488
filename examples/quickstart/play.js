/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The play: people sign up at a blog and write posts, each into a database of their own, while
 * tailrace hands every post to an API and to a file. Then tailrace stops, somebody writes on, and
 * it starts again: it must go on where it was. `run` calls this; the exit code says whether all
 * came.
 */
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { sleep, waitFor } = require('../../tests/lib/couch');
const { startApi } = require('./api');
const {
    say,
    paint,
    openCouch,
    accountOf,
    writeConfig,
    followFile,
    Tailrace,
} = require('./stage');

const DIR = path.resolve(__dirname, '..', '..', 'build', 'quickstart');
const TITLES = {
    ada: ['First light', 'On engines', 'A table of numbers'],
    ben: ['Kites', 'What lightning is'],
    cleo: ['The library', 'The river', 'The lighthouse'],
};

/* "user_", or something that begins like it where such databases are there already. */
async function choosePrefix(couch) {
    const { json } = await couch.get('/_all_dbs');
    if (!json.some((name) => name.startsWith('user_'))) return 'user_';
    return `user_${crypto.randomBytes(3).toString('hex')}_`;
}

class Blog {
    constructor(couch, prefix) {
        Object.assign(this, { couch, prefix });
        this.posts = new Map(); /* by id: the newest revision that the server acknowledged */
    }

    async signUp(name) {
        await this.couch.makeDb(this.prefix + name);
        say('cyan', name, `signs up: database ${this.prefix}${name}`);
    }

    async write(name, title, rev) {
        const id = `${name}:${title.toLowerCase().replaceAll(' ', '-')}`;
        const post = {
            type: 'post',
            author: name,
            title,
            ...(rev && { _rev: rev, edited: true }),
        };
        const where = `/${this.prefix}${name}/${encodeURIComponent(id)}`;
        const { status, json, text } = await this.couch.put(where, post);
        if (status !== 201 && status !== 202) throw new Error(`writing ${id}: ${text}`);
        this.posts.set(id, json.rev);
        say('cyan', name, `${rev ? 'edits' : 'writes'} "${title}"`);
        return json.rev;
    }
}

/* How often each post's newest revision came; `changes` are documents. */
function judge(what, posts, changes, second) {
    const seen = new Map();
    for (const { _id, _rev } of changes) {
        const key = `${_id} ${_rev}`;
        seen.set(key, (seen.get(key) || 0) + 1);
    }
    const missing = [...posts].filter(([id, rev]) => !seen.has(`${id} ${rev}`));
    const twice = [...seen].filter(([, times]) => times > 1);
    const ok = missing.length === 0 && twice.length === 0 && second === 1;
    const verdict =
        `${posts.size - missing.length} of ${posts.size} posts came in their newest revision, ` +
        `${twice.length} came twice; after the second start ${second} came, 1 was new`;
    say(ok ? 'green' : 'red', ok ? 'ok' : 'FAILED', `${what}: ${verdict}`);
    for (const [id, rev] of missing) say('red', '', `missing: ${id} ${rev}`);
    return ok;
}

async function play(couch, tailrace, api, lines, conf, prefix) {
    const blog = new Blog(couch, prefix);
    const has = (documents) =>
        [...blog.posts].every(([id, rev]) =>
            documents.some((doc) => doc._id === id && doc._rev === rev),
        );
    const allCame = () => waitFor(() => has(api.calls) && has(lines), 'all posts', 60000);

    say('dim', 'tailrace', tailrace.check(conf));
    await tailrace.start(conf);
    for (const [name, titles] of Object.entries(TITLES)) {
        await blog.signUp(name);
        for (const title of titles) {
            await blog.write(name, title);
            await sleep(250); /* so that a person can follow */
        }
    }
    await allCame();
    await blog.write('cleo', 'The river', blog.posts.get('cleo:the-river'));
    await allCame();

    say('yellow', 'play', 'tailrace stops; ben writes on; tailrace starts again');
    const code = await tailrace.stop();
    if (code !== 0) throw new Error(`tailrace ended with ${code}`);
    const before = [api.calls.length, lines.length];
    await blog.write('ben', 'While you were away');
    await tailrace.start(conf);
    await allCame();
    await sleep(1500); /* what would be repeated now, would be seen */
    await tailrace.stop();
    return { blog, second: [api.calls.length - before[0], lines.length - before[1]] };
}

/* The configuration of this folder with this run's addresses; returns its path. */
async function configure(couch, api, prefix) {
    const { url, secrets } = accountOf(couch);
    const conf = writeConfig(
        __dirname,
        DIR,
        [
            ['http://admin@127.0.0.1:5984', url],
            ['127.0.0.1:3000', api.address],
            ['/tmp/quickstart', DIR],
            ['"^user_"', `"^${prefix}"`],
        ],
        secrets,
    );
    say(
        'yellow',
        'play',
        `configuration: ${path.relative(process.cwd(), conf)}, conf.d beside it`,
    );
    return conf;
}

async function main() {
    const text = { type: 'string' };
    const { values } = parseArgs({ options: { couchdb: text, tree: text } });
    fs.rmSync(DIR, { recursive: true, force: true });
    fs.mkdirSync(DIR, { recursive: true });
    const couch = await openCouch(DIR, values.couchdb);
    const tailrace = new Tailrace(values.tree);
    const lines = [];
    const api = await startApi((post, count) => {
        const what = `"${post.title}" by ${post.author}${post.edited ? ', edited' : ''}`;
        say('green', '  → api', `PUT /calc-stats: ${what}; posts so far: ${count}`);
    });
    const file = followFile(path.join(DIR, 'posts.ndjson'), (line) => {
        const { db, change } = JSON.parse(line);
        lines.push(change.doc);
        say('green', '  → file', `"${change.doc.title}" of ${db}`);
    });
    const clean = async () => {
        file.end();
        await tailrace.stop();
        await api.close();
        await couch.close();
    };
    process.once('SIGINT', () => clean().finally(() => process.exit(130)));
    try {
        const prefix = await choosePrefix(couch);
        const conf = await configure(couch, api, prefix);
        const { blog, second } = await play(couch, tailrace, api, lines, conf, prefix);
        const verdicts = [
            judge('api', blog.posts, api.calls, second[0]),
            judge('file', blog.posts, lines, second[1]),
        ];
        process.exitCode = verdicts.every(Boolean) ? 0 : 1;
    } finally {
        await clean();
    }
    console.log(
        paint(
            'dim',
            'what came is in build/quickstart; the files behind it are in examples/quickstart',
        ),
    );
}

main().catch((err) => {
    say('red', 'FAILED', err.message);
    process.exit(1);
});
