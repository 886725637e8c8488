/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tailrace verify`: every kind of difference is found and none that is not there, also while
 * documents are being written.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const http = require('node:http');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');
const { tailrace } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { makeEnds, startSecond } = require('./lib/ends');
const { startOnTerminal } = require('./lib/screen');
const { names, put, putLeaves } = require('./lib/docs');
const { atEnd } = require('../lib/at_end');

const USAGE = 64;
const NOINPUT = 66;
const UNAVAILABLE = 69;
const TEMPFAIL = 75;
const NOPERM = 77;

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

/* A document with its history, as a replicator writes it. */
function leaf(_id, rev, ...ancestors) {
    const [start, ...rest] = rev.split('-');
    return {
        _id,
        _rev: rev,
        _revisions: { start: Number(start), ids: [rest.join('-'), ...ancestors] },
    };
}

async function makePair(t, docs = []) {
    const pair = { a: await couch.makeDb(), b: await couch.makeDb(), ends: makeEnds(t, couch) };
    for (const where of [pair.a, pair.b]) await putLeaves(couch, where, docs);
    pair.verify = (...words) => pair.ends.run('verify', pair.a, pair.b, ...words);
    return pair;
}

const kinds = (json) =>
    Object.fromEntries(json.databases[0].differences.map(({ id, kind }) => [id, kind]));

test('databases with the same documents are equal', async (t) => {
    const { verify } = await makePair(t, [
        leaf('plain', '1-a'),
        leaf('winner', '2-b', 'x'),
        leaf('winner', '2-c', 'x'),
        { ...leaf('gone', '2-d', 'y'), _deleted: true },
        leaf('_design/views', '1-e'),
        leaf('é "quoted" \u0001', '1-f'),
    ]);
    const run = await verify('--json');
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.json.equal, true);
    assert.deepEqual(run.json.documents, { source: 5, target: 5 });
    assert.deepEqual(run.json.deleted, { source: 1, target: 1 });
    assert.match((await verify()).stdout, /^source: 5 documents, 1 deleted; .*\nno difference\n$/);
});

test('what is missing, extra or has other leaves is named with its revisions', async (t) => {
    const { a, b, verify } = await makePair(t, [leaf('same', '1-a')]);
    await putLeaves(couch, a, [
        leaf('missing', '1-b'),
        leaf('conflict', '2-c', 'x'),
        leaf('conflict', '2-d', 'x'),
        leaf('deleted', '1-e'),
        leaf('_design/only', '1-f'),
        { ...leaf('tombstone', '2-a', 'z'), _deleted: true },
    ]);
    await putLeaves(couch, b, [
        leaf('extra', '1-g'),
        leaf('conflict', '2-d', 'x'),
        { ...leaf('deleted', '2-h', 'e'), _deleted: true },
    ]);
    const run = await verify('--json');
    assert.equal(run.code, 1, run.stderr);
    assert.deepEqual(kinds(run.json), {
        '_design/only': 'missing',
        conflict: 'different',
        deleted: 'different',
        extra: 'extra',
        missing: 'missing',
        tombstone: 'missing',
    });
    const { missing, extra, different, changing } = run.json;
    assert.deepEqual([missing, extra, different, changing], [3, 1, 2, 0]);
    const find = (name) => run.json.databases[0].differences.find(({ id }) => id === name);
    assert.deepEqual(find('conflict').source, { deleted: false, revs: ['2-d', '2-c'] });
    assert.deepEqual(find('conflict').target, { deleted: false, revs: ['2-d'] });
    assert.deepEqual(find('deleted').target, { deleted: true, revs: ['2-h'] });
    assert.deepEqual(find('extra').source, null);

    const { stdout } = await verify();
    assert.match(stdout, /^different +conflict +2-c +-$/m);
    assert.match(stdout, /^different +deleted +1-e +2-h \(deleted\)$/m);
    assert.match(stdout, /^missing +tombstone +2-a \(deleted\) +-$/m);
    assert.match(stdout, /^6 differences: 3 missing, 1 extra, 2 different$/m);
});

test('the same leaves of which another one is deleted are different', async (t) => {
    const { a, b, verify } = await makePair(t);
    await putLeaves(couch, a, [leaf('x', '1-a')]);
    await putLeaves(couch, b, [{ ...leaf('x', '1-a'), _deleted: true }]);
    const run = await verify();
    assert.equal(run.code, 1, run.stderr);
    assert.match(run.stdout, /^different +x +- +\(deleted\)$/m);
});

test('a deleted document is as good as none with --ignore-deleted', async (t) => {
    const { a, b, verify } = await makePair(t);
    await putLeaves(couch, a, [{ ...leaf('x', '2-a', 'y'), _deleted: true }, leaf('z', '1-a')]);
    await putLeaves(couch, b, [leaf('z', '1-a')]);
    assert.equal((await verify()).code, 1);
    assert.equal((await verify('--ignore-deleted')).code, 0);
    await putLeaves(couch, b, [leaf('x', '1-y')]);
    const run = await verify('--ignore-deleted', '--json');
    assert.equal(run.code, 1);
    assert.deepEqual(kinds(run.json), { x: 'extra' });
});

test('winners alone, or ids alone, are compared when only they are asked for', async (t) => {
    const { a, b, verify } = await makePair(t);
    await putLeaves(couch, a, [leaf('c', '2-b', 'x'), leaf('c', '2-a', 'x')]);
    await putLeaves(couch, b, [leaf('c', '2-b', 'x')]);
    assert.equal((await verify()).code, 1);
    assert.equal((await verify('--winning-revs-only')).code, 0);
    await put(couch, a, 'd', { v: 1 });
    await put(couch, b, 'd', { v: 2 });
    assert.equal((await verify('--winning-revs-only')).code, 1);
    assert.equal((await verify('--ids-only')).code, 0);
    await put(couch, a, 'e');
    assert.equal((await verify('--ids-only')).code, 1);
});

test('local documents are not compared', async (t) => {
    const { a, verify } = await makePair(t, [leaf('x', '1-a')]);
    await couch.put(`${a}/_local/position`, { at: 1 });
    assert.equal((await verify()).code, 0);
});

test('ten thousand documents in another order, and so many lines as are asked for', async (t) => {
    const { a, b, verify } = await makePair(t);
    const ids = names(10000);
    const all = ids.map((id) => leaf(id, '1-a'));
    for (let at = 0; at < 10000; at += 2000) {
        await putLeaves(couch, a, all.slice(at, at + 2000));
        await putLeaves(couch, b, all.slice(8000 - at, 10000 - at).reverse());
    }
    assert.equal((await verify()).code, 0);
    await putLeaves(
        couch,
        a,
        names(250, 'more').map((id) => leaf(id, '1-a')),
    );
    const run = await verify('--json', '--limit', '120');
    assert.equal(run.code, 1);
    assert.equal(run.json.missing, 250);
    const [{ differences, differences_more }] = run.json.databases;
    assert.deepEqual(
        differences.map(({ id }) => id),
        names(120, 'more'),
    );
    assert.equal(differences_more, 130);
    const { stdout } = await verify('--limit', '0');
    assert.match(stdout, /250 missing, .*; 250 of them not listed \(--limit\)\n$/);
});

/* ---- while documents are written ---- */

/* Stands before the server; `on(path)` may hold a request up. */
async function startPassage(t, on) {
    const { port } = new URL(couch.url);
    const server = http.createServer(async (request, response) => {
        const options = { port, path: request.url, method: request.method };
        const body = [];
        for await (const chunk of request) body.push(chunk);
        await on(request.url);
        const inner = http.request({ ...options, headers: request.headers }, (answer) => {
            response.writeHead(answer.statusCode, answer.headers);
            answer.pipe(response);
        });
        inner.end(Buffer.concat(body));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    atEnd(t, () => (server.closeAllConnections(), server.close()));
    return `http://admin@127.0.0.1:${server.address().port}`;
}

test('what is copied while it is compared is no difference', async (t) => {
    const { a, b, ends } = await makePair(t, [leaf('x', '1-a')]);
    await putLeaves(couch, a, [leaf('late', '1-b'), leaf('x', '2-c', 'a')]);
    let reads = 0;
    /* Both arrive at the target when all of it was read once. */
    const passage = await startPassage(t, async (path) => {
        if (path.startsWith(`${b}/_changes`) && ++reads === 2)
            await putLeaves(couch, b, [leaf('late', '1-b'), leaf('x', '2-c', 'a')]);
    });
    const run = await ends.run('verify', a, passage + b, '--json');
    assert.equal(run.code, 0, run.stdout);
    assert.deepEqual(run.json.documents, { source: 2, target: 2 });
    assert.equal(run.json.changing, 0);
});

test('what is written again and again is changing, and what is not differs', async (t) => {
    const { a, b, ends } = await makePair(t, [leaf('busy', '1-a')]);
    await putLeaves(couch, a, [leaf('missing', '1-b')]);
    let last = 'a';
    let n = 1;
    const passage = await startPassage(t, async (path) => {
        if (!path.startsWith(`${b}/_changes`)) return;
        await putLeaves(couch, b, [leaf('busy', `${++n}-${n}`, last)]);
        last = String(n);
    });
    const run = await ends.run('verify', a, passage + b, '--json', '--settle', '3');
    assert.equal(run.code, 1, run.stdout);
    assert.deepEqual(kinds(run.json), { missing: 'missing' });
    assert.equal(run.json.changing, 1);
});

test('what is equal by the time it would be listed is not listed', async (t) => {
    const { a, b, ends } = await makePair(t);
    await putLeaves(couch, a, [leaf('x', '1-a'), leaf('y', '1-a')]);
    const passage = await startPassage(t, async (path) => {
        if (path.startsWith(`${b}/_changes`) && path.includes('_doc_ids'))
            await putLeaves(couch, b, [leaf('x', '1-a')]);
    });
    const run = await ends.run('verify', a, passage + b, '--json', '--settle', '0');
    assert.equal(run.code, 1, run.stdout);
    assert.deepEqual(kinds(run.json), { y: 'missing' });
    assert.equal(run.json.missing, 1);
});

/* ---- all databases ---- */

test('all databases of a server that match, and those that are not there', async (t) => {
    const target = await startSecond(t);
    const ends = makeEnds(t, couch);
    const prefix = uniqueDb('all');
    const targetUrl = target.url.replace('://', '://admin@');
    const docs = names(10).map((id) => leaf(id, '1-a'));
    for (const name of ['equal', 'other', 'lacking']) {
        const where = await couch.makeDb(`${prefix}_${name}`);
        await putLeaves(couch, where, docs);
        if (name !== 'lacking') await target.makeDb(`${prefix}_${name}`);
        if (name === 'equal') await putLeaves(target, where, docs);
    }
    await target.makeDb(`${prefix}_extra`);
    const words = ['--all-dbs', '--databases', `^${prefix}_`];
    const run = await ends.run('verify', '', targetUrl, ...words, '--json');
    assert.equal(run.code, 1, run.stderr);
    const results = run.json.databases.map(({ source, result }) => [source, result]);
    assert.deepEqual(results, [
        [`${prefix}_equal`, 'equal'],
        [`${prefix}_lacking`, 'no database'],
        [`${prefix}_other`, 'different'],
    ]);
    assert.equal(run.json.missing, 10);
    assert.equal(run.json.databases_extra, 1);

    const { stdout } = await ends.run('verify', '', targetUrl, ...words, '--limit', '1');
    assert.match(stdout, new RegExp(`^${prefix}_lacking +no database$`, 'm'));
    assert.match(stdout, new RegExp(`^${prefix}_other +missing +doc-000001 `, 'm'));
    assert.match(stdout, /^1 database at the target only, and not looked at$/m);
});

test('a server is equal to itself, many databases at once', async (t) => {
    const ends = makeEnds(t, couch);
    const prefix = uniqueDb('self');
    for (const name of names(20, prefix)) await put(couch, await couch.makeDb(name), 'x');
    const run = await ends.run('verify', '', '', '-a', '-d', `^${prefix}`, '--json');
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.json.databases.length, 20);
    assert.deepEqual(run.json.documents, { source: 20, target: 20 });
});

/* ---- failures ---- */

test('a database that is not there is no difference but an error', async (t) => {
    const { a, ends } = await makePair(t);
    const run = await ends.run('verify', a, `/${uniqueDb('none')}`);
    assert.equal(run.code, NOINPUT);
    assert.match(run.stderr, /^tailrace: target: .*\n$/);
});

test('a wrong or unknown password is told of at once', async (t) => {
    const { a, b, ends } = await makePair(t);
    const unknown = ends.url(a).replace('admin@', 'nobody@');
    const run = await ends.run('verify', unknown, b);
    assert.equal(run.code, NOPERM);
    assert.match(run.stderr, /no password is known for nobody at 127\.0\.0\.1/);

    const wrong = makeSite(t, couch, { passwords: { '127.0.0.1': { someone: 'wrong' } } });
    const urls = [a, b].map((where) => ends.url(where).replace('admin@', 'someone@'));
    const refused = await tailrace(['verify', ...urls, '-c', wrong.conf]);
    assert.equal(refused.code, NOPERM, refused.stderr);
});

test('the passwords file may be that of the configuration', async (t) => {
    const { a, b, ends } = await makePair(t, [leaf('x', '1-a')]);
    const site = makeSite(t, couch);
    const run = await tailrace(['verify', ends.url(a), ends.url(b), '-c', site.conf]);
    assert.equal(run.code, 0, run.stderr);
});

test('a URL that is none, or has a password in it, is refused', async (t) => {
    const { a, b, ends } = await makePair(t);
    const bad = [
        ['localhost/db', /localhost\/db/],
        [couch.authUrl + a, /has a password in it.*--passwords/],
        [`${couch.url}/`, /names no database/],
        [`${ends.url(a)}?a=b`, /has a query/],
    ];
    for (const [url, message] of bad) {
        const run = await tailrace(['verify', url, ends.url(b), '-p', ends.passwords]);
        assert.equal(run.code, USAGE, url);
        assert.match(run.stderr, message);
        assert.doesNotMatch(run.stderr, /secret/);
    }
    assert.equal((await ends.run('verify', a, b, '--databases', 'x')).code, USAGE);
    assert.equal((await ends.run('verify', '', '', '-a', '-d', '(')).code, USAGE);
});

test('a server that does not answer ends it with 69, and a signal with 75', async (t) => {
    const { a, b, ends } = await makePair(t);
    let asked = false;
    const passage = await startPassage(t, () => {
        asked = true;
        return new Promise(() => {});
    });
    const run = ends.start('verify', a, passage + b);
    await waitFor(() => asked, 'the request');
    assert.equal((await run.stop('SIGINT')).code, TEMPFAIL);
    const dead = await ends.run('verify', '', 'http://admin@127.0.0.1:1', '--all-dbs');
    assert.equal(dead.code, UNAVAILABLE, dead.stderr);
});

test('a terminal has a line with how far it is, and it goes at the end', async (t) => {
    const { a, b, ends } = await makePair(t, [leaf('x', '1-a')]);
    let open;
    const opened = new Promise((resolve) => (open = resolve));
    const passage = await startPassage(t, () => opened);
    const run = startOnTerminal(t, ends.args('verify', a, passage + b));
    const screen = await run.until((it) => /0 of 1 database {2}\d+ row/.test(it.bottom()));
    open();
    assert.equal((await run.ended).code, 0);
    assert.ok(screen.isWhole());
    assert.match(screen.text(), /no difference/);
});
