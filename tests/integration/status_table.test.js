/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of `tailrace status`, of documents that a socket here says in the daemon's place: so
 * that all that can be wrong with one can be in it. No server.
 */
'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const net = require('node:net');
const path = require('node:path');

const { tailrace, tempDir } = require('../lib/tailrace.js');
const { atEnd } = require('../lib/at_end');

const DATAERR = 65;
const UNAVAILABLE = 69;

const rule = (name, more) => ({
    name,
    plugin: 'http-webhook',
    source: 'main',
    state: 'running',
    streams: 12,
    lag_rows: 0,
    lag_s: 0,
    window_rows: 0,
    window_bytes: 0,
    in_flight: 0,
    retrying: 0,
    received: 0,
    filtered: 0,
    ok: 0,
    dead: 0,
    skipped: 0,
    retried: 0,
    batches: 0,
    dead_letters: 0,
    ...more,
});

const source = (more) => ({
    name: 'main',
    url: 'http://admin@host:5984/',
    databases: 10000,
    streams: { hot: 3, reading: 2, waiting: 1, idle: 9994, missing: 0, queued: 0 },
    updates: { state: 'live' },
    sweep: { state: 'idle', finished_s_ago: 12, databases: 10000, changed: 17 },
    connections: { running: 5, waiting: 0, max: 32 },
    troubles: [],
    troubles_more: 0,
    ...more,
});

const document = (more) => ({
    format: 1,
    version: '9.8.7',
    pid: 4711,
    uptime_s: 1.5,
    state: 'running',
    mode: 'follow',
    store: { state: 'ok' },
    sources: [source()],
    rules: [rule('r')],
    rules_more: 0,
    documents: [],
    ...more,
});

/* `tailrace status` where a daemon would say `said`: an object, or bytes as they are. */
async function shown(t, said, ...words) {
    const dir = tempDir(t);
    const server = net.createServer((socket) =>
        socket.end(typeof said === 'string' ? said : `${JSON.stringify(said)}\n`),
    );
    await new Promise((resolve) => server.listen(path.join(dir, 'tailrace.sock'), resolve));
    atEnd(t, () => server.close());
    return tailrace(['status', '--state-dir', dir, ...words]);
}

async function lines(t, said) {
    const { code, stdout, stderr } = await shown(t, said);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    return stdout.split('\n');
}

/* The cells of the row that begins with `first`. */
function row(all, first) {
    const line = all.find((it) => it.startsWith(`${first} `));
    assert.ok(line, `no row of ${first} in:\n${all.join('\n')}`);
    return line.trim().split(/ {2,}/);
}

test('the daemon is the first line', async (t) => {
    const of = async (more) => (await lines(t, document(more)))[0];
    assert.equal(await of(), 'tailrace 9.8.7, pid 4711, running, up 1.5 s');
    assert.equal(
        await of({ mode: 'once', uptime_s: 7200 }),
        'tailrace 9.8.7, pid 4711, running once, up 2 h',
    );
    assert.equal(
        await of({ state: 'stopping', uptime_s: 864000 }),
        'tailrace 9.8.7, pid 4711, stopping, up 10 d',
    );
});

test('a source is a row, with its databases by what becomes of them', async (t) => {
    const all = await lines(t, document());
    assert.deepEqual(row(all, 'SOURCE'), [
        'SOURCE', 'DATABASES', 'HOT', 'READING', 'QUEUED', 'WAITING', 'MISSING', 'CALLS',
        'UPDATES', 'SWEEP', 'URL',
    ]);
    assert.deepEqual(row(all, 'main'), [
        'main', '10000', '3', '2', '0', '1', '0', '5/32', 'live', '12 s ago',
        'http://admin@host:5984/',
    ]);
});

test('a sweep that runs tells how far it is', async (t) => {
    const sweep = { state: 'running', finished_s_ago: 12, databases: 1200, changed: 3 };
    const all = await lines(t, document({ sources: [source({ sweep })] }));
    assert.equal(row(all, 'main').at(-2), 'at 1200 of 10000');
});

test('a file as a source has a path', async (t) => {
    const file = { ...source(), url: undefined, path: '/var/feed.ndjson' };
    const all = await lines(t, document({ sources: [file] }));
    assert.equal(row(all, 'main').at(-1), '/var/feed.ndjson');
});

test('a rule is a row, with its lag', async (t) => {
    const rules = [
        rule('idle'),
        rule('late', {
            lag_rows: 12345,
            lag_s: 90.4,
            in_flight: 4,
            retrying: 2,
            ok: 7,
            retried: 9,
            dead_letters: 3,
            reason: 'HTTP 500',
        }),
    ];
    const all = await lines(t, document({ rules }));
    assert.deepEqual(row(all, 'idle'), [
        'idle', 'http-webhook', 'running', '12', '-', '0', '0', '0', '0', '0', '0',
    ]);
    assert.deepEqual(row(all, 'late'), [
        'late', 'http-webhook', 'running', '12', '90 s', '12345', '4', '2', '7', '9', '3',
    ]);
    assert.deepEqual(row(all, 'rule late'), ['rule late', 'retrying: HTTP 500']);
});

test('columns stand below each other', async (t) => {
    const all = await lines(t, document({ rules: [rule('a', { ok: 1234567 }), rule('bcdefgh')] }));
    const at = all.findIndex((line) => line.startsWith('RULE '));
    const ends = all.slice(at, at + 3).map((line) => line.length);
    assert.equal(new Set(ends).size, 1, all.join('\n'));
});

test('all that is in trouble stands at the end, with its reason', async (t) => {
    const all = await lines(
        t,
        document({
            store: { state: 'stalled', for_s: 61, reason: 'no space left' },
            sources: [
                source({
                    updates: { state: 'unavailable', reason: 'the server answered 401' },
                    troubles: [
                        { db: 'user_1', state: 'waiting', for_s: 12.5, reason: 'refused' },
                        { db: 'user_2', state: 'missing' },
                    ],
                    troubles_more: 3,
                }),
            ],
            rules: [rule('h', { state: 'held', reason: 'the plugin cannot go on' })],
            documents: [
                {
                    group: 'spiegel',
                    state: 'denied',
                    reason: '403',
                    rules: 3,
                    invalid: [{ id: 'doc', reason: '/url: is missing' }],
                    invalid_more: 1,
                },
            ],
        }),
    );
    const from = all.findIndex((line) => line.startsWith('TROUBLE '));
    assert.deepEqual(
        all.slice(from + 1, -1).map((line) => line.trim().split(/ {2,}/)),
        [
            ['state directory', '61 s', 'stalled: no space left'],
            ['main', 'list of changed databases unavailable: the server answered 401'],
            ['main/user_1', '12 s', 'waiting: refused'],
            ['main/user_2', 'missing'],
            ['rule h', 'held: the plugin cannot go on'],
            ['documents of spiegel', 'denied: 403'],
            ['spiegel/doc', 'invalid: /url: is missing'],
            ['… and 4 more'],
        ],
    );
    assert.deepEqual(row(all, 'spiegel'), ['spiegel', 'denied', '3', '2']);
});

test('where nothing is wrong no trouble is shown', async (t) => {
    assert.doesNotMatch((await lines(t, document())).join('\n'), /TROUBLE|more/);
});

test('rules that were left out are counted', async (t) => {
    assert.ok((await lines(t, document({ rules_more: 9000 }))).includes('… and 9000 more'));
});

test('no name can reach the terminal', async (t) => {
    const evil = 'a\u001b[2Jb\u009b31mc\nd\u007f\u0000e';
    const all = await lines(
        t,
        document({
            version: evil,
            state: evil,
            sources: [
                source({
                    name: evil,
                    url: evil,
                    updates: { state: evil, reason: evil },
                    sweep: { state: evil },
                    troubles: [{ db: evil, state: evil, reason: evil }],
                }),
            ],
            rules: [rule(evil, { plugin: evil, state: evil, reason: evil })],
            documents: [
                { group: evil, state: evil, reason: evil, invalid: [{ id: evil, reason: evil }] },
            ],
        }),
    );
    assert.doesNotMatch(all.join('\n'), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    assert.equal(all.filter((line) => /^d[^o]/.test(line)).length, 0);
    assert.match(all.join('\n'), /a\?\[2Jb\?31mc\?d\?\?e/);
});

test('a document with more or less in it than is known is shown', async (t) => {
    const all = await lines(t, { format: 1, news: [1], rules: [{ name: 'r', more: {} }, 7, null] });
    assert.match(all[0], /^tailrace /);
    assert.equal(row(all, 'r')[0], 'r');
    await lines(t, { format: 1, sources: 'x', rules: { a: 1 }, documents: null });
});

test('--json is the document as it came', async (t) => {
    const said = `${JSON.stringify(document())}\n`;
    const { code, stdout } = await shown(t, said, '--json');
    assert.equal(code, 0);
    assert.equal(stdout, said);
});

test('another format is refused with a line that says what to do, and shown as JSON', async (t) => {
    const { code, stdout, stderr } = await shown(t, document({ format: 2 }));
    assert.equal(code, DATAERR);
    assert.equal(stdout, '');
    assert.match(stderr, /^tailrace: the running tailrace 9\.8\.7 [^\n]*--json[^\n]*\n$/);
    assert.equal((await shown(t, document({ format: 2 }), '--json')).code, 0);
});

test('half a document is no document', async (t) => {
    for (const said of ['', '{"format":1', JSON.stringify(document()).slice(0, -20)]) {
        const { code, stdout, stderr } = await shown(t, said, '--json');
        assert.equal(code, UNAVAILABLE);
        assert.equal(stdout, '');
        assert.match(stderr, /^tailrace: [^\n]* in the middle of its answer\n$/);
    }
});
