/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of the plugin bulk-sink, and what its targets hold.
 *
 *   const { pair, docsOf } = bulkBench(couch);
 *   const { where, to, site } = await pair(t, 20, { new_edits: false });
 *   await site.once();
 *   assert.deepEqual(await docsOf(to), await docsOf(where));
 */
'use strict';

const assert = require('node:assert');
const { startReceiver } = require('../../lib/receiver');
const { makeSite } = require('./site');
const { makeFilled } = require('./docs');
const { atEnd } = require('../../lib/at_end');

const REV = (generation, letter) => `${generation}-${letter.repeat(32)}`;

const serverUrl = (server) => server.url.replace('://', '://admin@');
const urlOf = (server, where) => serverUrl(server) + where;

const oks = (docs) => docs.map((doc) => ({ ok: true, id: doc._id, rev: REV(1, 'a') }));
const posts = (target) => target.requests.filter((req) => req.path.endsWith('/_bulk_docs'));
const lettersOf = async (site) => (await site.command(['dead-letter', 'list'])).dead_letters;

function bulkBench(couch) {
    /* A rule; attempts are fast, so that tests are, and one batch is under way at a time, so that
     * which request is the first is known. */
    function toBulk(db, options, rule) {
        return {
            source: 'main',
            databases: [db],
            plugin: 'bulk-sink',
            concurrency: 1,
            retry: { min: '5ms', max: '100ms' },
            ...rule,
            options: { source_url: serverUrl(couch), ...options },
        };
    }

    function siteTo(t, db, options, rule) {
        return makeSite(t, couch, { rules: { r: toBulk(db, options, rule) } });
    }

    /* A database with documents, an empty one, and the site that leads to it. */
    async function pair(t, count, options, rule) {
        const filled = await makeFilled(couch, count, {
            make: (id) => ({ text: id, list: [1, id] }),
        });
        const to = await couch.makeDb();
        const site = siteTo(t, filled.db, { url: urlOf(couch, to), ...options }, rule);
        return { ...filled, to, site };
    }

    /* The receiver as target: `reply` gets what was posted, and the request. */
    async function toReceiver(t, count, reply, options, rule) {
        const filled = await makeFilled(couch, count);
        const target = await startReceiver({
            reply: (req) => reply(req.body && req.json(), req),
        });
        atEnd(t, () => target.close());
        const site = siteTo(t, filled.db, { url: `${target.url}/to`, ...options }, rule);
        return { ...filled, target, site };
    }

    /* {id: document without revision}, of those that are not deleted. */
    async function docsOf(where) {
        const { rows } = (await couch.get(`${where}/_all_docs?include_docs=true`)).json;
        return Object.fromEntries(
            rows
                .map(({ id, doc: { _rev, ...doc } }) => [id, doc])
                .sort((a, b) => (a[0] < b[0] ? -1 : 1)),
        );
    }

    /* {id: [its leaves, deleted ones too]}. */
    async function leavesOf(where) {
        const { results } = (await couch.get(`${where}/_changes?style=all_docs`)).json;
        return Object.fromEntries(
            results.map((row) => [row.id, row.changes.map((c) => c.rev).sort()]).sort(),
        );
    }

    const revsOf = async (where, id) =>
        (
            await couch.get(`${where}/${encodeURIComponent(id)}?revs=true&open_revs=all`, {
                Accept: 'application/json',
            })
        ).json;

    /* Updates those with an even place, deletes the others. */
    async function updateAndDelete(where) {
        const { rows } = (await couch.get(`${where}/_all_docs`)).json;
        const docs = rows.map(({ id, value }, i) =>
            i % 2 === 0
                ? { _id: id, _rev: value.rev, foo: i, i: i + 2 }
                : { _id: id, _rev: value.rev, _deleted: true },
        );
        const answer = await couch.post(`${where}/_bulk_docs`, { docs });
        assert.ok(answer.json.every((row) => row.ok));
        return docs.filter((doc) => !doc._deleted).length;
    }

    return { toBulk, siteTo, pair, toReceiver, docsOf, leavesOf, revsOf, updateAndDelete };
}

module.exports = { bulkBench, serverUrl, urlOf, oks, posts, lettersOf, REV };
