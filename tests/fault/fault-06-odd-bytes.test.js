/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 6: rows that are odd, but rows. Their bytes arrive unchanged, in pages and live,
 * however they are cut, and without a stack that depth could overflow.
 */
'use strict';

const test = require('./lib/fault')(6);
const assert = require('node:assert');
const { startScripted, on } = require('./lib/scripted');
const { startProxy } = require('./lib/proxy');
const { follow } = require('./lib/stage');
const faults = require('./lib/faults');
const { Rng } = require('./lib/rng');
const { atEnd } = require('../lib/at_end');

const DEPTH = 1e6;
const bytes = (...parts) =>
    Buffer.concat(parts.map((p) => (Buffer.isBuffer(p) ? p : Buffer.from(p))));

/* The documents; each is sent as it is. */
const docs = {
    'invalid UTF-8': bytes(
        '{"x":"',
        Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80]),
        '"}',
    ),
    'UTF-8 cut short': bytes('{"x":"', Buffer.from([0xf0, 0x9f, 0x98]), '"}'),
    'lone surrogates': '{"x":"\\ud800","y":"\\udc00\\ud800","\\udfff":1}',
    'NUL escapes': '{"x\\u0000y":"\\u0000","z":"a\\u0000"}',
    'a raw NUL': bytes('{"x":"', Buffer.from([0]), '"}'),
    'raw control bytes': bytes('{"x":"', Buffer.from([1, 9, 11, 12, 27, 31, 127]), '"}'),
    'line and paragraph separators': '{"x":"\u2028\u2029\u0085\ufeff"}',
    'duplicate keys': '{"a":1,"a":{"a":2},"a":[3]}',
    'empty keys': '{"":{"":[{"":""}]}}',
    'huge numbers': `{"a":1e999999,"b":-${'9'.repeat(5000)},"c":0.${'0'.repeat(5000)}1,"d":-0,"e":1E+0}`,
    'brackets in strings': '{"a":"]}]}{[{[\\"]}","b":"\\\\","c":"\\\\\\""}',
    'arrays a million deep': `{"x":${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}}`,
    'objects a million deep': `${'{"a":'.repeat(DEPTH)}1${'}'.repeat(DEPTH)}`,
    wide: `{"x":[${'0,'.repeat(200000)}0]}`,
    'spaces everywhere': '{ "x" : [ 1 , { "y" : null } ] \t}',
    'a document that looks like a row': '{"seq":"9-z","id":"evil","changes":[{"rev":"1-0"}]}',
    'a document that looks like a closing': '{"last_seq":"9-z","pending":0}',
};

const names = Object.keys(docs);
const seq = (i) => `${i + 1}-s`;
const rows = names.map((name, i) =>
    bytes(
        `{"seq":"${seq(i)}","id":"doc-${i}","changes":[{"rev":"1-0${i}"}],"doc":`,
        docs[name],
        '}',
    ),
);

const at = (since) => (since === '0' ? 0 : Number(since.split('-')[0]));
const closing = (from) => `"last_seq":"${from ? seq(from - 1) : '0-s'}","pending":0}`;

function* page(from, rest = rows.slice(from)) {
    yield '{"results":[\n';
    for (const [i, row] of rest.entries()) yield bytes(i ? ',\r\n' : '', row);
    yield `\n],\n${closing(rows.length)}\n\n`;
}

const emptyPage = (from) => [`{"results":[\n\n],\n${closing(from)}\n\n`];

async function serve(t, isLive) {
    const sc = await startScripted(
        [
            on('GET', /feed=normal/, (ctx) => {
                const from = at(ctx.req.query.get('since'));
                return ctx.chunked(isLive ? emptyPage(from) : page(from));
            }),
            on('GET', /feed=continuous/, async (ctx) => {
                const from = at(ctx.req.query.get('since'));
                await ctx.chunked(isLive ? rows.slice(from).map((r) => bytes(r, '\n')) : [], {
                    end: false,
                });
                await ctx.hang();
            }),
        ],
        { couch: { dbs: { db: [] } } },
    );
    atEnd(t, () => sc.close());
    return sc;
}

function assertUnchanged(stage) {
    for (const [i, row] of rows.entries())
        assert.ok(row.equals(stage.rows()[i]), stage.story(`${names[i]}: the bytes changed`));
}

for (const where of ['pages', 'live'])
    test(`odd bytes arrive unchanged (${where})`, async (t) => {
        const sc = await serve(t, where === 'live');
        const stage = follow(t, sc.url);
        await stage.until(() => stage.rows().length >= rows.length, 'all rows', 60000);
        assertUnchanged(stage);
        await stage.until(
            async () => (await stage.checkpoint()) === seq(rows.length - 1),
            'the checkpoint',
        );
        await stage.end();
    });

test('odd bytes arrive unchanged in small reads, cut at random places', async (t) => {
    const sc = await serve(t, false);
    const fp = await startProxy(sc.url);
    atEnd(t, () => fp.close());
    await fp.set(faults.cut([0, 8e6], { match: /feed=normal/, p: 0.7, times: 20 }));
    const rng = new Rng(fp.seed);
    const stage = follow(t, fp.url, {
        source: { read_size: `${rng.int(1, 3)}KB` },
        faults: fp,
    });
    await stage.until(() => stage.rows().length >= rows.length, 'all rows', 60000);
    assertUnchanged(stage);
    await stage.end();
});

test('odd ids, revisions and seqs arrive unchanged', async (t) => {
    const odd = [
        '{"seq":"1-s","id":"\\u0000\\ud83d\\ude00\\"\\\\/","changes":[{"rev":"1-a"}]}',
        '{"changes":[{"rev":"1-b"}],"id":"keys in another order","seq":"2-s"}',
        '{"seq":"3-s","id":"twice","id":"the last one wins","changes":[{"rev":"1-c"}]}',
        '{"seq":"4-s","id":"","changes":[{"rev":"1-d"}]}',
        '{"seq":"5-s","id":"unknown members","changes":[{"rev":"1-e","x":[]}],"new":{"a":[{}]}}',
        `{"seq":"6-s","id":"${'é'.repeat(20000)}","changes":[{"rev":"1-f"}]}`,
        `{"seq":"7-s","id":"leaves","changes":[${Array(500).fill('{"rev":"9-a"}')}]}`,
    ];
    const body = `{"results":[\n${odd.join(',\r\n')}\n],\n"last_seq":"7-s","pending":0}\n\n`;
    const sc = await startScripted([on('GET', /feed=normal.*since=0/, { body })], {
        couch: { dbs: { db: [] } },
    });
    atEnd(t, () => sc.close());
    const stage = follow(t, sc.url);
    await stage.until(() => stage.rows().length >= odd.length, 'all rows');
    assert.deepEqual(stage.rows().map(String), odd);
    await stage.end();
});
