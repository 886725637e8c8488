/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin bulk-sink: what becomes of answers that cannot be gone by. Where a server has to
 * misbehave, a receiver stands for it.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const { startTestServer } = require('../lib/couch');
const { startReceiver } = require('../lib/receiver');
const { makeSite, passwordsOf } = require('./lib/site');
const { dbOf, fill, makeFilled, put, putLeaves, remove, revise } = require('./lib/docs');
const { bulkBench, serverUrl, urlOf, oks, posts, lettersOf, REV } = require('./lib/bulk');
const { atEnd } = require('../lib/at_end');

let couch;
let toBulk, siteTo, pair, toReceiver, docsOf, leavesOf, updateAndDelete;

before(async () => {
    couch = await startTestServer();
    ({ toBulk, siteTo, pair, toReceiver, docsOf, leavesOf, updateAndDelete } =
        bulkBench(couch));
});
after(() => couch.close());

test('rows are matched by id, whatever their order', async (t) => {
    const { ids, site } = await toReceiver(t, 30, (body) => {
        const rows = oks(body.docs).reverse();
        for (const row of rows)
            if (row.id.endsWith('07'))
                Object.assign(row, {
                    ok: false,
                    rev: undefined,
                    error: 'forbidden',
                    reason: 'no',
                });
        return { status: 202, body: rows };
    });
    await site.once();
    assert.deepEqual(
        (await lettersOf(site)).map((letter) => letter.doc_id),
        [ids[6]],
    );
});

test('each refused document has its own reason, and is sent once', async (t) => {
    const reason = { 1: 'no title', 2: 'no date', 3: 'no title' };
    const { ids, target, site } = await toReceiver(t, 6, (body) => ({
        status: 201,
        body: oks(body.docs).map(({ id, ...row }) =>
            reason[id.slice(-1)]
                ? { id, error: 'forbidden', reason: reason[id.slice(-1)] }
                : { id, ...row },
        ),
    }));
    await site.once();
    const errors = (await lettersOf(site)).map(({ doc_id, error }) => [doc_id, error]);
    assert.deepEqual(errors.sort(), [
        [ids[0], 'forbidden: no title'],
        [ids[1], 'forbidden: no date'],
        [ids[2], 'forbidden: no title'],
    ]);
    const sent = posts(target).flatMap((req) => req.json().docs.map((doc) => doc._id));
    assert.deepEqual(sent.sort(), ids);
});

test('with new_edits a document without a row is sent again, the others are not', async (t) => {
    const offers = new Map();
    const { ids, site } = await toReceiver(t, 10, (body) => {
        for (const { _id } of body.docs) offers.set(_id, (offers.get(_id) || 0) + 1);
        const isTold = (doc) => doc._id <= 'doc-000007' || offers.get(doc._id) > 1;
        return { status: 201, body: oks(body.docs.filter(isTold)) };
    });
    const run = await site.once();
    assert.match(run.stderr, /the answer leaves out \d+ of \d+ documents/);
    assert.deepEqual(
        ids.map((id) => offers.get(id)),
        [1, 1, 1, 1, 1, 1, 1, 2, 2, 2],
    );
});

test('without new_edits silence is a yes in a whole answer about what was sent', async (t) => {
    const answers = [
        { status: 201, body: '[' },
        { status: 201, body: '[{"id":"doc-000001","error":"forbidd' },
        { status: 201, body: '<html>' },
        { status: 201, body: '' },
        {
            status: 201,
            body: [{ id: 'another', rev: REV(1, 'a'), error: 'forbidden', reason: 'x' }],
        },
        { status: 201, body: [7, null, ['id']] },
        { status: 201, body: { ok: true } },
    ];
    const { ids, target, site } = await toReceiver(
        t,
        1,
        (body, req) => answers[req.n - 1] || { status: 201, body: [] },
        { new_edits: false },
    );
    const run = await site.once();
    assert.equal(target.requests.length, answers.length + 1);
    assert.match(run.stderr, /not whole/);
    assert.match(run.stderr, /about documents that were not sent/);
    for (const req of target.requests) {
        const body = req.json();
        assert.equal(body.new_edits, false);
        assert.deepEqual(body.docs.map((doc) => doc._id).sort(), ids);
        for (const doc of body.docs) assert.equal(doc._revisions.start, 1);
    }
    assert.deepEqual(await lettersOf(site), []);
});

test('an answer of the source is gone by as far as it goes', async (t) => {
    const to = await couch.makeDb();
    const { db, ids, where } = await makeFilled(couch, 3);
    await revise(couch, where, ids);
    const whole = async (body) => (await couch.post(`${where}/_bulk_get?revs=true`, body)).json;
    const answers = [
        async (body) => ({ body: JSON.stringify(await whole(body)).slice(0, -3) }),
        async (body) => {
            const answer = await whole(body);
            for (const { docs } of answer.results) delete docs[0].ok._revisions;
            return { body: answer };
        },
        async (body) => {
            const { results } = await whole(body);
            return { body: { results: results.slice(0, 1) } };
        },
        () => ({
            status: 404,
            body: { error: 'not_found', reason: 'Database does not exist.' },
        }),
        () => ({ body: '--multipart' }),
        () => ({
            body: { results: [{ id: ids[2], docs: [{ error: { error: 'timeout' } }] }] },
        }),
    ];
    const source = await startReceiver({
        reply: async (req) => {
            const answer =
                answers[req.n - 1] || (async (body) => ({ body: await whole(body) }));
            return answer(req.json());
        },
    });
    atEnd(t, () => source.close());
    const site = siteTo(
        t,
        db,
        { url: urlOf(couch, to), new_edits: false, source_url: source.url },
        { batch: { wait: '300ms' } },
    );
    const run = await site.once();
    assert.match(run.stderr, /_bulk_get of the source: the answer is not whole/);
    assert.match(run.stderr, /without _revisions/);
    assert.match(run.stderr, /leaves out/);
    assert.deepEqual(await leavesOf(to), await leavesOf(where));
    assert.deepEqual(await lettersOf(site), []);
});

test('the source is not asked for what has no history', async (t) => {
    const to = await couch.makeDb();
    const { db, ids, where } = await makeFilled(couch, 30, { make: (id) => ({ text: id }) });
    await putLeaves(couch, where, [
        { _id: 'gone', _rev: REV(1, 'a'), _deleted: true, why: 'spam' },
    ]);
    await revise(couch, where, ids.slice(0, 2));
    await put(couch, where, 'file', { _attachments: { a: { data: 'eHl6' } } });
    await putLeaves(couch, where, [{ _id: ids[2], _rev: REV(1, 'f'), text: 'other' }]);
    const source = await startReceiver({
        reply: async (req) => ({ body: (await couch.post(req.url, req.json())).json }),
    });
    atEnd(t, () => source.close());
    const site = siteTo(
        t,
        db,
        { url: urlOf(couch, to), new_edits: false, source_url: source.url },
        { all_leaves: true },
    );
    await site.once();
    assert.deepEqual(await leavesOf(to), await leavesOf(where));
    assert.deepEqual(await docsOf(to), await docsOf(where));
    assert.equal((await couch.get(`${to}/gone?rev=${REV(1, 'a')}`)).json.why, 'spam');
    const asked = source.requests.flatMap((req) => req.json().docs.map(({ id }) => id));
    assert.deepEqual([...new Set(asked)].sort(), [...ids.slice(0, 3), 'file'].sort());
});

/* A rule from the rows of a file, whose documents are asked for at the server `source`. */
function copyRows(t, db, rows, to, source_url) {
    const site = makeSite(t, null, { passwords: passwordsOf(couch.auth) });
    const feed = `${site.dir}/feed.ndjson`;
    const line = ({ id, rev }, i) => ({ seq: i + 1, id, changes: [{ rev }], doc: { _id: id } });
    fs.writeFileSync(feed, rows.map((row, i) => `${JSON.stringify(line(row, i))}\n`).join(''));
    site.write({
        sources: { main: { type: 'file', path: feed, database: db } },
        rules: {
            r: toBulk(db, {
                url: urlOf(couch, to),
                new_edits: false,
                source_url: source_url || serverUrl(couch),
            }),
        },
    });
    return site;
}

test('a revision that the source lacks is a dead letter', async (t) => {
    const to = await couch.makeDb();
    const { db, where, ids } = await makeFilled(couch, 2);
    const { _rev: rev } = (await couch.get(`${where}/${ids[0]}`)).json;
    const rows = [
        { id: ids[0], rev },
        { id: ids[1], rev: REV(1, 'e') },
        { id: 'never', rev: REV(1, 'f') },
    ];
    const site = copyRows(t, db, rows, to);
    await site.once();
    const letters = (await lettersOf(site)).map(({ doc_id, error }) => [doc_id, error]);
    assert.deepEqual(
        letters.map(([id]) => id),
        [ids[1], 'never'],
    );
    for (const [, error] of letters)
        assert.match(error, /^not_found: the source does not have that revision/);
    assert.deepEqual(await leavesOf(to), { [ids[0]]: [rev] });
});

test('a revision that was replaced goes as it was, or is settled if it is gone', async (t) => {
    const to = await couch.makeDb();
    const { db, where, ids } = await makeFilled(couch, 2);
    const rows = [];
    for (const id of ids) {
        const { _rev: rev } = (await couch.get(`${where}/${id}`)).json;
        rows.push({ id, rev });
        await put(couch, where, `${id}?rev=${rev}`, { v: 2 });
    }
    /* As a server that has compacted the one, not the other. */
    const source = await startReceiver({
        reply: async (req) => {
            const { results } = (await couch.post(req.url, req.json())).json;
            if (!/latest/.test(req.url))
                for (const { id, docs } of results)
                    if (id === ids[1])
                        docs[0] = {
                            error: {
                                id,
                                rev: rows[1].rev,
                                error: 'not_found',
                                reason: 'missing',
                            },
                        };
            return { body: { results } };
        },
    });
    atEnd(t, () => source.close());
    const site = copyRows(t, db, rows, to, source.url);
    await site.once();
    assert.deepEqual(await lettersOf(site), []);
    assert.deepEqual(await leavesOf(to), { [ids[0]]: [rows[0].rev] });
    const last = source.requests.at(-1);
    assert.match(last.url, /latest=true/);
    assert.deepEqual(last.json().docs, [rows[1]]);
});

for (const [status, body] of [
    [405, { error: 'method_not_allowed', reason: 'Only GET,HEAD allowed' }],
    [404, { error: 'not_found', reason: 'missing' }],
    [400, { error: 'bad_request', reason: 'Only reserved document ids may start with _' }],
])
    test(`a source without _bulk_get (${status}) is read document by document`, async (t) => {
        const to = await couch.makeDb();
        const { db, where, ids } = await makeFilled(couch, 150);
        await revise(couch, where, ids.slice(2));
        await put(couch, where, encodeURIComponent('ä/?&'), {
            _attachments: { a: { data: 'eHl6' } },
        });
        await putLeaves(couch, where, [
            { _id: ids[0], _rev: REV(1, 'f'), v: 'other', _revisions: { start: 1, ids: ['f'.repeat(32)] } },
        ]);
        await remove(couch, where, ids[1]);
        const source = await startReceiver({
            reply: async (req) => {
                if (req.method === 'POST') return { status, body };
                const answer = await couch.get(req.url, { Accept: req.headers.accept });
                return { status: answer.status, body: answer.json };
            },
        });
        atEnd(t, () => source.close());
        const site = siteTo(
            t,
            db,
            { url: urlOf(couch, to), new_edits: false, source_url: source.url },
            { all_leaves: true, batch: { wait: '200ms' } },
        );
        await site.once();
        assert.deepEqual(await leavesOf(to), await leavesOf(where));
        assert.deepEqual(await docsOf(to), await docsOf(where));
        assert.equal((await couch.get(`${to}/${encodeURIComponent('ä/?&')}/a`)).text, 'xyz');
        assert.deepEqual(await lettersOf(site), []);
        assert.equal(source.requests.filter((req) => req.method === 'POST').length, 1);

        const rows = [
            { id: ids[2], rev: REV(1, 'e') },
            { id: 'never', rev: REV(1, 'e') },
        ];
        const lacking = copyRows(t, db, rows, to, source.url);
        await lacking.once();
        const letters = await lettersOf(lacking);
        assert.equal(letters.length, 2);
        for (const { error } of letters) assert.match(error, /^not_found: the source does not/);
    });

test('an answer of the target about what it has is gone by as far as it goes', async (t) => {
    const { where, to, ids } = await pair(t, 2);
    await updateAndDelete(where);
    await fill(couch, to, ids, () => ({ theirs: true }));
    let asked = 0;
    const target = await startReceiver({
        reply: async (req) => {
            const answer = await couch.post(to + req.url.slice(3), req.json());
            if (req.path !== '/to/_all_docs')
                return { status: answer.status, body: answer.json };
            asked++;
            if (asked === 1) return { body: answer.text.slice(0, -5) };
            if (asked === 2) return { body: { rows: [] } };
            if (asked === 3) return { body: {} };
            return { body: { rows: answer.json.rows.reverse() } };
        },
    });
    atEnd(t, () => target.close());
    const site = siteTo(t, dbOf(where), { url: `${target.url}/to` });
    await site.once();
    assert.ok(asked >= 4);
    assert.deepEqual(await docsOf(to), await docsOf(where));
    assert.deepEqual(await lettersOf(site), []);
});

test('what may pass is tried again', async (t) => {
    const bad = [
        { status: 401, body: { error: 'unauthorized', reason: 'no' } },
        { status: 403, body: { error: 'forbidden', reason: 'no' } },
        { status: 404, body: { error: 'not_found', reason: 'Database does not exist.' } },
        { status: 408 },
        { status: 500, body: { error: 'internal', reason: 'x' } },
        { status: 503, body: 'busy' },
        { close: true },
        {
            status: 201,
            body: [{ id: 'doc-000001', error: 'internal_server_error', reason: 'x' }],
        },
    ];
    const { target, site } = await toReceiver(
        t,
        1,
        (body, req) => bad[req.n - 1] || { status: 201, body: oks(body.docs) },
    );
    await site.once();
    assert.equal(target.requests.length, bad.length + 1);
    assert.deepEqual(await lettersOf(site), []);
});

test('429 blames nobody and makes requests smaller', async (t) => {
    const error = { error: 'too_many_requests', reason: 'slow down' };
    const answers = [
        { status: 429, headers: { 'Retry-After': '1' }, body: error },
        { status: 429, body: error },
    ];
    const { target, site } = await toReceiver(
        t,
        40,
        (body, req) => answers[req.n - 1] || { status: 201, body: oks(body.docs) },
        {},
        { max_attempts: 1 },
    );
    await site.once();
    const [large, , small] = target.requests.map((req) => req.json().docs.length);
    assert.ok(small <= Math.max(1, large / 2), `${small} after ${large}`);
    assert.deepEqual(await lettersOf(site), []);
});

test('a server that does not answer is given up before the batch is late', async (t) => {
    const { target, site } = await toReceiver(
        t,
        5,
        (body, req) => (req.n < 3 ? { hang: true } : { status: 201, body: oks(body.docs) }),
        {},
        { timeout: '400ms' },
    );
    const run = await site.once();
    assert.doesNotMatch(run.stderr, /wedged/);
    assert.ok(target.requests.length >= 3);
});
