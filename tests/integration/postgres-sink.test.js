/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin postgres-sink: what stands in the tables, what becomes of documents that are
 * refused, and of a server that is away. That each change is written once whatever is killed is
 * postgres-sink-once.test.js's.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');
const { tailrace } = require('../lib/tailrace');
const { makeSite } = require('./lib/site');
const { dbOf, fill, makeFilled, put, remove } = require('./lib/docs');
const { lettersOf } = require('./lib/bulk');
const { startPostgres, toPostgres, postgresSite, SECRET } = require('./lib/postgres');
const { atEnd } = require('../lib/at_end');

let couch;
let postgres;

before(async () => {
    couch = await startTestServer();
    postgres = await startPostgres();
});
after(async () => {
    await postgres?.close();
    await couch.close();
});

let tables = 0;
const newTable = () => `docs_${++tables}`;
const siteTo = (t, db, options, rule) =>
    postgresSite(t, couch, postgres, db, { table: newTable(), ...options }, rule);
const tableOf = (site) => site.parts.rules.r.options.table;

/* {id: document}, of rows that are not deleted. */
async function docsOf(site) {
    const query = `SELECT id, rev, doc FROM ${tableOf(site)} WHERE NOT deleted`;
    return Object.fromEntries((await postgres.rows(query)).map((row) => [row.id, row.doc]));
}

async function sourceOf(where) {
    const { rows } = (await couch.get(`${where}/_all_docs?include_docs=true`)).json;
    return Object.fromEntries(rows.map((row) => [row.id, row.doc]));
}

async function update(where, id, doc) {
    const { _rev } = (await couch.get(`${where}/${id}`)).json;
    return put(couch, where, id, { ...doc, _rev });
}

/* ---- what stands in the table ---- */

test('inserts, updates and deletes arrive', async (t) => {
    const { where, db, ids } = await makeFilled(couch, 300, {
        make: (id) => ({ text: `"${id}" {\\} ä\u2028`, list: [1, null, { a: 1.5 }] }),
    });
    const site = siteTo(t, db, {}, { concurrency: 4, batch: { size: 50 } });
    await site.once();
    assert.deepEqual(await docsOf(site), await sourceOf(where));
    await update(where, ids[0], { new: true });
    await remove(couch, where, ids[1]);
    await put(couch, where, 'later', { list: [] });
    await site.once();
    const docs = await docsOf(site);
    assert.deepEqual(docs, await sourceOf(where));
    assert.equal(Object.keys(docs).length, 300);
    const [row] = await postgres.rows(`SELECT * FROM ${tableOf(site)} WHERE id = 'later'`);
    assert.equal(row.db, db);
    assert.equal(row.rev, docs.later._rev);
    assert.deepEqual(await lettersOf(site), []);
});

test('a deletion takes the row away, marks it, or is left out', async (t) => {
    const { where, db, ids } = await makeFilled(couch, 3);
    const modes = ['delete', 'mark', 'skip'].map((deletes) => [
        deletes,
        siteTo(t, db, { deletes }),
    ]);
    for (const [, site] of modes) await site.once();
    const before = (await sourceOf(where))[ids[0]];
    const rev = await remove(couch, where, ids[0]);
    const row = {};
    for (const [deletes, site] of modes) {
        await site.once();
        const query = `SELECT rev, deleted, doc FROM ${tableOf(site)} WHERE id = '${ids[0]}'`;
        [row[deletes]] = await postgres.rows(query);
        assert.equal(Object.keys(await docsOf(site)).length, deletes === 'skip' ? 3 : 2);
    }
    assert.equal(row.delete, undefined);
    assert.deepEqual(row.mark, { rev, deleted: true, doc: before });
    assert.deepEqual(row.skip, { rev: before._rev, deleted: false, doc: before });
    await put(couch, where, ids[0], { again: true });
    for (const [, site] of modes) {
        await site.once();
        assert.deepEqual((await docsOf(site))[ids[0]], (await sourceOf(where))[ids[0]]);
    }
});

test('a table per database, whatever its name', async (t) => {
    const names = ['a', 'a/b+c$(1)', 'x-y'].map((end) => uniqueDb(`t_${end}`));
    for (const name of names) await makeFilled(couch, 2, { name, prefix: name });
    await postgres.sql('CREATE SCHEMA "of.users"');
    const site = siteTo(t, names.join('|'), { table: 'copies.db "$db_name"' });
    site.write({
        rules: { r: { ...site.parts.rules.r, databases: names } },
    });
    await postgres.sql('CREATE SCHEMA copies');
    await site.once();
    for (const name of names) {
        const table = `copies."db ""${name}"""`;
        assert.deepEqual(
            await postgres.rows(`SELECT db, id FROM ${table} ORDER BY id`),
            [1, 2].map((n) => ({ db: name, id: `${name}-00000${n}` })),
        );
    }
    const positions = await postgres.rows('SELECT stream FROM copies.tailrace_position');
    assert.equal(positions.length, 3);
});

test('a name that no table can have makes dead letters', async (t) => {
    const { db } = await makeFilled(couch, 3);
    const site = siteTo(t, db, { table: `${'x'.repeat(40)}$db_name` });
    await site.once();
    const letters = await lettersOf(site);
    assert.equal(letters.length, 3);
    assert.match(letters[0].error, /longer than 63 bytes; mend the option table/);
});

test('columns may have other names, and the table may be another’s', async (t) => {
    const { where, db } = await makeFilled(couch, 3, { make: (id) => ({ title: id }) });
    const table = newTable();
    await postgres.sql(`
        CREATE TABLE ${table} (tenant text, "Key" text, version text NOT NULL, body jsonb,
            gone boolean NOT NULL, event uuid, title text GENERATED ALWAYS AS
            (body ->> 'title') STORED, PRIMARY KEY (tenant, "Key"))`);
    const columns = {
        db: 'tenant',
        id: 'Key',
        rev: 'version',
        doc: 'body',
        deleted: 'gone',
        change: 'event',
    };
    const site = siteTo(t, db, { table, columns });
    await site.once();
    const rows = await postgres.rows(`SELECT "Key" id, version rev, title FROM ${table}`);
    const docs = Object.values(await sourceOf(where));
    assert.deepEqual(
        rows.sort((a, b) => (a.id < b.id ? -1 : 1)),
        docs.map((doc) => ({ id: doc._id, rev: doc._rev, title: doc._id })),
    );
});

test('a table that is missing is waited for, with the word how to make it', async (t) => {
    const { where, db } = await makeFilled(couch, 3);
    const made = siteTo(t, db);
    await made.once();
    const site = siteTo(t, db, { create_table: false });
    const daemon = site.start();
    await daemon.waitForLog({
        reason: /^42P01: relation "docs_\d+" does not exist; make it, or set create_table = true/,
    });
    await postgres.sql(`CREATE TABLE ${tableOf(site)} (LIKE ${tableOf(made)} INCLUDING ALL)`);
    await waitFor(async () => Object.keys(await docsOf(site)).length === 3, 'the rows');
    assert.deepEqual(await docsOf(site), await sourceOf(where));
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});

test('a rule that starts again fills in what the table lacks or has changed', async (t) => {
    const { where, db, ids } = await makeFilled(couch, 20);
    for (const id of ids.slice(0, 5)) await remove(couch, where, id);
    const site = siteTo(t, db);
    await site.once();
    await postgres.sql(`
        DELETE FROM ${tableOf(site)} WHERE id < '${ids[10]}';
        UPDATE ${tableOf(site)} SET doc = '{}' WHERE id = '${ids[15]}';`);
    fs.rmSync(site.stateDir, { recursive: true });
    await site.once();
    assert.deepEqual(await docsOf(site), await sourceOf(where));
});

/* ---- what is refused ---- */

test('what PostgreSQL does not take is a dead letter with its words', async (t) => {
    const where = await couch.makeDb();
    const table = newTable();
    const site = siteTo(t, dbOf(where), { table }, { batch: { wait: '200ms' } });
    await fill(couch, where, ['first']);
    await site.once();
    await postgres.sql(`
        ALTER TABLE ${table} ADD CONSTRAINT sane CHECK (NOT doc ? 'insane');
        CREATE FUNCTION ${table}_f() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.doc ? 'bad' THEN RAISE 'no %', NEW.doc->>'bad'; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER tr BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION ${table}_f();`);
    const bad = {
        d1: { text: 'a\u0000b' },
        d2: { insane: true },
        d3: { bad: 'title' },
        d4: { bad: 'date' },
    };
    const good = Array.from({ length: 200 }, (_, i) => `good-${i}`);
    const all = [...good.slice(0, 100), ...Object.keys(bad), ...good.slice(100)];
    await fill(couch, where, all, (id) => bad[id]);
    await site.once();
    const letters = await lettersOf(site);
    assert.deepEqual(Object.fromEntries(letters.map((l) => [l.doc_id, l.error.slice(0, 60)])), {
        d1: '22P05: unsupported Unicode escape sequence: \\u0000 cannot be',
        d2: `23514: new row for relation "${table}" violates check constrai`.slice(0, 60),
        d3: 'P0001: no title',
        d4: 'P0001: no date',
    });
    assert.equal(Object.keys(await docsOf(site)).length, 201);
});

test('an id that text cannot hold is a dead letter', async (t) => {
    const site = makeSite(t, null, {});
    const table = newTable();
    const feed = `${site.dir}/feed.ndjson`;
    fs.writeFileSync(
        feed,
        ['a', 'b\u0000', 'c']
            .map((id, seq) => ({ seq, id, changes: [{ rev: '1-a' }], doc: { _id: 'x' } }))
            .map((row) => `${JSON.stringify(row)}\n`)
            .join(''),
    );
    site.write({
        sources: { main: { type: 'file', path: feed, database: 'db' } },
        rules: { r: toPostgres(postgres, 'db', { table }) },
    });
    await site.once();
    const [letter, ...others] = await lettersOf(site);
    assert.equal(others.length, 0);
    assert.match(letter.error, /^22021: invalid byte sequence for encoding "UTF8": 0x00/);
    assert.deepEqual(await postgres.rows(`SELECT id FROM ${table} ORDER BY id`), [
        { id: 'a' },
        { id: 'c' },
    ]);
});

/* A site with a dead letter of each of the ids: documents with `bad` are refused. */
async function withLetters(t, ids, options) {
    const where = await couch.makeDb();
    const table = newTable();
    const site = siteTo(t, dbOf(where), { table, ...options });
    await fill(couch, where, ['first']);
    await site.once();
    await postgres.sql(`ALTER TABLE ${table} ADD CONSTRAINT good CHECK (NOT doc ? 'bad')`);
    await fill(couch, where, ids, () => ({ bad: true }));
    await site.once();
    assert.equal((await lettersOf(site)).length, ids.length);
    return { where, site, table };
}

test('a dead letter that is sent again after the cause is mended arrives', async (t) => {
    const { where, site, table } = await withLetters(t, ['x', 'y']);
    await postgres.sql(`ALTER TABLE ${table} DROP CONSTRAINT good`);
    await site.command(['dead-letter', 'replay', '--all']);
    assert.deepEqual(await docsOf(site), await sourceOf(where));
    assert.deepEqual(await lettersOf(site), []);
});

test('a dead letter that is sent again does not write over what is newer', async (t) => {
    for (const deletes of ['delete', 'mark']) {
        const made = await withLetters(t, ['x', 'y', 'z'], { deletes });
        const { where, site, table } = made;
        const good = await update(where, 'x', { good: true });
        await remove(couch, where, 'y');
        await site.once();
        await postgres.sql(`ALTER TABLE ${table} DROP CONSTRAINT good`);
        await site.command(['dead-letter', 'replay', '--all'], { code: 65 });
        assert.deepEqual(await docsOf(site), await sourceOf(where));
        const errors = Object.fromEntries(
            (await lettersOf(site)).map((letter) => [letter.doc_id, letter.error]),
        );
        assert.deepEqual(Object.keys(errors).sort(), ['x', 'y']);
        const newer = `not written: the table has revision ${good}, which is not older`;
        assert.ok(errors.x.startsWith(newer), errors.x);
        assert.match(errors.y, deletes === 'mark' ? /revision 2-/ : /deleted meanwhile/);
    }
});

/* ---- a server that is away, or does not want ---- */

test('a server that is away is waited for', async (t) => {
    const own = await startPostgres();
    atEnd(t, () => own.close());
    const { where, db, ids } = await makeFilled(couch, 10);
    const site = postgresSite(t, couch, own, db, { table: 'docs' });
    await own.stop('SIGINT');
    const daemon = site.start();
    await daemon.waitForLog({ reason: /cannot connect: / });
    await own.start();
    const rows = () => own.rows('SELECT id, rev FROM docs ORDER BY id').catch(() => []);
    await waitFor(async () => (await rows()).length === 10, 'the rows');
    await own.stop('SIGINT');
    await update(where, ids[0], { v: 2 });
    await daemon.waitForLog({ reason: /terminating connection|cannot connect|closed/ });
    await own.start();
    await waitFor(async () => /^2-/.test((await rows())[0].rev), 'the update');
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    assert.deepEqual(await lettersOf(site), []);
});

for (const [what, wrong, right] of [
    [
        'read-only',
        'ALTER DATABASE postgres SET default_transaction_read_only = on',
        'BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT',
    ],
    [
        'out of disk',
        `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
         CREATE TRIGGER full_disk BEFORE INSERT ON TABLE_ EXECUTE FUNCTION full_disk()`,
        'DROP FUNCTION full_disk CASCADE',
    ],
])
    test(`a server that is ${what} is waited for`, async (t) => {
        const { db } = await makeFilled(couch, 3);
        const site = siteTo(t, db);
        await site.once();
        fs.rmSync(site.stateDir, { recursive: true });
        await postgres.sql(`TRUNCATE ${tableOf(site)}`);
        await postgres.sql(wrong.replace('TABLE_', tableOf(site)));
        const daemon = site.start();
        await daemon.waitForLog({ reason: /read-only transaction|No space left/ });
        await postgres.sql(right);
        await waitFor(async () => Object.keys(await docsOf(site)).length === 3, 'the rows');
        assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
        assert.deepEqual(await lettersOf(site), []);
    });

test('a server that does not answer is given up before the batch is late', async (t) => {
    const { db, ids } = await makeFilled(couch, 5);
    const site = siteTo(t, db, {}, { timeout: '400ms' });
    const table = tableOf(site);
    await site.once();
    fs.rmSync(site.stateDir, { recursive: true });
    const holder = postgres.sql(
        `BEGIN; DELETE FROM ${table} WHERE id = '${ids[0]}'; SELECT pg_sleep(1.5); COMMIT`,
    );
    await waitFor(
        async () =>
            (await postgres.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
                .length > 0,
        'the lock',
    );
    const run = await site.once();
    await holder;
    assert.match(run.stderr, /does not answer in time|statement timeout/);
    assert.doesNotMatch(run.stderr, /wedged/);
    assert.equal(Object.keys(await docsOf(site)).length, 5);
});

/* ---- passwords ---- */

test('the password is in the passwords file or a secret, and in no log', async (t) => {
    const { db } = await makeFilled(couch, 3);
    const good = { conninfo: postgres.tcp };
    const file = siteTo(t, db, good);
    file.setPasswords({ '127.0.0.1': { admin: 'secret', postgres: SECRET } });
    const runs = [await file.once()];
    const secret = siteTo(t, db, good);
    fs.writeFileSync(`${secret.dir}/secret`, SECRET, { mode: 0o600 });
    secret.parts.rules.r.options.password = `file:${secret.dir}/secret`;
    secret.write({});
    runs.push(await secret.once());
    for (const site of [file, secret]) assert.equal(Object.keys(await docsOf(site)).length, 3);

    const wrong = siteTo(t, db, good);
    wrong.setPasswords({ '127.0.0.1': { admin: 'secret', postgres: `not-${SECRET}` } });
    const daemon = wrong.start();
    await daemon.waitForLog({ reason: /password authentication failed for user "postgres"/ });
    await daemon.stop();
    const logs = [...runs.map((run) => run.stderr), daemon.stderrLines.join('\n')];
    for (const log of logs) assert.ok(!log.includes(SECRET));
});

/* ---- before anything is sent ---- */

test('explain says what would be written', async (t) => {
    const show = async (doc, options) => {
        const site = siteTo(t, 'any', { table: 'of.$db_name', ...options });
        fs.writeFileSync(`${site.dir}/doc.json`, JSON.stringify(doc));
        const run = await tailrace(site.args('explain', 'any', `${site.dir}/doc.json`));
        assert.equal(run.code, 0, run.stderr);
        return run.stdout;
    };
    const insert = await show({ _id: 'a', _rev: '1-x', v: 1 });
    assert.match(insert, /write to "of"\."any"\n *put a 1-x: \{"_id":"a","_rev":"1-x","v":1\}/);
    const gone = { _id: 'a', _rev: '2-x', _deleted: true };
    assert.match(await show(gone), /\n *delete a 2-x/);
    assert.match(await show(gone, { deletes: 'mark' }), /\n *mark as deleted a 2-x/);
    assert.match(await show(gone, { deletes: 'skip' }), /\n *skip deletion of a 2-x/);
});

for (const [what, options, pattern] of [
    ['a password in conninfo', { conninfo: 'host=h password=x' }, /put it into the passwords file/],
    ['a password in a URL', { conninfo: 'postgresql://u:x@h/d' }, /put it into the passwords file/],
    ['what is no conninfo', { conninfo: 'hst=h' }, /conninfo: invalid connection option "hst"/],
    ['a table without a name', { table: 'copies.' }, /neither NAME nor SCHEMA\.NAME/],
    ['a variable of a document', { table: 't_$change.id' }, /only \$db_name is known/],
    ['a variable that is longer', { table: 't_$db_name_x' }, /only \$db_name is known/],
    ['a column without a name', { columns: { rev: '' } }, /columns\.rev is no name of a column/],
    ['an unknown policy', { deletes: 'hide' }, /mark/],
])
    test(`check refuses ${what}`, async (t) => {
        const site = siteTo(t, 'any', options);
        const run = await tailrace(site.args('check'));
        assert.notEqual(run.code, 0);
        assert.match(run.stdout + run.stderr, pattern);
    });
