/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin bulk-sink: what it writes to a CouchDB, what becomes of conflicts, and that a
 * crash changes nothing. Refusals are bulk-sink-refused.test.js's, answers
 * bulk-sink-answers.test.js's.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const { startTestServer, uniqueDb, sleep, waitFor } = require('../lib/couch');
const { startReceiver } = require('../lib/receiver');
const { tailrace } = require('../lib/tailrace');
const { ownServer } = require('./lib/server');
const { dbOf, fill, makeFilled, names, put, putLeaves, remove } = require('./lib/docs');
const { bulkBench, serverUrl, urlOf, oks, posts, lettersOf, REV } = require('./lib/bulk');
const { seeded } = require('./lib/seed');
const { atEnd } = require('../lib/at_end');


let couch;
let siteTo, pair, toReceiver, docsOf, leavesOf, revsOf, updateAndDelete;

before(async () => {
    couch = await startTestServer();
    ({ siteTo, pair, toReceiver, docsOf, leavesOf, revsOf, updateAndDelete } =
        bulkBench(couch));
});
after(() => couch.close());

/* ---- mirrors ---- */

for (const newEdits of [true, false])
    test(`inserts, updates and deletes arrive, new_edits = ${newEdits}`, async (t) => {
        const { where, to, site } = await pair(
            t,
            60,
            { new_edits: newEdits },
            { concurrency: 4 },
        );
        await site.once();
        assert.deepEqual(await docsOf(to), await docsOf(where));
        const left = await updateAndDelete(where);
        await put(couch, where, 'later', { new: true });
        await site.once();
        const docs = await docsOf(to);
        assert.deepEqual(docs, await docsOf(where));
        assert.equal(Object.keys(docs).length, left + 1);
        const leaves = await leavesOf(to);
        delete leaves.later;
        for (const [id, revs] of Object.entries(leaves)) {
            assert.equal(revs.length, 1, id);
            assert.match(revs[0], /^2-/, id);
        }
        if (!newEdits) assert.deepEqual(await leavesOf(to), await leavesOf(where));
        assert.deepEqual(await lettersOf(site), []);
    });

test('new_edits = false brings histories, and every leaf with all_leaves', async (t) => {
    const { where, to, site } = await pair(t, 1, { new_edits: false }, { all_leaves: true });
    await putLeaves(couch, where, [
        {
            _id: 'c',
            _rev: REV(2, 'b'),
            v: 'B',
            _revisions: { start: 2, ids: ['b'.repeat(32), 'a'.repeat(32)] },
        },
        {
            _id: 'c',
            _rev: REV(2, 'c'),
            v: 'C',
            _revisions: { start: 2, ids: ['c'.repeat(32), 'a'.repeat(32)] },
        },
    ]);
    await remove(couch, where, 'doc-000001');
    await site.once();
    assert.deepEqual(await leavesOf(to), await leavesOf(where));
    const sorted = (revs) =>
        revs.map((one) => one.ok).sort((a, b) => (a._rev < b._rev ? -1 : 1));
    assert.deepEqual(sorted(await revsOf(to, 'c')), sorted(await revsOf(where, 'c')));
});

test('without new_edits what was taken twice changes nothing', async (t) => {
    const { where, to, site } = await pair(t, 20, { new_edits: false });
    await site.once();
    fs.rmSync(site.stateDir, { recursive: true });
    const seq = (await couch.get(to)).json.update_seq;
    await site.once();
    assert.deepEqual(await leavesOf(to), await leavesOf(where));
    assert.equal(parseInt((await couch.get(to)).json.update_seq, 10), parseInt(seq, 10));
});

test('with new_edits what is there already is not written again', async (t) => {
    const { where, to, site } = await pair(t, 20);
    await site.once();
    await updateAndDelete(where);
    await site.once();
    const leaves = await leavesOf(to);
    fs.rmSync(site.stateDir, { recursive: true });
    await site.once();
    assert.deepEqual(await leavesOf(to), leaves);
});

test('documents pass byte for byte', async (t) => {
    const { where, to, site } = await pair(t, 0);
    const body =
        '{"_id":"ä/b+c","big":12345678901234567890,"s":"\\u0000\\ud83d\\ude00","d":1.10}';
    assert.equal(
        (await couch.post(where, body, { 'Content-Type': 'application/json' })).status,
        201,
    );
    await site.once();
    const id = encodeURIComponent('ä/b+c');
    const there = (await couch.get(`${to}/${id}`)).text;
    assert.equal(there, (await couch.get(`${where}/${id}`)).text);
});

test('the target is named after the source, and made with q and n', async (t) => {
    const prefix = `copy+${uniqueDb()}/`;
    const { db, where } = await makeFilled(couch, 3);
    const to = `/${encodeURIComponent(prefix + db)}`;
    couch.made.push(to);
    const site = siteTo(t, db, {
        url: `${serverUrl(couch)}/`,
        database: `${prefix}\${db_name}`,
        create_target: true,
        q: 1,
        n: 1,
    });
    await site.once();
    assert.deepEqual(await docsOf(to), await docsOf(where));
    const { cluster } = (await couch.get(to)).json;
    if (couch.isReal) assert.equal(cluster.q, 1);
});

test('the target is named by what a pattern matches of the source', async (t) => {
    const names = ['ada', 'bob'].map((user) => uniqueDb(user));
    for (const name of names) await makeFilled(couch, 2, { name: `user_${name}` });
    for (const [pattern, database] of [
        ['^user_(.*)$', 'copy_$1_of'],
        ['^user_(?<who>.*)$', 'named_${who}$$'],
        ['^(user)_(x)?', '${1}s+$2$db_name'],
    ]) {
        const site = siteTo(t, 'any', {
            url: `${serverUrl(couch)}/`,
            database_pattern: pattern,
            database,
            create_target: true,
        });
        const { r } = site.parts.rules;
        site.write({ rules: { r: { ...r, databases: names.map((name) => `user_${name}`) } } });
        await site.once();
        for (const name of names) {
            const to = { copy: `copy_${name}_of`, name: `named_${name}$` };
            const made = to[database.slice(0, 4)] || `users+user_${name}`;
            couch.made.push(`/${encodeURIComponent(made)}`);
            assert.equal(Object.keys(await docsOf(couch.made.at(-1))).length, 2, made);
        }
        assert.deepEqual(await lettersOf(site), []);
    }
});

test('a database that the pattern does not match, or not in time, makes dead letters', async (t) => {
    const { db } = await makeFilled(couch, 2, { name: uniqueDb(`t${'a'.repeat(40)}`) });
    for (const [database_pattern, error] of [
        ['^user_(.*)$', /database_pattern does not match/],
        ['^t(a+)+$', /database_pattern gave up on/],
    ]) {
        const url = serverUrl(couch);
        const site = siteTo(t, db, { url, database_pattern, database: 'copy_$1' });
        await site.once();
        const letters = await lettersOf(site);
        assert.equal(letters.length, 2);
        assert.match(letters[0].error, error);
    }
});

test('a target that is missing is waited for', async (t) => {
    const { db, where } = await makeFilled(couch, 3);
    const to = `/${uniqueDb()}`;
    const daemon = siteTo(t, db, { url: urlOf(couch, to) }).start();
    await daemon.waitForLog({ reason: /the database \S+ does not exist; make it, or set/ });
    await couch.makeDb(dbOf(to));
    await waitFor(async () => (await couch.get(to)).json.doc_count === 3, 'the documents');
    assert.deepEqual(await docsOf(to), await docsOf(where));
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});

test('deletions are left out when they shall be', async (t) => {
    for (const new_edits of [true, false]) {
        const { where, ids, to, site } = await pair(t, 3, { deletes: 'skip', new_edits });
        await site.once();
        await remove(couch, where, ids[0]);
        await site.once();
        assert.deepEqual(Object.keys(await docsOf(to)), ids);
    }
});

/* ---- conflicts ---- */

/* The source's document is at its second revision, the target has another of that id. */
async function inConflict(t, on_conflict) {
    const made = await pair(t, 3, { on_conflict });
    const [, second] = made.ids;
    await fill(couch, made.to, [second], () => ({ theirs: true }));
    return made;
}

test('on_conflict = overwrite: the source wins', async (t) => {
    const { where, to, ids, site } = await inConflict(t, 'overwrite');
    await site.once();
    assert.deepEqual(await docsOf(to), await docsOf(where));
    assert.match((await leavesOf(to))[ids[1]][0], /^2-/);
});

test('on_conflict = skip: the target wins', async (t) => {
    const { to, ids, site } = await inConflict(t, 'skip');
    await site.once();
    const docs = await docsOf(to);
    assert.deepEqual(docs[ids[1]], { _id: ids[1], theirs: true });
    assert.equal(Object.keys(docs).length, 3);
    assert.deepEqual(await lettersOf(site), []);
});

test('on_conflict = dead_letter: nobody wins; what is the same is no conflict', async (t) => {
    const { to, where, ids, site } = await inConflict(t, 'dead_letter');
    await fill(couch, to, [ids[2]], () => ({ text: ids[2], list: [1, ids[2]] }));
    await site.once();
    const letters = await lettersOf(site);
    assert.deepEqual(
        letters.map((letter) => letter.doc_id),
        [ids[1]],
    );
    assert.match(letters[0].error, /^conflict: the target has another document/);
    assert.deepEqual((await docsOf(to))[ids[0]], (await docsOf(where))[ids[0]]);
});

test('an update names the revision that it came with, unless it shall overwrite', async (t) => {
    const { target, site, where, ids } = await toReceiver(
        t,
        2,
        (body) => ({ status: 201, body: oks(body.docs) }),
        { on_conflict: 'skip' },
    );
    const { _rev } = (await couch.get(`${where}/${ids[0]}`)).json;
    const rev = await put(couch, where, `${ids[0]}?rev=${_rev}`, { v: 2 });
    const gone = await remove(couch, where, ids[1]);
    await site.once();
    const docs = posts(target).flatMap((req) => req.json().docs);
    assert.deepEqual(
        docs.sort((a, b) => (a._id < b._id ? -1 : 1)),
        [
            { _id: ids[0], _rev: rev, v: 2 },
            { _id: ids[1], _rev: gone, _deleted: true },
        ],
    );
});

test('a target that changes all the time is written over in the end', async (t) => {
    let left = 5;
    const { target, site } = await toReceiver(t, 1, (body) => {
        const [id] = body.keys || [body.docs[0]._id];
        if (body.keys)
            return {
                body: {
                    rows: [
                        {
                            id,
                            key: id,
                            value: { rev: REV(left + 2, 'b') },
                            doc: { _id: id, x: left },
                        },
                    ],
                },
            };
        if (left-- > 0) return { status: 201, body: [{ id, error: 'conflict', reason: 'x' }] };
        return { status: 201, body: oks(body.docs) };
    });
    await site.once();
    const last = posts(target).at(-1).json().docs[0];
    assert.equal(last._rev, REV(2, 'b'));
    assert.equal(posts(target).length, 6);
});

/* ---- crashes ---- */

for (const new_edits of [true, false])
    test(`kill -9 changes nothing in the end, new_edits = ${new_edits}`, async (t) => {
        const rng = seeded(t);
        const { where, to, site } = await pair(
            t,
            3000,
            { new_edits },
            { concurrency: 3, batch: { size: 20 }, commit: { interval: '50ms' } },
        );
        const count = async () => (await couch.get(to)).json.doc_count;
        for (let kills = 0; kills < 8; kills++) {
            const was = await count();
            if (was === 3000) break;
            const daemon = site.start();
            await waitFor(
                async () => !daemon.running || (await count()) > was,
                'progress',
                30000,
            );
            await sleep(rng.below(60));
            await daemon.kill9();
        }
        await site.once();
        assert.deepEqual(await docsOf(to), await docsOf(where));
        assert.deepEqual(await leavesOf(to), await leavesOf(where));

        await updateAndDelete(where);
        for (let kills = 0; kills < 5; kills++) {
            const daemon = site.start();
            await daemon.waitForLog({ msg: 'rule started' });
            await sleep(rng.below(400));
            await daemon.kill9();
        }
        await site.once();
        assert.deepEqual(await docsOf(to), await docsOf(where));
        const leaves = Object.values(await leavesOf(to));
        assert.equal(leaves.length, 3000);
        for (const revs of leaves) assert.match(revs.join(), /^2-[^,]*$/);
        assert.deepEqual(await lettersOf(site), []);
    });

test('a target that is killed in the middle loses nothing', async (t) => {
    let other = await ownServer(t);
    await other.makeDb('to');
    const { db, where } = await makeFilled(couch, 2000);
    const site = siteTo(t, db, { url: `${serverUrl(other)}/to` }, { batch: { size: 20 } });
    const daemon = site.start();
    const count = async () => (await other.get('/to')).json.doc_count;
    await waitFor(async () => (await count()) > 100, 'some documents', 30000);
    await other.end('SIGKILL');
    await daemon.waitForLog({ msg: /batch failed/ }, 30000);
    other = await other.again();
    await waitFor(async () => (await count()) === 2000, 'all documents', 60000);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    assert.equal(Object.keys(await docsOf(where)).length, 2000);
    assert.deepEqual(await lettersOf(site), []);
});

/* ---- before anything is sent ---- */

test('explain shows the requests', async (t) => {
    const show = async (doc, options) => {
        const site = siteTo(t, 'any', { url: 'http://u@127.0.0.1/copy', ...options });
        fs.writeFileSync(`${site.dir}/doc.json`, JSON.stringify(doc));
        const run = await tailrace(site.args('explain', 'any', `${site.dir}/doc.json`));
        assert.equal(run.code, 0, run.stderr);
        return run.stdout;
    };
    const insert = await show({ _id: 'a', _rev: '1-x', v: 1 });
    assert.match(insert, /POST http:\/\/u@127\.0\.0\.1\/copy\/_bulk_docs/);
    assert.match(insert, /\{"docs":\[\{"_id":"a","v":1\}\]\}/);
    const update = await show({ _id: 'a', _rev: '2-x', v: 1 });
    assert.match(update, /_all_docs\?include_docs=true\n *\{"keys":\["a"\]\}/);
    assert.match(update, /\{"_rev":"\(the target's\)","_id":"a","v":1\}/);
    assert.match(
        await show({ _id: 'a', _rev: '3-x', _deleted: true, why: 1 }, { on_conflict: 'skip' }),
        /\{"docs":\[\{"_id":"a","_rev":"3-x","_deleted":true\}\]\}/,
    );
    const copy = await show({ _id: 'a', _rev: '3-x' }, { new_edits: false });
    assert.match(copy, /\/any\/_bulk_get\?revs=true&attachments=true/);
    assert.match(copy, /\{"docs":\[\{"id":"a","rev":"3-x"\}\]\}/);
    assert.match(copy, /"new_edits":false/);
    const first = await show({ _id: 'a', _rev: '1-x', v: 1 }, { new_edits: false });
    assert.doesNotMatch(first, /_bulk_get/);
    assert.match(first, /\[\{"_revisions":\{"start":1,"ids":\["x"\]\},"_id":"a",/);
});

for (const [what, options, pattern] of [
    ['a password in the url', { url: 'http://u:canary@h/x' }, /put it into the passwords file/],
    ['a url without a database', { url: 'http://h' }, /url has no database/],
    ['a url with a query', { url: 'http://h/x?y' }, /url is not http\(s\):\/\/HOST\/DATABASE/],
    ['a variable of a document', { database: 'x_$change.id' }, /only \$db_name is known/],
    ['a group without a pattern', { database: 'x_$1' }, /only \$db_name is known/],
    [
        'a group that the pattern lacks',
        { database: 'x_$2', database_pattern: '(.)' },
        /database has \$2, which is no variable/,
    ],
    ['a pattern alone', { database_pattern: '(.)' }, /makes nothing without database/],
    ['a wrong pattern', { database: 'x', database_pattern: '(' }, /missing closing/],
    ['no source to ask', { new_edits: false, source_url: undefined }, /set source_url/],
    ['q without create_target', { q: 2 }, /set create_target = true/],
    ['an unknown policy', { on_conflict: 'win' }, /overwrite/],
])
    test(`check refuses ${what}`, async (t) => {
        const site = siteTo(t, 'any', { url: 'http://h/x', ...options });
        const run = await tailrace(site.args('check'));
        assert.notEqual(run.code, 0);
        assert.match(run.stdout + run.stderr, pattern);
    });

test('a name that no database can have is a dead letter', async (t) => {
    const target = await startReceiver({});
    atEnd(t, () => target.close());
    const { db } = await makeFilled(couch, 3);
    const site = siteTo(t, db, { url: target.url, database: '../$db_name' });
    await site.once();
    assert.equal((await lettersOf(site)).length, 3);
    assert.equal(target.requests.length, 0);
});
