/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin file-sink: the lines it writes, and what it does to its files.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');
const { startScripted, on } = require('../fault/lib/scripted');
const { tailrace } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { toFile, linesOf, sortedIds } = require('./lib/sink');
const { fill, makeFilled, put, remove } = require('./lib/docs');
const { atEnd } = require('../lib/at_end');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

/* A site whose rule writes to `name` in its folder, and the whole path of that. */
function siteTo(t, filled, options = {}, { name = 'out.ndjson', server = couch, rule } = {}) {
    const site = makeSite(t, server, {});
    const file = name.startsWith('/') || name === '-' ? name : path.join(site.dir, name);
    const retry = { min: '5ms', max: '50ms' };
    site.write({ rules: { r: toFile(file, [filled.db], { retry, options, ...rule }) } });
    return { site, file };
}

async function refused(t, options, pattern) {
    const { site } = siteTo(t, { db: 'any' }, options);
    const run = await tailrace(site.args('check'));
    assert.notEqual(run.code, 0, `accepted: ${JSON.stringify(options)}`);
    assert.match(run.stdout + run.stderr, pattern);
}

/* ---- lines ---- */

test('every change is one line, in the order of the feed, and a second run adds none', async (t) => {
    const filled = await makeFilled(couch, 700);
    const { site, file } = siteTo(t, filled);
    await site.once();
    assert.deepEqual(sortedIds(linesOf(file)), filled.ids);
    await site.once();
    assert.equal(linesOf(file).length, 700);
});

test('what = "doc" writes documents, also of deletions', async (t) => {
    const filled = await makeFilled(couch, 0);
    const rev = await put(couch, filled.where, 'a', { n: 1, text: 'ü\n' });
    await put(couch, filled.where, 'b');
    const gone = await remove(couch, filled.where, 'b');
    const { site, file } = siteTo(t, filled, { what: 'doc' });
    await site.once();
    const docs = linesOf(file).sort((x, y) => (x._id < y._id ? -1 : 1));
    assert.deepEqual(docs, [
        { _id: 'a', _rev: rev, n: 1, text: 'ü\n' },
        { _id: 'b', _rev: gone, _deleted: true },
    ]);
});

test('what = "doc" without include_docs still names document and revision', async (t) => {
    const filled = await makeFilled(couch, 0);
    const rev = await put(couch, filled.where, 'a', { n: 1 });
    const { site, file } = siteTo(
        t,
        filled,
        { what: 'doc' },
        { rule: { include_docs: false } },
    );
    await site.once();
    assert.deepEqual(linesOf(file), [{ _id: 'a', _rev: rev }]);
});

test('what = "envelope" says where a row came from', async (t) => {
    const filled = await makeFilled(couch, 1);
    const { site, file } = siteTo(t, filled, { what: 'envelope' });
    await site.once();
    const [{ db, seq, id, change }] = linesOf(file);
    assert.deepEqual([db, id, change.id], [filled.db, 'doc-000001', 'doc-000001']);
    assert.deepEqual(seq, change.seq);
});

test('a row that a server sent over several lines becomes one line', async (t) => {
    const rev = `1-${'a'.repeat(32)}`;
    const row = `{"seq":"1-x",\n  "id":"a",\r\n "changes":[{"rev":"${rev}"}],"doc":{"_id":"a",\n"_rev":"${rev}"}}`;
    const page = `{"results":[\n${row}\n],\n"last_seq":"1-x","pending":0}\n`;
    const sc = await startScripted(
        [
            on('GET', '/d/_changes', {
                headers: { 'Content-Type': 'application/json' },
                body: page,
            }),
        ],
        { couch: { dbs: { d: [] } } },
    );
    atEnd(t, () => sc.close());
    const server = { url: sc.url, auth: 'admin:secret' };
    const { site, file } = siteTo(t, { db: 'd' }, {}, { server });
    await site.once();
    assert.deepEqual(sortedIds(linesOf(file)), ['a']);
});

/* ---- paths ---- */

test('${db_name} makes a file for each database, and none leads elsewhere', async (t) => {
    const prefix = uniqueDb();
    const filled = await makeFilled(couch, 2, { name: `${prefix}/a+b` });
    const { site, file } = siteTo(t, filled, {}, { name: 'x-${db_name}.ndjson' });
    await site.once();
    const name = `x-${prefix}%2Fa+b.ndjson`;
    assert.deepEqual(
        fs.readdirSync(path.dirname(file)).filter((n) => n.startsWith('x-')),
        [name],
    );
    assert.equal(linesOf(path.join(path.dirname(file), name)).length, 2);
});

/* Runs, and gives the days on which that may have been. */
async function onceOn(site) {
    const today = () => new Date().toISOString().slice(0, 10);
    const began = today();
    await site.once();
    return [began, today()];
}

test('${date} is the day of the writing, in UTC', async (t) => {
    const filled = await makeFilled(couch, 3);
    const { site } = siteTo(t, filled, {}, { name: 'x-${date}.ndjson' });
    const days = await onceOn(site);
    const [name, ...more] = fs.readdirSync(site.dir).filter((n) => n.startsWith('x-'));
    assert.deepEqual(more, []);
    assert.ok(days.map((day) => `x-${day}.ndjson`).includes(name), name);
    assert.deepEqual(sortedIds(linesOf(path.join(site.dir, name))), filled.ids);
});

test('folders with variables in their names are made, with those below', async (t) => {
    const filled = await makeFilled(couch, 3);
    const name = '${db_name}/${year}/${month}-${day}/rows/${hour}.ndjson';
    const { site } = siteTo(t, filled, { mode: '0600' }, { name });
    const days = await onceOn(site);
    const [year] = fs.readdirSync(path.join(site.dir, filled.db));
    const [day] = fs.readdirSync(path.join(site.dir, filled.db, year));
    assert.ok(days.includes(`${year}-${day}`), `${year} ${day}`);
    const folder = path.join(site.dir, filled.db, year, day, 'rows');
    const [file] = fs.readdirSync(folder);
    assert.match(file, /^\d\d\.ndjson$/);
    assert.deepEqual(sortedIds(linesOf(path.join(folder, file))), filled.ids);
    assert.equal(fs.statSync(folder).mode & 0o777, 0o700);
});

test('folders without variables are waited for', async (t) => {
    const filled = await makeFilled(couch, 3);
    const { site } = siteTo(t, filled, {}, { name: 'later/${db_name}/x.ndjson' });
    const daemon = site.start();
    await daemon.waitForLog(/later\/\S+ cannot be made: .*make the one above it/);
    fs.mkdirSync(path.join(site.dir, 'later'));
    const file = path.join(site.dir, 'later', filled.db, 'x.ndjson');
    await waitFor(() => linesOf(file).length === 3, 'the lines');
    assert.equal((await daemon.stop()).code, 0);
});

test('explain names the file of today', async (t) => {
    const { site } = siteTo(t, { db: 'any' }, {}, { name: '${db_name}-${date}.ndjson' });
    fs.writeFileSync(`${site.dir}/doc.json`, '{"_id":"a"}');
    const run = await tailrace(site.args('explain', 'any', `${site.dir}/doc.json`));
    assert.match(run.stdout, /append to \S*\/any-\d{4}-\d\d-\d\d\.ndjson\n/);
});

test('"-" is standard output', async (t) => {
    const filled = await makeFilled(couch, 20);
    const { site } = siteTo(t, filled, {}, { name: '-' });
    const { stdout } = await site.once();
    assert.deepEqual(sortedIds(stdout.trim().split('\n').map(JSON.parse)), filled.ids);
});

test('standard output that nobody reads stops the rule, and nothing counts as done', async (t) => {
    const filled = await makeFilled(couch, 20);
    const { site } = siteTo(t, filled, {}, { name: '-' });
    const daemon = site.start();
    daemon.child.stdout.destroy();
    await daemon.waitForLog(/standard output is closed/);
    await daemon.stop();
    assert.equal((await site.once()).stdout.trim().split('\n').length, 20);
});

test('new files have the permissions of mode', async (t) => {
    const { site, file } = siteTo(t, await makeFilled(couch, 1), { mode: '0600' });
    await site.once();
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
});

/* ---- what is in the file already, and who else writes ---- */

test('lines are appended, never written over', async (t) => {
    const { site, file } = siteTo(t, await makeFilled(couch, 3));
    fs.writeFileSync(file, '{"id":"old"}\n');
    await site.once();
    assert.deepEqual(sortedIds(linesOf(file)), [
        'doc-000001',
        'doc-000002',
        'doc-000003',
        'old',
    ]);
});

test('half a line that a crash left is cut off, and the log says so', async (t) => {
    const { site, file } = siteTo(t, await makeFilled(couch, 2));
    fs.writeFileSync(file, '{"id":"old"}\n{"id":"ha');
    const { stderr } = await site.once();
    assert.match(stderr, /half a line.*9 bytes/);
    assert.deepEqual(sortedIds(linesOf(file)), ['doc-000001', 'doc-000002', 'old']);
});

test('a file that holds no lines of JSON is left alone', async (t) => {
    const { site, file } = siteTo(t, await makeFilled(couch, 1));
    fs.writeFileSync(file, 'precious');
    const daemon = site.start();
    await daemon.waitForLog(/something else than lines of JSON/);
    await daemon.stop();
    assert.equal(fs.readFileSync(file, 'utf8'), 'precious');
});

test('two rules cannot write to one file', async (t) => {
    const filled = await makeFilled(couch, 5);
    const { site, file } = siteTo(t, filled);
    const second = toFile(file, [filled.db], { retry: { min: '5ms', max: '50ms' } });
    site.write({ rules: { ...site.parts.rules, second } });
    const daemon = site.start();
    await daemon.waitForLog(/locked: another rule or another tailrace/);
    await waitFor(() => linesOf(file).length === 5, 'the lines of the one');
    await daemon.stop();
    assert.equal(linesOf(file).length, 5);
});

test('a FIFO at the path is refused and blocks nothing', async (t) => {
    const { site, file } = siteTo(t, await makeFilled(couch, 1));
    execFileSync('mkfifo', [file]);
    const daemon = site.start();
    await daemon.waitForLog(/not a regular file/);
    assert.equal((await daemon.stop()).code, 0);
});

/* ---- rotation, full disks ---- */

test('files are rotated by size, whole lines and all of them', async (t) => {
    const filled = await makeFilled(couch, 300);
    const options = { rotate_size: '8KB', rotate_keep: 50 };
    const { site, file } = siteTo(t, filled, options, { rule: { batch: { size: 10 } } });
    await site.once();
    const folder = path.dirname(file);
    const files = fs.readdirSync(folder).filter((n) => n.startsWith('out.ndjson'));
    assert.ok(files.length > 3, `${files}`);
    for (const name of files) assert.ok(fs.statSync(path.join(folder, name)).size <= 8192);
    const all = files.flatMap((name) => linesOf(path.join(folder, name)));
    assert.deepEqual(sortedIds(all), filled.ids);
});

test('rotation keeps no more than rotate_keep old files', async (t) => {
    const filled = await makeFilled(couch, 300);
    const options = { rotate_size: '2KB', rotate_keep: 2 };
    const { site, file } = siteTo(t, filled, options, { rule: { batch: { size: 5 } } });
    await site.once();
    const files = fs.readdirSync(path.dirname(file)).filter((n) => n.startsWith('out.ndjson'));
    assert.deepEqual(files.sort(), ['out.ndjson', 'out.ndjson.1', 'out.ndjson.2']);
});

test('a file that was moved away is opened anew', async (t) => {
    const filled = await makeFilled(couch, 2);
    const { site, file } = siteTo(t, filled);
    const daemon = site.start();
    await waitFor(() => linesOf(file).length === 2, 'the first lines');
    fs.renameSync(file, `${file}.old`);
    await fill(couch, filled.where, ['new']);
    await waitFor(() => linesOf(file).length === 1, 'the new file');
    assert.equal((await daemon.stop()).code, 0);
    assert.deepEqual(sortedIds(linesOf(`${file}.old`)), filled.ids);
    assert.deepEqual(sortedIds(linesOf(file)), ['new']);
});

/* A file system of 4 KB at `folder`; false: this user may not mount one. */
function mountSmall(folder) {
    fs.mkdirSync(folder);
    try {
        const args = ['-t', 'tmpfs', '-o', 'size=4k', 'none', folder];
        execFileSync('mount', args, { stdio: 'ignore' });
        return true;
    } catch {
        return false;
    }
}

test('a full disk leaves no half line and no line twice, and it goes on unaided', async (t) => {
    const filled = await makeFilled(couch, 100);
    const { site } = siteTo(t, filled, {}, { rule: { batch: { size: 10 } } });
    const folder = path.join(site.dir, 'small');
    const file = path.join(folder, 'out.ndjson');
    if (!mountSmall(folder)) return t.skip('mounting a small file system needs root');
    try {
        site.parts.rules.r.options.path = file;
        site.write({});
        const daemon = site.start();
        await daemon.waitForLog(/No space left on device/);
        assert.ok(linesOf(file).length < 100);
        execFileSync('mount', ['-o', 'remount,size=1m', folder]);
        await waitFor(() => linesOf(file).length === 100, 'all lines');
        assert.equal((await daemon.stop()).code, 0);
        assert.deepEqual(sortedIds(linesOf(file)), filled.ids);
    } finally {
        execFileSync('umount', ['-l', folder]);
    }
});

/* ---- a configuration that cannot work is refused by check ---- */

test('check refuses what cannot work and says what to do', async (t) => {
    await refused(t, { path: 'relative.ndjson' }, /not absolute/);
    await refused(t, { path: '/tmp/' }, /folder/);
    await refused(t, { path: '/tmp/$change.id' }, /\$\{db_name\}, \$\{date\}/);
    await refused(t, { path: '/tmp/${minute}' }, /begins no variable/);
    await refused(t, { mode: '0888' }, /octal/);
    await refused(t, { mode: '0440' }, /owner may not write/);
    await refused(t, { what: 'rows' }, /did you mean/);
});
