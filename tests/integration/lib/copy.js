/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of the plugin replicator in its native mode, and what both ends of a copy have.
 *
 *   const bench = copyBench(couch);
 *   const { where, to, site } = await bench.pair(t, 20);
 *   await site.once();
 *   await bench.assertSame(where, to);
 *
 * `startGateway` stands before a server: `meddle(req, pass)` answers a request itself, as a reply
 * of tests/lib/receiver.js is, or does what it wants and passes it on.
 */
'use strict';

const assert = require('node:assert');
const { uniqueDb } = require('../../lib/couch');
const { startReceiver } = require('../../lib/receiver');
const { makeSite } = require('./site');
const { dbOf, makeFilled } = require('./docs');
const { atEnd } = require('../../lib/at_end');

const urlOf = (server, where) => server.url.replace('://', '://admin@') + where;
const lettersOf = async (site) => (await site.command(['dead-letter', 'list'])).dead_letters;

async function startGateway(t, couch, meddle) {
    const pass = async (req) => {
        const { headers } = req;
        const answer = await couch.request(req.url, {
            method: req.method,
            headers: { 'Content-Type': 'application/json', Accept: headers.accept || '*/*' },
            body: req.body || undefined,
        });
        const type = answer.headers['content-type'] || 'text/plain';
        return {
            status: answer.status,
            headers: { 'Content-Type': type },
            body: answer.bytes,
        };
    };
    const gateway = await startReceiver({
        reply: async (req) => (await meddle(req, () => pass(req))) || pass(req),
    });
    atEnd(t, () => gateway.close());
    return gateway;
}

/* {id: [its leaves as [rev, whole document]]}, with histories and attachments. */
async function leavesOf(couch, where) {
    const { results } = (await couch.get(`${where}/_changes?style=all_docs`)).json;
    const docs = results.flatMap(({ id, changes }) => changes.map(({ rev }) => ({ id, rev })));
    const leaves = {};
    for (let at = 0; at < docs.length; at += 500) {
        const answer = await couch.post(`${where}/_bulk_get?revs=true&attachments=true`, {
            docs: docs.slice(at, at + 500),
        });
        for (const { id, docs: found } of answer.json.results)
            for (const { ok } of found) {
                assert.ok(ok, `a leaf of ${id} can be read`);
                (leaves[id] ||= []).push([ok._rev, ok]);
            }
    }
    for (const id of Object.keys(leaves)) leaves[id].sort((a, b) => (a[0] < b[0] ? -1 : 1));
    return leaves;
}

/* Every leaf of the one is in the other, as it is there, and nothing else. */
async function assertSame(couch, where, other, to) {
    const [source, target] = [await leavesOf(couch, where), await leavesOf(other, to)];
    assert.deepEqual(Object.keys(target).sort(), Object.keys(source).sort());
    for (const id of Object.keys(source)) assert.deepEqual(target[id], source[id], id);
}

/* A server's own replicator finds nothing that it would write. */
async function assertNothingLeft(couch, where, to) {
    const end = (path) => `${couch.authUrl}${path}`;
    const answer = await couch.post('/_replicate', { source: end(where), target: end(to) });
    assert.equal(answer.status, 200, answer.text);
    const [session] = answer.json.history;
    assert.equal(session.docs_written, 0);
    assert.equal(session.doc_write_failures, 0);
}

/* The checkpoints that tailrace wrote: {ID: document}. */
async function checkpointsOf(couch, where) {
    const { rows } = (await couch.get(`${where}/_local_docs?include_docs=true`)).json;
    const ours = rows.filter(({ doc }) => doc && doc.replication_id_version === 1);
    return Object.fromEntries(ours.map(({ id, doc }) => [id, doc]));
}

function copyBench(couch) {
    /* A rule; attempts are fast, so that tests are. */
    function toCopy(db, options, rule) {
        return {
            source: 'main',
            databases: [db],
            plugin: 'replicator',
            design_documents: 'include',
            concurrency: 4,
            retry: { min: '5ms', max: '100ms' },
            ...rule,
            options: { source: urlOf(couch, `/${encodeURIComponent(db)}`), ...options },
        };
    }

    function siteTo(t, db, options, rule, source = {}) {
        return makeSite(t, couch, { source, rules: { r: toCopy(db, options, rule) } });
    }

    /* A database with documents, an empty one, and the site that leads to it. */
    async function pair(t, count, options, rule) {
        const filled = await makeFilled(couch, count, { make: (id) => ({ text: id }) });
        const to = await couch.makeDb();
        const site = siteTo(t, filled.db, { target: urlOf(couch, to), ...options }, rule);
        return { ...filled, to, site };
    }

    /* The name of a database that is deleted after the tests, if it was made. */
    function futureDb() {
        const where = `/${uniqueDb()}`;
        couch.made.push(where);
        return where;
    }

    return {
        toCopy,
        siteTo,
        pair,
        futureDb,
        assertSame: (where, to) => assertSame(couch, where, couch, to),
        assertNothingLeft: (where, to) => assertNothingLeft(couch, where, to),
        checkpointsOf: (where) => checkpointsOf(couch, where),
        leavesOf: (where) => leavesOf(couch, where),
    };
}

module.exports = { copyBench, startGateway, assertSame, urlOf, lettersOf, dbOf };
