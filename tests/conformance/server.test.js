// SPDX-License-Identifier: Apache-2.0
//
// The server and its databases: welcome, names, info, security, sessions.
'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');

let couch;
before(async () => {
    couch = await startTestServer();
});
after(() => couch.close());

test('welcome, _up and _uuids', async () => {
    const { json, headers } = await couch.get('/');
    assert.strictEqual(json.couchdb, 'Welcome');
    assert.match(json.version, /^3\.5\./);
    assert.match(headers.server, /^CouchDB\/3\.5/);
    assert.strictEqual((await couch.get('/_up')).json.status, 'ok');
    assert.strictEqual((await couch.get('/_uuids?count=3')).json.uuids.length, 3);
});

test('databases: created once, listed, described, deleted', async () => {
    const name = uniqueDb('tailrace_a/b+c(d)$');
    const where = await couch.makeDb(name);
    const again = await couch.put(where);
    assert.deepStrictEqual([again.status, again.json.error], [412, 'file_exists']);
    const listed = await couch.get(
        `/_all_dbs?startkey=${encodeURIComponent(JSON.stringify(name))}&limit=1`,
    );
    assert.deepStrictEqual(listed.json, [name]);
    const { json } = await couch.get(where);
    assert.strictEqual(json.db_name, name);
    assert.match(json.instance_start_time, /^[1-9]\d{9}$/);
    assert.match(json.update_seq, /^0-g1AAAA/);
    assert.strictEqual((await couch.delete(where)).status, 200);
    const gone = await couch.get(where);
    assert.deepStrictEqual(
        [gone.status, gone.json],
        [404, { error: 'not_found', reason: 'Database does not exist.' }],
    );
});

test('an illegal name is refused, a wrong method too', async () => {
    const { status, json } = await couch.put('/Illegal');
    assert.deepStrictEqual([status, json.error], [400, 'illegal_database_name']);
    assert.strictEqual(
        (await couch.request('/_all_dbs', { method: 'POST', body: {} })).status,
        405,
    );
});

test('no password, a wrong password', async () => {
    const where = await couch.makeDb();
    const none = await couch.request(where, { auth: '' });
    assert.deepStrictEqual(
        [none.status, none.json.reason],
        [401, 'You are not authorized to access this db.'],
    );
    const wrong = await couch.request(where, { auth: 'x:y' });
    assert.deepStrictEqual(
        [wrong.status, wrong.json.reason],
        [401, 'Name or password is incorrect.'],
    );
});

test('a session cookie opens what the password opens', async () => {
    const [name, password] = couch.auth.split(':');
    const login = await couch.request('/_session', {
        method: 'POST',
        auth: '',
        body: { name, password },
    });
    assert.strictEqual(login.status, 200);
    const cookie = /^(AuthSession=[^;]+); Version=1;.*HttpOnly/.exec(
        login.headers['set-cookie'][0],
    )[1];
    const who = await couch.request('/_session', { auth: '', headers: { Cookie: cookie } });
    assert.deepStrictEqual(
        [who.json.userCtx.name, who.json.info.authenticated],
        [name, 'cookie'],
    );
    const form = await couch.request('/_session', {
        method: 'POST',
        auth: '',
        body: `name=${name}&password=no`,
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    });
    assert.deepStrictEqual(
        [form.status, form.json.reason],
        [401, 'Name or password is incorrect.'],
    );
});

test('an empty members list opens a database to all', async () => {
    const where = await couch.makeDb();
    assert.deepStrictEqual((await couch.get(`${where}/_security`)).json.members, {
        roles: ['_admin'],
    });
    await couch.put(`${where}/_security`, {
        members: { names: [], roles: [] },
        admins: { names: [], roles: [] },
    });
    await waitFor(
        async () => (await couch.request(where, { auth: '' })).status === 200,
        'the security object to count',
    );
});

test('_replicate copies a database', async () => {
    const [from, to] = [await couch.makeDb(), await couch.makeDb()];
    await couch.put(`${from}/one`, { v: 1 });
    const base = `${couch.authUrl}`;
    const { status, json } = await couch.post('/_replicate', {
        source: base + from,
        target: base + to,
    });
    assert.deepStrictEqual([status, json.ok], [200, true]);
    assert.strictEqual((await couch.get(`${to}/one`)).json.v, 1);
});

test('who asks for a replication that is under way gets the answer of that one', async () => {
    const [from, to] = [await couch.makeDb(), await couch.makeDb()];
    const docs = Array.from({ length: 500 }, (_, i) => ({ _id: `doc-${i}` }));
    await couch.post(`${from}/_bulk_docs`, { docs });
    const body = { source: couch.authUrl + from, target: couch.authUrl + to };
    const ask = () => couch.post('/_replicate', body);
    const [first, second] = await Promise.all([ask(), ask()]);
    assert.deepStrictEqual([first.status, second.status], [200, 200]);
    assert.ok(first.json.history[0].start_time.endsWith(' GMT'));
    assert.strictEqual(first.json.session_id, second.json.session_id);
});
