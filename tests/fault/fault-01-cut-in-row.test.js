/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 1: the connection is cut in the middle of a row. The partial row is dropped, reading
 * goes on behind the last whole one, and since nothing crashed no row comes twice either.
 */
'use strict';

const test = require('./lib/fault')(1);
const assert = require('node:assert');
const { startScripted, on } = require('./lib/scripted');
const { startProxy } = require('./lib/proxy');
const { follow } = require('./lib/stage');
const faults = require('./lib/faults');
const { rows, row, rev } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const number = (n) => String(n).padStart(6, '0');
const seqOf = (n) => `${number(n)}-g1AAAACTeJzL`;
const positionOf = (since) => (since === '0' ? 0 : Number(since.slice(0, 6)));

/* Three rows behind position p, of one length whatever p is, with what is hard to cut. */
function fixture(p) {
    const print = (n, rest) =>
        `{"seq":${rest.seq || `"${seqOf(n)}"`},"id":"é-${number(n)}",` +
        `"changes":[{"rev":"${rev(1, 'x')}"}]` +
        `${rest.more}}`;
    return [
        print(p + 1, { more: ',"doc":{"a":"\\"}\\\\","b":[{"c":"\\u00e9é😀"}],"n":-1.5e+3}' }),
        print(p + 2, { seq: 'null', more: ',"deleted":true' }),
        print(p + 3, { more: ',"doc":{"_id":"}]},{","x":null}' }),
    ];
}

const closing = (p) => `"last_seq":"${seqOf(p)}","pending":9}\n\n`;
const page = (p) => `{"results":[\n${fixture(p).join(',\r\n')}\n],\n${closing(p + 3)}`;
const emptyPage = (p) => `{"results":[\n\n],\n"last_seq":"${seqOf(p)}","pending":0}\n\n`;
/* A continuous feed is asked for without seq_interval: each row has its seq. */
const live = (p) =>
    `${fixture(p)
        .join('\n')
        .replace('"seq":null', `"seq":"${seqOf(p + 2)}"`)}\n\n` +
    `{"last_seq":"${seqOf(p + 3)}","pending":9}\n\n`;

function wire(body) {
    const bytes = Buffer.from(body);
    const half = bytes.length >> 1;
    const chunk = (b) => [Buffer.from(`${b.length.toString(16)}\r\n`), b, Buffer.from('\r\n')];
    return Buffer.concat([
        Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'),
        ...chunk(bytes.subarray(0, half)),
        ...chunk(bytes.subarray(half)),
        Buffer.from('0\r\n\r\n'),
    ]);
}

/* Cuts the answers of one kind at byte 0, 1, 2, …, then says that there is no more. */
function cutter(make, how) {
    const length = wire(make(0)).length;
    const state = { offset: 0, length, delivered: 0, done: false };
    state.answer = async (ctx) => {
        const p = positionOf(ctx.req.query.get('since'));
        state.delivered = p;
        if (state.offset > length) {
            state.done = true;
            return ctx.hang();
        }
        await ctx.raw(wire(make(p)).subarray(0, state.offset++));
        return how === 'rst' ? ctx.reset() : ctx.fin();
    };
    return state;
}

const quick = { retry_min: '1ms', retry_max: '2ms' };

/* All rows from the first on, each once, in order. */
function assertUnbroken(stage, state) {
    const ids = stage.ids();
    const want = Array.from({ length: ids.length }, (_, i) => `é-${number(i + 1)}`);
    const at = ids.findIndex((id, i) => id !== want[i]);
    assert.ok(at < 0, stage.story(`row ${at + 1} is ${ids[at]} after ${ids[at - 1]}`));
    assert.equal(ids.length, state.delivered, stage.story('delivered is not what was read'));
}

for (const how of ['fin', 'rst'])
    test(`a page cut at every byte (${how}) loses nothing and repeats nothing`, async (t) => {
        const state = cutter(page, how);
        const sc = await startScripted([on('GET', /_changes\?feed=normal/, state.answer)], {
            couch: { dbs: { db: [] } },
        });
        atEnd(t, () => sc.close());
        const stage = follow(t, sc.url, { source: quick });
        await stage.until(() => state.done, `${state.length} cuts`, 60000);
        await stage.until(() => stage.ids().length >= state.delivered, 'all rows');
        assertUnbroken(stage, state);
        assert.ok(state.delivered > 100, 'whole rows came before the cuts');
        await stage.end();
        assert.equal(await stage.checkpoint(), seqOf(state.delivered));
    });

test('a continuous feed cut at every byte loses nothing and repeats nothing', async (t) => {
    const state = cutter(live, 'fin');
    const sc = await startScripted(
        [
            on('GET', /_changes\?feed=normal/, (ctx) =>
                ctx.reply({ body: emptyPage(positionOf(ctx.req.query.get('since'))) }),
            ),
            on('GET', /_changes\?feed=continuous/, state.answer),
        ],
        { couch: { dbs: { db: [] } } },
    );
    atEnd(t, () => sc.close());
    const stage = follow(t, sc.url, { source: quick });
    await stage.until(() => state.done, `${state.length} cuts`, 60000);
    await stage.until(() => stage.ids().length >= state.delivered, 'all rows');
    assertUnbroken(stage, state);
    assert.ok(state.delivered > 100, 'whole rows came before the cuts');
    await stage.end();
    assert.equal(await stage.checkpoint(), seqOf(state.delivered));
});

test('cuts and resets at random places lose nothing and repeat nothing', async (t) => {
    const sc = await startScripted([], { couch: { dbs: { db: rows(200) } } });
    atEnd(t, () => sc.close());
    const fp = await startProxy(sc.url);
    atEnd(t, () => fp.close());
    await fp.set([
        faults.cut([0, 3000], { match: /_changes/, p: 0.6 }),
        faults.cut([0, 3000], { match: /_changes/, p: 0.3, how: 'rst' }),
        faults.cutRequest([0, 80], { p: 0.1 }),
    ]);
    const stage = follow(t, fp.url, { source: { ...quick, page_rows: 20 }, faults: fp });
    /* Where a fault strikes is chance: rows are written until enough have. */
    let count = 200;
    while (count < 300 || fp.stats.struck <= 20) {
        await stage.until(() => stage.rows().length >= count - 60, `${count - 60} rows`, 60000);
        sc.couch.db('db').append(row(++count));
    }
    const want = rows(count).map((r) => r.id);
    await stage.until(() => stage.rows().length >= want.length, 'all rows', 60000);
    assert.deepEqual(stage.ids(), want, stage.story('rows are lost, repeated or out of order'));
    await fp.clear();
    await stage.end();
});
