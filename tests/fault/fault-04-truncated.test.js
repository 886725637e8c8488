/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 4: answers that stop early while the transport may call them a success. Without the
 * closing last_seq no position moves; what was not whole is read again.
 */
'use strict';

const test = require('./lib/fault')(4);
const assert = require('node:assert');
const zlib = require('node:zlib');
const { startScripted, on } = require('./lib/scripted');
const { follow, isStart } = require('./lib/stage');
const answers = require('./lib/answers');
const { rows } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

/* As a page with seq_interval can be: no row has a seq, only the closing has. */
const list = rows(4).map((r) => ({ seq: null, ...r }));
const closing = '\n],\n"last_seq":"4-abc","pending":0}\n\n';
const page = `{"results":[\n${list.map((r) => JSON.stringify(r)).join(',\r\n')}${closing}`;
const early = page.slice(0, page.lastIndexOf(',\r\n'));

const whole = (text) => ({ headers: { 'Content-Type': 'application/json' }, body: text });
const closed = (text) => async (ctx) => {
    await ctx.head(200, { Connection: 'close' });
    await ctx.raw(text);
    await ctx.fin();
};
const table = {
    'a chunk cut short': answers.cutInChunk(early),
    'a body of chunks without the last one': answers.cutChunks([early]),
    'a Content-Length that is not reached': answers.cutLength(page, early.length),
    'a body that the end of the connection ends': closed(early),
    'a body that is whole for HTTP, not as JSON': whole(early),
    'a closing without its brace': whole(page.slice(0, page.lastIndexOf('}'))),
    'a closing that is cut in its last_seq': whole(
        page.slice(0, page.indexOf('4-abc","p') + 2),
    ),
    'gzip cut in half': answers.gzipHalf(page),
    'gzip cut at its end': answers.gzipHalf(page, 0.99),
    'gzip that nobody asked for': {
        headers: { 'Content-Encoding': 'gzip' },
        body: zlib.gzipSync(page),
    },
    'nothing at all': whole(''),
};

for (const [name, answer] of Object.entries(table))
    test(`${name} moves no position`, async (t) => {
        let healed = false;
        const good = (ctx) =>
            healed ? ctx.reply(whole(page)) : answer.call ? answer(ctx) : ctx.reply(answer);
        const sc = await startScripted(
            [
                on('GET', /_changes\?feed=normal.*since=0/, good),
                on('GET', /_changes\?feed=normal/, whole(`{"results":[${closing}`)),
            ],
            { couch: { dbs: { db: [] } } },
        );
        atEnd(t, () => sc.close());
        const stage = follow(t, sc.url);
        await stage.until(() => sc.seen('GET', /_changes/).length >= 5, 'it is tried again');
        assert.ok(isStart(await stage.checkpoint()), stage.story('a checkpoint moved'));
        assert.ok(
            sc.seen('GET', /_changes/).every((r) => r.query.get('since') === '0'),
            stage.story('the position moved'),
        );
        await stage.daemon.kill9();
        const before = stage.rows().length;
        healed = true;
        stage.start();
        await stage.untilLog({ msg: 'following' });
        await stage.until(() => stage.rows().length >= before + 4, 'all rows, from the start');
        assert.deepEqual(
            stage.ids().slice(before),
            list.map((r) => r.id),
        );
        await stage.until(async () => (await stage.checkpoint()) === '4-abc', 'the checkpoint');
        await stage.end();
    });
