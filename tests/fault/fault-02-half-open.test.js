/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 2: half-open TCP. A feed without a byte for three heartbeats is dead and is connected
 * anew; one that is idle but has its heartbeats is left alone, for however long.
 */
'use strict';

const test = require('./lib/fault')(2);
const assert = require('node:assert');
const { startScripted, on } = require('./lib/scripted');
const { startProxy } = require('./lib/proxy');
const { follow } = require('./lib/stage');
const faults = require('./lib/faults');
const { rows, row } = require('./lib/rows');

const SILENT = /sent nothing for 600 ms/;

async function behindProxy(t, count) {
    const sc = await startScripted([], { couch: { dbs: { db: rows(count) } } });
    t.after(() => sc.close());
    const fp = await startProxy(sc.url);
    t.after(() => fp.close());
    const stage = follow(t, fp.url, { source: { heartbeat: '200ms' }, faults: fp });
    await stage.untilLog({ msg: 'following' });
    return { sc, fp, stage };
}

test('a live feed that falls silent is connected anew, and nothing is lost', async (t) => {
    const { sc, fp, stage } = await behindProxy(t, 3);
    await fp.set(faults.stall(0, { match: /feed=continuous/, times: 1 }));
    sc.couch.db('db').append(row(4));
    await stage.untilIds(['doc-4']);
    assert.equal(stage.logs({ reason: SILENT }).length, 1, stage.story('the watchdog'));
    assert.equal(fp.struck(fp.faults[0]), 1);
    sc.couch.db('db').append(row(5));
    await stage.untilIds(['doc-5']);
    assert.deepEqual(
        stage.ids(),
        rows(5).map((r) => r.id),
        stage.story('repeated'),
    );
    await stage.end();
});

test('a connection that stalls in the middle of a row is connected anew', async (t) => {
    const { sc, fp, stage } = await behindProxy(t, 1);
    await fp.set(faults.stall([10, 150], { match: /feed=continuous/, times: 1 }));
    sc.couch.db('db').append(row(2), row(3));
    await stage.untilIds(['doc-2', 'doc-3']);
    assert.equal(stage.logs({ reason: SILENT }).length, 1, stage.story('the watchdog'));
    assert.deepEqual(
        stage.ids(),
        rows(3).map((r) => r.id),
        stage.story('repeated'),
    );
    await stage.end();
});

test('an idle feed with heartbeats is never ended', async (t) => {
    let beats = 0;
    const sc = await startScripted(
        [
            on('GET', /feed=continuous/, (ctx) =>
                ctx.chunked(async function* () {
                    assert.equal(ctx.req.query.get('heartbeat'), '200');
                    for (; await ctx.sleep(200); beats++) yield '\n';
                }),
            ),
        ],
        { couch: { dbs: { db: rows(2) } } },
    );
    t.after(() => sc.close());
    const stage = follow(t, sc.url, { source: { heartbeat: '200ms' } });
    await stage.until(() => beats >= 15, '15 heartbeats');
    assert.equal(sc.seen('GET', /feed=continuous/).length, 1, stage.story('connected anew'));
    assert.equal(stage.logs({ level: 'warn' }).length, 0, stage.story('something was wrong'));
    await stage.end();
    assert.deepEqual(sc.errors, []);
});
