/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transforms between rule and plugin: what arrives after a chain of the bundled ones, what
 * becomes of changes that they leave out or refuse, and that a crash changes nothing of it.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startTestServer, waitFor } = require('../lib/couch');
const { tailrace } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { toFile, linesOf } = require('./lib/sink');
const { fill, makeFilled, names, put, remove } = require('./lib/docs');
const { bulkBench, lettersOf, urlOf } = require('./lib/bulk');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

const step = (plugin, options) => ({ plugin, options });
const pick = (...fields) => step('pick', { fields });
const omit = (...fields) => step('omit', { fields });
const rename = (...moves) =>
    step('rename', { fields: moves.map(([from, to]) => ({ from, to })) });
const set = (...fields) => step('set', { fields });
const skip = (field, operator, match) => step('skip', { field, operator, match });
const opfilter = (options) => step('opfilter', options);

/* A site whose rule writes documents that went through the transforms to a file. */
function siteTo(t, filled, transforms, { options, ...rule } = {}) {
    const site = makeSite(t, couch, {});
    const file = path.join(site.dir, 'out.ndjson');
    const write = (chain) =>
        site.write({
            rules: {
                r: toFile(file, [filled.db], {
                    retry: { min: '5ms', max: '50ms' },
                    transforms: chain,
                    options: { what: 'doc', ...options },
                    ...rule,
                }),
            },
        });
    write(transforms);
    return { site, file, write };
}

const byId = (docs) => [...docs].sort((a, b) => (a._id < b._id ? -1 : 1));

/* ---- what arrives ---- */

test('a chain of pick, omit, rename and set makes the documents that arrive', async (t) => {
    const filled = await makeFilled(couch, 0);
    const doc = {
        title: 'ü "quoted"',
        author: { name: 'Ada', mail: 'ada@example.com' },
        tags: ['a', { b: [1, 2.5, null] }],
        secret: true,
    };
    const a = await put(couch, filled.where, 'a', doc);
    const b = await put(couch, filled.where, 'b', { author: 'Bob' });
    const { site, file } = siteTo(t, filled, [
        pick('title', 'author', 'tags'),
        omit('author.mail'),
        rename(['title', 'headline'], ['author.name', 'by.name']),
        set({ path: 'from.db', value: '$db_name' }, { path: 'from.rev', value: '$change.rev' }),
    ]);
    await site.once();
    const from = (rev) => ({ db: filled.db, rev });
    assert.deepEqual(byId(linesOf(file)), [
        {
            _id: 'a',
            _rev: a,
            headline: doc.title,
            author: {},
            tags: doc.tags,
            by: { name: 'Ada' },
            from: from(a),
        },
        { _id: 'b', _rev: b, author: 'Bob', from: from(b) },
    ]);
});

test('a row keeps all but its document as the source sent it', async (t) => {
    const filled = await makeFilled(couch, 1, { make: () => ({ x: 1, y: 2 }) });
    const { site, file } = siteTo(t, filled, [omit('x')], { options: { what: 'row' } });
    await site.once();
    const [row] = linesOf(file);
    const [there] = (await couch.get(`${filled.where}/_changes?include_docs=true`)).json.results;
    delete there.doc.x;
    /* A cluster may write the same position in other letters. */
    assert.deepEqual({ ...row, seq: 0 }, { ...there, seq: 0 });
});

test('a mirror has the documents as the transforms left them, and follows deletions', async (t) => {
    const { toBulk, docsOf } = bulkBench(couch);
    const filled = await makeFilled(couch, 20, {
        make: (id) => ({ type: id.endsWith('0') ? 'draft' : 'post', text: id, secret: 1 }),
    });
    const to = await couch.makeDb();
    const chain = [skip('type', '==', 'post'), omit('secret'), rename(['text', 'body'])];
    const rule = toBulk(filled.db, { url: urlOf(couch, to) }, { transforms: chain });
    const site = makeSite(t, couch, { rules: { r: rule } });
    await site.once();
    const posts = filled.ids.filter((id) => !id.endsWith('0'));
    const wanted = (id) => ({ _id: id, type: 'post', body: id });
    assert.deepEqual(
        await docsOf(to),
        Object.fromEntries(posts.map((id) => [id, wanted(id)])),
    );
    await remove(couch, filled.where, posts[0]);
    await remove(couch, filled.where, 'doc-000010');
    await site.once();
    assert.deepEqual(Object.keys(await docsOf(to)), posts.slice(1));
    assert.deepEqual(await lettersOf(site), []);
});

test('opfilter tells inserts, updates and deletes apart', async (t) => {
    const filled = await makeFilled(couch, 3);
    const [insert, update, gone] = filled.ids;
    const { _rev } = (await couch.get(`${filled.where}/${update}`)).json;
    await put(couch, filled.where, `${update}?rev=${_rev}`, { n: 2 });
    await remove(couch, filled.where, gone);
    for (const [options, wanted] of [
        [{ whitelist: ['insert'] }, [insert]],
        [{ whitelist: ['update', 'delete'] }, [update, gone]],
        [{ blacklist: ['delete'] }, [insert, update]],
    ]) {
        const { site, file } = siteTo(t, filled, [opfilter(options)]);
        await site.once();
        assert.deepEqual(
            byId(linesOf(file)).map((doc) => doc._id),
            wanted,
        );
    }
});

test('pretty writes the document as it is at its place into the log', async (t) => {
    const filled = await makeFilled(couch, 0);
    await put(couch, filled.where, 'a', { list: [1, { x: 'a,{b' }], empty: [], secret: 1 });
    const { site, file } = siteTo(t, filled, [
        step('pick', { fields: ['list', 'empty'], special: false }),
        step('pretty', { spaces: 4 }),
        set({ path: 'seen', value: true }),
    ]);
    const { stderr } = await site.once();
    const lines = stderr
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line))
        .filter((record) => record.plugin === 'pretty')
        .map((record) => record.msg);
    assert.deepEqual(lines, [
        '{',
        '    "list": [',
        '        1,',
        '        {',
        '            "x": "a,{b"',
        '        }',
        '    ],',
        '    "empty": []',
        '}',
    ]);
    assert.deepEqual(linesOf(file), [
        { list: [1, { x: 'a,{b' }], empty: [], seen: true },
    ]);
});

/* ---- what does not ---- */

test('what is skipped is settled: it does not come again, nor is it a dead letter', async (t) => {
    const filled = await makeFilled(couch, 700, { make: (id) => ({ n: Number(id.slice(4)) }) });
    const { site, file, write } = siteTo(t, filled, [skip('n', '>', 690)]);
    await site.once();
    assert.deepEqual(
        byId(linesOf(file)).map((doc) => doc.n),
        [691, 692, 693, 694, 695, 696, 697, 698, 699, 700],
    );
    assert.deepEqual(await lettersOf(site), []);
    write([]);
    await site.once();
    assert.equal(linesOf(file).length, 10);
});

test('what is refused is a dead letter with the reason, and goes the whole way again', async (t) => {
    const filled = await makeFilled(couch, 0);
    await put(couch, filled.where, 'a', { meta: 'no object', title: 1 });
    await put(couch, filled.where, 'b', { meta: {}, title: 2 });
    const { site, file, write } = siteTo(t, filled, [rename(['title', 'meta.title'])]);
    await site.once();
    assert.deepEqual(
        linesOf(file).map(({ _id, meta }) => [_id, meta]),
        [['b', { title: 2 }]],
    );
    const [letter] = await lettersOf(site);
    assert.equal(letter.doc_id, 'a');
    assert.match(letter.error, /transform rename: "title" cannot be renamed to "meta.title"/);
    write([omit('meta'), rename(['title', 'meta.title'])]);
    await site.command(['dead-letter', 'replay', '--all']);
    assert.deepEqual(
        linesOf(file)
            .slice(1)
            .map(({ _id, meta }) => [_id, meta]),
        [['a', { title: 1 }]],
    );
    assert.deepEqual(await lettersOf(site), []);
});

test('an expression that gives up refuses that document alone', async (t) => {
    const filled = await makeFilled(couch, 0);
    await put(couch, filled.where, 'evil', { v: `${'a'.repeat(60)}!` });
    await put(couch, filled.where, 'good', { v: 'aaa' });
    await put(couch, filled.where, 'other', { v: 'bbb' });
    const { site, file } = siteTo(t, filled, [skip('v', '=~', '^(a+)+$')]);
    await site.once();
    assert.deepEqual(
        linesOf(file).map((doc) => doc._id),
        ['good'],
    );
    const letters = await lettersOf(site);
    assert.deepEqual(
        letters.map((letter) => letter.doc_id),
        ['evil'],
    );
    assert.match(letters[0].error, /transform skip: the regular expression gave up/);
});

/* ---- crashes and reloads ---- */

test('after kill -9 again and again every change has gone through, and whole', async (t) => {
    const filled = await makeFilled(couch, 0);
    const ids = names(6000);
    await fill(couch, filled.where, ids, (id) => ({ n: Number(id.slice(4)), text: id }));
    const { site, file } = siteTo(
        t,
        filled,
        [
            skip('n', '>', 1000),
            rename(['text', 'meta.text']),
            omit('n'),
            set({ path: 'db', value: '$db_name' }),
        ],
        { batch: { size: 70 }, window: { rows: 500 }, commit: { interval: '20ms', rows: 200 } },
    );
    const size = () => (fs.existsSync(file) ? fs.statSync(file).size : 0);
    const lines = () => fs.readFileSync(file, 'utf8').split('\n').length - 1;
    let kills = 0;
    do {
        const before = size();
        const daemon = site.start();
        await waitFor(() => size() > before, 'progress');
        await daemon.stop('SIGKILL');
    } while (++kills < 8 && lines() < 4000);
    t.diagnostic(`${kills} kills`);
    await site.once();
    const docs = new Map(linesOf(file).map(({ _rev, ...doc }) => [doc._id, doc]));
    assert.deepEqual(
        byId(docs.values()),
        ids.slice(1000).map((id) => ({ _id: id, meta: { text: id }, db: filled.db })),
    );
    assert.deepEqual(await lettersOf(site), []);
});

test('a reload takes another chain', async (t) => {
    const filled = await makeFilled(couch, 1, { make: () => ({ x: 1, y: 1 }) });
    const { site, file, write } = siteTo(t, filled, [omit('x')]);
    const daemon = site.start();
    await waitFor(() => linesOf(file).length === 1, 'the first document');
    write([omit('y')]);
    daemon.signal('SIGHUP');
    await daemon.waitForLog({ msg: 'configuration loaded again' });
    await put(couch, filled.where, 'later', { x: 2, y: 2 });
    await waitFor(() => linesOf(file).length === 2, 'the second document');
    const fields = linesOf(file).map(({ x, y }) => ({ x, y }));
    assert.deepEqual(fields, [
        { x: undefined, y: 1 },
        { x: 2, y: undefined },
    ]);
    assert.equal((await daemon.stop()).code, 0);
});

/* ---- commands ---- */

test('explain shows what the transforms make of a document, or that it is left out', async (t) => {
    const { site } = siteTo(t, { db: 'any' }, [skip('type', '==', 'post'), omit('secret')]);
    const explain = async (doc) => {
        const file = path.join(site.dir, 'doc.json');
        fs.writeFileSync(file, JSON.stringify(doc));
        const run = await tailrace(site.args('explain', 'any', file));
        return run.stdout;
    };
    const said = await explain({ _id: 'a', _rev: '1-b', type: 'post', secret: 1 });
    assert.match(said, /a after the transforms: \{"_id":"a","_rev":"1-b","type":"post"\}/);
    assert.match(said, /append to /);
    assert.match(
        await explain({ _id: 'a', _rev: '1-b', type: 'page' }),
        /a: the transforms leave it out/,
    );
});

test('check finds the mistakes of transforms at their place', async (t) => {
    const { site } = siteTo(t, { db: 'any' }, [
        omit('a', 'a.b'),
        skip('x', '=~', '(a'),
        step('set', { fields: [{ path: 'a', valu: 1 }] }),
    ]);
    const run = await tailrace(site.args('check'));
    assert.notEqual(run.code, 0);
    const said = run.stdout + run.stderr;
    assert.match(said, /plugin omit: check: fields: "a\.b" lies within "a"/);
    assert.match(said, /plugin skip: check: match is no regular expression/);
    assert.match(said, /fields.*valu: unknown key; did you mean "value"\?/);
});
