/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many databases, and a server that fails in what they need: its list of changed databases, its
 * answers about a hundred at once, one of the databases. Changes arrive all the same, and the
 * others go on. Faults 10 to 12 have more about many databases.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer, waitFor } = require('../lib/couch');
const { startHook, toHook } = require('../integration/lib/sink');
const {
    makeMany,
    followMany,
    assertStops,
    eachOf,
    SOURCE,
} = require('../integration/lib/many');
const { settled, writeToAll } = require('./lib/many');
const { startProxy } = require('./lib/proxy');
const faults = require('./lib/faults');
const { atEnd } = require('../lib/at_end');

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

const isUpdates = (req) => req.kind === '_db_updates';
const isInfos = (req) => req.kind === '_dbs_info';
const refused = (status, error) => ({ status, body: { error, reason: 'as the test wants it' } });

/* ---- the list of changed databases ---- */

const BREAKS = {
    'is cut off again and again': 'cut',
    'is not there any more': refused(404, 'not_found'),
    'is denied': refused(403, 'forbidden'),
    'asks for a password': refused(401, 'unauthorized'),
    'fails inside': refused(500, 'internal_server_error'),
    'is a page of HTML': { headers: { 'Content-Type': 'text/html' }, body: '<html>hello</html>' },
    'is junk': { body: '{"db_name":7}\n[[[\n' },
    'ends at once': { body: '{"last_seq":"0"}\n' },
};

for (const [how, answer] of Object.entries(BREAKS))
    test(`_db_updates ${how}: changes arrive, and it comes back`, async (t) => {
        const many = await makeMany(couch, 12);
        const { hook, watch, daemon } = await settled(t, couch, many);
        watch.answer = (req) => (isUpdates(req) ? answer : undefined);
        watch.cut(isUpdates);
        await writeToAll(many, 'meanwhile');
        await many.make(`${many.prefix}made-meanwhile`, 2);
        await many.arrived(hook);
        await writeToAll(many, 'still');
        await many.arrived(hook);
        watch.answer = null;
        const back = (req) => isUpdates(req) && req.status === 200 && req.bytes > 0;
        watch.clear();
        await waitFor(() => watch.of(back).length > 0, 'the list to come back');
        await writeToAll(many, 'after');
        await many.arrived(hook);
        await assertStops(daemon);
        many.assertOnce(hook);
    });

test('_db_updates that falls silent is given up, and nothing is lost', async (t) => {
    const many = await makeMany(couch, 12);
    const proxy = await startProxy(couch.url);
    atEnd(t, () => proxy.close());
    const through = { url: proxy.url, auth: couch.auth };
    const { hook, watch, daemon } = await followMany(t, through, many.pattern, {
        source: { heartbeat: '300ms' },
    });
    await many.arrived(hook);
    await daemon.waitForLog({ msg: 'the server tells which databases change' });
    await proxy.set(faults.stall(0, { match: /_db_updates/, times: 1 }));
    await writeToAll(many, 'silence');
    await daemon.waitForLog({ msg: /list of changed databases is lost/ }).catch((err) => {
        throw new Error(`${err.message}\n${proxy.describe()}`);
    });
    await many.arrived(hook);
    await writeToAll(many, 'after');
    await many.arrived(hook);
    await assertStops(daemon);
    many.assertOnce(hook);
    assert.ok(watch.of(isUpdates).length >= 2);
});

test('_db_updates that is not there from the start: the sweep does it', async (t) => {
    const many = await makeMany(couch, 12);
    const { hook, daemon } = await followMany(t, couch, many.pattern, {
        answer: (req) => (isUpdates(req) ? refused(404, 'not_found') : undefined),
    });
    await many.arrived(hook);
    await writeToAll(many, 'later');
    await many.arrived(hook);
    await assertStops(daemon);
    many.assertOnce(hook);
});

/* ---- a hundred at once ---- */

for (const status of [404, 405, 403, 500, 400])
    test(`_dbs_info answers ${status}: all is read, and changes are found`, async (t) => {
        const many = await makeMany(couch, 12);
        const { hook, watch, site, daemon } = await followMany(t, couch, many.pattern, {
            source: { db_updates: false, retry_max: '50ms' },
            answer: (req) => (isInfos(req) ? refused(status, 'no') : undefined),
        });
        if (status === 500) {
            /* That passes: it is asked again until it does. */
            await waitFor(() => watch.of(isInfos).length >= 3, 'three questions');
            watch.answer = null;
        }
        await many.arrived(hook);
        await writeToAll(many, 'later');
        await many.arrived(hook);
        const said = await site.command(['status']);
        await assertStops(daemon);
        many.assertOnce(hook);
        assert.equal(said.sources[0].databases, 12);
    });

test('_dbs_info is junk: all is read', async (t) => {
    const many = await makeMany(couch, 12);
    const junk = ['[]', '[{"key":7}]', '[{"key":"x","info":{}}]', '[{"info":{}},null,1]'];
    const { hook, daemon } = await followMany(t, couch, many.pattern, {
        source: { db_updates: false },
        answer: (req) => (isInfos(req) && junk.length ? { body: junk.shift() } : undefined),
    });
    await many.arrived(hook);
    await writeToAll(many, 'later');
    await many.arrived(hook);
    await assertStops(daemon);
    many.assertOnce(hook);
});

/* ---- one of them ---- */

for (const status of [403, 500])
    test(`one database answers ${status}: the others go on, status names it`, async (t) => {
        const many = await makeMany(couch, 12);
        const { hook, site, watch, daemon } = await settled(t, couch, many);
        const [bad, ...rest] = many.dbs;
        const good = () => many.written.filter((key) => !key.startsWith(`${bad}/`));
        watch.answer = (req) => (req.db === bad ? refused(status, 'no') : undefined);
        watch.cut((req) => req.db === bad);
        const before = many.written.filter((key) => key.startsWith(`${bad}/`));
        await many.write(bad, 'hidden');
        for (let n = 0; n < 3; n++) {
            await eachOf(rest, 4, (db) => many.write(db, `n-${n}`));
            await many.arrivedOf(hook, good());
        }
        const troubles = async () => (await site.command(['status'])).sources[0].troubles;
        await waitFor(async () => (await troubles()).some((it) => it.db === bad), 'its name');
        many.assertOnce(hook, [...good(), ...before]);
        watch.answer = null;
        await many.arrived(hook);
        await waitFor(async () => (await troubles()).length === 0, 'the end of the trouble');
        await assertStops(daemon);
        many.assertOnce(hook);
    });

test('more databases that are denied than connections: the others go on', async (t) => {
    const many = await makeMany(couch, 30);
    const denied = new Set(many.dbs.filter((_, i) => i % 2));
    const { hook, watch, daemon } = await followMany(t, couch, many.pattern, {
        answer: (req) => (denied.has(req.db) ? refused(403, 'forbidden') : undefined),
    });
    const good = () => many.written.filter((key) => !denied.has(key.slice(0, key.indexOf('/'))));
    await many.arrivedOf(hook, good());
    await writeToAll(many, 'later');
    await many.arrivedOf(hook, good());
    watch.answer = null;
    await many.arrived(hook, 60000);
    await assertStops(daemon);
    many.assertOnce(hook);
});

/* ---- one of the rules ---- */

test('a rule that stalls on fifty databases takes nothing from another', async (t) => {
    const many = await makeMany(couch, 50, { docs: 3 });
    const bad = await startHook(t, () => 500);
    const { hook, watch, site, daemon } = await followMany(t, couch, many.pattern, {
        rules: { bad: toHook(bad, many.pattern, { window: { rows: 10 }, batch: { size: 5 } }) },
    });
    await many.arrived(hook);
    for (let n = 0; n < 4; n++) {
        await writeToAll(many, `n-${n}`);
        await many.arrived(hook);
    }
    assert.equal(bad.taken.length, 0);
    assert.ok(watch.most <= SOURCE.max_connections, `${watch.most} connections`);
    const said = await site.command(['status']);
    assert.equal(said.sources[0].connections.waiting, 0);
    bad.reply = () => 200;
    await many.arrived(bad, 60000);
    await assertStops(daemon);
    many.assertOnce(hook);
    many.assertOnce(bad);
});
