/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many databases: more than a source may have feeds. Nothing is lost, nothing comes twice, and
 * what is idle costs no request.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer, waitFor, sleep } = require('../lib/couch');
const { startHook, toHook, ids } = require('./lib/sink');
const { ownServer } = require('./lib/server');
const { put, replaceDb } = require('./lib/docs');
const {
    makeMany,
    followMany,
    untilIdle,
    assertStops,
    eachOf,
    pathOf,
    keyOf,
    SOURCE,
} = require('./lib/many');
const { makeSite } = require('./lib/site');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

/* None becomes hot by having been made and written to just before. */
const COLD = { source: { hot_idle: '1s' } };

/* Resolves when all databases have been looked at once. */
async function untilLooked(site) {
    const looked = async () => {
        const { sweep } = (await site.command(['status'])).sources[0];
        return sweep.state === 'idle' && sweep.databases > 0;
    };
    await waitFor(looked, 'the first look at all databases');
}

/* A read takes two requests at most, which are for all rules: GET /db and its changes. One change
 * may be read for twice, when the sweep finds it before the server tells of it. */
function assertCheap(watch, prefix) {
    for (const [db, count] of Object.entries(watch.byDb(prefix))) {
        const reads = watch.of((req) => req.db === db && req.kind === '').length;
        const story = JSON.stringify(watch.of(db), null, 1);
        assert.ok(count <= 2 * reads && reads <= 2, story);
    }
}

const isUpdates = (req) => req.kind === '_db_updates';
const isSweep = (req) => req.kind === '_dbs_info' || req.kind === '_all_dbs';
const isFeed = (req) => req.query.feed === 'continuous' && req.kind === '_changes';

/* ---- all of it, once ---- */

test('every change of every database arrives once', async (t) => {
    const many = await makeMany(couch, 30, { docs: 3 });
    const { hook, watch, daemon } = await followMany(t, couch, many.pattern);
    await many.arrived(hook);
    for (let round = 1; round <= 3; round++) {
        await eachOf(many.dbs, 4, (db) => many.write(db, `live-${round}`));
        await many.arrived(hook);
    }
    await assertStops(daemon);
    many.assertOnce(hook);
    assert.ok(watch.most <= SOURCE.max_connections, `${watch.most} connections`);
});

test('revisions of a document arrive in their order', async (t) => {
    const many = await makeMany(couch, 10, { docs: 0 });
    const { hook, daemon } = await followMany(t, couch, many.pattern);
    await eachOf(many.dbs, 4, async (db) => {
        for (let n = 1, rev; n <= 8; n++)
            rev = await put(couch, pathOf(db), rev ? `a?rev=${rev}` : 'a', { n });
    });
    const isLast = (change) => change.doc.n === 8;
    await hook.until((taken) => taken.filter(isLast).length >= many.dbs.length);
    await assertStops(daemon);
    for (const db of many.dbs) {
        const came = hook.taken.filter((it) => it.db === db).map((it) => it.doc.n);
        assert.deepEqual(came, [...new Set(came)].sort());
    }
});

test('names with / + $ ( ) are followed', async (t) => {
    const many = await makeMany(couch, 5);
    for (const end of ['a/b', 'a+b', 'a$b', 'a(b)', 'a-b_c/d+e$(f)'])
        await many.make(many.prefix + end, 1);
    const { hook, daemon } = await followMany(t, couch, many.pattern);
    await many.arrived(hook);
    for (const db of many.dbs) await many.write(db, 'live');
    await many.arrived(hook);
    await assertStops(daemon);
    many.assertOnce(hook);
});

test('system databases are followed when a rule names them, and only then', async (t) => {
    const server = await ownServer(t);
    const many = await makeMany(server, 8);
    const all = await startHook(t);
    const { hook, daemon } = await followMany(t, server, '^_users$', {
        rules: { all: toHook(all, '^many') },
    });
    const user = { name: 'jan', type: 'user', roles: [], password: 'x' };
    await server.put('/_users/org.couchdb.user:jan', user);
    await hook.until(1);
    await many.arrived(all);
    await assertStops(daemon);
    assert.ok(hook.taken.every((change) => change.db === '_users'));
    assert.ok(ids(hook.taken).includes('org.couchdb.user:jan'));
    many.assertOnce(all);
});

/* ---- databases that come and go ---- */

test('databases that are made while it runs are followed from their beginning', async (t) => {
    const many = await makeMany(couch, 10);
    const { hook, daemon } = await followMany(t, couch, many.pattern);
    await many.arrived(hook);
    for (let n = 0; n < 10; n++) await many.make(`${many.prefix}new-${n}`, 2);
    await many.arrived(hook);
    for (const db of many.dbs) await many.write(db, 'later');
    await many.arrived(hook);
    await assertStops(daemon);
    many.assertOnce(hook);
});

test('a deleted database is forgotten, and the others go on', async (t) => {
    const many = await makeMany(couch, 10);
    const { hook, site, watch, daemon } = await followMany(t, couch, many.pattern, {
        source: { sweep_interval: '500ms' },
    });
    await many.arrived(hook);
    const [gone, ...rest] = many.dbs;
    await couch.delete(pathOf(gone));
    const known = async () => (await site.command(['status'])).sources[0].databases;
    await waitFor(async () => (await known()) === rest.length, 'nine databases');
    watch.clear();
    for (const db of rest) await many.write(db, 'after');
    await many.arrived(hook);
    await assertStops(daemon);
    many.assertOnce(hook);
    assert.deepEqual(watch.of(gone), []);
});

test('a database that is deleted and made again between two reads is a new one', async (t) => {
    const many = await makeMany(couch, 8, { docs: 3 });
    const { hook, daemon } = await followMany(t, couch, many.pattern);
    await many.arrived(hook);
    const again = many.dbs[2];
    const fresh = ['doc-000001', 'doc-000002', 'other'];
    await replaceDb(couch, pathOf(again), fresh);
    many.written.push(...fresh.map((id) => `${again}/${id}`));
    await waitFor(() => hook.taken.length >= many.written.length, 'the new one');
    await many.write(again, 'live');
    await many.arrived(hook);
    await assertStops(daemon);
    many.assertOnce(hook);
});

test('a database that was made anew while nobody was there is a new one', async (t) => {
    const many = await makeMany(couch, 8, { docs: 2 });
    const { hook, site, daemon } = await followMany(t, couch, many.pattern);
    await many.arrived(hook);
    await assertStops(daemon);
    const again = many.dbs[5];
    await replaceDb(couch, pathOf(again), ['doc-000001', 'other']);
    many.written.push(`${again}/doc-000001`, `${again}/other`);
    const second = site.start();
    await waitFor(() => hook.taken.length >= many.written.length, 'the new one');
    await assertStops(second);
    many.assertOnce(hook);
});

test('of two hundred databases that come and go at once nothing that stays is lost', async (t) => {
    const many = await makeMany(couch, 5);
    const { hook, site, daemon } = await followMany(t, couch, many.pattern);
    await many.arrived(hook);
    const names = Array.from({ length: 200 }, (_, i) => `${many.prefix}churn-${i}`);
    const stays = (name) => Number(name.split('-').pop()) % 10 === 0;
    await eachOf(names, 8, async (name) => {
        await couch.makeDb(name);
        await couch.put(`${pathOf(name)}/one`, {});
        if (stays(name)) many.written.push(`${name}/one`);
        else await couch.delete(pathOf(name));
    });
    await many.arrived(hook, 60000);
    for (const db of many.dbs) await many.write(db, 'after');
    await many.arrived(hook);
    const said = await site.command(['status']);
    await assertStops(daemon);
    const isKept = (key) => !/churn/.test(key) || stays(key.slice(0, -'/one'.length));
    const kept = hook.taken.map(keyOf).filter(isKept);
    assert.deepEqual(kept.sort(), [...many.written].sort());
    assert.equal(said.rules[0].dead, 0);
    assert.deepEqual(daemon.logs().filter((record) => record.level === 'error'), []);
});

/* ---- where it begins ---- */

test('since now brings nothing that is old, and all that is new', async (t) => {
    const many = await makeMany(couch, 30, { docs: 2 });
    const { hook, site, daemon } = await followMany(t, couch, many.pattern, {
        rule: { since: 'now' },
    });
    await untilLooked(site);
    many.written.length = 0;
    await eachOf(many.dbs, 4, (db) => many.write(db, 'new'));
    await many.make(`${many.prefix}made-later`, 3);
    await many.arrived(hook);
    await assertStops(daemon);
    many.assertOnce(hook);
});

test('since now loses nothing that is written while nobody is there', async (t) => {
    const many = await makeMany(couch, 20, { docs: 2 });
    const { hook, site, watch, daemon } = await followMany(t, couch, many.pattern, {
        rule: { since: 'now' },
    });
    await untilIdle(watch, many.prefix);
    await assertStops(daemon);
    many.written.length = 0;
    for (const db of many.dbs.slice(0, 10)) await many.write(db, 'meanwhile');
    await many.make(`${many.prefix}made-meanwhile`, 2);
    const second = site.start();
    await many.arrived(hook);
    await assertStops(second);
    many.assertOnce(hook);
});

test('a rule that a reload brings looks at all databases', async (t) => {
    const many = await makeMany(couch, 20);
    const { hook, site, watch, daemon } = await followMany(t, couch, many.pattern);
    await many.arrived(hook);
    await untilIdle(watch, many.prefix);
    const second = await startHook(t);
    const half = `^${many.prefix}00`;
    site.write({ rules: { ...site.parts.rules, second: toHook(second, half) } });
    daemon.signal('SIGHUP');
    const mine = many.written.filter((key) => key.startsWith(`${many.prefix}00`));
    await many.arrivedOf(second, mine);
    await many.write(many.dbs[0], 'live');
    await many.arrivedOf(second, [...mine, `${many.dbs[0]}/live`]);
    await many.arrived(hook);
    await assertStops(daemon);
    many.assertOnce(hook);
    many.assertOnce(second, [...mine, `${many.dbs[0]}/live`]);
});

/* ---- what it costs ---- */

test('idle databases cost no request, and one that changed costs two', async (t) => {
    const many = await makeMany(couch, 30);
    const { hook, watch, daemon } = await followMany(t, couch, many.pattern, COLD);
    await many.arrived(hook);
    await untilIdle(watch, many.prefix);
    watch.clear();
    const changed = many.dbs.filter((_, i) => i % 3 === 0);
    for (const db of changed) await many.write(db, 'live');
    await many.arrived(hook);
    await untilIdle(watch, many.prefix);
    await assertStops(daemon);
    const counts = watch.byDb(many.prefix);
    assert.deepEqual(Object.keys(counts).sort(), changed);
    assertCheap(watch, many.prefix);
    assert.deepEqual(watch.of(isSweep), []);
});

test('a restart reads nothing of what is idle', async (t) => {
    const many = await makeMany(couch, 30);
    const { hook, site, watch, daemon } = await followMany(t, couch, many.pattern, {
        source: { db_updates: false, poll_interval: '1h' },
    });
    await many.arrived(hook);
    await untilIdle(watch, many.prefix);
    await assertStops(daemon);
    await many.write(many.dbs[7], 'meanwhile');
    watch.clear();
    const second = site.start();
    await many.arrived(hook);
    await untilIdle(watch, many.prefix);
    await assertStops(second);
    many.assertOnce(hook);
    assert.deepEqual(Object.keys(watch.byDb(many.prefix)), [many.dbs[7]]);
    assertCheap(watch, many.prefix);
});

test('a database that goes on changing has a feed until it is silent', async (t) => {
    const many = await makeMany(couch, 10);
    const { hook, watch, daemon } = await followMany(t, couch, many.pattern, {
        source: { hot_idle: '2s' },
    });
    await many.arrived(hook);
    const [hot] = many.dbs;
    const hasFeed = () => watch.open((req) => isFeed(req) && req.db === hot).length === 1;
    for (let n = 0; !hasFeed(); n++) {
        assert.ok(n < 30, 'no feed after thirty changes');
        await many.write(hot, `n-${n}`);
        await sleep(600);
    }
    const others = watch.open((req) => isFeed(req) && req.db !== hot);
    await many.write(hot, 'by-the-feed');
    await many.arrived(hook);
    await waitFor(() => !hasFeed(), 'the end of the feed');
    await many.write(hot, 'cold-again');
    await many.arrived(hook);
    await assertStops(daemon);
    many.assertOnce(hook);
    assert.ok(others.length < 2);
});

test('more hot databases than feeds: nothing is lost, feeds stay within their bound', async (t) => {
    const many = await makeMany(couch, 12);
    const { hook, watch, daemon } = await followMany(t, couch, many.pattern, {
        source: { hot_idle: '5s' },
    });
    await many.arrived(hook);
    let most = 0;
    for (let n = 0; n < 6; n++) {
        await eachOf(many.dbs, 4, (db) => many.write(db, `n-${n}`));
        most = Math.max(most, watch.open(isFeed).length);
        await sleep(600);
    }
    await many.arrived(hook);
    await assertStops(daemon);
    many.assertOnce(hook);
    assert.ok(most >= 1 && most <= SOURCE.max_feeds, `${most} feeds`);
});

/* ---- without the server's word ---- */

test('without _db_updates the sweep alone finds every change', async (t) => {
    const many = await makeMany(couch, 30);
    const { hook, watch, daemon } = await followMany(t, couch, many.pattern, {
        source: { db_updates: false },
    });
    await many.arrived(hook);
    for (let round = 1; round <= 2; round++) {
        await eachOf(many.dbs, 4, (db) => many.write(db, `live-${round}`));
        await many.make(`${many.prefix}made-${round}`, 1);
        await many.arrived(hook);
    }
    await assertStops(daemon);
    many.assertOnce(hook);
    assert.deepEqual(watch.of(isUpdates), []);
});

/* ---- beginning and end ---- */

test('run --once delivers all of many databases, and ends', async (t) => {
    const many = await makeMany(couch, 40, { docs: 5 });
    const hook = await startHook(t);
    const site = makeSite(t, couch, {
        rules: { r: toHook(hook, many.pattern) },
        source: SOURCE,
    });
    await site.once();
    many.assertOnce(hook);
    await many.write(many.dbs[3], 'later');
    await many.make(`${many.prefix}made-later`, 2);
    await site.once();
    many.assertOnce(hook);
    await site.once();
    many.assertOnce(hook);
});

test('run --once ends where two rules meet at the end of many databases', async (t) => {
    const many = await makeMany(couch, 12, { docs: 3 });
    const [first, second] = [await startHook(t), await startHook(t)];
    const rules = { first: toHook(first, many.pattern) };
    const site = makeSite(t, couch, { rules, source: SOURCE });
    await site.once();
    site.write({ rules: { ...rules, second: toHook(second, many.pattern) } });
    await site.once();
    many.assertOnce(first);
    many.assertOnce(second);
});

test('SIGTERM in the middle: a restart delivers the rest and nothing twice', async (t) => {
    const many = await makeMany(couch, 40, { docs: 20 });
    const reply = () => sleep(5).then(() => 200);
    const { hook, site, daemon } = await followMany(t, couch, many.pattern, {
        rule: { options: { batch_changes: 5 } },
        reply,
    });
    await hook.until(100);
    await assertStops(daemon);
    const before = hook.taken.length;
    assert.ok(before < many.written.length, 'it was through already');
    const second = site.start();
    await many.arrived(hook);
    await assertStops(second);
    many.assertOnce(hook);
});

test('kill -9 in the middle, again and again: nothing is lost', async (t) => {
    const many = await makeMany(couch, 40, { docs: 20 });
    const { hook, site, daemon } = await followMany(t, couch, many.pattern, {
        rule: { options: { batch_changes: 5 } },
        reply: () => sleep(5).then(() => 200),
    });
    let running = daemon;
    for (let n = 1; n <= 4; n++) {
        const before = hook.taken.length;
        await hook.until((taken) => taken.length >= before + 100 || taken.length >= 800);
        await running.kill9();
        await many.write(many.dbs[n], `after-kill-${n}`);
        running = site.start();
    }
    await many.arrived(hook);
    await assertStops(running);
    assert.deepEqual([...new Set(hook.taken.map(keyOf))].sort(), [...many.written].sort());
});

test('two rules on many databases: each gets all, one request is shared', async (t) => {
    const many = await makeMany(couch, 20);
    const second = await startHook(t);
    const { hook, watch, daemon } = await followMany(t, couch, many.pattern, {
        rules: { second: toHook(second, many.pattern) },
        ...COLD,
    });
    await many.arrived(hook);
    await many.arrived(second);
    await untilIdle(watch, many.prefix);
    watch.clear();
    for (const db of many.dbs) await many.write(db, 'live');
    await many.arrived(hook);
    await many.arrived(second);
    await untilIdle(watch, many.prefix);
    await assertStops(daemon);
    many.assertOnce(hook);
    many.assertOnce(second);
    assertCheap(watch, many.prefix);
});
