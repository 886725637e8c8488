/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tailrace spiegel import`: rules go on where Spiegel stopped. What was answered is not sent
 * again, what was not is sent, and a second import changes nothing.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startTestServer, sleep, uniqueDb, waitFor } = require('../lib/couch');
const { tailrace } = require('../lib/tailrace');
const { startReceiver } = require('../lib/receiver');
const { makeFilled, fill, put, names, replaceDb, dbOf } = require('./lib/docs');
const { makeSpiegel, documentsOf, endOf } = require('./lib/spiegel');
const { makeSite } = require('./lib/site');
const { atEnd } = require('../lib/at_end');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

const PREFIX = uniqueDb('sp');
const named = (what) => `${PREFIX}_${what}`;

/* Only those of this test, whatever else the server has. */
const urlOf = (db) => `${couch.url.replace('://', '://admin@')}/${encodeURIComponent(db)}`;

function importArgs(site, ...more) {
    return site.args('spiegel', 'import', ...more);
}

async function importSpiegel(site, ...more) {
    const run = await tailrace(importArgs(site, '--json', ...more));
    assert.equal(run.code, 0, run.stderr);
    const plan = JSON.parse(run.stdout);
    plan.rule = (id) => plan.rules.find((rule) => rule.rule === `spiegel/${id}`);
    plan.place = (id, db) => plan.rule(id).checkpoints.find((place) => place.db === db);
    plan.stderr = run.stderr;
    return plan;
}

/* Positions are opaque, and two of the same place need not be the same text. */
async function isAtEnd(where, seq) {
    const since = encodeURIComponent(seq);
    const { json } = await couch.get(`${where}/_changes?since=${since}`);
    return seq !== 0 && json.results.length === 0;
}

const checkpoints = async (site) => {
    const list = await site.command(['checkpoint', 'list']);
    return list.checkpoints || list;
};

/* Requests by the id of the document that they are about. */
async function startApi(t) {
    const api = await startReceiver({});
    atEnd(t, () => api.close());
    api.ids = (where = '/') =>
        api.requests
            .filter((req) => req.path === where)
            .map((req) => (req.body ? req.json().change._id : req.query.get('id')));
    return api;
}

const rule = (api, db_name, more) => ({
    db_name,
    url: `${api.url}/`,
    method: 'PUT',
    params: { change: '$change' },
    ...more,
});

test('a dry run prints the plan and writes nothing', async (t) => {
    const api = await startApi(t);
    const posts = await makeFilled(couch, 3, { name: named('dry') });
    const spiegel = await makeSpiegel(couch);
    await spiegel.onChange('stats', rule(api, `^${posts.db}$`));
    await spiegel.listener(posts.db, { last_seq: await endOf(couch, posts.where) });
    await spiegel.stop();
    const site = makeSite(t, couch, { main: documentsOf(spiegel) });

    const run = await tailrace(importArgs(site, '--dry-run'));
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, new RegExp(`spiegel/stats +${posts.db} +\\S+ +where Spiegel stood`));
    assert.match(run.stderr, /1 rule, 1 checkpoint to be written/);
    assert.equal(fs.existsSync(path.join(site.stateDir, 'tailrace.db')), false);
});

test('rules begin where Spiegel stood, and a second import changes nothing', async (t) => {
    const api = await startApi(t);
    const spiegel = await makeSpiegel(couch);
    const done = await makeFilled(couch, 3, { name: named('done') });
    const halfway = await makeFilled(couch, 3, { name: named('half') });
    const failing = await makeFilled(couch, 2, { name: named('fail') });
    const unheard = await makeFilled(couch, 1, { name: named('unheard') });
    const slash = await makeFilled(couch, 1, { name: named('a/b') });
    const seqs = {
        done: await endOf(couch, done.where),
        half: await endOf(couch, halfway.where),
        slash: await endOf(couch, slash.where),
    };
    await spiegel.onChange('all', rule(api, `^${PREFIX}_(done|half|fail|unheard|a)`));
    await spiegel.listener(done.db, { last_seq: seqs.done });
    await spiegel.listener(halfway.db, { last_seq: seqs.half, dirty: true });
    await spiegel.listener(failing.db, { dirty: true, locked_at: new Date().toISOString() });
    await spiegel.listener(slash.db, { last_seq: seqs.slash });
    await fill(couch, halfway.where, names(2, 'late'));
    await spiegel.stop();
    const late = await makeFilled(couch, 1, { name: named('unheard2') });
    await sleep(1500);
    const site = makeSite(t, couch, { main: documentsOf(spiegel) });

    const plan = await importSpiegel(site);
    assert.deepEqual(plan.place('all', done.db).why, 'listened');
    assert.deepEqual(plan.place('all', done.db).seq, seqs.done);
    assert.deepEqual(plan.place('all', halfway.db).seq, seqs.half);
    assert.deepEqual(plan.place('all', slash.db).seq, seqs.slash);
    assert.deepEqual(plan.place('all', failing.db).why, 'unanswered');
    assert.deepEqual(plan.place('all', failing.db).seq, 0);
    assert.deepEqual(plan.place('all', unheard.db).why, 'never');
    assert.deepEqual(plan.place('all', late.db).why, 'changed');
    assert.match(plan.stderr, /1 document locked/);
    assert.match(plan.stderr, /Spiegel wrote to its database \d+ s ago/);
    const first = await checkpoints(site);
    assert.equal(first.length, 6);

    const again = await importSpiegel(site);
    assert.ok(again.rule('all').checkpoints.every((place) => place.kept));
    assert.deepEqual(await checkpoints(site), first);
});

test('the daemon delivers exactly what came after the positions', async (t) => {
    const api = await startApi(t);
    const spiegel = await makeSpiegel(couch);
    const one = await makeFilled(couch, 3, { name: named('go1') });
    const two = await makeFilled(couch, 2, { name: named('go2') });
    await spiegel.onChange('go', rule(api, `^${PREFIX}_go`));
    await spiegel.listener(one.db, { last_seq: await endOf(couch, one.where) });
    await spiegel.listener(two.db, { last_seq: await endOf(couch, two.where), dirty: true });
    await put(couch, two.where, 'before-the-switch');
    await spiegel.stop();
    const site = makeSite(t, couch, { main: documentsOf(spiegel) });

    await importSpiegel(site);
    await put(couch, one.where, 'while-nobody-listened');
    const daemon = site.start();
    await api.waitFor(2);
    await put(couch, one.where, 'after');
    await api.waitFor((req) => req.json().change._id === 'after');
    const three = await makeFilled(couch, 1, { name: named('go3') });
    await api.waitFor((req) => req.json().change._id === three.ids[0], 60000);
    assert.equal((await daemon.stop()).code, 0);
    assert.deepEqual(api.ids().sort(), [
        'after',
        'before-the-switch',
        three.ids[0],
        'while-nobody-listened',
    ]);
});

test('a database that was made anew since is read from its beginning', async (t) => {
    const api = await startApi(t);
    const spiegel = await makeSpiegel(couch);
    const db = await makeFilled(couch, 3, { name: named('anew') });
    await spiegel.onChange('anew', rule(api, `^${db.db}$`));
    await spiegel.listener(db.db, { last_seq: await endOf(couch, db.where) });
    const second = () => Math.floor(Date.now() / 1000); // incarnations tell no more
    const listened = second();
    await waitFor(() => second() > listened, 'the next second');
    await replaceDb(couch, db.where, names(2, 'new'));
    await spiegel.stop();
    const site = makeSite(t, couch, { main: documentsOf(spiegel) });

    const plan = await importSpiegel(site, '--dry-run');
    assert.equal(plan.place('anew', db.db).why, 'made_anew');
    assert.equal(plan.place('anew', db.db).seq, 0);
});

test('replicators that are due run once, the others not', async (t) => {
    const spiegel = await makeSpiegel(couch);
    const make = (what) => makeFilled(couch, 2, { name: named(`rep_${what}`) });
    const clean = await make('clean');
    const dirty = await make('dirty');
    const soon = await make('soon');
    const moved = await make('moved');
    const target = await couch.makeDb(named('rep_target'));
    const to = (db, more) => ({ source: urlOf(db), target: urlOf(dbOf(target)), ...more });
    await put(couch, dirty.where, 'dirty-doc');
    await spiegel.replicator('clean', to(clean.db));
    await spiegel.replicator('dirty', to(dirty.db, { dirty: true }));
    await spiegel.replicator('fresh', to(dirty.db, { dirty: undefined }));
    await spiegel.replicator('soon', to(soon.db, { dirty_at: '2030-01-01T00:00:00.000Z' }));
    await spiegel.replicator('moved', to(moved.db));
    await spiegel.stop();
    await put(couch, moved.where, 'another');
    const site = makeSite(t, couch, { main: documentsOf(spiegel) });

    const plan = await importSpiegel(site, '--dry-run');
    const why = (id, db) => plan.place(id, db.db).why;
    assert.equal(plan.changes_known, true);
    assert.equal(why('clean', clean), 'replicated');
    assert.ok(await isAtEnd(clean.where, plan.place('clean', clean.db).seq));
    assert.equal(why('dirty', dirty), 'to_replicate');
    assert.equal(why('fresh', dirty), 'to_replicate');
    assert.equal(why('soon', soon), 'to_replicate');
    assert.equal(why('moved', moved), 'to_replicate');

    const all = await importSpiegel(site, '--dry-run', '--replicate-all');
    assert.equal(all.place('clean', clean.db).why, 'to_replicate');

    await importSpiegel(site);
    const daemon = site.start();
    const has = async (id) => (await couch.get(`${target}/${id}`)).status === 200;
    await waitFor(async () => (await has('dirty-doc')) && (await has('another')), 'the runs');
    await put(couch, clean.where, 'from-now-on');
    await waitFor(() => has('from-now-on'), 'the run after a change');
    assert.equal((await daemon.stop()).code, 0);
});

test('without a position on _global_changes every replicator runs once', async (t) => {
    const spiegel = await makeSpiegel(couch);
    const db = await makeFilled(couch, 1, { name: named('lost') });
    await spiegel.replicator('r', { source: urlOf(db.db), target: urlOf(named('nowhere')) });
    const site = makeSite(t, couch, { main: documentsOf(spiegel) });

    const plan = await importSpiegel(site, '--dry-run');
    assert.equal(plan.changes_known, false);
    assert.equal(plan.place('r', db.db).why, 'to_replicate');
    assert.match(plan.stderr, /every replicator runs once: .*global_lastSeq/);
});

test('what Spiegel never listened to begins at its end if that is asked for', async (t) => {
    const api = await startApi(t);
    const spiegel = await makeSpiegel(couch);
    const db = await makeFilled(couch, 2, { name: named('idle') });
    await spiegel.onChange('idle', rule(api, `^${db.db}$`));
    await spiegel.stop();
    const site = makeSite(t, couch, { main: documentsOf(spiegel) });

    const usual = await importSpiegel(site, '--dry-run');
    assert.equal(usual.place('idle', db.db).seq, 0);
    const now = await importSpiegel(site, '--dry-run', '--unlistened', 'now');
    assert.ok(await isAtEnd(db.where, now.place('idle', db.db).seq));
});

test('a document that is no rule is told with its reason, the others are rules', async (t) => {
    const api = await startApi(t);
    const spiegel = await makeSpiegel(couch);
    const db = await makeFilled(couch, 1, { name: named('odd') });
    await spiegel.onChange('good', rule(api, `^${db.db}$`));
    await spiegel.onChange('bad-pattern', rule(api, '^('));
    await spiegel.onChange('no-url', { db_name: '.*' });
    await spiegel.listener(db.db, { last_seq: await endOf(couch, db.where) });
    await spiegel.stop();
    const site = makeSite(t, couch, { main: documentsOf(spiegel) });

    const plan = await importSpiegel(site);
    assert.equal(plan.rule('good').valid, true);
    assert.match(plan.rule('bad-pattern').reason, /db_name/);
    assert.match(plan.rule('no-url').reason, /url/);
    assert.match(plan.stderr, /2 documents cannot be a rule/);
    assert.equal((await checkpoints(site)).length, 1);
});

test('thousands of documents are read page by page, each once', async (t) => {
    const spiegel = await makeSpiegel(couch);
    const ids = names(2500, 'r');
    await fill(couch, spiegel.where, ids, (id) => ({
        type: 'replicator',
        source: urlOf(named(id)),
        target: urlOf(named('all')),
    }));
    await makeFilled(couch, 1, { name: named(ids[1700]) });
    await spiegel.stop();
    const site = makeSite(t, couch, { main: documentsOf(spiegel) });

    const plan = await importSpiegel(site);
    assert.deepEqual(
        plan.rules.map((rule) => rule.rule),
        ids.map((id) => `spiegel/${id}`),
    );
    assert.equal((await checkpoints(site)).length, 1);
    assert.match(plan.stderr, /2500 rules, 1 checkpoint written/);
});

test('--force writes over a checkpoint, nothing else does', async (t) => {
    const api = await startApi(t);
    const spiegel = await makeSpiegel(couch);
    const db = await makeFilled(couch, 2, { name: named('force') });
    const seq = await endOf(couch, db.where);
    await spiegel.onChange('force', rule(api, `^${db.db}$`));
    await spiegel.listener(db.db, { last_seq: seq });
    await spiegel.stop();
    const site = makeSite(t, couch, { main: documentsOf(spiegel) });
    const seqNow = async () => (await checkpoints(site))[0].seq;

    await importSpiegel(site);
    await tailrace(site.args('checkpoint', 'set', 'spiegel/force', db.db, 'beginning'));
    await importSpiegel(site);
    assert.equal(await seqNow(), 0);
    await importSpiegel(site, '--force');
    assert.equal(await seqNow(), seq);
});

test('while a daemon runs the import is refused before anything is asked', async (t) => {
    const spiegel = await makeSpiegel(couch);
    const site = makeSite(t, couch, { main: documentsOf(spiegel) });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'starting' });
    const locked = async () => {
        const run = await tailrace(importArgs(site));
        return run.code === 75 && run.stderr;
    };
    assert.match(await waitFor(locked, 'the lock'), /another/);
    assert.equal((await daemon.stop()).code, 0);
});

test('what is missing is told in one line and by its exit code', async (t) => {
    const spiegel = await makeSpiegel(couch);
    const nowhere = { db: named('nowhere') };
    const site = makeSite(t, couch, { main: documentsOf(nowhere) });
    const absent = await tailrace(importArgs(site));
    assert.equal(absent.code, 66, absent.stderr);
    assert.match(absent.stderr, new RegExp(nowhere.db));

    site.write({ main: {} });
    const none = await tailrace(importArgs(site));
    assert.equal(none.code, 78, none.stderr);
    assert.match(none.stderr, /rule_documents/);

    const one = documentsOf(spiegel).rule_documents.spiegel;
    site.write({ main: { rule_documents: { a: one, b: one } } });
    const which = await tailrace(importArgs(site));
    assert.equal(which.code, 64, which.stderr);
    assert.match(which.stderr, /--group: a, b/);
});

test('passwords that only a file of Spiegel has are told, and files that contradict', async (t) => {
    const api = await startApi(t);
    const spiegel = await makeSpiegel(couch);
    await spiegel.onChange('r', { db_name: '^x$', url: api.url.replace('://', '://user@') });
    await spiegel.stop();
    const site = makeSite(t, couch, { main: documentsOf(spiegel) });
    const file = (name, content) => {
        const at = path.join(site.dir, name);
        fs.writeFileSync(at, JSON.stringify(content), { mode: 0o600 });
        return at;
    };
    const own = file('change-listener.json', { '127.0.0.1': { user: 'secret' } });

    const plan = await importSpiegel(site, '--dry-run');
    assert.match(plan.stderr, /spiegel\/r needs the password of user at 127.0.0.1, and no/);
    const hint = await importSpiegel(site, '--dry-run', '--passwords', own);
    assert.ok(hint.stderr.includes(`add ${own} to passwords_file`), hint.stderr);
    site.write({ main: { ...site.parts.main, passwords_file: [site.passwordsFile, own] } });
    const good = await importSpiegel(site, '--dry-run');
    assert.doesNotMatch(good.stderr, /password/);

    const other = file('replicator.json', { '127.0.0.1': { user: 'canary' } });
    const bad = await tailrace(importArgs(site, '--passwords', other));
    assert.equal(bad.code, 65, bad.stderr);
    assert.match(bad.stderr, /another password of "user" at "127.0.0.1"/);
    assert.doesNotMatch(bad.stderr, /canary/);
});
