/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin replicator under random edits of the source, while tailrace is killed with -9 again
 * and again: in the end `tailrace verify` finds no difference, and the replicators of PouchDB and
 * of the server find nothing that they would write.
 *
 *   TAILRACE_TEST_SEED=N     the edits and the times of the kills
 *   TAILRACE_TEST_KILLS=N    how often it is killed (12); 500 take half an hour
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const crypto = require('node:crypto');
const PouchDB = require('pouchdb-core')
    .plugin(require('pouchdb-adapter-http'))
    .plugin(require('pouchdb-replication'));
const { startTestServer } = require('../lib/couch');
const { putLeaves } = require('./lib/docs');
const { copyBench, urlOf, lettersOf } = require('./lib/copy');
const { makeEnds } = require('./lib/ends');
const { SEED, seeded } = require('./lib/seed');

const KILLS = Number(process.env.TAILRACE_TEST_KILLS || 12);
const DOCUMENTS = 60;
const LETTERS = 'abcdef';

let couch, bench;

before(async () => {
    couch = await startTestServer();
    bench = copyBench(couch);
});
after(() => couch.close());

/* ---- what is drawn from the seed ---- */

/* Bytes that no server can compress, the same for the same roll. */
function noise(roll, size) {
    const key = Buffer.alloc(16, roll(256));
    const cipher = crypto.createCipheriv('aes-128-ctr', key, Buffer.alloc(16, roll(256)));
    return cipher.update(Buffer.alloc(size));
}

/* One that goes within its document, one that the server compresses, or one that flows. */
function attachment(roll) {
    const kinds = [
        ['text/plain', () => Buffer.from('text '.repeat(1 + roll(400)))],
        ['image/png', () => noise(roll, 1 + roll(2000))],
        ['image/png', () => noise(roll, 300000 + roll(300000))],
    ];
    const [type, make] = kinds[roll(8) === 0 ? 2 : roll(2)];
    return { content_type: type, data: make().toString('base64') };
}

/* A leaf of another branch than the server's own, deleted now and then. */
function branch(roll, _id, n) {
    const letter = LETTERS[roll(LETTERS.length)];
    const generation = 1 + roll(5);
    const ids = Array.from({ length: generation }, (_, i) =>
        `${letter}${generation - i}`.repeat(16),
    );
    return {
        _id,
        _rev: `${generation}-${ids[0]}`,
        _revisions: { start: generation, ids },
        n,
        ...(roll(4) === 0 && { _deleted: true }),
        ...(roll(3) === 0 && { _attachments: { b: attachment(roll) } }),
    };
}

/* ---- edits; the server may refuse some, as it does with conflicts ---- */

async function edit(where, roll, n) {
    const id = roll(30) === 0 ? `_design/d${roll(3)}` : `doc-${roll(DOCUMENTS)}`;
    const { json, status } = await couch.get(`${where}/${id}`);
    const { _rev, _attachments } = status === 200 ? json : {};
    const doc = { _id: id, ...(_rev && { _rev }), n };
    switch (roll(8)) {
        case 0:
            if (_rev) await couch.delete(`${where}/${id}?rev=${_rev}`);
            return;
        case 1:
        case 2:
            await putLeaves(couch, where, [branch(roll, id, n)]);
            return;
        case 3: /* what it has stays: a stub */
            await couch.put(`${where}/${id}`, {
                ...doc,
                _attachments: { ..._attachments, [`a${roll(3)}`]: attachment(roll) },
            });
            return;
        case 4:
            await couch.post(`${where}/_bulk_docs`, {
                docs: Array.from({ length: 20 }, () => ({ _id: `doc-${roll(DOCUMENTS)}`, n })),
            });
            return;
        default:
            await couch.put(`${where}/${id}`, { ...doc, _attachments });
    }
}

/* ---- what others say of it ---- */

async function assertPouchFindsNothing(where, to) {
    const end = (path) => new PouchDB(`${couch.authUrl}${path}`);
    const result = await PouchDB.replicate(end(where), end(to));
    assert.equal(result.ok, true);
    assert.equal(result.docs_read, 0);
    assert.equal(result.docs_written, 0);
    assert.equal(result.doc_write_failures, 0);
}

async function assertServerFindsNothing(where, to) {
    const end = (path) => `${couch.authUrl}${path}`;
    const { json, text } = await couch.post('/_replicate', { source: end(where), target: end(to) });
    assert.equal(json.ok, true, text);
    const [{ missing_found: found, docs_written: written }] = json.history;
    assert.equal(written, 0);
    if (couch.isReal) assert.equal(found, 0);
}

test('edits at random, kill -9 at random, and nothing is missing', async (t) => {
    const { where, to, db } = await bench.pair(t, 0);
    const site = bench.siteTo(
        t,
        db,
        { target: urlOf(couch, to), checkpoint_interval: '100ms' },
        { batch: { size: 7 }, commit: { interval: '20ms' } },
        { poll_interval: '100ms' },
    );
    const rng = seeded(t);
    const roll = (n) => rng.below(n);
    let n = 0;
    for (let kill = 0; kill < KILLS; kill++) {
        const daemon = site.start();
        const end = Date.now() + 200 + roll(1000);
        while (Date.now() < end)
            await Promise.all([1, 2, 3].map(() => edit(where, roll, n++)));
        await daemon.kill9();
    }
    await site.once();
    t.diagnostic(`${n} edits, ${KILLS} kills, ${(await couch.get(to)).json.doc_count} documents`);
    const verified = await makeEnds(t, couch).run('verify', where, to, '--json');
    assert.equal(verified.code, 0, `seed ${SEED}: ${verified.stdout}${verified.stderr}`);
    await bench.assertSame(where, to);
    await assertServerFindsNothing(where, to);
    await assertPouchFindsNothing(where, to);
    assert.deepEqual(await lettersOf(site), []);
});
