/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 5: a row of 64 MB. Within the cap it passes whole; over it the change becomes a dead
 * letter with all that is known of it, the rows behind it go on, and memory stays bounded.
 */
'use strict';

const test = require('./lib/fault')(5);
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const { startScripted, on } = require('./lib/scripted');
const { follow } = require('./lib/stage');
const { bigRow, row, rowBytes, rev } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const MB = 1 << 20;
const SIZE = 64 * MB;
/* Freed memory is kept for a while by the sanitizer: that is no use of it. */
const env = { ASAN_OPTIONS: `${process.env.ASAN_OPTIONS || ''}:quarantine_size_mb=1` };

function* pageWithBigRow() {
    yield `{"results":[\n${rowBytes(row(1, { seq: '1-a' }))},\r\n`;
    yield* bigRow(SIZE, { id: 'big', seq: '2-b' });
    yield `,\r\n${rowBytes(row(3, { seq: '3-c' }))}\n],\n"last_seq":"3-c","pending":0}\n\n`;
}

function* liveWithBigRow() {
    yield `${rowBytes(row(1, { seq: '1-a' }))}\n`;
    yield* bigRow(SIZE, { id: 'big', seq: '2-b' });
    yield `${rowBytes(row(3, { seq: '3-c' }))}\n`;
}

const empty = (ctx) => {
    const since = JSON.stringify(ctx.req.query.get('since'));
    return ctx.reply({ body: `{"results":[\n\n],\n"last_seq":${since},"pending":0}\n\n` });
};

async function serve(t, where) {
    const sc = await startScripted(
        where === 'page'
            ? [
                  on('GET', /feed=normal.*since=0/, (ctx) => ctx.chunked(pageWithBigRow())),
                  on('GET', /feed=normal/, empty),
              ]
            : [
                  on('GET', /feed=normal/, empty),
                  on('GET', /feed=continuous.*since=0/, async (ctx) => {
                      await ctx.chunked(liveWithBigRow(), { end: false });
                      await ctx.hang();
                  }),
              ],
        { couch: { dbs: { db: [] } } },
    );
    atEnd(t, () => sc.close());
    return sc;
}

function peakKB(stage) {
    const status = fs.readFileSync(`/proc/${stage.daemon.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)[1]);
}

function sha256(pieces) {
    const hash = crypto.createHash('sha256');
    for (const piece of pieces) hash.update(piece);
    return hash.digest('hex');
}

for (const where of ['page', 'live'])
    test(`a row of 64 MB within the cap passes whole (${where})`, async (t) => {
        const sc = await serve(t, where);
        const stage = follow(t, sc.url, { source: { max_row: '65MB' }, env });
        await stage.until(() => stage.rows().length >= 3, 'three rows', 60000);
        const [, big] = stage.rows();
        assert.equal(big.length, SIZE);
        const want = sha256(bigRow(SIZE, { id: 'big', seq: '2-b' }));
        assert.equal(sha256([big, '\n']), want, 'the bytes have changed');
        assert.deepEqual(JSON.parse(stage.rows()[2].toString()).id, 'doc-3');
        t.diagnostic(`peak memory ${peakKB(stage)} KB for a row of ${SIZE / 1024} KB`);
        await stage.end();
    });

for (const where of ['page', 'live'])
    test(`a row of 64 MB over the cap is a dead letter, others come (${where})`, async (t) => {
        const cap = 8 * MB;
        const sc = await serve(t, where);
        const stage = follow(t, sc.url, { source: { max_row: '8MB' }, env });
        await stage.untilLog({ msg: 'rule started' });
        const before = peakKB(stage);
        await stage.untilIds(['doc-1', 'doc-3']);
        assert.deepEqual(stage.ids(), ['doc-1', 'doc-3'], stage.story('what passed'));
        await stage.until(async () => (await stage.checkpoint()) === '3-c', 'the checkpoint');
        const letters = await stage.deadLetters();
        assert.equal(letters.length, 1);
        const [letter] = letters;
        assert.equal(letter.doc_id, 'big');
        assert.equal(letter.seq, '2-b');
        assert.deepEqual(letter.revs, [{ rev: rev(1, 'big') }]);
        assert.equal(letter.row_cut, true);
        assert.match(letter.error, /max_row|longer/);
        const grown = peakKB(stage) - before;
        t.diagnostic(`peak memory grew by ${grown} KB for a cap of ${cap / 1024} KB`);
        assert.ok(grown * 1024 < 5 * cap, `it took ${grown} KB for a row that it drops`);
        await stage.end();
    });
