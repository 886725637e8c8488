/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin replicator in its native mode: that the target has every leaf of the source, as it
 * is there, whatever the target had; and the checkpoints that it leaves at both ends. What
 * becomes of trouble is replicator-trouble.test.js's, and of kill -9 replicator-random.test.js's.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const { startTestServer, uniqueDb, sleep, waitFor } = require('../lib/couch');
const { makeSite } = require('./lib/site');
const { fill, makeFilled, names, put, putLeaves, remove } = require('./lib/docs');
const { copyBench, urlOf, lettersOf, dbOf } = require('./lib/copy');

const QUICK = { poll_interval: '100ms' };

let couch, bench;

before(async () => {
    couch = await startTestServer();
    bench = copyBench(couch);
});
after(() => couch.close());

/* A revision of `generation`, whose branch is named by a letter. */
function revision(_id, generation, letter, fields) {
    const ids = Array.from({ length: generation }, (_, i) =>
        `${i === 0 ? letter : 'f'}${generation - i}`.repeat(16),
    );
    return { _id, _rev: `${generation}-${ids[0]}`, _revisions: { start: generation, ids }, ...fields };
}

const attachment = (data, type = 'text/plain') => ({
    content_type: type,
    data: Buffer.from(data).toString('base64'),
});

/* One of everything that a database may hold. */
async function makeZoo(where) {
    await fill(couch, where, names(30), (id) => ({ text: id, nested: { a: [1, { b: null }] } }));
    await put(couch, where, 'doc-000001', {
        _rev: (await couch.get(`${where}/doc-000001`)).json._rev,
        second: true,
    });
    await remove(couch, where, 'doc-000002');
    await put(couch, where, '_design/views', { views: { all: { map: '(doc) => emit(doc._id)' } } });
    await put(couch, where, encodeURIComponent('ä/b+c "d"\\e'), { big: '\u0000\u2028', _attachments: {} });
    await put(couch, where, 'attached', { _attachments: { 'a b.txt': attachment('hello') } });
    await put(couch, where, 'changed', { _attachments: { a: attachment('one') } });
    const { _rev } = (await couch.get(`${where}/changed`)).json;
    await put(couch, where, 'changed', {
        _rev,
        _attachments: { a: { stub: true }, b: attachment('\u0001\u00ff', 'x/y') },
    });
    await putLeaves(couch, where, [
        revision('conflict', 2, 'a', { v: 'A' }),
        revision('conflict', 2, 'b', { v: 'B' }),
        revision('conflict', 3, 'c', { v: 'C', _deleted: true }),
        revision('first', 1, 'a', { v: 'A' }),
        revision('first', 1, 'b', { v: 'B' }),
        revision('tombstone', 1, 'a', { _deleted: true, reason: 'spam' }),
        revision('old', 7, 'a', { v: 'A' }),
    ]);
}

/* Runs to the end; how many changes were read. */
async function received(site) {
    const { stderr } = await site.once();
    const records = stderr.split('\n').filter((line) => line.startsWith('{'));
    return records.map((line) => JSON.parse(line)).find(({ msg }) => msg === 'finished').received;
}

/* ---- every leaf ---- */

test('the target has every leaf, and a replicator finds nothing left', async (t) => {
    const { where, to, site } = await bench.pair(t, 0);
    await makeZoo(where);
    await site.once();
    await bench.assertSame(where, to);
    await bench.assertNothingLeft(where, to);
    assert.deepEqual(await lettersOf(site), []);
});

test('what changes is copied while the daemon follows', async (t) => {
    const { where, to, db } = await bench.pair(t, 5);
    const site = bench.siteTo(t, db, { target: urlOf(couch, to) }, {}, QUICK);
    const daemon = site.start();
    await waitFor(async () => (await couch.get(to)).json.doc_count === 5, 'the first five');
    await makeZoo(where).catch(() => {}); /* some of its names are taken */
    await put(couch, where, 'last');
    await waitFor(async () => (await couch.get(`${to}/last`)).status === 200, 'the last one');
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    await bench.assertSame(where, to);
});

test('a target that has some of it already gets the rest, and keeps what it has', async (t) => {
    const { where, to, site } = await bench.pair(t, 20);
    await putLeaves(couch, where, [
        revision('c', 2, 'a', { v: 'A' }),
        revision('c', 2, 'b', { v: 'B' }),
    ]);
    await putLeaves(couch, to, [
        revision('c', 2, 'a', { v: 'A' }),
        revision('c', 2, 'e', { v: 'E' }),
        revision('own', 1, 'e', { v: 'E' }),
    ]);
    await site.once();
    const leaves = await bench.leavesOf(to);
    assert.deepEqual(
        leaves.c.map(([, doc]) => doc.v),
        ['A', 'B', 'E'],
    );
    assert.equal(leaves.own.length, 1);
    const [checkpoint] = Object.values(await bench.checkpointsOf(to));
    const [session] = checkpoint.history;
    assert.equal(session.missing_checked, 22);
    assert.equal(session.missing_found, 21);
    assert.equal(session.docs_written, 21);
    await bench.assertNothingLeft(where, to);
});

test('what is copied twice changes nothing', async (t) => {
    const { where, to, site } = await bench.pair(t, 0);
    await makeZoo(where);
    await site.once();
    const { update_seq: seq } = (await couch.get(to)).json;
    await site.command(['backfill', 'r']);
    assert.ok((await received(site)) > 30);
    assert.equal(parseInt((await couch.get(to)).json.update_seq, 10), parseInt(seq, 10));
    await bench.assertSame(where, to);
});

test('documents pass without include_docs too', async (t) => {
    const { where, to, site } = await bench.pair(t, 0, {}, { include_docs: false });
    await makeZoo(where);
    await site.once();
    await bench.assertSame(where, to);
});

test('attachments flow beside their documents, as they are stored', async (t) => {
    const { where, to, site } = await bench.pair(t, 0, { attachments_inline: '0' });
    await makeZoo(where);
    await put(couch, where, '_design/app', { _attachments: { 'x/y.js': attachment('let a;') } });
    await putLeaves(couch, where, [
        revision('both', 2, 'a', { v: 'A', _attachments: { a: attachment('A'.repeat(5000)) } }),
        revision('both', 2, 'b', { v: 'B', _attachments: { a: attachment('B'.repeat(5000)) } }),
        revision('odd', 2, 'a', {
            _attachments: {
                'ä "b"\\c?&#%.txt': attachment('text that is stored compressed '.repeat(999)),
                empty: attachment('', 'image/png'),
                last: attachment('\u0000\u00ff', 'x/y'),
            },
        }),
    ]);
    await site.once();
    await bench.assertSame(where, to);
    await bench.assertNothingLeft(where, to);
    assert.deepEqual(await lettersOf(site), []);
});

test('large attachments flow, small ones do not', async (t) => {
    const { where, to, site } = await bench.pair(t, 0);
    const large = crypto.randomBytes(3 << 20);
    await put(couch, where, 'large', {
        _attachments: {
            large: { content_type: 'image/png', data: large.toString('base64') },
            small: attachment('small'),
        },
    });
    await put(couch, where, 'small', { _attachments: { small: attachment('small') } });
    await site.once();
    await bench.assertSame(where, to);
});

test('small requests copy the same', async (t) => {
    const options = { write_docs: 3, write_bytes: '1KB', fetch_docs: 2 };
    const { where, to, site } = await bench.pair(t, 0, options);
    await makeZoo(where);
    await site.once();
    await bench.assertSame(where, to);
});

test('two that copy to each other come to rest', async (t) => {
    const { where, to, db } = await bench.pair(t, 10);
    await putLeaves(couch, where, [revision('c', 2, 'a', { v: 'A' })]);
    await putLeaves(couch, to, [revision('c', 2, 'b', { v: 'B' }), revision('own', 3, 'e', {})]);
    const rules = {
        there: bench.toCopy(db, { target: urlOf(couch, to) }),
        back: bench.toCopy(dbOf(to), { target: urlOf(couch, where) }),
    };
    const site = makeSite(t, couch, { source: QUICK, rules });
    const daemon = site.start();
    const seqs = async () =>
        Promise.all([where, to].map(async (db) => parseInt((await couch.get(db)).json.update_seq, 10)));
    const has = async (db, id) => (await couch.get(`${db}/${id}`)).status === 200;
    await waitFor(async () => (await has(where, 'own')) && (await has(to, 'doc-000010')), 'both');
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    await site.once();
    await bench.assertSame(where, to);
    const rest = await seqs();
    await site.once();
    await site.once();
    assert.deepEqual(await seqs(), rest);
});

/* ---- options ---- */

test('a target is made, and databases are copied to those of the same name', async (t) => {
    const name = uniqueDb();
    const filled = [];
    for (const n of [1, 2, 3]) filled.push(await makeFilled(couch, n, { name: `${name}_${n}` }));
    const site = makeSite(t, couch, {
        rules: {
            r: {
                source: 'main',
                databases: `^${name}_[0-9]$`,
                plugin: 'replicator',
                options: {
                    source_url: urlOf(couch, ''),
                    target: urlOf(couch, '/copy_$db_name'),
                    create_target: true,
                },
            },
        },
    });
    for (const { db } of filled) couch.made.push(`/copy_${db}`);
    await site.once();
    for (const { where, db } of filled) await bench.assertSame(where, `/copy_${db}`);
});

test('only what wins is copied, with winning_revs_only', async (t) => {
    const { where, to, site } = await bench.pair(t, 3, { winning_revs_only: true });
    await putLeaves(couch, where, [
        revision('c', 2, 'a', { v: 'A' }),
        revision('c', 2, 'b', { v: 'B' }),
        revision('d', 1, 'a', { v: 'A' }),
        revision('d', 1, 'b', { v: 'B' }),
    ]);
    await site.once();
    const leaves = await bench.leavesOf(to);
    assert.deepEqual(leaves.c.map(([, doc]) => doc.v), ['B']);
    assert.deepEqual(leaves.d.map(([, doc]) => doc.v), ['B']);
    assert.equal(Object.keys(leaves).length, 5);
});

for (const [what, rule] of [
    ['doc_ids', { doc_ids: ['a', 'c'] }],
    ['a selector', { selector: JSON.stringify({ kind: 'wanted' }) }],
    ['a filter', { filter: 'f/wanted', filter_params: { kind: 'wanted' } }],
])
    test(`${what} of the rule choose`, async (t) => {
        const { where, to, site } = await bench.pair(t, 0, {}, { ...rule, design_documents: 'exclude' });
        await put(couch, where, '_design/f', {
            filters: { wanted: 'function (doc, req) { return doc.kind === req.query.kind; }' },
        });
        for (const [id, kind] of Object.entries({ a: 'wanted', b: 'other', c: 'wanted' }))
            await put(couch, where, id, { kind });
        await site.once();
        assert.deepEqual(Object.keys(await bench.leavesOf(to)).sort(), ['a', 'c']);
    });

test('attachments are left out, or a reason to refuse', async (t) => {
    const { where, to, site, db } = await bench.pair(t, 1, { attachments: 'drop' });
    await put(couch, where, 'a', { v: 1, _attachments: { a: attachment('hello') } });
    await site.once();
    const { json } = await couch.get(`${to}/a`);
    assert.deepEqual(json, { _id: 'a', _rev: json._rev, v: 1 });
    const other = await couch.makeDb();
    const strict = bench.siteTo(t, db, { target: urlOf(couch, other), attachments: 'reject' });
    await strict.once();
    assert.deepEqual(Object.keys(await bench.leavesOf(other)), ['doc-000001']);
    const [letter, ...more] = await lettersOf(strict);
    assert.equal(letter.doc_id, 'a');
    assert.match(letter.error, /^1-[0-9a-f]+: it has attachments/);
    assert.equal(more.length, 0);
});

/* ---- checkpoints ---- */

const TIME = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

test('both ends have the checkpoint, in the form of the protocol', async (t) => {
    const { where, to, site } = await bench.pair(t, 20);
    await site.once();
    const { last_seq: seq } = (await couch.get(`${where}/_changes`)).json;
    const ours = await bench.checkpointsOf(where);
    const [[id, doc], ...more] = Object.entries(ours);
    assert.equal(more.length, 0);
    assert.match(id, /^_local\/[0-9a-f]{32}$/);
    assert.deepEqual(await bench.checkpointsOf(to), ours);
    const [session, ...older] = doc.history;
    assert.equal(older.length, 0);
    assert.match(doc.session_id, /^[0-9a-f]{32}$/);
    assert.match(session.start_time, TIME);
    assert.match(session.end_time, TIME);
    assert.equal(parseInt(doc.source_last_seq, 10), parseInt(seq, 10));
    assert.deepEqual(
        { ...session, start_time: '', end_time: '' },
        {
            session_id: doc.session_id,
            start_time: '',
            end_time: '',
            start_last_seq: 0,
            end_last_seq: doc.source_last_seq,
            recorded_seq: doc.source_last_seq,
            missing_checked: 20,
            missing_found: 20,
            docs_read: 20,
            docs_written: 20,
            doc_write_failures: 0,
        },
    );
});

test('a later run adds a session and begins where the last one was', async (t) => {
    const { where, to, site } = await bench.pair(t, 3);
    await site.once();
    const [first] = Object.values(await bench.checkpointsOf(where));
    await put(couch, where, 'later');
    await site.once();
    const [doc] = Object.values(await bench.checkpointsOf(where));
    assert.deepEqual(doc.history.slice(1), first.history);
    assert.equal(doc.history[0].start_last_seq, first.source_last_seq);
    assert.equal(doc.history[0].docs_written, 1);
    assert.deepEqual(Object.values(await bench.checkpointsOf(to)), [doc]);
});

test('checkpoints are written while it follows, and not when nothing changes', async (t) => {
    const { where, to, db } = await bench.pair(t, 3);
    const options = { target: urlOf(couch, to), checkpoint_interval: '200ms' };
    const daemon = bench.siteTo(t, db, options, {}, QUICK).start();
    const doc = async () => Object.values(await bench.checkpointsOf(to))[0];
    const first = await waitFor(doc, 'the first checkpoint');
    await sleep(700);
    assert.deepEqual(await doc(), first);
    await put(couch, where, 'later');
    const next = async () => (await doc())._rev !== first._rev;
    await waitFor(next, 'the second checkpoint');
    assert.equal((await doc()).history.length, 1);
    await daemon.stop();
});

/* ---- where it begins ---- */

test('without its state it goes on where both ends agree that they were', async (t) => {
    const { where, to, site } = await bench.pair(t, 20);
    await site.once();
    fs.rmSync(site.stateDir, { recursive: true });
    await put(couch, where, 'later');
    assert.equal(await received(site), 1);
    await bench.assertSame(where, to);
    const [doc] = Object.values(await bench.checkpointsOf(to));
    assert.equal(doc.history.length, 2);
});

test('without its state, and where one end knows nothing, it begins at the beginning', async (t) => {
    const { where, to, site } = await bench.pair(t, 20);
    await site.once();
    fs.rmSync(site.stateDir, { recursive: true });
    const [[id, { _rev }]] = Object.entries(await bench.checkpointsOf(where));
    await couch.delete(`${where}/${id}?rev=${_rev}`);
    assert.equal(await received(site), 20);
    await bench.assertSame(where, to);
});

test('a target that was made again gets everything again', async (t) => {
    const { where, to, site } = await bench.pair(t, 20);
    await site.once();
    await couch.delete(to);
    await couch.put(to);
    await put(couch, where, 'later');
    assert.equal(await received(site), 21);
    await bench.assertSame(where, to);
});

test('a target whose books are older than the source\'s gets what it may lack', async (t) => {
    const { where, to, site } = await bench.pair(t, 20);
    await site.once();
    const [[id, old]] = Object.entries(await bench.checkpointsOf(to));
    await fill(couch, where, names(5, 'later'));
    await site.once();
    /* As if it came out of a backup: without the later ones, and with the books of then. */
    const { json: rows } = await couch.get(`${to}/_all_docs?startkey="later"`);
    await couch.delete(to);
    await couch.put(to);
    const { json } = await couch.post(`${where}/_bulk_get?revs=true`, {
        docs: names(20).map((name) => ({ id: name })),
    });
    await putLeaves(couch, to, json.results.map(({ docs }) => docs[0].ok));
    const { _rev, ...books } = old;
    assert.equal((await couch.put(`${to}/${id}`, books)).status, 201);
    assert.equal(rows.rows.length, 5);
    assert.equal(await received(site), 5);
    await bench.assertSame(where, to);
});
