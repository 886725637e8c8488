/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tailrace copy`: all of a database, or of a server, arrives, also when it was cut short; what
 * the target refuses is kept; and nothing is made by mistake.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');
const { tailrace } = require('../lib/tailrace');
const { makeEnds, startSecond } = require('./lib/ends');
const { assertSame, startGateway } = require('./lib/copy');
const { startOnTerminal } = require('./lib/screen');
const { makeFilled, fill, names, put, putLeaves, remove } = require('./lib/docs');

const USAGE = 64;
const DATAERR = 65;
const NOINPUT = 66;
const TEMPFAIL = 75;
const NOPERM = 77;

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

const exists = async (where, server = couch) => (await server.get(where)).status === 200;

/* The name of a database that is deleted after the tests, if it was made. */
function futureDb() {
    const where = `/${uniqueDb()}`;
    couch.made.push(where);
    return where;
}

/* What is left of states. */
function statesOf(ends) {
    const dir = path.join(ends.env.XDG_STATE_HOME, 'tailrace');
    return fs.existsSync(dir) ? fs.readdirSync(dir).map((name) => path.join(dir, name)) : [];
}

/* Documents of every kind. */
async function makeMixed() {
    const { where } = await makeFilled(couch, 30, { make: (id) => ({ text: id }) });
    await put(couch, where, '_design/views', { views: {} });
    await remove(couch, where, 'doc-000001');
    await putLeaves(couch, where, [
        { _id: 'c', _rev: '2-aa', _revisions: { start: 2, ids: ['aa', 'x'] }, v: 'a' },
        { _id: 'c', _rev: '2-bb', _revisions: { start: 2, ids: ['bb', 'x'] }, v: 'b' },
        { _id: 'c', _rev: '2-cc', _revisions: { start: 2, ids: ['cc', 'x'] }, _deleted: true },
    ]);
    await put(couch, where, 'with', {
        _attachments: { 'a.txt': { content_type: 'text/plain', data: 'aGVsbG8=' } },
    });
    return where;
}

/* ---- a database ---- */

test('every leaf arrives, with its history and its attachments', async (t) => {
    const ends = makeEnds(t, couch);
    const from = await makeMixed();
    const to = futureDb();
    const run = await ends.run('copy', from, to, '--create', '--json');
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.json.complete, true);
    assert.equal(run.json.databases_made, 1);
    assert.equal(run.json.read, 33);
    assert.equal(run.json.copied, 33);
    await assertSame(couch, from, couch, to);
    assert.equal((await ends.run('verify', from, to)).code, 0);
    assert.deepEqual(statesOf(ends), []);
});

test('a second copy brings what came since', async (t) => {
    const ends = makeEnds(t, couch);
    const { where } = await makeFilled(couch, 50);
    const to = await couch.makeDb();
    assert.equal((await ends.run('copy', where, to)).code, 0);
    await fill(couch, where, names(5, 'more'));
    const run = await ends.run('copy', where, to, '--json');
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.json.read, 5);
    assert.equal((await ends.run('verify', where, to)).code, 0);
});

test('ten thousand documents, and a summary of them', async (t) => {
    const ends = makeEnds(t, couch);
    const { where } = await makeFilled(couch, 10000);
    const to = futureDb();
    const run = await ends.run('copy', where, to, '--create');
    assert.equal(run.code, 0, run.stderr);
    assert.match(
        run.stdout,
        /^1 database, 10000 documents read, 10000 copied or there already, 0 refused; [\d.]+ s, \d+\/s\n1 database made at the target\n$/,
    );
    assert.equal((await ends.run('verify', where, to)).code, 0);
});

test('a database without a document is made too', async (t) => {
    const ends = makeEnds(t, couch);
    const from = await couch.makeDb();
    const to = futureDb();
    const run = await ends.run('copy', from, to, '--create', '--q', '1', '--n', '1');
    assert.equal(run.code, 0, run.stderr);
    assert.ok(await exists(to));
    if (couch.isReal) assert.equal((await couch.get(to)).json.cluster.q, 1);
});

test('nothing is made without --create, or of a source that is not there', async (t) => {
    const ends = makeEnds(t, couch);
    const from = await couch.makeDb();
    const to = futureDb();
    const missing = await ends.run('copy', from, to);
    assert.equal(missing.code, NOINPUT);
    assert.match(missing.stderr, /the target has no database .*--create/);
    const mistyped = await ends.run('copy', `/${uniqueDb()}`, to, '--create');
    assert.equal(mistyped.code, NOINPUT, mistyped.stderr);
    assert.equal(await exists(to), false);
    assert.deepEqual(statesOf(ends), []);
});

test('a database is not copied to itself, however it is written', async (t) => {
    const ends = makeEnds(t, couch);
    const from = await couch.makeDb();
    for (const to of [from, `${from}/`, couch.url + from]) {
        const run = await ends.run('copy', from, to);
        assert.equal(run.code, USAGE, to);
        assert.match(run.stderr, /SOURCE and TARGET are the same/);
    }
});

test('a name with everything that a database may be called', async (t) => {
    const ends = makeEnds(t, couch);
    const name = `${uniqueDb()}_$()+-`;
    const from = await couch.makeDb(name);
    await fill(couch, from, names(3));
    const to = await couch.makeDb(`${name}_to`);
    assert.equal((await ends.run('copy', from, to)).code, 0);
    assert.equal((await ends.run('verify', from, to)).code, 0);
});

/* ---- what is chosen ---- */

async function copied(t, from, ...words) {
    const ends = makeEnds(t, couch);
    const to = futureDb();
    const run = await ends.run('copy', from, to, '--create', ...words);
    assert.equal(run.code, 0, run.stderr);
    const { json } = await couch.get(`${to}/_changes?style=all_docs`);
    return json.results;
}

const idsOf = (rows) => rows.map(({ id }) => id).sort();

test('a filter, a selector, ids or a place say what is copied', async (t) => {
    const { where } = await makeFilled(couch, 6, { make: (id) => ({ even: /[246]$/.test(id) }) });
    await put(couch, where, '_design/by', {
        filters: { kind: 'function (doc, req) { return String(doc.even) === req.query.even; }' },
    });
    const even = ['doc-000002', 'doc-000004', 'doc-000006'];
    const ids = '["doc-000003","doc-000005","none"]';
    assert.deepEqual(
        idsOf(await copied(t, where, '--filter', 'by/kind', '--filter-param', 'even=true')),
        even,
    );
    assert.deepEqual(idsOf(await copied(t, where, '--selector', '{"even":true}')), even);
    assert.deepEqual(idsOf(await copied(t, where, '--doc-ids', ids)), ['doc-000003', 'doc-000005']);
    const { last_seq } = (await couch.get(`${where}/_changes`)).json;
    await put(couch, where, 'late');
    assert.deepEqual(idsOf(await copied(t, where, '--since', String(last_seq))), ['late']);
});

test('a copy of some documents does not stand for one of all', async (t) => {
    const ends = makeEnds(t, couch);
    const { where } = await makeFilled(couch, 6);
    const to = await couch.makeDb();
    assert.equal((await ends.run('copy', where, to, '--doc-ids', '["doc-000003"]')).code, 0);
    assert.equal((await ends.run('copy', where, to)).code, 0);
    assert.equal((await ends.run('verify', where, to)).code, 0);
});

test('losers of conflicts stay behind when winners alone are asked for', async (t) => {
    const where = await couch.makeDb();
    await putLeaves(couch, where, [
        { _id: 'c', _rev: '2-aa', _revisions: { start: 2, ids: ['aa', 'x'] } },
        { _id: 'c', _rev: '2-bb', _revisions: { start: 2, ids: ['bb', 'x'] } },
    ]);
    const rows = await copied(t, where, '--winning-revs-only');
    assert.deepEqual(rows[0].changes, [{ rev: '2-bb' }]);
});

/* ---- all databases ---- */

test('all databases of a server, those that are empty too, and who may do what', async (t) => {
    const ends = makeEnds(t, couch);
    const second = await startSecond(t);
    const to = second.url.replace('://', '://admin@');
    const prefix = uniqueDb('all');
    const security = { admins: { names: ['ada'], roles: [] }, members: { names: [], roles: ['x'] } };
    for (const [name, count] of Object.entries({ one: 10, two: 20, empty: 0 })) {
        const where = await couch.makeDb(`${prefix}_${name}`);
        await fill(couch, where, names(count));
        await couch.put(`${where}/_security`, security);
    }
    await couch.makeDb(`other_${prefix}`);
    const words = ['--all-dbs', '--databases', `^${prefix}`];
    const refused = await ends.run('copy', '', to, ...words);
    assert.equal(refused.code, NOINPUT);
    assert.match(refused.stderr, /and lacks others too: make them by --create/);

    const run = await ends.run('copy', '', to, ...words, '--create', '--security', '--json');
    assert.equal(run.code, 0, run.stderr);
    const { databases, databases_made, security_copied, copied: count } = run.json;
    assert.deepEqual([databases, databases_made, security_copied, count], [3, 3, 3, 30]);
    for (const name of ['one', 'two', 'empty']) {
        const { json } = await second.get(`/${prefix}_${name}/_security`);
        assert.deepEqual(json.admins.names, ['ada'], name);
    }
    assert.equal(await exists(`/other_${prefix}`, second), false);
    const verified = await ends.run('verify', '', to, ...words);
    assert.equal(verified.code, 0, verified.stdout);
});

test('no database that matches is an error', async (t) => {
    const ends = makeEnds(t, couch);
    const second = await startSecond(t);
    const to = second.url.replace('://', '://admin@');
    const run = await ends.run('copy', '', to, '-a', '-d', `^${uniqueDb('none')}$`);
    assert.equal(run.code, NOINPUT);
    assert.match(run.stderr, /no database that matches/);
});

/* ---- cut short ---- */

/* A target that takes the first `count` groups of documents, when all of them have come, and
 * lets those that come later wait for open(). */
async function startGated(t, count) {
    let open, all;
    const opened = new Promise((resolve) => (open = resolve));
    const arrived = new Promise((resolve) => (all = resolve));
    const gate = await startGateway(t, couch, async (req) => {
        if (!req.url.endsWith('/_bulk_docs')) return;
        if (gate.came++ >= count) gate.held = true;
        if (gate.came === count) all();
        await (gate.came > count ? opened : Promise.race([arrived, opened]));
    });
    gate.came = 0;
    gate.url = gate.url.replace('://', '://admin@');
    gate.open = open;
    return gate;
}

/* How many rows are settled, by the checkpoints of the one state that there is. */
async function settledOf(ends) {
    const [dir] = statesOf(ends);
    const run = await tailrace(['checkpoint', 'list', '--json', '--state-dir', dir]);
    const rows = run.code === 0 ? JSON.parse(run.stdout).checkpoints.map((it) => it.rows) : [];
    return rows.reduce((a, b) => a + b, 0);
}

/* A copy of 9,000 documents that stands still with some of them settled. */
async function startHalf(t) {
    const ends = makeEnds(t, couch);
    const { where } = await makeFilled(couch, 9000);
    const to = await couch.makeDb();
    const gate = await startGated(t, 4);
    const toGate = gate.url + to;
    /* Four groups at a time, of 2,000 documents at most. */
    const run = ends.start('copy', where, toGate, '--jobs', '1');
    await waitFor(() => gate.held, 'the request that is held', 60000);
    await waitFor(() => settledOf(ends), 'a checkpoint', 60000);
    return { ends, where, to, toGate, gate, run };
}

test('one that was killed goes on where it was', async (t) => {
    const { ends, where, to, toGate, gate, run } = await startHalf(t);
    await run.kill9();
    gate.open();
    assert.equal(statesOf(ends).length, 1);
    const again = await ends.run('copy', where, toGate, '--json');
    assert.equal(again.code, 0, again.stderr);
    assert.equal(again.json.resumed, true);
    assert.ok(again.json.read < 9000, `${again.json.read} were read again`);
    assert.equal((await ends.run('verify', where, to)).code, 0);
    assert.deepEqual(statesOf(ends), []);
});

test('one that is killed again and again gets done', async (t) => {
    const ends = makeEnds(t, couch);
    const { where } = await makeFilled(couch, 6000);
    const to = await couch.makeDb();
    for (let i = 0; i < 6; i++) {
        const run = ends.start('copy', where, to);
        const came = (await couch.get(to)).json.doc_count;
        /* Somewhere between the first request and the last. */
        await waitFor(
            async () => !run.running || (await couch.get(to)).json.doc_count > came,
            'documents',
        );
        await run.kill9();
    }
    const done = await ends.run('copy', where, to);
    assert.equal(done.code, 0, done.stderr);
    assert.equal((await ends.run('verify', where, to)).code, 0);
});

test('one that is asked to end says that it is not complete', async (t) => {
    const { ends, where, to, toGate, gate, run } = await startHalf(t);
    run.signal('SIGTERM');
    gate.open();
    assert.equal((await run.exited).code, TEMPFAIL);
    assert.match(run.stdout, /it is not complete: the same command goes on from here/);
    assert.equal((await ends.run('copy', where, toGate)).code, 0);
    assert.equal((await ends.run('verify', where, to)).code, 0);
});

test('a target that was made anew meanwhile gets all of it', async (t) => {
    const { ends, where, to, toGate, gate, run } = await startHalf(t);
    await run.kill9();
    gate.open();
    await couch.delete(to);
    await waitFor(async () => (await couch.put(to)).status === 201, 'the new target');
    const again = await ends.run('copy', where, toGate);
    assert.equal(again.code, 0, again.stderr);
    const { stdout, code } = await ends.run('verify', where, to);
    assert.equal(code, 0, stdout);
});

test('the same copy twice at a time is refused', async (t) => {
    const { ends, where, toGate, gate, run } = await startHalf(t);
    const second = await ends.run('copy', where, toGate);
    assert.equal(second.code, TEMPFAIL, second.stderr);
    gate.open();
    assert.equal((await run.exited).code, 0);
});

/* ---- what the target refuses ---- */

test('refused documents are listed and kept, and tried again by the same command', async (t) => {
    const ends = makeEnds(t, couch);
    const { where } = await makeFilled(couch, 40, { make: (id) => ({ bad: /[1-3]5$/.test(id) }) });
    const to = await couch.makeDb();
    const validate = 'function (doc) { if (doc.bad) throw { forbidden: "no bad ones" }; }';
    const rev = await put(couch, to, '_design/strict', { validate_doc_update: validate });
    const run = await ends.run('copy', where, to);
    assert.equal(run.code, DATAERR, run.stderr);
    assert.match(run.stdout, /40 documents read, 37 copied or there already, 3 refused/);
    assert.match(run.stdout, /^doc-000015 .*forbidden: no bad ones$/m);
    const [dir] = statesOf(ends);
    assert.ok(run.stdout.includes(`tailrace dead-letter list --state-dir ${dir}`));
    const list = await tailrace(['dead-letter', 'list', '--json', '--state-dir', dir]);
    assert.equal(JSON.parse(list.stdout).dead_letters.length, 3);

    const still = await ends.run('copy', where, to, '--json');
    assert.equal(still.code, DATAERR, still.stderr);
    assert.deepEqual([still.json.complete, still.json.refused], [true, 3]);
    assert.equal(still.json.state_dir, dir);
    assert.deepEqual(
        still.json.refused_first.map(({ id }) => id).sort(),
        ['doc-000015', 'doc-000025', 'doc-000035'],
    );

    await couch.delete(`${to}/_design/strict?rev=${rev}`);
    const done = await ends.run('copy', where, to, '--json');
    assert.equal(done.code, 0, done.stderr);
    assert.equal(done.json.refused, 0);
    assert.deepEqual(statesOf(ends), []);
    const { json } = await ends.run('verify', where, to, '--json');
    assert.deepEqual([json.missing, json.different], [0, 0]);
});

test('a copy whose last step is not allowed is not complete, and goes on by itself', async (t) => {
    const ends = makeEnds(t, couch);
    const { where } = await makeFilled(couch, 5);
    const to = await couch.makeDb();
    let allowed = false;
    const gate = await startGateway(t, couch, async (req) => {
        if (!allowed && req.method === 'PUT' && req.url.endsWith('/_security'))
            return { status: 403, body: { error: 'forbidden', reason: 'not you' } };
    });
    const toGate = gate.url.replace('://', '://admin@') + to;
    const run = await ends.run('copy', where, toGate, '--security');
    assert.equal(run.code, NOPERM, run.stderr);
    assert.match(run.stderr, /_security: 403 "not you"/);
    assert.equal(statesOf(ends).length, 1);
    allowed = true;
    const again = await ends.run('copy', where, toGate, '--security', '--json');
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual([again.json.read, again.json.security_copied], [0, 1]);
    assert.deepEqual(statesOf(ends), []);
});

/* ---- what is seen, and what is wrong ---- */

test('a terminal has a bar with how far it is', async (t) => {
    const ends = makeEnds(t, couch);
    const { where } = await makeFilled(couch, 5000);
    const to = await couch.makeDb();
    const gate = await startGated(t, 0);
    const run = startOnTerminal(t, ends.args('copy', where, gate.url + to), { env: ends.env });
    const screen = await run.until((it) => /\[ *\] {2}[01] of 1 database {2}[\d,]+ rows/.test(it.bottom()));
    gate.open();
    assert.equal((await run.ended).code, 0, screen.text());
    assert.ok(screen.isWhole());
    assert.match(screen.text(), /^1 database, 5000 documents read/m);
});

test('of several databases each has a line above the one of all', async (t) => {
    const ends = makeEnds(t, couch);
    const second = await startSecond(t);
    const prefix = uniqueDb('lines');
    for (const name of ['one', 'two']) {
        const { where } = await makeFilled(couch, 100, { name: `${prefix}_${name}` });
        await second.makeDb(where.slice(1));
    }
    let open;
    const opened = new Promise((resolve) => (open = resolve));
    const gate = await startGateway(t, second, async (req) => {
        if (req.url.endsWith('/_bulk_docs')) await opened;
    });
    const to = gate.url.replace('://', '://admin@');
    const words = ['--all-dbs', '-d', `^${prefix}`];
    const run = startOnTerminal(t, ends.args('copy', '', to, ...words), { env: ends.env });
    const shows = (screen, name, row) =>
        new RegExp(`0 rows +${prefix}_${name}`).test(screen.lines[screen.rows - row]);
    const screen = await run.until(
        (it) => shows(it, 'one', 3) && shows(it, 'two', 2) && / of 2 databases/.test(it.bottom()),
    );
    open();
    assert.equal((await run.ended).code, 0, screen.text());
    assert.ok(screen.isWhole());
    assert.match(screen.text(), /^2 databases, 200 documents read/m);
    assert.doesNotMatch(screen.text(), /rows/);
});

test('options that make no sense together are refused', async (t) => {
    const ends = makeEnds(t, couch);
    const { where } = await makeFilled(couch, 1);
    const to = futureDb();
    const wrong = [
        [['--q', '2'], /go with --create/],
        [['--filter', 'a/b', '--selector', '{}'], /exclude each other/],
        [['--filter-param', 'a=b'], /goes with --filter/],
        [['--filter', 'a/b', '--filter-param', 'a'], /NAME=VALUE is wanted/],
        [['--doc-ids', 'a,b'], /a JSON array of ids is wanted/],
        [['--databases', 'x'], /goes with --all-dbs/],
        [['--jobs', '0'], /--jobs 0/],
        [['--progress', 'loud'], /it is one of auto, log, never/],
    ];
    for (const [words, message] of wrong) {
        const run = await ends.run('copy', where, to, ...words);
        assert.equal(run.code, USAGE, words.join(' '));
        assert.match(run.stderr, message);
    }
    const selector = await ends.run('copy', where, to, '--create', '--selector', '{');
    assert.notEqual(selector.code, 0);
    assert.match(selector.stderr, /^tailrace: --selector: .*\n$/);
    assert.equal(await exists(to), false);
    assert.deepEqual(statesOf(ends), []);
});
