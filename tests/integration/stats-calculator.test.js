/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin stats-calculator: what it publishes is what a recount of the databases gives, after
 * kill -9 too, and on a real CouchDB what a view with the reduce _stats says; and how the document
 * with the figures is shared with others.
 *
 * TAILRACE_TEST_DOCS=100000 makes the run with kills longer, TAILRACE_TEST_SEED repeats it.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { startTestServer, sleep, uniqueDb, waitFor } = require('../lib/couch');
const { Rng } = require('../fault/lib/rng');
const { tailrace } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { dbOf, makeFilled, names, put, putLeaves, remove, replaceDb } = require('./lib/docs');
const { assertField, assertGroups, allDocs } = require('./lib/stats');

const SEED = Number(process.env.TAILRACE_TEST_SEED || Date.now() % 1000000);
const DOCS = Number(process.env.TAILRACE_TEST_DOCS || 1500);
const ROUNDS = 6;
const SUMS = ['count', 'sum', 'sumsqr', 'mean', 'stddev', 'min', 'max'];
const ALL = [...SUMS, 'quantiles', 'distinct', 'top'];
const REV = (n, c) => `${n}-${c.repeat(32)}`;

let couch;

before(async () => {
    couch = await startTestServer();
});
after(() => couch.close());

/* The body of an answer that comes over a unix socket. */
function getUnix(socketPath, where) {
    return new Promise((resolve, reject) => {
        const request = http.get({ socketPath, path: where }, async (response) => {
            const chunks = [];
            for await (const chunk of response) chunks.push(chunk);
            resolve(Buffer.concat(chunks).toString());
        });
        request.on('error', reject);
    });
}

/* A rule "r" that publishes to the document "figures" of a database of its own, and to a file. */
async function statsSite(t, databases, options, parts = {}) {
    const reports = await couch.makeDb();
    const site = makeSite(t, couch);
    const file = path.join(site.dir, 'figures.json');
    const publish = {
        url: `${couch.url.replace('://', '://admin@')}${reports}`,
        document: 'figures',
        file,
        wait: DOCS > 10000 ? '2s' : '20ms',
    };
    const setOptions = (more) =>
        site.write({
            rules: {
                r: {
                    source: 'main',
                    databases,
                    plugin: 'stats-calculator',
                    retry: { min: '5ms', max: '50ms' },
                    ...parts,
                    options: { publish, ...more },
                },
            },
        });
    setOptions(options);
    const document = async () => (await couch.get(`${reports}/figures`)).json;
    const page = () => JSON.parse(fs.readFileSync(file, 'utf8'));
    /* Runs to the end; both places have the same. */
    const once = async () => {
        const run = await site.once({ timeoutMs: 60000 + 10 * DOCS });
        const figures = page();
        assert.deepEqual((await document()).stats, figures);
        return { run, figures };
    };
    return { site, reports, publish, setOptions, document, page, once };
}

const figuresOf = (name, figures = ALL) => ({ name, figures });

/* ---- exact, whatever happens ---- */

function makeDoc(next) {
    const kind = next();
    return {
        g: 'abcde'[Math.floor(next() * 5)],
        n: Math.floor(next() * 2001) - 1000,
        v: kind < 0.05 ? 'wrong' : kind < 0.1 ? null : Math.round(next() * 1e6) / 100,
        ...(kind > 0.95 && { n: undefined }),
    };
}

/* Inserts, updates and deletes in one request. */
async function changeSome(where, revs, count, next) {
    const docs = new Map();
    for (let i = 0; i < count; i++) {
        const _id = `doc-${Math.floor(next() * DOCS)}`;
        const _rev = revs.get(_id);
        if (_rev && next() < 0.25) docs.set(_id, { _id, _rev, _deleted: true });
        else docs.set(_id, { _id, _rev, ...makeDoc(next) });
    }
    const sent = [...docs.values()];
    const { json } = await couch.post(`${where}/_bulk_docs`, { docs: sent });
    json.forEach((row, i) => {
        assert.ok(row.ok, JSON.stringify(row));
        if (sent[i]._deleted) revs.delete(row.id);
        else revs.set(row.id, row.rev);
    });
}

/* The view's figures of each group are those that are published. */
async function assertView(where, page) {
    const map = "function (doc) { if (typeof doc.n === 'number') emit(doc.g, doc.n); }";
    await put(couch, where, '_design/view', { views: { n: { map, reduce: '_stats' } } });
    const { rows } = (await couch.get(`${where}/_design/view/_view/n?group=true`)).json;
    const found = page.groups.map(({ group, figures: { n } }) => ({
        key: group.g,
        value: { sum: n.sum, count: n.count, min: n.min, max: n.max, sumsqr: n.sumsqr },
    }));
    assert.deepEqual(found, rows);
}

test('after updates, deletions and kill -9 the figures are those of a recount', async (t) => {
    t.diagnostic(`seed ${SEED}: TAILRACE_TEST_SEED=${SEED} repeats it`);
    const rng = new Rng(SEED);
    const next = () => rng.float();
    const where = await couch.makeDb();
    const { site, once } = await statsSite(
        t,
        [dbOf(where)],
        { group_by: ['g'], max_values: DOCS, stats: [figuresOf('n'), figuresOf('v')] },
        { commit: { interval: '10ms' }, batch: { size: 100 } },
    );
    const revs = new Map();
    let daemon = site.start();
    for (let round = 0; round < ROUNDS; round++) {
        for (let left = DOCS / 2; left > 0; left -= 500)
            await changeSome(where, revs, Math.min(left, 500), next);
        await sleep(next() * 400);
        await daemon.stop('SIGKILL');
        daemon = site.start();
    }
    await sleep(next() * 300);
    await daemon.stop('SIGKILL');
    const { figures } = await once();
    const docs = await allDocs(couch, where);
    assertGroups(figures, docs, 'g', ['n', 'v']);
    if (couch.isReal) await assertView(where, figures);
});

test('a daemon publishes what changes, and a graceful stop the last of it', async (t) => {
    const { where } = await makeFilled(couch, 20, { make: (id) => ({ v: Number(id.slice(4)) }) });
    const { site, page, document } = await statsSite(t, [dbOf(where)], {
        stats: [figuresOf('v')],
    });
    const daemon = site.start();
    await waitFor(() => fs.existsSync(path.join(site.dir, 'figures.json')), 'a file');
    await waitFor(() => page().documents === 20, 'twenty documents');
    await waitFor(async () => (await document())?.stats?.documents === 20, 'the document');
    await remove(couch, where, 'doc-000020');
    await waitFor(() => page().figures.v.max === 19, 'the greatest to be gone');
    await put(couch, where, 'more', { v: 0.1 });
    await waitFor(() => page().figures.v.min === 0.1, 'the least to be there');
    assert.equal((await daemon.stop()).code, 0);
    assertField((await document()).stats.figures.v, await allDocs(couch, where), 'v');
});

/* ---- databases ---- */

test('totals are of all databases; one that was made again counts anew', async (t) => {
    const one = await makeFilled(couch, 30, { make: (id) => ({ v: Number(id.slice(4)) }) });
    const two = await makeFilled(couch, 10, { make: () => ({ v: 0.5 }) });
    const { once } = await statsSite(t, [one.db, two.db], { stats: [figuresOf('v')] });
    const docs = async () => [
        ...(await allDocs(couch, one.where)),
        ...(await allDocs(couch, two.where)),
    ];
    let { figures } = await once();
    assert.equal(figures.databases, 2);
    assertField(figures.figures.v, await docs(), 'v');
    await replaceDb(couch, one.where, names(5, 'new'));
    await put(couch, one.where, 'value', { v: 1000 });
    ({ figures } = await once());
    assert.equal(figures.databases, 2);
    assert.equal(figures.documents, 16);
    assertField(figures.figures.v, await docs(), 'v');
});

test('a database that is gone counts until its checkpoint is deleted', async (t) => {
    const name = uniqueDb();
    const one = await makeFilled(couch, 3, { name: `${name}_1`, make: () => ({ v: 1 }) });
    await makeFilled(couch, 4, { name: `${name}_2`, make: () => ({ v: 1 }) });
    const { site, once } = await statsSite(t, `^${name}_`, { stats: [figuresOf('v', ['sum'])] });
    assert.equal((await once()).figures.figures.v.sum, 7);
    await couch.removeDb(one.where);
    assert.equal((await once()).figures.figures.v.sum, 7);
    const forget = await tailrace(site.args('checkpoint', 'delete', 'r', one.db));
    assert.equal(forget.code, 0, forget.stderr);
    assert.equal((await once()).figures.figures.v.sum, 4);
});

test('a rule that begins again counts again', async (t) => {
    const { where, db } = await makeFilled(couch, 30, { make: (id) => ({ v: +id.slice(4) }) });
    const { site, page } = await statsSite(t, [db], { stats: [figuresOf('v')] });
    const daemon = site.start();
    const isCounted = () => fs.existsSync(path.join(site.dir, 'figures.json')) && page();
    await waitFor(() => isCounted()?.documents === 30, 'all documents');
    await site.command(['backfill', 'r']);
    await daemon.waitForLog(/begins again/);
    await put(couch, where, 'more', { v: 0.5 });
    await waitFor(() => page().documents === 31, 'the document after it');
    assert.equal((await daemon.stop()).code, 0);
    assertField(page().figures.v, await allDocs(couch, where), 'v');
});

test('other options read everything again', async (t) => {
    const { where, db } = await makeFilled(couch, 200, {
        make: (id) => ({ g: id.at(-1), v: Number(id.slice(4)) }),
    });
    const { once, setOptions } = await statsSite(t, [db], { stats: [figuresOf('v', ['sum'])] });
    await once();
    setOptions({ group_by: ['g'], stats: [figuresOf('v')] });
    const { figures } = await once();
    assertGroups(figures, await allDocs(couch, where), 'g', ['v']);
    await remove(couch, where, 'doc-000100');
    assertGroups((await once()).figures, await allDocs(couch, where), 'g', ['v']);
});

test('a document that is not meant any more does not count any more', async (t) => {
    const { where, db } = await makeFilled(couch, 10, { make: () => ({ type: 'post', v: 1 }) });
    const { once } = await statsSite(t, [db], {
        where: [{ field: 'type', is: 'post' }],
        stats: [figuresOf('v', ['sum'])],
    });
    assert.equal((await once()).figures.figures.v.sum, 10);
    const { _rev } = (await couch.get(`${where}/doc-000001`)).json;
    await put(couch, where, 'doc-000001', { _rev, type: 'draft', v: 1 });
    await remove(couch, where, 'doc-000002');
    assert.equal((await once()).figures.figures.v.sum, 8);
});

test('groups that are too many are counted as other, and it is said', async (t) => {
    const { db } = await makeFilled(couch, 50, { make: (id) => ({ g: id, v: 1 }) });
    const { once } = await statsSite(t, [db], {
        group_by: ['g'],
        max_groups: 20,
        stats: [figuresOf('v', ['sum'])],
    });
    const { run, figures } = await once();
    assert.equal(figures.groups.length, 20);
    assert.equal(figures.other.documents, 30);
    assert.equal(figures.other.figures.v.sum, 30);
    assert.match(run.stderr, /max_groups = 20/);
});

/* ---- the document ---- */

test('what others write into the document is kept, and its figures are put right', async (t) => {
    const { where, db } = await makeFilled(couch, 3, { make: () => ({ v: 1 }) });
    const { once, reports, document } = await statsSite(t, [db], {
        stats: [figuresOf('v', ['sum'])],
    });
    await once();
    const { _rev } = await document();
    await put(couch, reports, 'figures', {
        _rev,
        title: 'Sales',
        stats: 'mine',
        _attachments: { 'a.txt': { content_type: 'text/plain', data: 'aGk=' } },
    });
    await once();
    assert.equal((await document()).title, 'Sales');
    await put(couch, where, 'more', { v: 5 });
    assert.equal((await once()).figures.figures.v.sum, 8);
    assert.equal((await document()).title, 'Sales');
    assert.equal((await couch.get(`${reports}/figures/a.txt`)).text, 'hi');
    /* The same figures are not written again. */
    const before = (await document())._rev;
    await once();
    assert.equal((await document())._rev, before);
});

test('revisions that lost a replication are deleted', async (t) => {
    const { db } = await makeFilled(couch, 3, { make: () => ({ v: 1 }) });
    const { once, reports } = await statsSite(t, [db], { stats: [figuresOf('v', ['sum'])] });
    const leaf = (c, title) => ({
        _id: 'figures',
        _rev: REV(1, c),
        _revisions: { start: 1, ids: [c.repeat(32)] },
        title,
    });
    await putLeaves(couch, reports, [leaf('a', 'A'), leaf('b', 'B'), leaf('c', 'C')]);
    await once();
    const { json } = await couch.get(`${reports}/figures?conflicts=true`);
    assert.equal(json.title, 'C');
    assert.equal(json._conflicts, undefined);
});

test('a document that was deleted is written again', async (t) => {
    const { db } = await makeFilled(couch, 3, { make: () => ({ v: 1 }) });
    const { once, reports } = await statsSite(t, [db], { stats: [figuresOf('v', ['sum'])] });
    await once();
    await remove(couch, reports, 'figures');
    await once();
});

test('the document may stand among those that are counted', async (t) => {
    const { where, db } = await makeFilled(couch, 3, { make: () => ({ v: 1 }) });
    const { site, setOptions, publish } = await statsSite(t, [db], {
        stats: [figuresOf('v', ['sum'])],
    });
    publish.url = `${couch.url.replace('://', '://admin@')}${where}`;
    setOptions({ stats: [figuresOf('v', ['sum'])] });
    const figures = async () => (await couch.get(`${where}/figures`)).json;
    for (let i = 0; i < 3; i++) await site.once();
    assert.equal((await figures()).stats.documents, 3);
    assert.match((await figures())._rev, /^1-/);
});

test('a place that cannot be written to holds nothing up', async (t) => {
    const { db } = await makeFilled(couch, 3, { make: () => ({ v: 1 }) });
    const { site, reports, page, document } = await statsSite(t, [db], {
        stats: [figuresOf('v', ['sum'])],
    });
    await couch.delete(reports);
    const daemon = site.start();
    await daemon.waitForLog(/figures are not published/);
    await waitFor(() => page().documents === 3, 'the file');
    await couch.put(reports);
    await waitFor(async () => (await document())?.stats?.documents === 3, 'the document');
    assert.equal((await daemon.stop()).code, 0);
});

/* ---- metrics ---- */

test('figures are series at /metrics, and groups that are gone are none', async (t) => {
    const { where, db } = await makeFilled(couch, 6, {
        make: (id) => ({ g: id.at(-1) < '4' ? 'A' : 'B', v: Number(id.at(-1)) }),
    });
    const { site, publish, setOptions } = await statsSite(t, [db], {});
    const socket = path.join(site.dir, 'admin.sock');
    site.write({ main: { admin: { listen: `unix:${socket}` } } });
    publish.metrics = true;
    setOptions({ group_by: ['g'], stats: [figuresOf('v', ['sum', 'max', 'quantiles'])] });
    const daemon = site.start();
    const value = async (series) => {
        const text = await getUnix(socket, '/metrics').catch(() => '');
        const line = text.split('\n').find((one) => one.startsWith(series));
        return line && Number(line.slice(line.lastIndexOf(' ')));
    };
    const figure = (group, name) =>
        value(
            `tailrace_stats_calculator_value{rule="r",group="${group}",time="",stat="v",figure="${name}"}`,
        );
    await waitFor(async () => (await figure('A', 'sum')) === 6, 'the sum of A');
    assert.equal(await figure('B', 'max'), 6);
    assert.ok(Math.abs((await figure('B', 'quantile_0.5')) - 5) < 0.05);
    assert.equal(await value('tailrace_stats_calculator_documents{rule="r",group="B"'), 3);
    for (const id of ['4', '5', '6']) await remove(couch, where, `doc-00000${id}`);
    await waitFor(async () => (await figure('B', 'sum')) === undefined, 'B to be gone');
    assert.equal(await value('tailrace_stats_calculator_documents{rule="r",group="B"'), undefined);
    assert.equal(await figure('A', 'sum'), 6);
    assert.equal((await daemon.stop()).code, 0);
});
