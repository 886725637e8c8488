/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tailrace run --once`: reads to the end of every stream, settles all of it, exits.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer, uniqueDb } = require('../lib/couch');
const { ownServer } = require('./lib/server');
const { makeSite } = require('./lib/site');
const { startHook, toHook, ids, sortedIds } = require('./lib/sink');
const { fill, makeFilled, names, put, putLeaves, remove } = require('./lib/docs');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

/* A site with one rule to a hook, for the database of `filled`. */
async function oneRule(t, filled, { rule, server = couch, ...parts } = {}) {
    const hook = await startHook(t);
    const site = makeSite(t, server, {
        rules: { r: toHook(hook, [filled.db], rule) },
        ...parts,
    });
    return { hook, site };
}

/* Runs once, and gives what was delivered in that run. */
async function deliver(site, hook) {
    hook.clear();
    await site.once();
    return [...hook.taken];
}

/* ---- which databases ---- */

test('a database named in an anchored expression is read to the end', async (t) => {
    const filled = await makeFilled(couch, 250);
    const hook = await startHook(t);
    const site = makeSite(t, couch, { rules: { r: toHook(hook, `^${filled.db}$`) } });
    assert.deepEqual(sortedIds(await deliver(site, hook)), filled.ids);
});

test('databases of a list are all read', async (t) => {
    const [one, two] = [await makeFilled(couch, 3), await makeFilled(couch, 4)];
    const hook = await startHook(t);
    const site = makeSite(t, couch, { rules: { r: toHook(hook, [one.db, two.db]) } });
    const taken = await deliver(site, hook);
    assert.equal(taken.filter((change) => change.db === one.db).length, 3);
    assert.equal(taken.filter((change) => change.db === two.db).length, 4);
});

test('a pattern chooses databases, and no other is read', async (t) => {
    const prefix = uniqueDb();
    for (const name of ['_a', '_b', 'c'])
        await makeFilled(couch, 2, { name: `${prefix}${name}` });
    const hook = await startHook(t);
    const site = makeSite(t, couch, { rules: { r: toHook(hook, `^${prefix}_[ab]$`) } });
    const dbs = (await deliver(site, hook)).map((change) => change.db);
    assert.deepEqual(
        dbs.sort(),
        ['_a', '_a', '_b', '_b'].map((name) => prefix + name),
    );
});

test('a pattern that no database matches is no error', async (t) => {
    const hook = await startHook(t);
    const site = makeSite(t, couch, { rules: { r: toHook(hook, '^nothing_has_this_name_.') } });
    assert.deepEqual(await deliver(site, hook), []);
});

test('a name with /, +, $ and ( is read by list and by pattern', async (t) => {
    const name = `${uniqueDb()}/a+b$(c)`;
    const filled = await makeFilled(couch, 3, { name });
    const hook = await startHook(t);
    const pattern = name.replace(/[/+$()]/g, '\\$&');
    const site = makeSite(t, couch, {
        rules: { list: toHook(hook, [name]), pattern: toHook(hook, `^${pattern}$`) },
    });
    const taken = await deliver(site, hook);
    assert.deepEqual(sortedIds(taken), [...filled.ids, ...filled.ids].sort());
    assert.ok(taken.every((change) => change.db === name));
});

test('an empty database is read to its end', async (t) => {
    const { hook, site } = await oneRule(t, await makeFilled(couch, 0));
    assert.deepEqual(await deliver(site, hook), []);
});

/* ---- runs one after the other ---- */

test('a second run delivers nothing', async (t) => {
    const filled = await makeFilled(couch, 120);
    const { hook, site } = await oneRule(t, filled);
    assert.equal((await deliver(site, hook)).length, 120);
    assert.deepEqual(await deliver(site, hook), []);
});

test('rows written between runs are delivered by the next one', async (t) => {
    const filled = await makeFilled(couch, 5);
    const { hook, site } = await oneRule(t, filled);
    await deliver(site, hook);
    await fill(couch, filled.where, ['new-1', 'new-2']);
    await put(couch, filled.where, 'new-1?new_edits=false', { _rev: `2-${'b'.repeat(32)}` });
    assert.deepEqual(sortedIds(await deliver(site, hook)), ['new-1', 'new-2']);
});

test('a change is delivered with its document, revision and seq', async (t) => {
    const filled = await makeFilled(couch, 0);
    const rev = await put(couch, filled.where, 'a', { text: 'ü"\\ \u2028', n: 1.5 });
    const { hook, site } = await oneRule(t, filled);
    const [change] = await deliver(site, hook);
    assert.equal(change.rev, rev);
    assert.deepEqual(change.doc, { _id: 'a', _rev: rev, text: 'ü"\\ \u2028', n: 1.5 });
    assert.match(String(change.seq), /^1/);
});

test('the state directory of a run is made when it is not there', async (t) => {
    const { hook, site } = await oneRule(t, await makeFilled(couch, 1));
    site.write({ main: { state_dir: `${site.stateDir}-new` } });
    assert.equal((await deliver(site, hook)).length, 1);
});

/* ---- what fails, and its exit code ---- */

/* The warnings and errors of a run, as "msg: reason". */
function complaints(run) {
    const records = run.stderr
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line))
        .filter((record) => ['error', 'warn'].includes(record.level));
    return records.map(({ msg, db = '', reason = '' }) => `${msg} ${db}: ${reason}`);
}

function assertOneLine(run, pattern) {
    const lines = complaints(run);
    assert.equal(lines.length, 1, run.stderr);
    assert.match(lines[0], pattern);
}

test('a missing database is told in one line: EX_NOINPUT', async (t) => {
    const { site } = await oneRule(t, { db: 'tailrace_not_there' });
    assertOneLine(await site.once({ code: 66 }), /does not exist.*tailrace_not_there/);
});

test('a wrong password is told in one line: EX_NOPERM', async (t) => {
    const server = await ownServer(t);
    const { hook, site } = await oneRule(t, await makeFilled(server, 1), {
        server,
        passwords: { '127.0.0.1': { admin: 'not-this' } },
    });
    assertOneLine(await site.once({ code: 77 }), /401 .*[Nn]ame or password is incorrect/);
    assert.deepEqual(hook.offered, []);
});

test('a wrong password of a cookie login is told in one line: EX_NOPERM', async (t) => {
    const server = await ownServer(t);
    const { site } = await oneRule(t, await makeFilled(server, 1), {
        server,
        passwords: { '127.0.0.1': { admin: 'not-this' } },
        source: { auth: 'cookie' },
    });
    assertOneLine(await site.once({ code: 77 }), /check the passwords file/);
});

test('a password that nobody knows is told in one line: EX_NOPERM', async (t) => {
    const { site } = await oneRule(t, await makeFilled(couch, 1), { passwords: {} });
    assertOneLine(await site.once({ code: 77 }), /no password is known for user "admin"/);
});

test('a server that does not answer is told in one line: EX_UNAVAILABLE', async (t) => {
    const hook = await startHook(t);
    const site = makeSite(t, couch, {
        rules: { r: toHook(hook, '^x.') },
        source: { url: 'http://admin@127.0.0.1:1', retry_min: '5ms', retry_max: '20ms' },
    });
    assertOneLine(await site.once({ code: 69 }), /cannot be listed.*127\.0\.0\.1/);
});

test('a wrong configuration is told with file and line: EX_CONFIG', async (t) => {
    const { site } = await oneRule(t, { db: 'x' });
    site.write({ source: { heartbeet: '1s' } });
    const run = await site.once({ code: 78 });
    assert.match(run.stderr, /^\S*tailrace\.conf:\d+: error: .*heartbeet.*\n$/);
});

test('a configuration that is not there: EX_NOINPUT or EX_CONFIG, with its name', async (t) => {
    const { site } = await oneRule(t, { db: 'x' });
    site.conf = `${site.dir}/other.conf`;
    const run = await site.once({ code: 66 });
    assert.match(run.stderr, /other\.conf/);
    assert.equal(run.stderr.trim().split('\n').length, 1);
});

test('a filter that the server does not know is told: EX_CONFIG', async (t) => {
    const { site } = await oneRule(t, await makeFilled(couch, 1), {
        rule: { filter: 'no/no' },
    });
    const run = await site.once({ code: 78 });
    assert.match(run.stderr, /"level":"error".*filter \\"no\/no\\"; correct its name/);
});

test('a since that the server refuses is told: EX_CONFIG', async (t) => {
    const { site } = await oneRule(t, await makeFilled(couch, 1), {
        rule: { since: 'no-seq-of-this-server' },
    });
    const run = await site.once({ code: 78 });
    assert.match(run.stderr, /"level":"error".*[Mm]alformed sequence/);
});

test('what could be read is delivered although another database is missing', async (t) => {
    const filled = await makeFilled(couch, 3);
    const hook = await startHook(t);
    const site = makeSite(t, couch, { rules: { r: toHook(hook, [filled.db, 'not_there']) } });
    await site.once({ code: 66 });
    await fill(couch, filled.where, ['later']);
    await site.once({ code: 66 });
    assert.ok(hook.taken.every((change) => change.db === filled.db));
});

/* ---- which rows ---- */

async function mixedDb() {
    const filled = await makeFilled(couch, 3);
    await remove(couch, filled.where, filled.ids[0]);
    await put(couch, filled.where, '_design/d', { language: 'javascript' });
    return filled;
}

for (const [deleted, design, want] of [
    ['include', 'exclude', ['doc-000001', 'doc-000002', 'doc-000003']],
    ['exclude', 'exclude', ['doc-000002', 'doc-000003']],
    ['only', 'exclude', ['doc-000001']],
    ['exclude', 'include', ['_design/d', 'doc-000002', 'doc-000003']],
    ['include', 'only', ['_design/d']],
])
    test(`deletions: ${deleted}, design documents: ${design}`, async (t) => {
        const { hook, site } = await oneRule(t, await mixedDb(), {
            rule: { deleted, design_documents: design },
        });
        assert.deepEqual(sortedIds(await deliver(site, hook)), want);
    });

test('a deletion is delivered as one', async (t) => {
    const filled = await mixedDb();
    const { hook, site } = await oneRule(t, filled, { rule: { deleted: 'only' } });
    const [change] = await deliver(site, hook);
    assert.equal(change.doc._deleted, true);
    assert.match(change.rev, /^2-/);
});

test('without documents a change has id and revision only', async (t) => {
    const filled = await makeFilled(couch, 20, { make: () => ({ secret: 1 }) });
    const { hook, site } = await oneRule(t, filled, { rule: { include_docs: false } });
    const taken = await deliver(site, hook);
    assert.deepEqual(sortedIds(taken), filled.ids);
    for (const { id, rev, doc } of taken) assert.deepEqual(doc, { _id: id, _rev: rev });
});

/* A document with two leaves; the one with the greater revision wins. */
async function conflictedDb() {
    const filled = await makeFilled(couch, 0);
    const leaf = (c) => ({ _id: 'a', _rev: `1-${c.repeat(32)}`, v: c });
    await putLeaves(couch, filled.where, [leaf('a'), leaf('b')]);
    return filled;
}

test('conflicts are named in the document when asked for', async (t) => {
    const { hook, site } = await oneRule(t, await conflictedDb(), {
        rule: { conflicts: true },
    });
    const [{ doc }] = await deliver(site, hook);
    assert.equal(doc.v, 'b');
    assert.deepEqual(doc._conflicts, [`1-${'a'.repeat(32)}`]);
});

test('with all leaves a dead letter names them all, without only the winner', async (t) => {
    const filled = await conflictedDb();
    for (const [all_leaves, revs] of [
        [true, ['b', 'a']],
        [false, ['b']],
    ]) {
        const { hook, site } = await oneRule(t, filled, { rule: { all_leaves } });
        hook.reply = () => 400;
        await site.once();
        const { dead_letters } = await site.command(['dead-letter', 'list']);
        const want = revs.map((c) => ({ rev: `1-${c.repeat(32)}` }));
        assert.deepEqual(dead_letters[0].revs, want);
    }
});

test('attachments come with the documents when asked for', async (t) => {
    const filled = await makeFilled(couch, 0);
    await put(couch, filled.where, 'a', {
        _attachments: { 'x.txt': { content_type: 'text/plain', data: 'aGVsbG8=' } },
    });
    const { hook, site } = await oneRule(t, filled, { rule: { attachments: true } });
    const [{ doc }] = await deliver(site, hook);
    assert.equal(doc._attachments['x.txt'].data, 'aGVsbG8=');
});

test('doc_ids: only these documents', async (t) => {
    const filled = await makeFilled(couch, 30);
    const doc_ids = ['doc-000003', 'doc-000020', 'not-there'];
    const { hook, site } = await oneRule(t, filled, { rule: { doc_ids } });
    assert.deepEqual(sortedIds(await deliver(site, hook)), ['doc-000003', 'doc-000020']);
    assert.deepEqual(await deliver(site, hook), []);
});

test('a selector is applied by the server', async (t) => {
    const make = (id) => ({ n: Number(id.slice(4)) });
    const filled = await makeFilled(couch, 30, { make });
    const { hook, site } = await oneRule(t, filled, {
        rule: { selector: '{"n":{"$gt":27}}' },
        source: { page_rows: 4 },
    });
    assert.deepEqual(sortedIds(await deliver(site, hook)), filled.ids.slice(27));
    assert.deepEqual(await deliver(site, hook), []);
});

test('a filter function gets its parameters', async (t) => {
    const make = (id) => ({ n: Number(id.slice(4)) });
    const filled = await makeFilled(couch, 12, { make });
    const filters = { least: 'function (doc, req) { return doc.n >= Number(req.query.min); }' };
    await put(couch, filled.where, '_design/f', { language: 'javascript', filters });
    const { hook, site } = await oneRule(t, filled, {
        rule: { filter: 'f/least', filter_params: { min: '10' } },
    });
    assert.deepEqual(sortedIds(await deliver(site, hook)), filled.ids.slice(9));
    assert.deepEqual(await deliver(site, hook), []);
});

test('conditions choose changes by their documents', async (t) => {
    const make = (id) => ({ type: Number(id.slice(4)) % 2 ? 'post' : 'poster' });
    const filled = await makeFilled(couch, 10, { make });
    const { hook, site } = await oneRule(t, filled, { rule: { if: { type: '^post$' } } });
    const taken = await deliver(site, hook);
    assert.equal(taken.length, 5);
    assert.ok(taken.every((change) => change.doc.type === 'post'));
});

/* ---- how they are read ---- */

for (const source of [
    { page_rows: 1, seq_interval: 0 },
    { page_rows: 7, seq_interval: 3 },
    { page_rows: 50, seq_interval: 50 },
    { page_rows: 64, seq_interval: 1000 },
])
    test(`every row once with ${JSON.stringify(source)}`, async (t) => {
        const filled = await makeFilled(couch, 100);
        const { hook, site } = await oneRule(t, filled, { source });
        assert.deepEqual(sortedIds(await deliver(site, hook)), filled.ids);
        assert.deepEqual(await deliver(site, hook), []);
    });

test('documents larger than a read are whole', async (t) => {
    const text = 'é"x'.repeat(100000);
    const filled = await makeFilled(couch, 5, { make: () => ({ text }) });
    const { hook, site } = await oneRule(t, filled, { source: { read_size: '1KB' } });
    const taken = await deliver(site, hook);
    assert.deepEqual(sortedIds(taken), filled.ids);
    assert.ok(taken.every((change) => change.doc.text === text));
});

test('a window and a batch of one row lose nothing', async (t) => {
    const filled = await makeFilled(couch, 40);
    const { hook, site } = await oneRule(t, filled, {
        rule: { window: { rows: 1 }, batch: { size: 1 } },
    });
    assert.deepEqual(sortedIds(await deliver(site, hook)), filled.ids);
    assert.ok(hook.batches.every((count) => count === 1));
});

test('several rules on one database each get every row', async (t) => {
    const filled = await makeFilled(couch, 60);
    const hooks = [await startHook(t), await startHook(t), await startHook(t)];
    const [a, b, c] = hooks.map((hook, i) => toHook(hook, [filled.db], { all_leaves: i > 1 }));
    await makeSite(t, couch, { rules: { a, b, c } }).once();
    for (const hook of hooks) assert.deepEqual(sortedIds(hook.taken), filled.ids);
});

/* ---- where it begins ---- */

test('since = now skips what is there and delivers what comes', async (t) => {
    const filled = await makeFilled(couch, 10);
    const { hook, site } = await oneRule(t, filled, { rule: { since: 'now' } });
    assert.deepEqual(await deliver(site, hook), []);
    await put(couch, filled.where, 'later');
    assert.deepEqual(ids(await deliver(site, hook)), ['later']);
});

test('since = beginning delivers everything', async (t) => {
    const filled = await makeFilled(couch, 10);
    const { hook, site } = await oneRule(t, filled, { rule: { since: 'beginning' } });
    assert.deepEqual(sortedIds(await deliver(site, hook)), filled.ids);
});

test('since = a seq delivers what came after it', async (t) => {
    const filled = await makeFilled(couch, 6);
    const { last_seq } = (await couch.get(`${filled.where}/_changes`)).json;
    await fill(couch, filled.where, ['x', 'y']);
    const { hook, site } = await oneRule(t, filled, { rule: { since: String(last_seq) } });
    assert.deepEqual(sortedIds(await deliver(site, hook)), ['x', 'y']);
    assert.deepEqual(await deliver(site, hook), []);
});

test('since = now: a database made after the first run is read from its beginning', async (t) => {
    const prefix = uniqueDb();
    await makeFilled(couch, 5, { name: `${prefix}_old` });
    const hook = await startHook(t);
    const rule = toHook(hook, `^${prefix}_.*$`, { since: 'now' });
    const site = makeSite(t, couch, { rules: { r: rule } });
    assert.deepEqual(await deliver(site, hook), []);
    const later = await makeFilled(couch, 4, { name: `${prefix}_later` });
    const taken = await deliver(site, hook);
    assert.deepEqual(sortedIds(taken), later.ids);
    assert.ok(taken.every((change) => change.db === `${prefix}_later`));
});

test('since = now: a database that is named and made later is read from its beginning', async (t) => {
    const name = uniqueDb();
    const { hook, site } = await oneRule(t, { db: name }, { rule: { since: 'now' } });
    await site.once({ code: 66 });
    const later = await makeFilled(couch, 4, { name });
    assert.deepEqual(sortedIds(await deliver(site, hook)), later.ids);
});

test('another since in the configuration does not move a rule that has a checkpoint', async (t) => {
    const filled = await makeFilled(couch, 4);
    const { hook, site } = await oneRule(t, filled, { rule: { since: 'now' } });
    await site.once();
    site.write({ rules: { r: toHook(hook, [filled.db], { since: 'beginning' }) } });
    assert.deepEqual(await deliver(site, hook), []);
});
