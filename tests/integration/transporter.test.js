/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transporter's pipelines with its Cloudant adaptor, done by tailrace: a tailing source to a file, a
 * database to a database in bulk, a file to a database; and a test for each of its defects, done
 * better. What the plugins do beyond that is in bulk-sink.test.js and filesink.test.js.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startTestServer, uniqueDb, sleep, waitFor } = require('../lib/couch');
const { startWatch } = require('../lib/watch');
const { tailrace } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { toFile, linesOf, sortedIds } = require('./lib/sink');
const { bulkBench, urlOf, lettersOf } = require('./lib/bulk');
const { dbOf, fill, makeFilled, names, put, remove } = require('./lib/docs');
const { seeded } = require('./lib/seed');

const QUICK = { min: '5ms', max: '50ms' };

let couch;
let toBulk, siteTo, pair, docsOf, leavesOf, revsOf, updateAndDelete;

before(async () => {
    couch = await startTestServer();
    ({ toBulk, siteTo, pair, docsOf, leavesOf, revsOf, updateAndDelete } = bulkBench(couch));
});
after(() => couch.close());

/* Starts it and kills it, so many times, each at another moment. */
async function killOften(site, times, rng, ms) {
    for (let n = 0; n < times; n++) {
        const daemon = site.start();
        await daemon.waitForLog({ msg: 'rule started' });
        await sleep(rng.below(ms));
        await daemon.kill9();
    }
}

const onlyOne = async (site) => (await site.command(['checkpoint', 'list'])).checkpoints[0];

/* ---- the pipelines ---- */

/* A site that tails the database of `filled` into a file, named as Transporter names it. */
function tailSite(t, filled, options) {
    const site = makeSite(t, couch);
    const file = path.join(site.dir, 'testfile.json');
    const rule = { retry: QUICK, options: { what: 'doc', ...options } };
    site.write({ rules: { r: toFile(`file://${file}`, [filled.db], rule) } });
    return { site, file };
}

test('a database is tailed into a file: what is there, then what comes', async (t) => {
    const filled = await makeFilled(couch, 30);
    const { site, file } = tailSite(t, filled);
    const daemon = site.start();
    await waitFor(() => linesOf(file).length === 30, 'what is there');
    const rev = await put(couch, filled.where, 'new', { n: 1 });
    await waitFor(() => linesOf(file).length === 31, 'the insert');
    const next = await put(couch, filled.where, `new?rev=${rev}`, { n: 2 });
    await waitFor(() => linesOf(file).length === 32, 'the update');
    const gone = await remove(couch, filled.where, 'new');
    await waitFor(() => linesOf(file).length === 33, 'the delete');
    assert.equal((await daemon.stop()).code, 0);
    assert.deepEqual(linesOf(file).slice(30), [
        { _id: 'new', _rev: rev, n: 1 },
        { _id: 'new', _rev: next, n: 2 },
        { _id: 'new', _rev: gone, _deleted: true },
    ]);
});

test('a database is copied while it is filled from empty, with kill -9 in between', async (t) => {
    const rng = seeded(t);
    const { where, to, site } = await pair(
        t,
        0,
        { new_edits: false },
        { batch: { size: 200, wait: '100ms' } },
    );
    const load = async () => {
        for (let from = 1; from <= 4000; from += 250) {
            const ids = names(250, 'mail', from);
            await fill(couch, where, ids, (id) => ({ subject: id, body: 'x'.repeat(200) }));
            const { rows } = (await couch.post(`${where}/_all_docs`, { keys: ids.slice(0, 20) }))
                .json;
            const docs = rows.map(({ id, value }, i) => ({
                _id: id,
                _rev: value.rev,
                ...(i % 2 ? { _deleted: true } : { subject: 'corrected' }),
            }));
            await couch.post(`${where}/_bulk_docs`, { docs });
            await sleep(50);
        }
    };
    await Promise.all([load(), killOften(site, 6, rng, 600)]);
    await site.once();
    assert.deepEqual(await leavesOf(to), await leavesOf(where));
    assert.deepEqual(await docsOf(to), await docsOf(where));
    const [id] = names(1, 'mail');
    assert.deepEqual(await revsOf(to, id), await revsOf(where, id));
    assert.deepEqual(await lettersOf(site), []);
});

test('its bulk test: insert all, update the evens, delete the odds', async (t) => {
    const to = await couch.makeDb();
    const site = makeSite(t, couch);
    const file = path.join(site.dir, 'rows.ndjson');
    const append = (docs) =>
        fs.appendFileSync(file, docs.map((doc) => `${JSON.stringify(doc)}\n`).join(''));
    const rule = { source: 'rows', batch: { size: 100, wait: '50ms' } };
    site.write({
        sources: { rows: { type: 'file', path: file, database: 'rows' } },
        rules: { r: toBulk('rows', { url: urlOf(couch, to) }, rule) },
    });
    append(names(500).map((_id, i) => ({ _id, foo: i, i })));
    const daemon = site.start();
    const counts = async () => (await couch.get(to)).json;
    await waitFor(async () => (await counts()).doc_count === 500, 'the inserts');

    const { rows } = (await couch.get(`${to}/_all_docs`)).json;
    const changes = rows.map(({ id: _id, value: { rev: _rev } }, n) =>
        n % 2 === 0 ? { _id, _rev, foo: n, i: n + 2 } : { _id, _rev, _deleted: true },
    );
    append(changes);
    const settled = async () => (await onlyOne(site)).rows === 1000;
    await waitFor(settled, 'the updates and deletes');
    assert.equal((await daemon.stop()).code, 0);

    const left = changes.filter((doc) => !doc._deleted);
    const want = Object.fromEntries(left.map(({ _rev, ...doc }) => [doc._id, doc]));
    assert.equal(left.length, 250);
    assert.deepEqual(await docsOf(to), want);
    for (const revs of Object.values(await leavesOf(to))) assert.match(revs.join(), /^2-[^,]*$/);
    assert.deepEqual(await lettersOf(site), []);
});

test('a pipeline that ends: all is copied, the exit code says so, and no more is read', async (t) => {
    const filled = await makeFilled(couch, 40);
    const { site, file } = tailSite(t, filled);
    await site.once();
    assert.deepEqual(linesOf(file).map((doc) => doc._id).sort(), filled.ids);
});

test('an update or delete that lacks its revision is refused, in its words', async (t) => {
    const to = await couch.makeDb();
    const site = makeSite(t, couch);
    const file = path.join(site.dir, 'rows.ndjson');
    fs.writeFileSync(file, '{"_id":"a","_deleted":true}\n{"_id":"b","n":1}\n');
    site.write({
        sources: { rows: { type: 'file', path: file, database: 'rows' } },
        rules: { r: toBulk('rows', { url: urlOf(couch, to) }, { source: 'rows' }) },
    });
    await site.once();
    const [letter, ...more] = await lettersOf(site);
    assert.equal(more.length, 0);
    assert.match(letter.error, /Document needs both _id and _rev/);
    assert.deepEqual(Object.keys(await docsOf(to)), ['b']);
});

/* ---- its defects ---- */

test('a flush that fails empties no buffer: every document is sent again', async (t) => {
    const filled = await makeFilled(couch, 100);
    const to = await couch.makeDb();
    const watch = await startWatch(couch.url, t);
    let failures = 0;
    watch.answer = ({ kind }) => {
        if (kind !== '_bulk_docs' || failures >= 6) return undefined;
        return ++failures % 2 ? { status: 503 } : 'cut';
    };
    const site = siteTo(
        t,
        filled.db,
        { url: urlOf({ url: watch.url }, to) },
        { batch: { size: 20 } },
    );
    await site.once();
    assert.equal(failures, 6);
    assert.deepEqual(Object.keys(await docsOf(to)), filled.ids);
    assert.deepEqual(await lettersOf(site), []);
});

test('what a bulk reply refuses of a batch is known, kept, and sent again when asked', async (t) => {
    const { where, to, ids, site } = await pair(t, 50);
    const validate = `function (doc) { if (doc._id === '${ids[6]}') throw {forbidden: 'no seven'}; }`;
    const rev = await put(couch, to, '_design/v', {
        language: 'javascript',
        validate_doc_update: validate,
    });
    const run = await tailrace(site.args('run', '--once'));
    assert.equal(run.code, 65, run.stderr);
    const [letter, ...more] = await lettersOf(site);
    assert.equal(more.length, 0);
    assert.equal(letter.doc_id, ids[6]);
    assert.match(letter.error, /no seven/);
    assert.equal((await couch.get(to)).json.doc_count, 50); /* 49, and the design document */

    await couch.delete(`${to}/_design/v?rev=${rev}`);
    await site.command(['dead-letter', 'replay', '--all']);
    assert.deepEqual(await docsOf(to), await docsOf(where));
    assert.deepEqual(await lettersOf(site), []);
});

test('without new_edits documents go with their histories: an update makes no conflict', async (t) => {
    const { where, to, ids, site } = await pair(t, 20, { new_edits: false });
    await site.once();
    await updateAndDelete(where);
    await site.once();
    const { _rev } = (await couch.get(`${where}/${ids[0]}`)).json;
    await put(couch, where, `${ids[0]}?rev=${_rev}`, { third: true });
    await site.once();
    const leaves = await leavesOf(to);
    for (const revs of Object.values(leaves)) assert.equal(revs.length, 1);
    assert.deepEqual(leaves, await leavesOf(where));
    for (const id of ids.slice(0, 3))
        assert.deepEqual(await revsOf(to, id), await revsOf(where, id));
    const [{ ok }] = await revsOf(to, ids[0]);
    assert.equal(ok._revisions.ids.length, 3);
});

test('a tail keeps to its databases and conditions', async (t) => {
    const prefix = uniqueDb();
    const [a, b] = [await couch.makeDb(`${prefix}_a`), await couch.makeDb(`${prefix}_b`)];
    const site = makeSite(t, couch);
    const file = path.join(site.dir, 'out.ndjson');
    const options = { what: 'envelope' };
    site.write({ rules: { r: toFile(file, `^${prefix}_a$`, { options, if: { type: '^x$' } }) } });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'following', db: dbOf(a) });
    for (const n of [1, 2, 3]) {
        await put(couch, b, `b${n}`, { type: 'x' });
        await put(couch, a, `other${n}`, { type: 'xy' });
        await put(couch, a, `a${n}`, { type: 'x' });
    }
    await waitFor(() => linesOf(file).some(({ id }) => id === 'a3'), 'the last one');
    assert.equal((await daemon.stop()).code, 0);
    assert.deepEqual(
        linesOf(file).map(({ db, id }) => `${db} ${id}`),
        [1, 2, 3].map((n) => `${prefix}_a a${n}`),
    );
});

test('the position outlives the process: after kill -9 only what is new comes', async (t) => {
    const filled = await makeFilled(couch, 60);
    const { site, file } = tailSite(t, filled);
    const one = site.start();
    await waitFor(() => linesOf(file).length === 60, 'all lines');
    await waitFor(async () => (await onlyOne(site))?.rows === 60, 'the checkpoint');
    await one.kill9();
    await put(couch, filled.where, 'later');
    const two = site.start();
    await waitFor(() => linesOf(file).length > 60, 'the new line');
    await put(couch, filled.where, 'last');
    await waitFor(() => linesOf(file).at(-1)._id === 'last', 'the last line');
    assert.equal((await two.stop()).code, 0);
    assert.deepEqual(
        linesOf(file)
            .slice(60)
            .map((doc) => doc._id),
        ['later', 'last'],
    );
});

test('a file that is there is appended to, in whole lines', async (t) => {
    const filled = await makeFilled(couch, 10);
    const { site, file } = tailSite(t, filled);
    fs.writeFileSync(file, '{"_id":"kept"}\n{"_id":"half a li');
    await site.once();
    await put(couch, filled.where, 'more');
    await site.once();
    const found = linesOf(file).map((doc) => doc._id);
    assert.equal(found[0], 'kept');
    assert.equal(found.at(-1), 'more');
    assert.deepEqual(found.slice(1, -1).sort(), filled.ids);
});

test('a source database that is missing is missed, and not made', async (t) => {
    const name = uniqueDb();
    const { site, file } = tailSite(t, { db: name });
    assert.match((await site.once({ code: 66 })).stderr, /does not exist/);
    site.write({ source: { discover_interval: '100ms', retry_min: '10ms', retry_max: '50ms' } });
    const daemon = site.start();
    await daemon.waitForLog(/does not exist/);
    await sleep(300); /* whoever would make it, would have */
    assert.equal((await couch.get(`/${name}`)).status, 404);
    await makeFilled(couch, 2, { name });
    await waitFor(() => linesOf(file).length === 2, 'the documents of the database');
    assert.equal((await daemon.stop()).code, 0);
});

test('a sink that fails stops no other one, and goes on itself when it can', async (t) => {
    const filled = await makeFilled(couch, 50);
    const to = `/${uniqueDb()}`; /* a target that is not there yet */
    const site = makeSite(t, couch);
    const file = path.join(site.dir, 'out.ndjson');
    site.write({
        rules: {
            bad: toBulk(filled.db, { url: urlOf(couch, to) }),
            good: toFile(file, [filled.db]),
        },
    });
    const daemon = site.start();
    await daemon.waitForLog({ msg: /batch failed/, rule: 'bad' });
    await waitFor(() => linesOf(file).length === 50, 'the other sink');
    await put(couch, filled.where, 'later');
    await waitFor(() => linesOf(file).length === 51, 'what comes after');
    await couch.makeDb(dbOf(to));
    await waitFor(async () => (await couch.get(to)).json.doc_count === 51, 'the failing sink');
    assert.equal((await daemon.stop()).code, 0);
    assert.deepEqual(sortedIds(linesOf(file)), [...filled.ids, 'later'].sort());
});

/* ---- kill -9 anywhere ---- */

test('kill -9 anywhere: no document is missing in the file, and none is torn', async (t) => {
    const rng = seeded(t);
    const filled = await makeFilled(couch, 2000, { make: (id) => ({ text: id.repeat(20) }) });
    const { site, file } = tailSite(t, filled);
    await Promise.all([
        killOften(site, 8, rng, 250),
        (async () => {
            for (let from = 1; from <= 20; from++)
                await fill(couch, filled.where, names(20, 'more', from * 20));
        })(),
    ]);
    await site.once();
    const { rows } = (await couch.get(`${filled.where}/_all_docs`)).json;
    assert.equal(rows.length, 2400);
    const found = new Set(linesOf(file).map((doc) => `${doc._id} ${doc._rev}`));
    assert.deepEqual(
        rows.filter(({ id, value }) => !found.has(`${id} ${value.rev}`)),
        [],
    );
    assert.equal(found.size, rows.length);
});
