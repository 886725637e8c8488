/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin postgres-sink writes each change once: triggers count what is written while
 * tailrace or PostgreSQL is killed, statements come late, and batches are cut in other ways.
 * Kill times come from a seed that is printed; TAILRACE_TEST_SEED repeats one.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const { startTestServer, sleep, waitFor } = require('../lib/couch');
const { makeSite } = require('./lib/site');
const { makeFilled, fill, names } = require('./lib/docs');
const { lettersOf } = require('./lib/bulk');
const { SEED, seeded } = require('./lib/seed');
const { startPostgres, toPostgres, postgresSite, countWrites } = require('./lib/postgres');


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

/* A site whose tables are there, with the trigger on them; nothing was written yet. */
async function counted(t, site, table, prepare) {
    await prepare();
    await site.once();
    await postgres.sql(`TRUNCATE ${table}`);
    await countWrites(postgres, table);
    return site;
}

const writesOf = async (table) =>
    Number(await postgres.sql(`SELECT count(*) FROM ${table}_writes`));

/* Those (id, rev) that were written more than once, of inserts and updates; of deletes, by the
 * revision that went. */
const twiceOf = (table) =>
    postgres.rows(`SELECT op = 'DELETE' gone, id, rev, count(*) FROM ${table}_writes
                   GROUP BY 1, 2, 3 HAVING count(*) > 1`);

/* Runs and kills again and again until nothing more is written. Returns the kills. */
async function killUntilDone(site, table, rng, isDone, kill) {
    for (let kills = 0; ; kills++) {
        assert.ok(kills < 200, 'it does not come to an end');
        if (await isDone()) return kills;
        const was = await writesOf(table);
        const daemon = site.start();
        await waitFor(async () => (await writesOf(table)) > was || (await isDone()), 'progress');
        await sleep(rng.below(80));
        await kill(daemon);
    }
}

const kill9 = (daemon) => daemon.kill9();

/* ---- from CouchDB ---- */

async function rowsAre(where, table) {
    const { rows } = (await couch.get(`${where}/_all_docs?include_docs=true`)).json;
    const there = await postgres.rows(`SELECT doc FROM ${table} ORDER BY id`);
    assert.deepEqual(
        there.map((row) => row.doc),
        rows.map((row) => row.doc).sort((a, b) => (a._id < b._id ? -1 : 1)),
    );
}

/* Updates half of the documents, deletes a quarter, and makes new ones. */
async function change(where, ids, round) {
    const { rows } = (await couch.post(`${where}/_all_docs`, { keys: ids })).json;
    const docs = rows.map(({ key, value }, i) => ({
        _id: key,
        ...(value && !value.deleted && { _rev: value.rev }),
        ...(value && !value.deleted && i % 4 === round % 4 ? { _deleted: true } : { round, i }),
    }));
    const some = docs.filter((doc, i) => (i + round) % 2 === 0 || doc._deleted);
    const answer = await couch.post(`${where}/_bulk_docs`, { docs: some });
    assert.ok(answer.json.every((row) => row.ok));
}

for (const deletes of ['delete', 'mark'])
    test(`after kill -9 each change is written once, deletes = ${deletes}`, async (t) => {
        const rng = seeded(t);
        const table = `killed_${deletes}`;
        const { where, db, ids } = await makeFilled(couch, 1);
        const site = postgresSite(
            t,
            couch,
            postgres,
            db,
            { table, deletes },
            { concurrency: 3, batch: { size: 20 }, commit: { interval: '300ms' } },
        );
        await counted(t, site, table, async () => {});
        ids.push(...names(2000, 'doc', 2));
        await fill(couch, where, ids.slice(1), (id) => ({ text: id }));
        let rounds = 0;
        const kills = await killUntilDone(
            site,
            table,
            rng,
            async () => rounds >= 4 && (await writesOf(table)) > 5000,
            async (daemon) => {
                /* The source changes while tailrace runs, and while it does not. */
                if (rng.below(2)) await daemon.kill9();
                if (rounds < 8) await change(where, ids, rounds++);
                await daemon.kill9();
            },
        );
        await site.once();
        await site.once();
        await rowsAre(where, deletes === 'mark' ? `${table} WHERE NOT deleted` : table);
        t.diagnostic(`${kills} kills, ${await writesOf(table)} writes`);
        assert.deepEqual(await twiceOf(table), []);
        assert.deepEqual(await lettersOf(site), []);
    });

test('when PostgreSQL is killed each change is written once, and none is lost', async (t) => {
    const rng = seeded(t, 1);
    const table = 'crashed';
    const { where, db, ids } = await makeFilled(couch, 1);
    const site = postgresSite(t, couch, postgres, db, { table }, { batch: { size: 10 } });
    await counted(t, site, table, async () => {});
    ids.push(...names(1500, 'doc', 2));
    await fill(couch, where, ids.slice(1), (id) => ({ text: id }));
    const daemon = site.start();
    /* After a crash there is always something to write, and it may all be written before one can
     * ask: so what was written is asked for before the crash. */
    for (let crashes = 0, was = 0; crashes < 4; crashes++) {
        await waitFor(async () => (await writesOf(table)) > was, 'progress');
        await sleep(rng.below(50));
        was = await writesOf(table);
        await postgres.stop('SIGKILL');
        await change(where, ids.slice(0, 200), crashes);
        await postgres.start();
    }
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    await site.once();
    await rowsAre(where, table);
    assert.deepEqual(await twiceOf(table), []);
    assert.deepEqual(await lettersOf(site), []);
});

test('bisection and batches that are cut in other ways write nothing twice', async (t) => {
    const table = 'bisected';
    const { where, db, ids } = await makeFilled(couch, 200);
    const rule = (size) => ({
        r: toPostgres(postgres, db, { table }, { batch: { size }, commit: { interval: '1h' } }),
    });
    const site = makeSite(t, couch, { rules: rule(100) });
    await counted(t, site, table, async () => {});
    await postgres.sql(`ALTER TABLE ${table} ADD CHECK (id NOT LIKE '%77')`);
    for (const size of [100, 7, 64, 1, 33]) {
        fs.rmSync(site.stateDir, { recursive: true });
        site.write({ rules: rule(size) });
        await site.once();
        assert.deepEqual(
            (await lettersOf(site)).map((letter) => letter.doc_id).sort(),
            [ids[76], ids[176]],
        );
    }
    assert.equal(await writesOf(table), 198);
    assert.equal((await couch.get(where)).json.doc_count, 200);
});

/* ---- from a file, which has old states too ---- */

/* Documents that are made, updated, deleted and made again, interleaved. */
function history(documents, states) {
    const rows = [];
    for (let state = 1; state <= states; state++)
        for (let d = 0; d < documents; d++) {
            const id = `d${String(d).padStart(3, '0')}`;
            const _rev = `${state}-${id}`;
            const deleted = (state + d) % 5 === 0;
            rows.push({
                seq: rows.length + 1,
                id,
                changes: [{ rev: _rev }],
                ...(deleted && { deleted }),
                doc: { _id: id, _rev, ...(deleted ? { _deleted: true } : { state }) },
            });
        }
    return rows;
}

for (const [deletes, size] of [
    ['delete', 7],
    ['mark', 7],
    ['delete', 150],
])
    test(`old states are not written again, deletes = ${deletes}, batches of ${size}`, async (t) => {
        const rng = seeded(t, 2);
        const table = `history_${deletes}_${size}`;
        const rows = history(100, 20);
        const site = makeSite(t, null, {});
        const feed = `${site.dir}/feed.ndjson`;
        const text = rows.map((row) => `${JSON.stringify(row)}\n`);
        site.write({
            sources: { main: { type: 'file', path: feed, database: 'db' } },
            rules: {
                r: toPostgres(
                    postgres,
                    'db',
                    { table, deletes },
                    { concurrency: 2, batch: { size }, commit: { interval: '300ms' } },
                ),
            },
        });
        fs.writeFileSync(feed, text[0]);
        await counted(t, site, table, async () => {});
        await postgres.sql('TRUNCATE tailrace_replaced');
        fs.rmSync(site.stateDir, { recursive: true });
        fs.writeFileSync(feed, text.join(''));
        const last = new Map(rows.map((row) => [row.id, row]));
        const isDone = async () => {
            const there = await postgres.rows(`SELECT id, rev FROM ${table} WHERE NOT deleted`);
            const rest = [...last.values()].filter((row) => !row.deleted);
            return (
                there.length === rest.length &&
                there.every(({ id, rev }) => last.get(id).changes[0].rev === rev)
            );
        };
        const kills = await killUntilDone(site, table, rng, isDone, kill9);
        await site.once();
        assert.ok(await isDone());
        t.diagnostic(`${kills} kills, ${await writesOf(table)} writes`);
        assert.deepEqual(await twiceOf(table), []);
    });

test('a revision that wins again is written again', async (t) => {
    const site = makeSite(t, null, {});
    const feed = `${site.dir}/feed.ndjson`;
    const row = (seq, rev) => ({ seq, id: 'a', changes: [{ rev }], doc: { _id: 'a', rev } });
    const rows = [row(1, '1-a'), row(2, '2-b'), row(3, '1-a')];
    site.write({
        sources: { main: { type: 'file', path: feed, database: 'db' } },
        rules: { r: toPostgres(postgres, 'db', { table: 'again' }, { batch: { size: 1 } }) },
    });
    for (let i = 1; i <= 3; i++) {
        fs.writeFileSync(feed, rows.slice(0, i).map((r) => `${JSON.stringify(r)}\n`).join(''));
        await site.once();
        assert.deepEqual(await postgres.rows('SELECT rev FROM again'), [
            { rev: rows[i - 1].changes[0].rev },
        ]);
    }
});

/* ---- statements that come late ---- */

/* A statement of a tailrace that was killed waits for a lock; the next one has newer changes. */
for (const [where, lock] of [
    ['before it has begun', 'LOCK TABLE late'],
    ['in its middle', "DELETE FROM late WHERE id = 'doc-000001'"],
])
    test(`a statement that comes late, stopped ${where}, writes over nothing`, async (t) => {
        const made = await makeFilled(couch, 2);
        const site = postgresSite(t, couch, postgres, made.db, { table: 'late' });
        await site.once();
        await countWrites(postgres, 'late');
        const setState = async (v) => {
            const { rows } = (await couch.get(`${made.where}/_all_docs`)).json;
            const docs = rows.map(({ id, value }) => ({ _id: id, _rev: value.rev, v }));
            await couch.post(`${made.where}/_bulk_docs`, { docs });
        };
        const holder = postgres.sql(`BEGIN; ${lock}; SELECT pg_sleep(3); ROLLBACK`);
        const isWaiting = (what) => async () =>
            (
                await postgres.rows(
                    `SELECT 1 FROM pg_stat_activity WHERE wait_event${what} AND backend_type = 'client backend'`,
                )
            ).length > 0;
        await waitFor(isWaiting(" = 'PgSleep'"), 'the lock');
        await setState('old');
        const first = site.start();
        await waitFor(isWaiting("_type = 'Lock'"), 'the statement that waits');
        await first.kill9();
        await setState('new');
        await site.once();
        await holder;
        await waitFor(
            async () =>
                (
                    await postgres.rows(
                        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'tailrace'",
                    )
                ).length === 0,
            'the end of what was late',
        );
        await rowsAre(made.where, 'late');
        assert.deepEqual(await twiceOf('late'), []);
        await postgres.sql('DROP TABLE late, late_writes CASCADE; DROP FUNCTION late_count');
    });
