/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 31: answers to _bulk_docs that are short, reordered, cut, or about others. Rows are
 * matched by id and revision; what no row speaks of was taken only without new_edits, by an
 * answer that is whole and about nothing else. Nothing is settled that no answer has settled.
 */
'use strict';

const test = require('./lib/fault')(31);
const assert = require('node:assert');
const { startScripted, on } = require('./lib/scripted');
const { follow } = require('./lib/stage');
const answers = require('./lib/answers');
const { rows } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const COUNT = 5;
const ALL = rows(COUNT).map((r) => r.id);
const BULK = /^\/to\/_bulk_docs/;

/* The rows go to a server whose first answer is of one shape, the later ones as they should be. */
async function copy(t, new_edits, first) {
    const sc = await startScripted([on('POST', BULK, first).times(1)], {
        couch: { dbs: { db: rows(COUNT), to: [] } },
    });
    atEnd(t, () => sc.close());
    const stage = follow(t, sc.url, {
        rule: { plugin: 'bulk-sink', batch: { size: COUNT, wait: '200ms' }, concurrency: 1 },
        options: { url: `${sc.url}/to`, source_url: sc.url, new_edits },
    });
    const posted = () => sc.seen('POST', BULK).map((r) => r.json().docs.map((d) => d._id));
    return { sc, stage, posted };
}

async function settled(stage) {
    await stage.until(async () => /^5-/.test(await stage.checkpoint()), 'all is settled');
    assert.deepEqual(await stage.deadLetters(), []);
    await stage.end();
}

test('rows in another order are matched by id', async (t) => {
    const { stage, posted } = await copy(t, true, answers.bulk('reordered'));
    await settled(stage);
    assert.deepEqual(posted(), [ALL]);
});

test('with new_edits a document without a row is sent again, the others are not', async (t) => {
    const { stage, posted } = await copy(t, true, answers.bulk('short'));
    await settled(stage);
    assert.deepEqual(posted(), [ALL, ALL.slice(-1)]);
});

for (const [name, new_edits] of [
    ['with', true],
    ['without', false],
]) {
    test(`an answer that is cut settles nothing, ${name} new_edits`, async (t) => {
        const cut = (ctx) => ctx.reply({ status: 201, body: '[{"ok":true,"id":"doc-1"' });
        const { stage, posted } = await copy(t, new_edits, cut);
        await settled(stage);
        assert.deepEqual(posted(), [ALL, ALL]);
    });

    test(`an answer about another document is not believed, ${name} new_edits`, async (t) => {
        const stray = '[{"id":"never-sent","error":"forbidden","reason":"no"}]';
        const { stage, posted } = await copy(t, new_edits, { status: 201, body: stray });
        await settled(stage);
        assert.deepEqual(posted(), [ALL, ALL]);
    });

    test(`the answer of something that is no CouchDB settles nothing, ${name} new_edits`, async (t) => {
        const { stage, posted } = await copy(t, new_edits, answers.html());
        await settled(stage);
        assert.deepEqual(posted(), [ALL, ALL]);
    });
}

test('without new_edits a whole answer that is silent has taken all', async (t) => {
    const { stage, posted } = await copy(t, false, { status: 201, body: '[]' });
    await settled(stage);
    assert.deepEqual(posted(), [ALL]);
});

test('without new_edits one that is named was refused, the others were taken', async (t) => {
    const [, second] = rows(COUNT);
    const refusal = { id: second.id, rev: second.doc._rev, error: 'forbidden', reason: 'not you' };
    const { stage, posted } = await copy(t, false, { status: 201, json: [refusal] });
    await stage.until(async () => (await stage.deadLetters()).length === 1, 'the dead letter');
    const [letter] = await stage.deadLetters();
    assert.equal(letter.doc_id, second.id);
    assert.match(letter.error, /forbidden: not you/);
    await stage.until(async () => /^5-/.test(await stage.checkpoint()), 'all is settled');
    assert.deepEqual(posted(), [ALL]);
    await stage.end();
});

test('what the server hides in a 202 is found', async (t) => {
    const hidden = (ctx) => {
        const { docs } = ctx.req.json();
        const json = docs.map((d, i) =>
            i === 2
                ? { id: d._id, error: 'forbidden', reason: 'quorum' }
                : { ok: true, id: d._id, rev: d._rev },
        );
        return ctx.reply({ status: 202, json });
    };
    const { stage } = await copy(t, true, hidden);
    await stage.until(async () => (await stage.deadLetters()).length === 1, 'the dead letter');
    assert.equal((await stage.deadLetters())[0].doc_id, 'doc-3');
    await stage.end();
});
