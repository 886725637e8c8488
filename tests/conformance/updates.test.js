// SPDX-License-Identifier: Apache-2.0
//
// Many databases at once: the feed of what happens to them, and what is known of a hundred with one
// request. The server may have other users: only databases made here are looked at.
'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer, uniqueDb, waitFor, sleep } = require('../lib/couch');

let couch;
let missing;

before(async () => {
    couch = await startTestServer();
    missing = (await couch.get('/_global_changes')).status === 404;
});
after(() => couch.close());

/** A test that needs the feed. */
function feedTest(name, work) {
    test(name, (t) => (missing ? t.skip('the server has no _global_changes') : work(t)));
}

const endOf = async () => (await couch.get('/_db_updates?since=now&limit=0')).json.last_seq;

/** A continuous feed in the background: {text(), rows(), opened(), close()}; rows are whole lines. */
function follow(query) {
    let text = '';
    let response = null;
    const opening = couch
        .open(`/_db_updates?feed=continuous&${query}`)
        .then((opened) => {
            response = opened;
            response.on('data', (chunk) => {
                text += chunk;
            });
            response.on('error', () => {});
        });
    const rows = () =>
        text
            .split('\n')
            .slice(0, -1)
            .filter(Boolean)
            .map((line) => JSON.parse(line));
    const close = async () => {
        await opening;
        response.destroy();
    };
    return { text: () => text, rows, opened: () => response !== null, close };
}

feedTest('created, updated and deleted: a row for each', async () => {
    const where = await couch.makeDb();
    await couch.put(`${where}/x`, {});
    await couch.delete(where);
    const rows = await waitFor(async () => {
        const { json } = await couch.get('/_db_updates');
        const own = json.results.filter((row) => row.db_name === where.slice(1));
        return own.length === 3 && own;
    }, 'three rows');
    assert.deepStrictEqual(rows.map((row) => row.type).sort(), [
        'created',
        'deleted',
        'updated',
    ]);
    const { text } = await couch.get('/_db_updates?feed=continuous&limit=1');
    assert.match(
        text,
        /^\{"db_name":"[^"]+","type":"[a-z]+","seq":"\d+-[^"]+"\}\n\{"last_seq":"[^"]+"\}\n\n$/,
    );
});

feedTest('since=now with limit=0 names the end, with no row and no pending', async () => {
    const { text } = await couch.get('/_db_updates?since=now&limit=0');
    assert.match(text, /^\{"results":\[\n\n\],\n"last_seq":"\d+-[^"]+"\}\n\n$/);
});

feedTest('a feed from the end that was named brings what happened after, by name', async () => {
    const since = await endOf();
    const name = uniqueDb('tailrace_a/b+c(d)$');
    await couch.makeDb(name);
    const feed = follow(`since=${since}&heartbeat=1000`);
    const row = await waitFor(
        () => feed.rows().find((one) => one.db_name === name && one.type === 'created'),
        'the row of the database',
    );
    assert.match(row.seq, /^\d+-[^"]+$/);
    assert.ok(feed.text().includes(`{"db_name":"${name}","type":"created","seq":"`));
    await feed.close();
});

feedTest('a feed from the seq of a row brings what comes behind that row', async () => {
    const first = await couch.makeDb();
    const rowOf = async (since, where) => {
        const { json } = await couch.get(`/_db_updates?since=${since}`);
        return json.results.find(
            (one) => one.db_name === where.slice(1) && one.type === 'created',
        );
    };
    const { seq } = await waitFor(() => rowOf('0', first), 'the row of the first database');
    const second = await couch.makeDb();
    await waitFor(() => rowOf(seq, second), 'the row of the second database');
    assert.strictEqual(await rowOf(seq, first), undefined);
});

feedTest('the list of databases is updated too when one is made', async () => {
    const since = await endOf();
    await couch.makeDb();
    await waitFor(async () => {
        const { json } = await couch.get(`/_db_updates?since=${since}`);
        return json.results.some((row) => row.db_name === '_dbs' && row.type === 'updated');
    }, 'the row of _dbs');
});

feedTest('a quiet feed sends nothing, not even its head, before its first row', async () => {
    const feed = follow(`since=${await endOf()}&heartbeat=60000`);
    await sleep(500);
    if (!couch.isReal) assert.strictEqual(feed.opened(), false);
    await couch.makeDb();
    await waitFor(() => feed.rows().length > 0, 'a row');
    assert.match(feed.text(), /^\{"db_name":/);
    assert.doesNotMatch(feed.text(), /\n\n/);
    await feed.close();
});

feedTest('heartbeats are single line feeds', async () => {
    const feed = follow(`since=now&heartbeat=100`);
    await waitFor(() => feed.text().includes('\n\n\n'), 'heartbeats');
    await feed.close();
});

feedTest('a feed that timed out ends with its last_seq alone', async () => {
    const { text } = await couch.get('/_db_updates?feed=continuous&since=now&timeout=200');
    assert.match(text, /^(\{"db_name":[^\n]+\}\n)*\{"last_seq":"[^"]+"\}\n\n$/);
});

feedTest('a since that is none is refused, at once', async () => {
    for (const since of ['garbage', '5', '5-nonsense', '%22abc%22']) {
        const { status, json } = await couch.get(
            `/_db_updates?feed=continuous&heartbeat=60000&since=${since}`,
        );
        assert.deepStrictEqual(
            [status, json.reason],
            [400, "Malformed sequence supplied in 'since' parameter."],
            since,
        );
    }
});

feedTest('a seq of another database is taken, and begins early', async () => {
    const where = await couch.makeDb();
    const { update_seq: foreign } = (await couch.get(where)).json;
    const { status } = await couch.get(`/_db_updates?since=${foreign}&limit=1`);
    assert.strictEqual(status, 200);
});

test('without _global_changes there is no feed', async (t) => {
    if (couch.isReal) return t.skip('not to be taken from a real server');
    const other = await startTestServer();
    await other.delete('/_global_changes');
    for (const query of ['since=now&limit=0', 'feed=continuous&since=now&heartbeat=60000']) {
        const { status, json } = await other.get(`/_db_updates?${query}`);
        assert.deepStrictEqual(
            [status, json],
            [404, { error: 'not_found', reason: 'Database does not exist.' }],
        );
    }
    return other.close();
});

test('both are for server admins', async () => {
    const body = { keys: ['a'] };
    const feed = await couch.request('/_db_updates', { auth: '' });
    const infos = await couch.request('/_dbs_info', { auth: '', method: 'POST', body });
    for (const { status, json } of [feed, infos])
        assert.deepStrictEqual(
            [status, json],
            [401, { error: 'unauthorized', reason: 'You are not a server admin.' }],
        );
});

test('_dbs_info answers in the order of the names, with what GET says', async () => {
    const [one, two] = [await couch.makeDb(), await couch.makeDb(uniqueDb('tailrace_a/b'))];
    await couch.put(`${two}/x`, {});
    const names = [two, one].map((where) => decodeURIComponent(where.slice(1)));
    const { json } = await couch.post('/_dbs_info', {
        keys: [names[0], 'tailrace_nope', 'No Name', names[1]],
    });
    assert.deepStrictEqual(
        json.map((entry) => entry.key),
        [names[0], 'tailrace_nope', 'No Name', names[1]],
    );
    assert.deepStrictEqual(json[1], { key: 'tailrace_nope', error: 'not_found' });
    assert.deepStrictEqual(json[2], { key: 'No Name', error: 'not_found' });
    for (const [i, where] of [
        [0, two],
        [3, one],
    ]) {
        const { sizes, ...said } = (await couch.get(where)).json;
        const { sizes: others, ...info } = json[i].info;
        assert.deepStrictEqual(info, said);
    }
    assert.deepStrictEqual([json[0].info.doc_count, json[3].info.doc_count], [1, 0]);
});

test('the update_seq stays as it is until something is written', async () => {
    const where = await couch.makeDb();
    const seqOf = async () => (await couch.get(where)).json.update_seq;
    const first = await seqOf();
    await couch.get(`${where}/_changes`);
    await couch.put(`${where}/_local/x`, {});
    assert.strictEqual(await seqOf(), first);
    const { json } = await couch.put(`${where}/x`, {});
    const second = await seqOf();
    assert.notStrictEqual(second, first);
    await couch.delete(`${where}/x?rev=${json.rev}`);
    assert.notStrictEqual(await seqOf(), second);
    const info = (await couch.get(where)).json;
    assert.deepStrictEqual([info.doc_count, info.doc_del_count], [0, 1]);
});

test('_dbs_info takes at most 100 names, and none', async () => {
    const keys = Array.from({ length: 100 }, (_, i) => `tailrace_k${i}`);
    const most = await couch.post('/_dbs_info', { keys });
    assert.deepStrictEqual([most.status, most.json.length], [200, 100]);
    const many = await couch.post('/_dbs_info', { keys: [...keys, 'tailrace_k'] });
    assert.deepStrictEqual([many.status, many.json.error], [400, 'bad_request']);
    assert.deepStrictEqual((await couch.post('/_dbs_info', { keys: [] })).json, []);
});
