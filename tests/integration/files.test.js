/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of rows as sources: NDJSON, and standard input.
 */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { makeSite } = require('./lib/site');
const { startHook, toHook, ids } = require('./lib/sink');

const rev = (n = 1) => `${n}-${'a'.repeat(32)}`;
const row = (id, extra) => ({
    seq: `1-${id}`,
    id,
    changes: [{ rev: rev() }],
    doc: { _id: id, _rev: rev() },
    ...extra,
});
const lines = (values) => values.map((value) => `${JSON.stringify(value)}\n`).join('');

/* A site whose one source is a file with this text. */
async function fileSite(t, text, { rule, source } = {}) {
    const hook = await startHook(t);
    const site = makeSite(t, null);
    const file = path.join(site.dir, 'rows.ndjson');
    if (text !== null) fs.writeFileSync(file, text);
    site.write({
        sources: { main: { type: 'file', path: file, ...source } },
        rules: { r: toHook(hook, '.', rule) },
    });
    return { hook, site, file };
}

test('rows of a file are delivered with id, revision and document', async (t) => {
    const { hook, site } = await fileSite(t, lines([row('a'), row('b', { deleted: true })]));
    await site.once();
    assert.deepEqual(ids(hook.taken), ['a', 'b']);
    assert.equal(hook.taken[0].rev, rev());
    assert.deepEqual(hook.taken[0].doc, { _id: 'a', _rev: rev() });
    assert.equal(hook.taken[0].db, 'rows.ndjson');
});

test('documents of a file are taken as rows', async (t) => {
    const docs = [
        { _id: 'a', _rev: rev(3), n: 1 },
        { _id: 'b', n: 2 },
    ];
    const { hook, site } = await fileSite(t, lines(docs));
    await site.once();
    assert.deepEqual(
        hook.taken.map((c) => c.doc),
        docs,
    );
    assert.equal(hook.taken[0].rev, rev(3));
});

test('a feed as it was saved is read: blank lines, last_seq, no line end at the end', async (t) => {
    const text = `\n${lines([row('a')])}\r\n\n${lines([row('b')])}{"last_seq":"2-x","pending":0}\n\n`;
    const { hook, site } = await fileSite(t, text + JSON.stringify(row('c')));
    await site.once();
    assert.deepEqual(ids(hook.taken), ['a', 'b', 'c']);
});

test('the database that rows are given can be named', async (t) => {
    const { hook, site } = await fileSite(t, lines([row('a')]), {
        source: { database: 'orders' },
        rule: { databases: ['orders'] },
    });
    await site.once();
    assert.equal(hook.taken[0].db, 'orders');
});

test('a second run goes on behind the last row', async (t) => {
    const { hook, site, file } = await fileSite(t, lines([row('a'), row('b')]));
    await site.once();
    await site.once();
    assert.equal(hook.taken.length, 2);
    fs.appendFileSync(file, lines([row('c'), row('d')]));
    await site.once();
    assert.deepEqual(ids(hook.taken), ['a', 'b', 'c', 'd']);
});

test('twenty thousand rows are all delivered, in order', async (t) => {
    const rows = Array.from({ length: 20000 }, (_, n) => row(`r${n}`));
    const { hook, site } = await fileSite(t, lines(rows));
    await site.once();
    assert.deepEqual(ids(hook.taken), ids(rows));
});

test('since = now begins behind what is there', async (t) => {
    const { hook, site, file } = await fileSite(t, lines([row('a')]), {
        rule: { since: 'now' },
    });
    await site.once();
    fs.appendFileSync(file, lines([row('b')]));
    await site.once();
    assert.deepEqual(ids(hook.taken), ['b']);
});

test('a file that grows is followed, a line that is not whole is waited for', async (t) => {
    const { hook, site, file } = await fileSite(t, lines([row('a')]));
    const daemon = site.start();
    await hook.until(1);
    const whole = lines([row('b')]);
    fs.appendFileSync(file, whole.slice(0, 20));
    fs.appendFileSync(file, whole.slice(20));
    await hook.until(2);
    fs.appendFileSync(file, lines([row('c'), row('d')]));
    await hook.until(4);
    assert.equal((await daemon.stop()).code, 0);
    assert.deepEqual(ids(hook.taken), ['a', 'b', 'c', 'd']);
});

test('a file that was rotated away is another stream from its start', async (t) => {
    const { hook, site, file } = await fileSite(t, lines([row('a'), row('b')]));
    const daemon = site.start();
    await hook.until(2);
    fs.renameSync(file, `${file}.1`);
    fs.writeFileSync(`${file}.new`, lines([row('c')]));
    fs.renameSync(`${file}.new`, file);
    await hook.until(3);
    await daemon.stop();
    assert.deepEqual(ids(hook.taken), ['a', 'b', 'c']);
});

for (const [name, bad, why] of [
    ['no JSON', 'this is no JSON', /not a JSON object/],
    ['half a row', '{"id":"x",', /in the middle of an object/],
    ['no id', '{"x":1}', /an object without .*id/],
    ['two on a line', '{"_id":"x"}{"_id":"y"}', /more behind the object/],
])
    test(`a bad line is named with file and line, and what precedes it is delivered: ${name}`, async (t) => {
        const text = `${lines([row('a'), row('b')])}${bad}\n${lines([row('c')])}`;
        const { hook, site, file } = await fileSite(t, text);
        const { stderr } = await site.once({ code: 65 });
        const said = stderr.split('\n').filter((line) => /"level":"error"/.test(line));
        assert.equal(said.length, 1, stderr);
        assert.match(said[0], why);
        assert.match(said[0], /rows\.ndjson, line 3 \(byte \d+\)/);
        fs.writeFileSync(file, lines([row('a'), row('b'), row('c')]));
        await site.once();
        assert.deepEqual(ids(hook.taken), ['a', 'b', 'c']);
    });

test('a file that is not there: EX_NOINPUT, with its name', async (t) => {
    const { site } = await fileSite(t, null);
    assert.match((await site.once({ code: 66 })).stderr, /rows\.ndjson: No such file/);
});

test('an empty file is read to its end', async (t) => {
    const { hook, site } = await fileSite(t, '');
    await site.once();
    assert.equal(hook.offered.length, 0);
});

test('standard input is read to its end, and a second run begins anew', async (t) => {
    const { hook, site } = await fileSite(t, '', { source: { path: '-' } });
    const input = lines([row('a'), { _id: 'b' }]);
    await site.once({ input });
    assert.deepEqual(ids(hook.taken), ['a', 'b']);
    assert.equal(hook.taken[0].db, 'stdin');
    await site.once({ input });
    assert.deepEqual(ids(hook.taken), ['a', 'b', 'a', 'b']);
});

test('a bad line of standard input is named', async (t) => {
    const { site } = await fileSite(t, '', { source: { path: '-' } });
    const { stderr } = await site.once({ code: 65, input: `${lines([row('a')])}nothing\n` });
    assert.match(stderr, /standard input, line 2/);
});

test('a rejected row of a file is a dead letter with that row', async (t) => {
    const { hook, site } = await fileSite(t, lines([row('a')]));
    hook.reply = () => 400;
    await site.once();
    const { dead_letters } = await site.command(['dead-letter', 'list']);
    const shown = await site.command(['dead-letter', 'show', String(dead_letters[0].id)]);
    assert.deepEqual(shown.row, row('a'));
});
