/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 33: expressions of rules that take for ever on some values. The daemon gives up on
 * them in bounded time; a change that a rule could not judge is a dead letter, never "no
 * match"; and what can be judged is judged right, also in large values.
 */
'use strict';

const test = require('./lib/fault')(33);
const assert = require('node:assert');
const path = require('node:path');
const { startScripted } = require('./lib/scripted');
const { plan } = require('./lib/stage');
const { tempDir } = require('../lib/tailrace');
const { row, rows } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const many = 'a'.repeat(5000);

/* expression, a value that it does not match, a value that it does; `hard`: no engine that goes
 * back and forth can judge the first in reasonable time. */
const corpus = [
    { re: '^(a+)+$', no: `${many}!`, yes: 'aaa', hard: true },
    { re: '^(a|aa)+$', no: `${many}!`, yes: 'aaa', hard: true },
    { re: '^(a|a?)+$', no: `${many}!`, yes: 'aaa', hard: true },
    { re: '^([a-zA-Z]+)*$', no: `${many}!`, yes: 'abc', hard: true },
    { re: '^(.*a){12}$', no: `${many}!`, yes: 'a'.repeat(12), hard: true },
    { re: '^(([a-z])+.)+[A-Z]([a-z])+$', no: many, yes: 'abCd', hard: true },
    { re: '(x+x+)+y', no: 'x'.repeat(5000), yes: 'xxy' },
    { re: '^(\\w+\\s?)*$', no: `${'ab '.repeat(2000)}!`, yes: 'ab cd' },
    { re: '(a*)*b', no: many, yes: 'aab' },
    { re: '^((a{1,50}){1,50}){1,50}$', no: `${many}!`, yes: 'aaa' },
    { re: '(?:(?:a+)+)+$', no: `${many}!`, yes: 'aaa' },
    { re: '^(?=(a+))\\1*b', no: `${many}!`, yes: 'aab' },
    { re: '^(?:a?){60}a{60}$', no: `${'a'.repeat(70)}!`, yes: 'a'.repeat(120) },
    { re: '^[^b]*[^c]*[^d]*[^e]*f$', no: many, yes: 'aaf' },
    { re: '^(?:.|\\n)*z$', no: 'a'.repeat(200000), yes: `${'a'.repeat(1000)}z` },
    { re: '^(a)?(?(1)a+|b)*c$', no: many, yes: 'aac' },
];

async function judge(t, field, values) {
    const list = values.map((v, i) =>
        row(i + 1, { doc: { _id: `doc-${i + 1}`, _rev: '1-a', v } }),
    );
    const sc = await startScripted([], { couch: { dbs: { db: list } } });
    atEnd(t, () => sc.close());
    const dir = tempDir(t);
    const rule = {
        source: 'main',
        databases: ['db'],
        plugin: 'file-sink',
        commit: { interval: '5ms' },
    };
    const all = { ...rule, options: { path: path.join(dir, 'all.ndjson') } };
    const config = {
        rules: {
            all,
            rule: { ...rule, ...field, options: { path: path.join(dir, 'out.ndjson') } },
        },
    };
    const stage = plan(t, sc.url, { dir, config }).start();
    const end = new RegExp(`^${values.length}-`);
    await stage.until(async () => end.test(await stage.checkpoint()), 'all is settled', 60000);
    const letters = (await stage.deadLetters()).filter((l) => l.rule === 'rule');
    /* It goes on. */
    sc.couch.db('db').append(row(values.length + 1, { doc: { v: values.at(-1) } }));
    await stage.untilIds([`doc-${values.length + 1}`]);
    const matched = stage.ids();
    await stage.end();
    return { stage, matched, letters };
}

for (const { re, no, yes, hard } of corpus)
    for (const [form, field] of [
        ['if', { if: { v: re } }],
        ['where', { where: [{ path: 'v', matches: re }] }],
    ])
        test(`${re} (${form}) is judged right or not at all`, async (t) => {
            const { stage, matched, letters } = await judge(t, field, [yes, no, 'é', no, yes]);
            const dead = letters.map((l) => l.doc_id);
            const story = stage.story(`matched ${matched}, dead letters ${dead}`);
            assert.deepEqual(matched, ['doc-1', 'doc-5', 'doc-6'], story);
            assert.ok(
                dead.every((id) => ['doc-2', 'doc-4'].includes(id)),
                story,
            );
            assert.ok(dead.length === 0 || dead.length === 2, story);
            if (hard) assert.equal(dead.length, 2, `taken as no match: ${story}`);
            for (const letter of letters)
                assert.match(letter.error, /limit|regular expression|cannot/);
        });

test('a database whose name cannot be judged is told, others are followed', async (t) => {
    const evil = `${'a'.repeat(200)}-b`;
    const sc = await startScripted([], { couch: { dbs: { aaa: rows(2), [evil]: rows(2) } } });
    atEnd(t, () => sc.close());
    const stage = plan(t, sc.url, {
        databases: '^(a+)+$',
        source: { discover_interval: '100ms' },
    }).start();
    await stage.untilIds(['doc-1', 'doc-2']);
    await stage.untilLog({ msg: /cannot tell whether a database/, db: evil });
    await stage.end();
});
