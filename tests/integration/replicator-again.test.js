/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin replicator when an end is deleted and made anew while the rule runs: a target is
 * filled again without anybody's help, and no checkpoint tells of what is not there; what a
 * source had before it was made anew holds nothing up.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');
const { makeSite } = require('./lib/site');
const { fill, makeFilled, names, put, putLeaves, remove, replaceDb } = require('./lib/docs');
const { copyBench, startGateway, urlOf, lettersOf } = require('./lib/copy');

const QUICK = { poll_interval: '100ms' };
const OFTEN = { checkpoint_interval: '100ms' };
const AT_ONCE = { commit: { interval: '10ms' } };

let couch, bench;

before(async () => {
    couch = await startTestServer();
    bench = copyBench(couch);
});
after(() => couch.close());

const seqOf = (seq) => parseInt(seq, 10);
const countOf = async (where) => (await couch.get(where)).json.doc_count;
const told = (where) =>
    waitFor(async () => Object.values(await bench.checkpointsOf(where))[0], 'a checkpoint');

/* Documents of more than one revision and one leaf, so that they have to be fetched. */
async function makeMixed(where) {
    await fill(couch, where, names(20), (id) => ({ text: id }));
    await remove(couch, where, 'doc-000002');
    await put(couch, where, 'attached', {
        _attachments: { a: { content_type: 'text/plain', data: 'aGVsbG8=' } },
    });
    await putLeaves(
        couch,
        where,
        ['a', 'b'].map((letter) => ({
            _id: 'c',
            _rev: `2-${letter.repeat(32)}`,
            _revisions: { start: 2, ids: [letter.repeat(32), 'f'.repeat(32)] },
        })),
    );
}

/* Waits until the target has all of the source again, with the books that say so. */
async function assertFilled(where, to) {
    await waitFor(async () => (await countOf(to)) === (await countOf(where)), 'the copy', 30000);
    await waitFor(async () => {
        const [doc] = Object.values(await bench.checkpointsOf(to));
        return doc && seqOf(doc.source_last_seq) >= seqOf((await couch.get(where)).json.update_seq);
    }, 'the books');
    await bench.assertSame(where, to);
}

test('a target that was made again is filled again', async (t) => {
    const { where, to, db } = await bench.pair(t, 0);
    await makeMixed(where);
    const site = bench.siteTo(t, db, { target: urlOf(couch, to), ...OFTEN }, AT_ONCE, QUICK);
    const daemon = site.start();
    await told(to);
    await replaceDb(couch, to, []);
    await put(couch, where, 'later');
    await assertFilled(where, to);
    assert.match(daemon.stderrLines.join('\n'), /the target was deleted and made again: it is filled/);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    await bench.assertNothingLeft(where, to);
    assert.deepEqual(await lettersOf(site), []);
});

test('also on a server that does not say when a database was made', async (t) => {
    const meddle = async (req, pass) => {
        const answer = await pass();
        const info = req.method === 'GET' && answer.status === 200 && JSON.parse(answer.body);
        if (!info || !info.instance_start_time) return answer;
        return { ...answer, body: { ...info, instance_start_time: '0' } };
    };
    const gateway = await startGateway(t, couch, meddle);
    const { where, to, db } = await bench.pair(t, 0);
    await makeMixed(where);
    const site = bench.siteTo(t, db, { target: urlOf(gateway, to), ...OFTEN }, AT_ONCE, QUICK);
    const daemon = site.start();
    await told(to);
    await replaceDb(couch, to, []); /* seen by its books, which are not there                */
    await put(couch, where, 'later-1');
    await assertFilled(where, to);
    await couch.delete(to); /* and by what it was: missing                                   */
    await put(couch, where, 'later-2');
    await daemon.waitForLog(/the target .* was deleted/);
    await couch.put(to);
    await assertFilled(where, to);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});

test('a target that is made again in the middle of the copy misses nothing', async (t) => {
    const { where, to, db } = await bench.pair(t, 400);
    const rule = { ...AT_ONCE, batch: { size: 10 } };
    const site = bench.siteTo(t, db, { target: urlOf(couch, to), ...OFTEN }, rule, QUICK);
    const daemon = site.start();
    await waitFor(async () => (await countOf(to)) > 20, 'the first ones');
    await replaceDb(couch, to, []);
    await put(couch, where, 'later');
    await assertFilled(where, to);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    await site.once();
    await bench.assertSame(where, to);
});

/* Written after it was looked at, the books would be the new one's, which has nothing. */
test('a target that is made again while its books are written is filled again', async (t) => {
    let begun = false;
    let replaced = false;
    const meddle = async (req) => {
        if (begun || req.method !== 'PUT' || !/_local/.test(req.url)) return;
        begun = true;
        await replaceDb(couch, to, []);
        replaced = true;
    };
    const gateway = await startGateway(t, couch, meddle);
    const { where, to, db } = await bench.pair(t, 20);
    const options = { target: urlOf(gateway, to), ...OFTEN };
    const daemon = bench.siteTo(t, db, options, AT_ONCE, QUICK).start();
    await waitFor(() => replaced, 'the first books');
    await put(couch, where, 'later');
    await assertFilled(where, to);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});

test('a target out of a backup goes on where it was then', async (t) => {
    const { where, to, db } = await bench.pair(t, 20);
    const site = bench.siteTo(t, db, { target: urlOf(couch, to), ...OFTEN }, AT_ONCE, QUICK);
    const daemon = site.start();
    await told(to);
    await waitFor(async () => (await countOf(to)) === 20, 'the first ones');
    await daemon.stop();
    const [[id, { _rev, ...books }]] = Object.entries(await bench.checkpointsOf(to));
    const again = site.start();
    await fill(couch, where, names(5, 'later'));
    await waitFor(async () => {
        const [doc] = Object.values(await bench.checkpointsOf(to));
        return seqOf(doc.source_last_seq) > seqOf(books.source_last_seq);
    }, 'later books');
    await replaceDb(couch, to, []);
    await putLeaves(
        couch,
        to,
        (await couch.get(`${where}/_all_docs?include_docs=true&endkey="later"`)).json.rows.map(
            ({ doc }) => ({ ...doc, _revisions: { start: 1, ids: [doc._rev.slice(2)] } }),
        ),
    );
    assert.equal((await couch.put(`${to}/${id}`, books)).status, 201);
    const from = again.stderrLines.length;
    await put(couch, where, 'last');
    const { seq } = await again.waitForLog({ msg: 'plugin says where it begins' }, 10000, { from });
    assert.equal(seqOf(String(seq).replace('"', '')), seqOf(books.source_last_seq));
    await assertFilled(where, to);
    assert.deepEqual(await again.stop(), { code: 0, signal: null });
});

test('of many databases that rest, those whose targets were made again are read again', async (t) => {
    const name = uniqueDb();
    const filled = [];
    for (const n of [1, 2, 3, 4]) filled.push(await makeFilled(couch, 5, { name: `${name}_${n}` }));
    const site = makeSite(t, couch, {
        source: { ...QUICK, max_feeds: 1, hot_idle: '1s', sweep_interval: '1s' },
        rules: {
            r: {
                source: 'main',
                databases: `^${name}_[0-9]$`,
                plugin: 'replicator',
                retry: { min: '5ms', max: '100ms' },
                ...AT_ONCE,
                options: {
                    source_url: urlOf(couch, ''),
                    target: urlOf(couch, '/copy_$db_name'),
                    create_target: true,
                    ...OFTEN,
                },
            },
        },
    });
    const copies = filled.map(({ where, db }) => [where, `/copy_${db}`]);
    couch.made.push(...copies.map(([, to]) => to));
    const daemon = site.start();
    for (const [where, to] of copies) await assertFilled(where, to);
    for (const [where, to] of copies.slice(0, 2)) {
        await replaceDb(couch, to, []);
        await put(couch, where, 'later');
    }
    for (const [where, to] of copies) await assertFilled(where, to);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});

test('what a source had before it was made again holds nothing up', async (t) => {
    let shut = true;
    const meddle = (req) =>
        shut && req.path.endsWith('/_bulk_get')
            ? { status: 503, body: { error: 'unavailable', reason: 'later' } }
            : undefined;
    const gateway = await startGateway(t, couch, meddle);
    const { where, to, db } = await bench.pair(t, 0);
    const source = urlOf(gateway, where);
    await makeMixed(where);
    const site = bench.siteTo(t, db, { source, target: urlOf(couch, to), ...OFTEN }, AT_ONCE, QUICK);
    site.setPasswords({ '127.0.0.1': { admin: couch.auth.split(':')[1] } });
    const daemon = site.start();
    await daemon.waitForLog({ msg: /batch failed/ });
    await replaceDb(couch, where, ['new']);
    shut = false;
    await daemon.waitForLog(/what it had before is settled/);
    await waitFor(async () => (await couch.get(`${to}/new`)).status === 200, 'the new document');
    await waitFor(async () => {
        const [{ lag_rows: rows }] = (await site.command(['status'])).rules;
        return rows === 0;
    }, 'an empty window');
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    assert.deepEqual(await lettersOf(site), []);
});
