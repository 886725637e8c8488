/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The play: people sign up at a blog and write posts. Nobody configures anything for them: a
 * rule that is a document calls the API for each new user, the API makes a database and another
 * document, and tailrace replicates their posts from then on. In the middle tailrace stops,
 * somebody writes on, and it starts again. `run` calls this; the exit code says whether all came.
 *
 * The documents are those of Spiegel's guide, but for the database of users, which is `_users`.
 */
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { sleep, waitFor } = require('../../tests/lib/couch');
const { say, paint, openCouch, accountOf, Tailrace } = require('../quickstart/stage');
const { startApi } = require('./api');

const DIR = path.resolve(__dirname, '..', '..', 'build', 'spiegel-blog');
const TITLES = {
    ada: ['First light', 'On engines'],
    ben: ['Kites', 'What lightning is'],
    cleo: ['The library', 'The river', 'The lighthouse'],
};

/* The files of this folder with this run's addresses and names in them. */
class Files {
    constructor(couch, api, suffix) {
        const { url, secrets } = accountOf(couch);
        this.replace = [
            ['http://user@yourcouchdb.com:5984', url],
            ['user@yourapi.com', `user@${api.address}`],
            ['all_blog_posts', `all_blog_posts${suffix}`],
            ['/tmp/spiegel-blog', DIR],
            ['"spiegel"', `"spiegel${suffix}"`],
        ];
        const { 'yourapi.com': users } = JSON.parse(this.read('passwords.json'));
        this.passwords = { '127.0.0.1': users };
        for (const [host, own] of Object.entries(secrets))
            this.passwords[host] = { ...this.passwords[host], ...own };
    }

    read(name, more = []) {
        let text = fs.readFileSync(path.join(__dirname, name), 'utf8');
        for (const [from, to] of [...more, ...this.replace]) text = text.replaceAll(from, to);
        return text;
    }

    write() {
        const conf = path.join(DIR, 'tailrace.conf');
        fs.writeFileSync(conf, this.read('tailrace.conf'));
        fs.writeFileSync(path.join(DIR, 'passwords.json'), JSON.stringify(this.passwords), {
            mode: 0o600,
        });
        return conf;
    }
}

class Blog {
    constructor(couch, suffix) {
        Object.assign(this, { couch, suffix });
        this.all = `/all_blog_posts${suffix}`;
        this.rules = `/spiegel${suffix}`;
        this.posts = new Map(); /* by id: the newest revision that the server acknowledged */
        this.users = [];
    }

    async put(where, doc) {
        const { status, json, text } = await this.couch.put(where, doc);
        if (status !== 201 && status !== 202) throw new Error(`${where}: ${text}`);
        return json.rev;
    }

    dbOf(name) {
        return `/user_${name}${this.suffix}`;
    }

    /* All that the blog does for a new user; the rest follows from it. */
    async signUp(name) {
        const user = { name: name + this.suffix, password: name, roles: [], type: 'user' };
        const where = `/_users/org.couchdb.user:${user.name}`;
        await this.put(where, user);
        this.users.push(where);
        say('cyan', name, 'signs up');
        await waitFor(() => this.couch.made.includes(this.dbOf(name)), 'the database', 60000);
    }

    async write(name, title) {
        const id = `${name}:${title.toLowerCase().replaceAll(' ', '-')}`;
        const where = `${this.dbOf(name)}/${encodeURIComponent(id)}`;
        this.posts.set(id, await this.put(where, { type: 'post', author: name, title }));
        say('cyan', name, `writes "${title}"`);
    }

    async close() {
        for (const where of this.users) {
            const { json } = await this.couch.get(where);
            await this.couch.delete(`${where}?rev=${json._rev}`);
        }
    }
}

/* The API's part: a database and a replicator for a user, if they are not there yet. */
async function afterUserCreated(blog, files, user) {
    const name = (user.name || '').slice(0, -blog.suffix.length || undefined);
    const id = `replicator_${name}`;
    if (!TITLES[name] || user._deleted) return;
    if ((await blog.couch.get(`${blog.rules}/${id}`)).status === 200) return;
    await blog.couch.makeDb(blog.dbOf(name).slice(1));
    await blog.put(
        `${blog.rules}/${id}`,
        files.read('documents/replicator.json', [['user_NAME', blog.dbOf(name).slice(1)]]),
    );
    say('green', '  → api', `PUT /after-user-created: ${name} has a database and a replicator`);
}

async function play({ couch, blog, files, tailrace, api }) {
    const conf = files.write();
    const allCame = () =>
        waitFor(
            () => [...blog.posts].every(([id, rev]) => (api.posts.get(id) || []).includes(rev)),
            'all posts',
            90000,
        );

    await couch.makeDb(blog.rules.slice(1));
    await couch.makeDb(blog.all.slice(1));
    for (const name of ['all_blog_posts_on_change', 'user_created_on_change']) {
        const doc = JSON.parse(files.read(`documents/${name}.json`));
        await blog.put(`${blog.rules}/${doc._id}`, doc);
    }
    say('dim', 'tailrace', tailrace.check(conf));
    await tailrace.start(conf);
    await sleep(1000); /* rules that are new begin at now */
    for (const [name, titles] of Object.entries(TITLES)) {
        await blog.signUp(name);
        for (const title of titles) await blog.write(name, title);
    }
    await allCame();

    say('yellow', 'play', 'tailrace stops; ben writes on; tailrace starts again');
    const code = await tailrace.stop();
    if (code !== 0) throw new Error(`tailrace ended with ${code}`);
    await blog.write('ben', 'While you were away');
    await tailrace.start(conf);
    await allCame();
    await sleep(1500); /* what would be repeated now, would be seen */
    await tailrace.stop();
}

function judge(blog, api) {
    const came = (id, rev) => (api.posts.get(id) || []).includes(rev);
    const missing = [...blog.posts].filter(([id, rev]) => !came(id, rev));
    const twice = [...api.posts].filter(([, revs]) => new Set(revs).size < revs.length);
    const ok = missing.length === 0 && twice.length === 0;
    say(
        ok ? 'green' : 'red',
        ok ? 'ok' : 'FAILED',
        `${blog.posts.size - missing.length} of ${blog.posts.size} posts came through ` +
            `all_blog_posts to the API, ${twice.length} came twice`,
    );
    return ok;
}

async function main() {
    const text = { type: 'string' };
    const { values } = parseArgs({ options: { couchdb: text, tree: text } });
    fs.rmSync(DIR, { recursive: true, force: true });
    fs.mkdirSync(DIR, { recursive: true });
    const couch = await openCouch(DIR, values.couchdb);
    const suffix = couch.isReal ? `_${crypto.randomBytes(3).toString('hex')}` : '';
    const blog = new Blog(couch, suffix);
    const tailrace = new Tailrace(values.tree);
    const api = await startApi({
        onPost: (post, count) =>
            say('green', '  → api', `PUT /calc-stats: "${post.title}" (${post.author}), ${count}`),
        onUser: (user) => afterUserCreated(blog, files, user),
    });
    const files = new Files(couch, api, suffix);
    const clean = async () => {
        await tailrace.stop();
        await api.close();
        await blog.close();
        await couch.close();
    };
    process.once('SIGINT', () => clean().finally(() => process.exit(130)));
    try {
        await play({ couch, blog, files, tailrace, api });
        process.exitCode = judge(blog, api) ? 0 : 1;
    } finally {
        await clean();
    }
    console.log(paint('dim', 'the documents are in examples/spiegel-blog/documents'));
}

main().catch((err) => {
    say('red', 'FAILED', err.message);
    process.exit(1);
});
