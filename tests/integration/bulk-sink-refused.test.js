/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin bulk-sink: what becomes of documents that are refused. Where a server has to
 * misbehave, a receiver stands for it.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const { startTestServer } = require('../lib/couch');
const { startReceiver } = require('../lib/receiver');
const { makeSite, passwordsOf } = require('./lib/site');
const { fill, put } = require('./lib/docs');
const { bulkBench, urlOf, oks, posts, lettersOf, REV } = require('./lib/bulk');
const { atEnd } = require('../lib/at_end');

let couch;
let toBulk, pair, toReceiver, docsOf, leavesOf;

before(async () => {
    couch = await startTestServer();
    ({ toBulk, pair, toReceiver, docsOf, leavesOf } = bulkBench(couch));
});
after(() => couch.close());

const validator = {
    validate_doc_update: `function (doc) {
            if (doc.bad) throw({forbidden: "no " + doc.bad});
            if (doc.who) throw({unauthorized: "not you"});
        }`,
};

for (const new_edits of [true, false])
    test(`what the target forbids is a dead letter, new_edits = ${new_edits}`, async (t) => {
        const { where, to, site } = await pair(t, 20, { new_edits });
        await couch.put(`${to}/_design/v`, validator);
        await fill(
            couch,
            where,
            ['w', 'x', 'y', 'z'],
            (id) =>
                ({
                    w: { bad: 'title' },
                    x: { bad: 'date' },
                    y: { who: 1 },
                    z: { bad: 'title' },
                })[id],
        );
        await fill(couch, where, ['zz']);
        await site.once();
        const errors = (await lettersOf(site)).map(({ doc_id, error }) => [doc_id, error]);
        assert.deepEqual(errors.sort(), [
            ['w', 'forbidden: no title'],
            ['x', 'forbidden: no date'],
            ['y', 'unauthorized: not you'],
            ['z', 'forbidden: no title'],
        ]);
        const docs = await docsOf(to);
        assert.equal(Object.keys(docs).length, 22);
        assert.ok(docs.zz);
    });

test('a dead letter that is sent again after the cause is mended arrives', async (t) => {
    const { where, to, site } = await pair(t, 0);
    const { rev } = (await couch.put(`${to}/_design/v`, validator)).json;
    await fill(couch, where, ['x'], () => ({ bad: 'title' }));
    await site.once();
    await couch.delete(`${to}/_design/v?rev=${rev}`);
    await site.command(['dead-letter', 'replay', '--all']);
    assert.deepEqual(await docsOf(to), { x: { _id: 'x', bad: 'title' } });
    assert.deepEqual(await lettersOf(site), []);
});

test('what the server refuses as a whole is found by halves', async (t) => {
    const { ids, target, site } = await toReceiver(t, 64, (body) => {
        if (body.docs.some((doc) => doc._id.endsWith('37')))
            return {
                status: 400,
                body: { error: 'doc_validation', reason: 'Bad special member' },
            };
        return { status: 201, body: oks(body.docs) };
    });
    await site.once();
    const letters = await lettersOf(site);
    assert.deepEqual(
        letters.map(({ doc_id, error }) => [doc_id, error]),
        [[ids[36], '400: doc_validation: Bad special member']],
    );
    assert.ok(posts(target).length < 30, `${posts(target).length} requests`);
});

test('413 halves down to one document, which is rejected', async (t) => {
    const { ids, site } = await toReceiver(
        t,
        40,
        (body, req) =>
            req.body.length > 400
                ? {
                      status: 413,
                      body: { error: 'too_large', reason: 'the request entity is too large' },
                  }
                : { status: 201, body: oks(body.docs) },
        {},
    );
    await site.once();
    assert.deepEqual(await lettersOf(site), []);
    const {
        where,
        ids: more,
        site: other,
    } = await toReceiver(t, 3, (body) =>
        body.docs.some((doc) => doc.long)
            ? { status: 413, body: { error: 'document_too_large', reason: 'long' } }
            : { status: 201, body: oks(body.docs) },
    );
    await fill(couch, where, ['long'], () => ({ long: 1 }));
    await other.once();
    const letters = await lettersOf(other);
    assert.deepEqual(
        letters.map(({ doc_id, error }) => [doc_id, error]),
        [['long', '413: document_too_large: long']],
    );
    assert.equal(ids.length + more.length, 43);
});

test('an update without _id and _rev is refused, with no request', async (t) => {
    const target = await startReceiver({});
    atEnd(t, () => target.close());
    const site = makeSite(t, null, {});
    const feed = `${site.dir}/feed.ndjson`;
    fs.writeFileSync(
        feed,
        [
            { seq: 1, id: 'a', changes: [{ rev: '2-a' }], doc: { v: 1 } },
            { seq: 2, id: 'b', changes: [{ rev: '2-a' }], doc: { _id: 'b', v: 1 } },
            { seq: 3, id: 'c', changes: [], deleted: true },
            { seq: 4, id: 'd', changes: [{ rev: '1-a' }], doc: { _id: 'other' } },
        ]
            .map((row) => `${JSON.stringify(row)}\n`)
            .join(''),
    );
    site.write({
        sources: { main: { type: 'file', path: feed, database: 'db' } },
        rules: { r: toBulk('db', { url: `${target.url}/to` }) },
    });
    await site.once();
    const letters = await lettersOf(site);
    const both = 'Document needs both _id and _rev';
    const errors = {
        a: both,
        b: both,
        c: both,
        d: 'the _id of the document is not the id of its row',
    };
    assert.deepEqual(Object.fromEntries(letters.map((l) => [l.doc_id, l.error])), errors);
    assert.equal(target.requests.length, 0);
});

test('the last change of a document goes, or the one before if it is refused', async (t) => {
    const to = await couch.makeDb();
    await couch.put(`${to}/_design/v`, validator);
    const site = makeSite(t, null, { passwords: passwordsOf(couch.auth) });
    const feed = `${site.dir}/feed.ndjson`;
    const rows = [
        { id: 'a', v: 1 },
        { id: 'a', v: 2 },
        { id: 'b', v: 1 },
        { id: 'a', v: 3, bad: 'title' },
        { id: 'b', deleted: true },
        { id: 'c', v: 1 },
        { id: 'c', v: 2 },
    ].map(({ id, deleted, ...doc }, i) => {
        const rev = REV(i + 1, 'a');
        const row = { seq: i, id, changes: [{ rev }], doc: { _id: id, _rev: rev, ...doc } };
        return deleted ? { ...row, deleted, doc: { _id: id, _rev: rev, _deleted: true } } : row;
    });
    fs.writeFileSync(feed, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    site.write({
        sources: { main: { type: 'file', path: feed, database: 'db' } },
        rules: { r: toBulk('db', { url: urlOf(couch, to) }) },
    });
    await site.once();
    const { a, b, c } = await docsOf(to);
    assert.deepEqual([a, b, c], [{ _id: 'a', v: 2 }, undefined, { _id: 'c', v: 2 }]);
    const letters = (await lettersOf(site)).map((letter) => [letter.doc_id, letter.error]);
    assert.deepEqual(letters, [['a', 'forbidden: no title']]);
});

test('stubs are refused or dropped; whole attachments go', async (t) => {
    const doc = {
        v: 1,
        _attachments: {
            'a.txt': {
                content_type: 'text/plain',
                data: Buffer.from('hello').toString('base64'),
            },
        },
    };
    const text = async (to) => (await couch.get(`${to}/x/a.txt`)).text;
    const run = async (options, rule) => {
        const made = await pair(t, 2, options, rule);
        await put(couch, made.where, 'x', doc);
        await made.site.once();
        return made;
    };
    const refused = await run({});
    assert.match((await lettersOf(refused.site))[0].error, /attachments are not in the change/);
    assert.equal(Object.keys(await docsOf(refused.to)).length, 2);
    const dropped = await run({ attachments: 'drop' });
    assert.deepEqual((await docsOf(dropped.to)).x, { _id: 'x', v: 1 });
    const whole = await run({}, { attachments: true });
    assert.equal(await text(whole.to), 'hello');
    const copied = await run({ new_edits: false });
    assert.equal(await text(copied.to), 'hello');
    assert.deepEqual(await leavesOf(copied.to), await leavesOf(copied.where));
});

test('what is there with its attachments already is no conflict', async (t) => {
    const rule = { attachments: true };
    const { where, to, site } = await pair(t, 0, { on_conflict: 'dead_letter' }, rule);
    const data = Buffer.from('hello'.repeat(100)).toString('base64');
    const _attachments = { 'a b': { content_type: 'text/plain', data } };
    await put(couch, where, 'x', { _attachments });
    await site.once();
    fs.rmSync(site.stateDir, { recursive: true });
    await site.once();
    assert.deepEqual(await lettersOf(site), []);
    assert.equal((await couch.get(`${to}/x/a%20b`)).text, 'hello'.repeat(100));
});
