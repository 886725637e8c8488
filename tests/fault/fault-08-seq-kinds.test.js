/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 8: a seq is whatever JSON the server sends. It is kept as it came and sent back as it
 * came, after kill -9 too; null is no position.
 */
'use strict';

const test = require('./lib/fault')(8);
const assert = require('node:assert');
const { startScripted, on } = require('./lib/scripted');
const { follow } = require('./lib/stage');
const { atEnd } = require('../lib/at_end');

/* What the server sends as a seq, and gets back as since: a string without its quotes. */
const kinds = {
    'a number': ['12', '12'],
    'a number beyond 64 bits': [
        '123456789012345678901234567890',
        '123456789012345678901234567890',
    ],
    'a fraction': ['1.50', '1.50'],
    'a string': ['"12-g1AAAA_x-y"', '12-g1AAAA_x-y'],
    'a string of a number': ['"12"', '12'],
    'a string with odd characters': ['"1-\\u0041 &=?#%+/é\\"\\\\"', '1-A &=?#%+/é"\\'],
    'an array': ['[5,"g1AAAA",[1]]', '[5,"g1AAAA",[1]]'],
    'an array with spaces': ['[ 5, "a b" ]', '[ 5, "a b" ]'],
    'an object': ['{"a":1}', '{"a":1}'],
    'a long string': [`"${'a'.repeat(3000)}"`, 'a'.repeat(3000)],
    'a string with a zero in front': ['"0-x"', '0-x'],
};

const row = (id, seq) => `{"seq":${seq},"id":"${id}","changes":[{"rev":"1-a"}]}`;
const page = (rows, last) =>
    `{"results":[\n${rows.join(',\r\n')}\n],\n"last_seq":${last},"pending":0}\n\n`;

async function serve(t, script) {
    const sc = await startScripted(script, { couch: { dbs: { db: [] } } });
    atEnd(t, () => sc.close());
    return sc;
}

const sinceOf = (req) => req.query.get('since');
const hang = async (ctx) => {
    await ctx.chunked(['\n'], { end: false });
    await ctx.hang();
};

/* kill -9 when the position is durable, and start: the first since that it asks with. */
async function sinceAfterCrash(stage, sc, isDurable) {
    await stage.until(async () => isDurable(await stage.checkpoint()), 'the checkpoint');
    await stage.daemon.kill9();
    const seen = sc.requests.length;
    stage.start();
    const asked = () => sc.requests.slice(seen).find((r) => /_changes/.test(r.url));
    await stage.until(asked, 'it reads on');
    return sinceOf(asked());
}

for (const [name, [seq, since]] of Object.entries(kinds))
    test(`a seq that is ${name} comes back as it went`, async (t) => {
        const sc = await serve(t, [
            on('GET', /feed=normal.*since=0$/, {
                body: page([row('a', '1'), row('b', seq)], seq),
            }),
            on('GET', /feed=normal/, (ctx) => ctx.reply({ body: page([], seq) })),
            on('GET', /feed=continuous/, hang),
        ]);
        const stage = follow(t, sc.url);
        await stage.untilIds(['a', 'b']);
        await stage.untilLog({ msg: 'following' });
        const live = await sc.waitFor((r) => /continuous/.test(r.url));
        assert.equal(sinceOf(live), since, stage.story('the next request'));
        const isSame = (now) => JSON.stringify(now) === JSON.stringify(JSON.parse(seq));
        assert.equal(await sinceAfterCrash(stage, sc, isSame), since, stage.story('restarted'));
        await stage.until(() => /continuous/.test(sc.requests.at(-1).url), 'it follows');
        assert.deepEqual(stage.ids(), ['a', 'b'], stage.story('rows were repeated'));
        await stage.end();
    });

test('kinds of seq may change from row to row', async (t) => {
    const list = Object.values(kinds).map(([seq], i) => row(`doc-${i}`, seq));
    const [last, since] = kinds['an array'];
    const sc = await serve(t, [
        on('GET', /feed=normal.*since=0$/, { body: page([], '"0-x"') }),
        on('GET', /feed=continuous/, async (ctx) => {
            await ctx.chunked(
                [...list, row('last', last)].map((r) => `${r}\n`),
                { end: false },
            );
            await ctx.hang();
        }).times(1),
        on('GET', /feed=normal/, (ctx) => ctx.reply({ body: page([], last) })),
        on('GET', /feed=continuous/, hang),
    ]);
    const stage = follow(t, sc.url);
    await stage.untilIds(['last']);
    const isArray = (now) => Array.isArray(now);
    assert.equal(await sinceAfterCrash(stage, sc, isArray), since, stage.story('restarted'));
    await stage.end();
});

test('null is no position: a page goes on from its last_seq', async (t) => {
    const list = [row('a', 'null'), row('b', '"2-b"'), row('c', 'null')];
    const sc = await serve(t, [
        on('GET', /feed=normal.*since=0$/, { body: page(list, '"3-c"') }),
        on('GET', /feed=normal/, (ctx) => ctx.reply({ body: page([], '"3-c"') })),
        on('GET', /feed=continuous/, hang),
    ]);
    const stage = follow(t, sc.url);
    await stage.untilIds(['a', 'b', 'c']);
    const isEnd = (now) => now === '3-c';
    assert.equal(await sinceAfterCrash(stage, sc, isEnd), '3-c', stage.story('restarted'));
    await stage.end();
});

test('null is no position: a live feed goes on behind the last row that had one', async (t) => {
    const list = [row('a', '"1-a"'), row('b', 'null'), row('c', 'null')];
    const sc = await serve(t, [
        on('GET', /feed=normal.*since=0$/, { body: page([], '"0-x"') }),
        on('GET', /feed=continuous.*since=0-x/, async (ctx) => {
            await ctx.chunked(
                list.map((r) => `${r}\n`),
                { end: false },
            );
            await ctx.hang();
        }),
        on('GET', /feed=normal.*since=1-a/, { body: page(list.slice(1), '"3-c"') }),
        on('GET', /feed=normal/, (ctx) => ctx.reply({ body: page([], '"3-c"') })),
        on('GET', /feed=continuous/, hang),
    ]);
    const stage = follow(t, sc.url);
    await stage.untilIds(['a', 'b', 'c']);
    const isKnown = (now) => now === '1-a';
    assert.equal(await sinceAfterCrash(stage, sc, isKnown), '1-a', stage.story('restarted'));
    /* They may be repeated: nothing says that they were settled. */
    await stage.until(async () => (await stage.checkpoint()) === '3-c', 'the checkpoint');
    await stage.end();
});
