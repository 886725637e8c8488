/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules from documents: put, changed and removed live; bad ones among good ones; what is written
 * back; ends and starts.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');
const { startReceiver } = require('../lib/receiver');
const { makeSite } = require('./lib/site');
const { startHook, ids, sortedIds } = require('./lib/sink');
const { dbOf, fill, makeFilled, names, put, remove, replaceDb } = require('./lib/docs');
const { atEnd } = require('../lib/at_end');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

const READ = { msg: 'rules of documents are read' };
const PARAMS = { db: '$db_name', id: '$change.id', rev: '$change.rev', doc: '$change' };

/* A database of rules, and a site that takes them from there. */
async function makeRules(t, options = {}, parts = {}) {
    const where = await couch.makeDb(uniqueDb());
    const group = {
        source: 'main',
        database: dbOf(where),
        plugins: ['http-webhook', 'replicator'],
        defaults: { retry: { min: '5ms', max: '100ms' } },
        ...options,
    };
    const site = makeSite(t, couch, {
        ...parts,
        source: { poll_interval: '200ms', discover_interval: '300ms', retry_max: '300ms' },
        main: { rule_documents: { g: group } },
    });
    const doc = async (id) => (await couch.get(`${where}/${encodeURIComponent(id)}`)).json;
    const write = async (id, fields) => {
        const { _rev } = await doc(id);
        return put(couch, where, encodeURIComponent(id), { _rev, ...fields });
    };
    return { where, db: dbOf(where), site, group, doc, write };
}

const onChange = (hook, db, fields) => ({
    type: 'on_change',
    db_name: `^${db}$`,
    url: `${hook.url}/`,
    method: 'POST',
    params: PARAMS,
    ...fields,
});

const native = (hook, db, { options, ...fields } = {}) => ({
    type: 'rule',
    databases: [db],
    since: 'beginning',
    plugin: 'http-webhook',
    options: { url: `${hook.url}/`, method: 'POST', params: PARAMS, ...options },
    ...fields,
});

const ruleOf = (id) => ({ msg: 'rule started', rule: `g/${id}` });

test('a document that is put starts a rule, one that is removed ends it', async (t) => {
    const rules = await makeRules(t);
    const { where, db } = await makeFilled(couch, 5);
    const hook = await startHook(t);
    const daemon = rules.site.start();
    await daemon.waitForLog(READ);
    await rules.write('r', native(hook, db));
    await hook.until(5);
    await put(couch, where, 'live');
    await hook.until(6);
    await remove(couch, rules.where, 'r');
    await daemon.waitForLog({ msg: 'rule of a document ends', document: 'r' });
    await put(couch, where, 'unheard');
    await rules.write('r', native(hook, db));
    await hook.until(7); /* from its checkpoint, nothing twice */
    assert.equal((await daemon.stop()).code, 0);
    assert.equal(hook.taken.length, 7);
    assert.equal(hook.taken[6].id, 'unheard');
});

test('a document that is changed changes its rule; one that says the same does not', async (t) => {
    const rules = await makeRules(t);
    const { where, db } = await makeFilled(couch, 3);
    const [a, b] = [await startHook(t), await startHook(t)];
    await rules.write('r', native(a, db));
    const daemon = rules.site.start();
    await a.until(3);
    await rules.write('r', { ...native(a, db), type: 'rule', tailrace: { note: 'x' } });
    await rules.write('mark', native(b, 'nothing'));
    await daemon.waitForLog({ msg: 'rule of a document', document: 'mark' });
    await put(couch, where, 'same');
    await a.until(4);
    const starts = () => daemon.logs().filter((r) => r.rule === 'g/r' && r.msg === 'rule started');
    assert.equal(starts().length, 1);
    await rules.write('r', native(b, db));
    await waitFor(() => starts().length === 2, 'the rule as it is now');
    await put(couch, where, 'other');
    await b.until(1);
    await daemon.stop();
    assert.deepEqual(ids(b.taken), ['other']);
    assert.equal(a.taken.length, 4);
});

test("Spiegel's documents mean what they mean to Spiegel", async (t) => {
    const rules = await makeRules(t, { since: 'beginning' });
    const where = await couch.makeDb(uniqueDb());
    const receiver = await startReceiver();
    atEnd(t, () => receiver.close());
    await put(couch, where, 'post 1', { type: 'post', title: 'a' });
    await put(couch, where, 'page', { type: 'page' });
    await put(couch, where, 'gone', { type: 'post', gone_at: 5 });
    await put(couch, where, 'bare', {});
    await rules.write('stats', {
        type: 'on_change',
        db_name: dbOf(where),
        if: { type: '^post$', gone_at: null },
        url: `${receiver.url}/\${db_name}/\${change.id}?q=1&\${who}`,
        method: 'put',
        params: {
            change: '$change',
            id: '${change.id}',
            text: 'a $change.id',
            unknown: '$who',
            field: '$change.title',
            number: 5.5,
            yes: true,
            none: null,
            object: { a: [1, '$seq'] },
        },
        block: true,
    });
    await rules.write('get', {
        type: 'on_change',
        db_name: dbOf(where),
        if: { type: '.*' },
        url: `${receiver.url}/get`,
        params: { id: '$change.id', n: 1, s: 'a&b' },
    });
    assert.equal((await rules.site.once()).code, 0);
    const puts = receiver.requests.filter((r) => r.method === 'PUT');
    assert.equal(puts.length, 1);
    assert.equal(puts[0].path, `/${dbOf(where)}/post%201`);
    assert.equal(puts[0].url.split('?')[1], 'q=1&$%7Bwho%7D');
    const { change, ...body } = puts[0].json();
    assert.equal(change.title, 'a');
    assert.deepEqual(body, {
        id: 'post 1',
        text: 'a $change.id',
        unknown: '$who',
        field: '$change.title',
        number: 5.5,
        yes: true,
        none: null,
        object: { a: [1, '$seq'] },
    });
    /* What lacks the attribute is not "undefined". */
    const gets = receiver.requests.filter((r) => r.method === 'GET');
    assert.deepEqual(gets.map((r) => r.url).sort(), [
        '/get?id=gone&n=1&s=a%26b',
        '/get?id=page&n=1&s=a%26b',
        '/get?id=post%201&n=1&s=a%26b',
    ]);
});

test('a replicator document copies at once, and again on every change', async (t) => {
    const rules = await makeRules(t);
    const { where, db, ids: written } = await makeFilled(couch, 5);
    const target = await couch.makeDb(uniqueDb());
    const url = (name) => `${couch.url.replace('://', '://admin@')}/${name}`;
    await rules.write('copy', {
        type: 'replicator',
        source: url(db),
        target: url(dbOf(target)),
        continuous: true,
        dirty: false,
    });
    const daemon = rules.site.start();
    const count = async () => (await couch.get(target)).json.doc_count;
    await waitFor(async () => (await count()) === written.length, 'the copy');
    await put(couch, where, 'live');
    await waitFor(async () => (await count()) === written.length + 1, 'the change in the copy');
    assert.equal((await daemon.stop()).code, 0);
});

test('a bad document is reported and holds up nobody', async (t) => {
    const rules = await makeRules(t, { report: true });
    const { where, db } = await makeFilled(couch, 4);
    const hook = await startHook(t);
    await rules.write('a-good', native(hook, db));
    await rules.write('bad regex', onChange(hook, 'x', { db_name: '(' }));
    await rules.write('bad/plugin', native(hook, db, { plugin: 'file-sink' }));
    await rules.write('bad-path', native(hook, db, { options: { ca_file: '/etc/passwd' } }));
    await rules.write('bad-secret', {
        ...native(hook, db),
        options: { url: hook.url, headers: { A: 'env:HOME' } },
    });
    await rules.write('other', { type: 'change_listener', db_name: 5 });
    const daemon = rules.site.start();
    await hook.until(4);
    const reasons = {
        'bad regex': /^\/db_name: .*missing closing parenthesis/,
        'bad/plugin': /^\/plugin: "file-sink" is not among the plugins/,
        'bad-path': /^\/options\/ca_file: is a path/,
        'bad-secret': /^\/options\/headers\/A: refers to a secret/,
    };
    for (const [id, reason] of Object.entries(reasons)) {
        await daemon.waitForLog({ msg: 'document is no proper rule', document: id, reason });
        const { tailrace } = await waitFor(
            async () => (await rules.doc(id)).tailrace && rules.doc(id),
            `the report in ${id}`,
        );
        assert.equal(tailrace.state, 'invalid');
        assert.match(tailrace.reason, reason);
    }
    await put(couch, where, 'live');
    await hook.until(5);
    /* Each was written once, and said once. */
    for (const id of Object.keys(reasons)) {
        assert.match((await rules.doc(id))._rev, /^2-/);
        const said = daemon.logs().filter((r) => r.document === id && r.reason);
        assert.equal(said.length, 1);
    }
    assert.equal((await rules.doc('other')).tailrace, undefined);
    assert.equal((await rules.doc('a-good')).tailrace, undefined);
    assert.equal((await daemon.stop()).code, 0);
});

test('a document that is mended says so and is a rule; one that breaks is none', async (t) => {
    const rules = await makeRules(t, { report: true });
    const { where, db } = await makeFilled(couch, 2);
    const hook = await startHook(t);
    await rules.write('r', { ...native(hook, db), plugin: 'http-webhok' });
    const daemon = rules.site.start();
    const stateIs = (state) =>
        waitFor(async () => (await rules.doc('r')).tailrace?.state === state, state);
    await stateIs('invalid');
    const { tailrace } = await rules.doc('r');
    await rules.write('r', { ...native(hook, db), tailrace });
    await stateIs('running');
    await hook.until(2);
    await rules.write('r', { ...native(hook, db), databases: 5 });
    await stateIs('invalid');
    await put(couch, where, 'meanwhile');
    await rules.write('r', native(hook, db));
    await hook.until(3); /* its checkpoints were kept */
    assert.equal((await daemon.stop()).code, 0);
    assert.equal(hook.taken.length, 3);
});

test('without `report` no document is written', async (t) => {
    const rules = await makeRules(t);
    await rules.write('bad', { type: 'on_change' });
    const daemon = rules.site.start();
    await daemon.waitForLog({ msg: 'document is no proper rule', document: 'bad' });
    await daemon.waitForLog(READ);
    await daemon.stop();
    assert.match((await rules.doc('bad'))._rev, /^1-/);
});

test('after a kill -9 every rule goes on from its checkpoints', async (t) => {
    const rules = await makeRules(t, { defaults: { commit: { interval: '10ms' } } });
    const { where, db } = await makeFilled(couch, 50);
    const [a, b] = [await startHook(t), await startHook(t)];
    await rules.write('a', native(a, db));
    await rules.write('b', native(b, db));
    let daemon = rules.site.start();
    await Promise.all([a.until(50), b.until(50)]);
    await waitFor(async () => {
        const { checkpoints } = await rules.site.command(['checkpoint', 'list']);
        return checkpoints.filter((c) => c.db === db).length === 2;
    }, 'the checkpoints');
    await daemon.kill9();
    await fill(couch, where, names(10, 'late'));
    await remove(couch, rules.where, 'b');
    daemon = rules.site.start();
    await a.until((taken) => new Set(ids(taken)).size === 60);
    await daemon.waitForLog(READ);
    assert.equal((await daemon.stop()).code, 0);
    assert.equal(b.taken.length, 50); /* removed while nobody looked */
});

test('a rule that begins now hears what comes from now on, and all of it', async (t) => {
    const rules = await makeRules(t);
    const { where, db } = await makeFilled(couch, 10);
    const hook = await startHook(t);
    await rules.write('r', onChange(hook, db));
    const daemon = rules.site.start();
    await daemon.waitForLog(ruleOf('r'));
    await waitFor(async () => {
        const { checkpoints } = await rules.site.command(['checkpoint', 'list']);
        return checkpoints.some((c) => c.db === db);
    }, 'its first position');
    await put(couch, where, 'first');
    await hook.until(1);
    await daemon.stop();
    await put(couch, where, 'between');
    const again = rules.site.start();
    await hook.until(2);
    await again.stop();
    assert.deepEqual(ids(hook.taken), ['first', 'between']);
});

test('`run --once` reads the documents first and then runs their rules', async (t) => {
    const rules = await makeRules(t);
    const { db, ids: written } = await makeFilled(couch, 20);
    const hook = await startHook(t);
    for (let i = 0; i < 30; i++) await rules.write(`r${i}`, native(hook, i ? 'no-such' : db));
    await rules.write('bad', { type: 'rule' });
    for (let i = 1; i < 30; i++) await remove(couch, rules.where, `r${i}`);
    await rules.site.once();
    assert.deepEqual(sortedIds(hook.taken), written);
    await rules.site.once();
    assert.equal(hook.taken.length, 20);
});

test('`run --once` without the database of documents says so', async (t) => {
    const rules = await makeRules(t);
    await couch.delete(rules.where);
    const run = await rules.site.once({ code: 66 });
    assert.match(run.stderr, /documents of rules cannot be read/);
});

test('the database of documents may come later, and go, and come again', async (t) => {
    const rules = await makeRules(t);
    const { where, db } = await makeFilled(couch, 3);
    const hook = await startHook(t);
    await couch.delete(rules.where);
    const daemon = rules.site.start();
    await daemon.waitForLog({ msg: /documents of rules cannot be read/ });
    await couch.put(rules.where);
    await put(couch, rules.where, 'a', native(hook, db));
    await put(couch, rules.where, 'b', native(hook, 'nothing'));
    await hook.until(3);
    await replaceDb(couch, rules.where, []);
    await put(couch, rules.where, 'a', native(hook, db));
    await daemon.waitForLog({ msg: 'rule of a document ends', document: 'b' });
    await put(couch, where, 'live');
    await hook.until(4);
    assert.equal((await daemon.stop()).code, 0);
    /* Also if the new database was looked at before its document was there. */
    assert.equal(hook.taken.length, 4);
});

test('a reload keeps the rules, and ends those of a group that is gone', async (t) => {
    const rules = await makeRules(t);
    const { where, db } = await makeFilled(couch, 3);
    const hook = await startHook(t);
    await rules.write('r', native(hook, db));
    const daemon = rules.site.start();
    await hook.until(3);
    let from = daemon.stderrLines.length;
    daemon.signal('SIGHUP');
    await daemon.waitForLog(READ, 10000, { from });
    await put(couch, where, 'kept');
    await hook.until(4);
    from = daemon.stderrLines.length;
    rules.site.write({ main: { rule_documents: { g: { ...rules.group, plugins: ['replicator'] } } } });
    daemon.signal('SIGHUP');
    await daemon.waitForLog({ msg: 'document is no proper rule', document: 'r' }, 10000, { from });
    await put(couch, where, 'unheard');
    rules.site.write({ main: { rule_documents: { g: rules.group } } });
    daemon.signal('SIGHUP');
    await hook.until(5);
    from = daemon.stderrLines.length;
    rules.site.write({ main: {} });
    daemon.signal('SIGHUP');
    await daemon.waitForLog({ msg: 'rule of a document ends', document: 'r' }, 10000, { from });
    await put(couch, where, 'never');
    assert.equal((await daemon.stop()).code, 0);
    assert.deepEqual(ids(hook.taken).slice(3), ['kept', 'unheard']);
});

test('a pattern of a document that backtracks for ever costs a change, not the daemon', async (t) => {
    const rules = await makeRules(t, { since: 'beginning' });
    const where = await couch.makeDb(uniqueDb());
    const [evil, good] = [await startHook(t), await startHook(t)];
    await put(couch, where, 'long', { type: `${'a'.repeat(4000)}!` });
    await put(couch, where, 'short', { type: 'aa' });
    await rules.write('evil', onChange(evil, dbOf(where), { if: { type: '^(a+)+$' } }));
    await rules.write('good', onChange(good, dbOf(where)));
    const daemon = rules.site.start();
    await Promise.all([good.until(2), evil.until(1)]);
    assert.equal((await daemon.stop()).code, 0);
    assert.deepEqual(ids(evil.taken), ['short']);
});

test('five hundred documents are five hundred rules', async (t) => {
    const rules = await makeRules(t);
    const { db } = await makeFilled(couch, 2);
    const hook = await startHook(t);
    const count = 500;
    await fill(couch, rules.where, names(count, 'r'), () => native(hook, db));
    await rules.site.once({ timeoutMs: 120000 });
    assert.equal(hook.taken.length, 2 * count);
});

test('`check` judges the groups of documents', async (t) => {
    const rules = await makeRules(t);
    assert.equal((await rules.site.command(['check'])).valid ?? true, true);
    rules.site.write({ main: { rule_documents: { g: { ...rules.group, source: 'x' } } } });
    const answer = await rules.site.command(['check'], { code: 78 });
    assert.match(JSON.stringify(answer), /rule_documents\.g\.source/);
    assert.ok(fs.existsSync(path.join(rules.site.dir, 'tailrace.conf')));
});
