/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin lua: scripts as transforms and as handlers, on a server, with what goes wrong in
 * them a dead letter of its change alone.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startTestServer, uniqueDb } = require('../lib/couch');
const { tailrace, pluginDir } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { toFile, linesOf, sortedIds } = require('./lib/sink');
const { dbOf, fill, makeFilled, put, remove } = require('./lib/docs');

const EXAMPLES = path.join(__dirname, '..', '..', 'examples', 'lua');
const example = (name) => fs.readFileSync(path.join(EXAMPLES, name), 'utf8');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

function writeScript(site, text, mode = 0o644) {
    const file = path.join(site.dir, 'script.lua');
    fs.writeFileSync(file, text);
    fs.chmodSync(file, mode);
    return file;
}

const RULE = { source: 'main', retry: { min: '5ms', max: '50ms' } };

/* A rule whose script transforms, on the way to a file. */
function transformed(t, filled, text, options = {}) {
    const site = makeSite(t, couch, {});
    const file = path.join(site.dir, 'out.ndjson');
    const transform = { plugin: 'lua', options: { script: writeScript(site, text), ...options } };
    const rule = { retry: RULE.retry, transforms: [transform], options: { what: 'doc' } };
    site.write({ rules: { r: toFile(file, [filled.db], rule) } });
    return { site, file };
}

/* A rule whose script handles. */
function handled(t, filled, text, options = {}, rule = {}) {
    const site = makeSite(t, couch, {});
    const script = writeScript(site, text);
    const out = path.join(site.dir, 'out.txt');
    const all = { script, libraries: 'all', params: { path: out }, ...options };
    site.write({
        rules: { r: { ...RULE, databases: [filled.db], plugin: 'lua', options: all, ...rule } },
    });
    return { site, out };
}

async function letters(site) {
    const { dead_letters } = await site.command(['dead-letter', 'list']);
    return dead_letters.sort((a, b) => (a.doc_id < b.doc_id ? -1 : 1));
}

const refusedIds = async (site) => (await letters(site)).map(({ doc_id }) => doc_id);

/* ---- transforms ---- */

test('a script computes a field, leaves changes out, and refuses one alone', async (t) => {
    const filled = await makeFilled(couch, 0);
    await fill(couch, filled.where, ['a', 'b', 'c', 'd'], (id) => ({
        title: id === 'c' ? undefined : `Hello, World ${id}!`,
        draft: id === 'b' ? true : undefined,
        text: 'one two  three',
    }));
    const { site, file } = transformed(t, filled, example('slug.lua'));
    await site.once();
    const docs = linesOf(file).sort((x, y) => (x._id < y._id ? -1 : 1));
    assert.deepEqual(
        docs.map(({ _id, slug, words }) => [_id, slug, words]),
        [
            ['a', 'hello-world-a', 3],
            ['d', 'hello-world-d', 3],
        ],
    );
    const [letter, ...more] = await letters(site);
    assert.equal(more.length, 0);
    assert.equal(letter.doc_id, 'c');
    assert.match(letter.error, /script\.lua:11: a post without a title/);
});

test('numbers, nulls and empty lists that a script does not touch arrive as they were', async (t) => {
    const filled = await makeFilled(couch, 0);
    const body =
        '{"_id":"a","big":12345678901234567890,"f":1.0,"e":[],"o":{},"n":null,"s":"\\u00e4"}';
    const answer = await fetch(`${couch.url}${filled.where}/a`, {
        method: 'PUT',
        body,
        headers: {
            'Content-Type': 'application/json',
            Authorization: `Basic ${Buffer.from(couch.auth).toString('base64')}`,
        },
    });
    assert.equal(answer.status, 201);
    const text = async (script) => {
        const { site, file } = transformed(t, filled, script);
        await site.once();
        return fs.readFileSync(file, 'utf8').trim();
    };
    const plain = await text('function transform(doc) return doc end');
    assert.match(plain, /"big":12345678901234567890,/);
    const all =
        'function transform(doc) for k, v in pairs(doc) do doc[k] = v end return doc end';
    assert.equal(await text(all), plain);
    const one = 'function transform(doc) doc.x = doc.big return doc end';
    assert.equal(await text(one), `${plain.slice(0, -1)},"x":12345678901234567890}`);
});

test('scripts that loop, eat memory or recurse cost their change alone', async (t) => {
    const bombs = {
        loop: 'while true do end',
        'loop-pcall': 'while true do pcall(function() while true do end end) end',
        memory: 'local s = ("x"):rep(1e9)',
        'memory-tables': 'local t = {} while true do pcall(function() t[#t + 1] = {} end) end',
        recursion: 'local function f() return 1 + f() end f()',
        pattern: '("a"):rep(1e5):find(".-.-.-.-b")',
        object: 'error({})',
        nonsense: 'return 7',
        nothing: 'return',
    };
    const names = Object.keys(bombs).sort();
    const filled = await makeFilled(couch, 0);
    await fill(couch, filled.where, [...names, 'y', 'z']);
    const cases = names.map((name) => `if doc._id == '${name}' then ${bombs[name]} end`);
    const { site, file } = transformed(
        t,
        filled,
        `function transform(doc)\n${cases.join('\n')}\nreturn doc end`,
        { time_limit: '50ms', memory_limit: '8MB' },
    );
    await site.once();
    assert.deepEqual(sortedIds(linesOf(file).map(({ _id }) => ({ id: _id }))), ['y', 'z']);
    assert.deepEqual(await refusedIds(site), names);
});

test('a replay goes through the script as it is then', async (t) => {
    const filled = await makeFilled(couch, 2);
    const { site, file } = transformed(t, filled, 'function transform() error("not yet") end');
    await site.once();
    assert.equal((await letters(site)).length, 2);
    writeScript(site, 'function transform(doc) doc.ok = true return doc end');
    await site.command(['dead-letter', 'replay', '--all']);
    await site.once();
    assert.deepEqual(
        linesOf(file).map(({ ok }) => ok),
        [true, true],
    );
});

/* ---- handlers ---- */

test('a handler appends documents to a file', async (t) => {
    const filled = await makeFilled(couch, 50);
    const { site, out } = handled(t, filled, example('append.lua'));
    await site.once();
    const ids = fs.readFileSync(out, 'utf8').trim().split('\n').map((line) => line.split('\t')[0]);
    assert.deepEqual(ids.sort(), filled.ids);
    await site.once();
    assert.equal(fs.readFileSync(out, 'utf8').trim().split('\n').length, 50);
});

test('a handler says what becomes of each change, and an error is a refusal', async (t) => {
    const filled = await makeFilled(couch, 0);
    await fill(couch, filled.where, ['error', 'fine', 'later', 'no', 'nonsense', 'object']);
    const { site, out } = handled(
        t,
        filled,
        `${example('append.lua')}
         local append, tries = handle, 0
         function handle(doc, change)
             if change.id == 'error' then error('no such luck') end
             if change.id == 'object' then error({}) end
             if change.id == 'no' then return 'reject', 'not wanted' end
             if change.id == 'nonsense' then return 42 end
             if change.id == 'later' then
                 tries = tries + 1
                 if tries < 4 then return 'retry', 'not yet', 10 end
                 assert(change.attempt == 4, change.attempt)
             end
             return append(doc, change)
         end`,
    );
    await site.once();
    const ids = fs.readFileSync(out, 'utf8').trim().split('\n').map((line) => line.split('\t')[0]);
    assert.deepEqual(ids.sort(), ['fine', 'later']);
    const found = await letters(site);
    const wanted = [
        ['error', /no such luck/],
        ['no', /not wanted/],
        ['nonsense', /returned a number/],
        ['object', /error\(\) with a table/],
    ];
    assert.equal(found.length, wanted.length);
    wanted.forEach(([id, why], i) => {
        assert.equal(found[i].doc_id, id);
        assert.match(found[i].error, why);
    });
});

test('a handler knows what changed, deletions too, and keeps its globals', async (t) => {
    const filled = await makeFilled(couch, 0);
    const rev = await put(couch, filled.where, 'a', { type: 'x' });
    await put(couch, filled.where, 'b', { type: 'x' });
    const gone = await remove(couch, filled.where, 'b');
    const { site } = handled(
        t,
        filled,
        `local n = 0
         function handle(doc, change)
             n = n + 1
             log.warning('seen', change.id, change.rev, change.deleted, change.db, change.rule, n)
         end`,
        { libraries: 'safe' },
    );
    const { stderr } = await site.once();
    const seen = stderr.match(/seen \S+ \S+ \S+ \S+ \S+ \d/g).sort();
    assert.equal(seen.length, 2);
    assert.match(seen[0], new RegExp(`^seen a ${rev} false ${filled.db} r \\d$`));
    assert.match(seen[1], new RegExp(`^seen b ${gone} true ${filled.db} r \\d$`));
    assert.deepEqual(seen.map((line) => line.slice(-1)).sort(), ['1', '2']);
});

test('a batch in which a handler loops goes on behind it', async (t) => {
    const filled = await makeFilled(couch, 5);
    const { site, out } = handled(
        t,
        filled,
        `${example('append.lua')}
         local append = handle
         function handle(doc, change)
             while change.id == 'doc-000003' do pcall(error) end
             return append(doc, change)
         end`,
        { time_limit: '50ms' },
    );
    const { stderr } = await site.once();
    assert.equal(fs.readFileSync(out, 'utf8').trim().split('\n').length, 4);
    assert.deepEqual(await refusedIds(site), ['doc-000003']);
    assert.match(stderr, /its globals are lost/);
});

test('the example that counts says what it counted', async (t) => {
    const filled = await makeFilled(couch, 10, { make: () => ({ type: 'post' }) });
    const { site } = handled(t, filled, example('count.lua'), {
        libraries: 'safe',
        params: { every: 10 },
    });
    site.write({ main: { log: { level: 'info' } } });
    const { stderr } = await site.once();
    assert.match(stderr, /\{\\?"post\\?":10\}/);
});

test('a rule whose script has no such function is held, and says so', async (t) => {
    const filled = await makeFilled(couch, 3);
    const { site } = handled(t, filled, 'function transform(doc) return doc end');
    const daemon = site.start();
    await daemon.waitForLog(/script\.lua has no function handle\(doc, change\)/);
    await daemon.stop();
    site.parts.rules.r.options.script = writeScript(site, example('append.lua'));
    await site.once();
    assert.equal(fs.readFileSync(site.parts.rules.r.options.params.path, 'utf8').match(/\n/g).length, 3);
});

/* ---- check, explain, try ---- */

async function refused(t, options, pattern) {
    const site = makeSite(t, couch, {});
    const all = typeof options === 'function' ? options(site) : options;
    site.write({ rules: { r: { ...RULE, databases: ['d'], plugin: 'lua', options: all } } });
    const run = await tailrace(site.args('check'));
    assert.notEqual(run.code, 0, `accepted: ${JSON.stringify(all)}`);
    assert.match(run.stdout + run.stderr, pattern);
}

test('check says in which line a script is broken', async (t) => {
    const script = (text, mode) => (site) => ({ script: writeScript(site, text, mode) });
    await refused(t, script('local x = 1\nfunction handle( end'), /script\.lua:2: /);
    await refused(t, script('local x\nx.y = 1'), /script\.lua:2: attempt to index/);
    await refused(t, script('while true do end'), /script\.lua:1: stopped after 100 ms/);
    await refused(t, script('x = 1'), /defines neither transform/);
    await refused(t, script('function handle() end', 0o666), /writable by others/);
    await refused(t, (site) => ({ script: site.dir }), /not a regular file/);
    await refused(t, { script: '/nowhere/x.lua' }, /cannot be opened/);
    await refused(t, {}, /there is no script/);
    await refused(t, { code: 'return (' }, /code:1: /);
    await refused(t, { code: 'io.open("x")' }, /code:1: attempt to index global 'io'/);
    await refused(
        t,
        (site) => ({ ...script('x=')(site), code: 'x = 1' }),
        /both set; take out one/,
    );
});

test('explain shows what a transform makes, and what would be called', async (t) => {
    const { site } = transformed(
        t,
        { db: 'd' },
        'function transform(doc) doc.n = 1 return doc end',
    );
    const doc = path.join(site.dir, 'doc.json');
    fs.writeFileSync(doc, '{"_id":"a","_rev":"1-x"}');
    const shown = await tailrace(site.args('explain', 'd', doc));
    assert.match(shown.stdout, /after the transforms: .*"n":1/);
    const { site: other } = handled(t, { db: 'd' }, 'function handle() end');
    const called = await tailrace(other.args('explain', 'd', doc));
    assert.match(called.stdout, /call handle\(doc, change\) of .*script\.lua for a/);
});

test('try runs a script as a transform too', async (t) => {
    const site = makeSite(t, couch, {});
    const feed = path.join(site.dir, 'docs.ndjson');
    fs.writeFileSync(feed, '{"_id":"a","_rev":"1-x"}\n{"_id":"b","_rev":"1-x"}\n');
    const run = await tailrace([
        ...['try', 'lua', '--transform', '--plugin-dir', pluginDir(), '--feed', feed],
        ...['-o', 'code=function transform(d) d.n = #d._id return d._id == "a" and d end'],
    ]);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^\{"_id":"a","_rev":"1-x","n":1\}$/m);
    assert.doesNotMatch(run.stdout, /"b"/);
});

test('a document brings no script', async (t) => {
    const rules = await couch.makeDb(uniqueDb());
    const group = { source: 'main', database: dbOf(rules), plugins: ['lua'] };
    const site = makeSite(t, couch, { main: { rule_documents: { g: group } } });
    const options = { code: 'function handle() end' };
    await put(couch, rules, 'r', { type: 'rule', databases: ['d'], plugin: 'lua', options });
    const daemon = site.start();
    const reason = /^\/options\/code: is for the operator to set/;
    await daemon.waitForLog({ msg: 'document is no proper rule', document: 'r', reason });
    assert.equal((await daemon.stop()).code, 0);
});
