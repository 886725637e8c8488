/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three pipelines, each played and judged: a function of the stage {couch, tailrace, conf,
 * names, dir, mails} that resolves to whether all is as it should be, or says why not.
 */
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { sleep, waitFor } = require('../../tests/lib/couch');
const { say, followFile } = require('../quickstart/stage');
const { loadMails, post } = require('./loader');

const KILLS = 6;
const ROWS = 1000;
const PATIENCE_MS = 600000;

const count = (n) => n.toLocaleString('en');

function tell(ok, what) {
    say(ok ? 'green' : 'red', ok ? 'ok' : 'FAILED', what);
    return ok;
}

/* ---- a database to a file ---- */

async function tailToFile({ couch, names, dir }) {
    const where = `/${names.testdb}`;
    const file = path.join(dir, 'testfile.json');
    const lines = [];
    const newest = new Map();
    const follow = followFile(file, (line) => {
        lines.push(JSON.parse(line));
        say('green', '  → file', line);
    });
    const write = async (docs) => {
        const there = await post(couch, where, docs);
        for (const { _id, _rev } of there) newest.set(_id, _rev);
        say('cyan', 'writes', docs.map((doc) => JSON.stringify(doc)).join(' '));
        await sleep(200); /* so that a person can follow */
        return there;
    };

    try {
        for (let n = 1; n <= 8; n++) {
            const [doc] = await write([{ _id: `test-${n}`, n }]);
            if (n % 3 === 0) await write([{ ...doc, n: n * 100 }]);
            if (n % 4 === 0) await write([{ _id: doc._id, _rev: doc._rev, _deleted: true }]);
        }
        const isThere = ([id, rev]) => lines.some((doc) => doc._id === id && doc._rev === rev);
        await waitFor(() => [...newest].every(isThere), 'the last lines', 30000);
    } finally {
        follow.end();
    }
    const twice = lines.length - new Set(lines.map((doc) => doc._rev + doc._id)).size;
    return tell(
        twice === 0,
        `${newest.size} documents are in testfile.json as they are now, ${twice} lines twice`,
    );
}

/* ---- a database to a database ---- */

/* {id: its leaves, those of deleted documents too}. */
async function leavesOf(couch, where) {
    const { json } = await couch.get(`${where}/_changes?style=all_docs`);
    return Object.fromEntries(
        json.results.map(({ id, changes }) => [id, changes.map(({ rev }) => rev).sort()]).sort(),
    );
}

async function docsOf(couch, where) {
    const { json } = await couch.get(`${where}/_all_docs?include_docs=true`);
    return json.rows.map(({ doc }) => doc);
}

/* Documents, leaves, and the histories of those that were corrected. */
async function assertMirror(couch, source, target) {
    const [leaves, copied] = await Promise.all([source, target].map((at) => leavesOf(couch, at)));
    assert.deepStrictEqual(copied, leaves);
    const [docs, copies] = await Promise.all([source, target].map((at) => docsOf(couch, at)));
    assert.deepStrictEqual(copies, docs);
    for (const { _id } of docs.filter((doc) => doc.corrected).slice(0, 100)) {
        const [doc, copy] = await Promise.all(
            [source, target].map((where) => couch.get(`${where}/${_id}?revs=true`)),
        );
        assert.deepStrictEqual(copy.json, doc.json);
    }
}

/* Kills tailrace at some moments, as long as there is something to disturb. */
async function disturb(tailrace, conf, isOver) {
    for (let kill = 1; kill <= KILLS && !isOver(); kill++) {
        const ms = Math.round(300 + Math.random() * 2500);
        await sleep(ms);
        await tailrace.stop('SIGKILL');
        say('yellow', 'play', `kill -9, ${ms} ms after its start (${kill} of ${KILLS})`);
        await tailrace.start(conf);
    }
}

/* Tells how far the copy is until it holds what the source does, once that is loaded. */
async function watchCopy(couch, source, target, isLoaded) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
        const loaded = isLoaded();
        const [from, to] = await Promise.all(
            [source, target].map(async (where) => (await couch.get(where)).json.doc_count),
        );
        say('cyan', 'copies', `${count(from)} mails in the source, ${count(to)} in the target`);
        if (loaded && from === to) {
            const [one, two] = [await leavesOf(couch, source), await leavesOf(couch, target)];
            if (JSON.stringify(one) === JSON.stringify(two)) return;
        }
        if (Date.now() > end) throw new Error('the copy does not come to its end');
        await sleep(1000);
    }
}

async function mirror({ couch, tailrace, conf, names, mails }) {
    const [source, target] = [`/${names.enron}`, `/${names.enronsink}`];
    let loaded = null;
    let over = false;
    const disturbing = disturb(tailrace, conf, () => over);

    await Promise.all([
        loadMails(couch, source, mails).then((told) => (loaded = told)),
        watchCopy(couch, source, target, () => loaded),
    ]).finally(() => (over = true));
    await disturbing;
    await assertMirror(couch, source, target);
    return tell(
        true,
        `${count(loaded.mails)} mails, ${count(loaded.corrected)} corrected and ` +
            `${count(loaded.withdrawn)} withdrawn: the target has the same documents, ` +
            'revisions and histories',
    );
}

/* ---- a file to a database, in bulk ---- */

async function bulk({ couch, names, dir }) {
    const where = `/${names.bulk}`;
    const file = path.join(dir, 'rows.ndjson');
    const append = (docs) =>
        fs.appendFileSync(file, docs.map((doc) => `${JSON.stringify(doc)}\n`).join(''));
    const until = (good, what) =>
        waitFor(async () => good((await couch.get(where)).json), what, 60000);

    append(Array.from({ length: ROWS }, (_, i) => ({ _id: `row-${i + 1}`, foo: i, i })));
    say('cyan', 'writes', `${count(ROWS)} documents into rows.ndjson`);
    await until((info) => info.doc_count === ROWS, 'all documents');
    say('green', '  → bulk', `${count(ROWS)} documents`);

    const there = await docsOf(couch, where);
    const changed = there.map(({ _id, _rev }, index) =>
        index % 2 === 0
            ? { _id, _rev, foo: index, i: index + 2 }
            : { _id, _rev, _deleted: true },
    );
    append(changed);
    say('cyan', 'writes', 'updates of those with an even place, deletes of the others');
    const wanted = changed.filter((doc) => !doc._deleted);
    await until((info) => info.doc_del_count === ROWS - wanted.length, 'the deletes');
    await until((info) => parseInt(info.update_seq, 10) >= 2 * ROWS, 'the updates');

    const left = await docsOf(couch, where);
    const second = left.filter((doc) => doc._rev.startsWith('2-'));
    const same = left.every(
        (doc, n) => doc._id === wanted[n]._id && doc.foo === wanted[n].foo && doc.i === wanted[n].i,
    );
    return tell(
        left.length === wanted.length && second.length === left.length && same,
        `${count(left.length)} of ${count(ROWS)} documents remain, ${count(wanted.length)} should; ` +
            `the revisions of ${count(second.length)} begin with 2-`,
    );
}

module.exports = { acts: { tailToFile, mirror, bulk } };
