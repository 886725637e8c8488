/* SPDX-License-Identifier: Apache-2.0 */
/* explain and try: seeing what would happen before it happens. No server. */
'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');

const { site, plugins, tailrace, tempDir, ...EX } = require('./cli.js');

/* ---- explain ---- */

const RULES = {
    rule: 'if: { type = "^post$"; };',
    more: `other: { source = "feed"; databases = "^other$"; plugin = "cli-plugin"; };`,
};

function explain(s, doc, words = ['explain', 'db', '-']) {
    return s.run(words, { input: typeof doc === 'string' ? doc : JSON.stringify(doc) });
}

test('explain says which rules match, why the others do not, and what would be done', async (t) => {
    const s = site(t, RULES);
    const { code, stdout, stderr } = await explain(s, { _id: 'x', _rev: '3-c', type: 'post' });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /rule r\n/);
    assert.match(stdout, /yes +databases \^db\$: found db/);
    assert.match(stdout, /yes +type .*: found "post"/);
    assert.match(stdout, /=> matches\n  cli-plugin would do:\n    doc x 3-c of db for r\n/);
    assert.match(stdout, /no +databases \^other\$: found db/);
    assert.match(stdout, /=> does not match/);
    assert.match(stdout, /1 of 2 rules match/);
});

test('explain ends with 1 when no rule matches', async (t) => {
    const { code, stdout } = await explain(site(t, RULES), { _id: 'x', type: 'page' });
    assert.equal(code, 1);
    assert.match(stdout, /no +type .*: found "page"/);
    assert.doesNotMatch(stdout, /would do/);
});

test('explain --json is one document', async (t) => {
    const s = site(t, RULES);
    const doc = { _id: 'x', type: 'post' };
    const { stdout } = await explain(s, doc, ['explain', 'db', '-', '--json']);
    const answer = JSON.parse(stdout);
    assert.equal(answer.id, 'x');
    assert.deepEqual(
        answer.rules.map((rule) => [rule.rule, rule.matches]),
        [
            ['r', true],
            ['other', false],
        ],
    );
    assert.deepEqual(answer.rules[0].would, ['doc x 1-0 of db for r']);
    assert.ok(answer.rules[1].reasons.some((reason) => reason.verdict === 'no'));
});

test('explain --rule asks one rule, and one that is not there is said', async (t) => {
    const s = site(t, RULES);
    const doc = { _id: 'x', type: 'post' };
    const { code, stdout } = await explain(s, doc, ['explain', 'db', '-', '--rule', 'other']);
    assert.equal(code, 1);
    assert.doesNotMatch(stdout, /rule r\n/);
    const absent = await explain(s, doc, ['explain', 'db', '-', '--rule', 'othr']);
    assert.equal(absent.code, EX.NOINPUT);
    assert.match(absent.stderr, /^tailrace: there is no rule othr; did you mean other\?\n$/);
});

test('explain takes a file, a row of a feed, a deletion', async (t) => {
    const s = site(t, { rule: 'deleted = "only";' });
    const file = path.join(s.home, 'doc.json');
    fs.writeFileSync(file, JSON.stringify({ _id: 'x', _rev: '2-b', _deleted: true }));
    assert.equal((await s.run(['explain', 'db', file])).code, 0);
    const row = { seq: '1', id: 'y', changes: [{ rev: '2-b' }], deleted: true };
    const result = await explain(s, row);
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /doc y 2-b/);
    assert.equal((await explain(s, { _id: 'x' })).code, 1);
});

test('explain knows that an expression does not see system databases', async (t) => {
    const s = site(t, {
        more: 'all: { source = "feed"; databases = "."; plugin = "cli-plugin"; };',
    });
    const { code, stdout } = await explain(s, { _id: 'x' }, ['explain', '_users', '-']);
    assert.equal(code, 1);
    assert.match(stdout, /no +system_databases/);
});

test('explain refuses what is no document, with one line', async (t) => {
    const s = site(t);
    for (const text of ['{"_id":', '[1]', '{"a":1}', '{"_id":3}', '{"id":"x","changes":3}']) {
        const { code, stderr, stdout } = await explain(s, text);
        assert.equal(code, EX.DATAERR, text);
        assert.match(stderr, /^tailrace: standard input: [^\n]*\n$/);
        assert.equal(stdout, '');
    }
    assert.equal((await s.run(['explain', 'db', path.join(s.home, 'none')])).code, EX.NOINPUT);
});

/* ---- try ---- */

const DOCS = [{ _id: 'a' }, { _id: 'b', reject: true }, { _id: 'c', retry: true }];

function feed(t, docs) {
    const file = path.join(tempDir(t), 'rows.ndjson');
    fs.writeFileSync(file, docs.map((doc) => JSON.stringify(doc) + '\n').join(''));
    return file;
}

function trying(rows, ...more) {
    const plugin = path.join(plugins(), 'cli-plugin.so');
    return tailrace(['try', plugin, '--feed', rows, ...more]);
}

test('try runs a plugin on a file and tells what was rejected', async (t) => {
    const { code, stdout } = await trying(feed(t, DOCS));
    assert.equal(code, EX.DATAERR);
    assert.match(stdout, /^3 changes in \d+ batch(es)?: 2 ok, 1 rejected, 1 retried\n/);
    assert.match(stdout, /^b +\d+ +1 +as the document says$/m);
});

test('try --json, a batch a change', async (t) => {
    const { stdout } = await trying(feed(t, DOCS), '--json', '--batch', '1');
    const answer = JSON.parse(stdout);
    assert.equal(answer.received, 3);
    assert.equal(answer.ok, 2);
    assert.equal(answer.retried, 1);
    assert.equal(answer.batches, 4);
    assert.deepEqual(
        answer.rejected.map((it) => it.id),
        ['b'],
    );
});

test('try ends with 0 when all is well, and leaves nothing behind', async (t) => {
    const tmp = tempDir(t);
    const rows = feed(t, [{ _id: 'a' }]);
    const plugin = path.join(plugins(), 'cli-plugin.so');
    const { code, stderr } = await tailrace(['try', plugin, '--feed', rows], {
        env: { TMPDIR: tmp },
    });
    assert.equal(code, 0, stderr);
    assert.deepEqual(fs.readdirSync(tmp), []);
});

test('try takes relative paths, names of plugins, and standard input', async (t) => {
    const rows = feed(t, [{ _id: 'a' }]);
    const cwd = path.dirname(rows);
    fs.copyFileSync(path.join(plugins(), 'cli-plugin.so'), path.join(cwd, 'p.so'));
    fs.chmodSync(path.join(cwd, 'p.so'), 0o755);
    const relative = await tailrace(['try', './p.so', '--feed', 'rows.ndjson'], { cwd });
    assert.equal(relative.code, 0, relative.stderr);
    const named = await tailrace(['try', 'p', '--plugin-dir', cwd, '--feed', '-'], {
        input: '{"_id":"a"}\n',
    });
    assert.equal(named.code, 0, named.stderr);
    assert.match(named.stdout, /^1 change in 1 batch: 1 ok/);
});

test('try gives options of every type to the plugin', async (t) => {
    const options = ['count=4', 'loud=true', 'level=high', 'pause=5s', 'room=8KB', 'prefix=7'];
    options.push('tags=x', 'tags=y"\\z', 'limits.rate=2', 'params.a.b=3', 'params.t=$x');
    const words = options.flatMap((option) => ['--option', option]);
    const { code, stdout, stderr } = await trying(feed(t, DOCS), '--dry-run', ...words);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^  7 a 1-0 of try for try$/m);
});

test('try reports a wrong option by its name', async (t) => {
    const rows = feed(t, DOCS);
    const wrong = await trying(rows, '--option', 'count=40', '--option', 'prefx=a');
    assert.equal(wrong.code, EX.CONFIG);
    assert.match(wrong.stderr, /^tailrace: --option count: is 40, but 1 to 10 is wanted$/m);
    assert.match(wrong.stderr, /^tailrace: --option prefx: unknown key; did you mean "prefix"\?$/m);
    assert.equal((await trying(rows, '--option', 'count')).code, EX.USAGE);
    assert.equal((await trying(rows, '--option', '9=x')).code, EX.USAGE);
    assert.equal((await tailrace(['try', 'x'])).code, EX.USAGE);
    assert.equal((await trying(`${rows}.none`)).code, EX.NOINPUT);
});

test('try --dry-run explains batch by batch and sends nothing', async (t) => {
    const rows = feed(t, [{ _id: 'a', fatal: true }, { _id: 'b' }, { _id: 'c' }]);
    const { code, stdout } = await trying(rows, '--dry-run', '--batch', '2', '--db', 'shop');
    assert.equal(code, 0);
    assert.equal(
        stdout,
        'batch of 2 changes\n  doc a 1-0 of shop for try\n  doc b 1-0 of shop for try\n' +
            'batch of 1 change\n  doc c 1-0 of shop for try\n',
    );
    fs.appendFileSync(rows, 'no json\n');
    const broken = await trying(rows, '--dry-run');
    assert.equal(broken.code, EX.DATAERR);
    assert.match(broken.stderr, /^tailrace: line 4: not JSON/);
});

test('try ends with the code of a broken plugin', async (t) => {
    const { code } = await trying(feed(t, [{ _id: 'a', fatal: true }]));
    assert.equal(code, EX.SOFTWARE);
});
