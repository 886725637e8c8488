/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 7: a 200 that is no CouchDB's. It is a protocol error with the database's name: tried
 * again with backoff, nothing is delivered of it, no checkpoint moves, and it recovers by
 * itself.
 */
'use strict';

const test = require('./lib/fault')(7);
const assert = require('node:assert');
const { startScripted, on } = require('./lib/scripted');
const { follow, isStart } = require('./lib/stage');
const answers = require('./lib/answers');
const { rows, row, rowBytes } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const ERROR = '{"error":"internal_server_error","reason":"No DB shards could be opened."}\n';
const good = rowBytes(row(1, { seq: '1-a' })).toString();

const bodies = {
    'a web page': answers.html(),
    'an error as the body': { body: ERROR },
    'an error line in place of a row': { body: `{"results":[\n${ERROR}],\n"last_seq":"9-z"}` },
    junk: { body: Buffer.from([0, 255, 254, 13, 10, 13, 10, 7]) },
    'no HTTP': answers.junk(),
    'an empty object': { body: '{}' },
    'an empty array': { body: '[]' },
    null: { body: 'null' },
    'results that are no array': { body: '{"results":{},"last_seq":"9-z","pending":0}' },
    'rows that are no objects': {
        body: '{"results":[1,"2",[3]],"last_seq":"9-z","pending":0}',
    },
    'a row without an id': {
        body: '{"results":[{"seq":"1-a","changes":[]}],"last_seq":"9-z","pending":0}',
    },
    'a row with an id that is a number': {
        body: '{"results":[{"seq":"1-a","id":1,"changes":[]}],"last_seq":"9-z","pending":0}',
    },
    'a last_seq that is null': { body: '{"results":[\n\n],\n"last_seq":null,"pending":0}\n' },
};

const WARNING = { msg: /^database cannot be read now|refuses the feed|cannot be listed/ };

/* Whatever answers until it is healed, then the believable CouchDB. */
async function stageFor(t, answer, where, dbs = ['db']) {
    const state = { healed: false, asked: 0 };
    const sc = await startScripted(
        [
            on('GET', where, (ctx) => {
                if (state.healed) return ctx.couch();
                state.asked++;
                return typeof answer === 'function' ? answer(ctx) : ctx.reply(answer);
            }),
        ],
        { couch: { dbs: { db: rows(3) } } },
    );
    atEnd(t, () => sc.close());
    const stage = follow(t, sc.url, { databases: dbs });
    return { sc, stage, state };
}

async function failsThenRecovers({ stage, state }) {
    await stage.until(() => state.asked >= 4, 'it is tried again');
    await stage.untilLog(WARNING);
    assert.deepEqual(stage.ids(), [], stage.story('something was delivered'));
    assert.ok(isStart(await stage.checkpoint()), stage.story('a checkpoint moved'));
    state.healed = true;
    await stage.untilIds(rows(3).map((r) => r.id));
    assert.deepEqual(
        stage.ids(),
        rows(3).map((r) => r.id),
        stage.story('repeated'),
    );
    await stage.end();
    assert.match(String(await stage.checkpoint()), /^3-/);
}

for (const [name, answer] of Object.entries(bodies))
    test(`a page that is ${name} is a protocol error`, async (t) => {
        await failsThenRecovers(await stageFor(t, answer, /feed=normal/));
    });

for (const name of ['a web page', 'an error as the body', 'junk', 'no HTTP', 'null'])
    test(`${name} for information on the database is a protocol error`, async (t) => {
        await failsThenRecovers(await stageFor(t, bodies[name], /^\/db$/));
    });

for (const name of [
    'a web page',
    'an error as the body',
    'junk',
    'no HTTP',
    'an empty object',
    'null',
])
    test(`${name} for the list of databases is a protocol error`, async (t) => {
        await failsThenRecovers(await stageFor(t, bodies[name], '/_all_dbs', '^d'));
    });

const tails = {
    'an error line': ERROR,
    junk: '\u0000\u0001<html>\n',
    'half a page': '],\n',
    'a number': '17\n',
};

for (const [name, tail] of Object.entries(tails))
    test(`a live feed that turns into ${name} is left, whole rows stay`, async (t) => {
        const sc = await startScripted(
            [
                on('GET', /feed=normal.*since=0/, {
                    body: '{"results":[\n\n],\n"last_seq":"0-s","pending":0}\n\n',
                }),
                on('GET', /feed=continuous/, async (ctx) => {
                    await ctx.chunked([`${good}\n`, tail], { end: false });
                    await ctx.hang();
                }).times(1),
                on('GET', /feed=normal.*since=0-s/, (ctx) => ctx.error(500, 'lost', 'the row')),
            ],
            { couch: { dbs: { db: [{ ...row(1), seq: '1-a' }, row(2), row(3)] } } },
        );
        atEnd(t, () => sc.close());
        const stage = follow(t, sc.url);
        await stage.untilIds(['doc-1', 'doc-2', 'doc-3']);
        await stage.untilLog(WARNING);
        assert.deepEqual(stage.ids(), ['doc-1', 'doc-2', 'doc-3'], stage.story('repeated'));
        await stage.end();
    });
