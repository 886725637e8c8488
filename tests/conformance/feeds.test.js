// SPDX-License-Identifier: Apache-2.0
//
// Feeds that wait: continuous, longpoll and eventsource, their heartbeats and timeouts, and how they
// end when the database goes away.
'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { startTestServer, waitFor } = require('../lib/couch');

let couch;
let db;

before(async () => {
    couch = await startTestServer();
    db = await couch.makeDb();
    for (const id of ['a', 'b', 'c']) await couch.put(`${db}/${id}`, {});
});
after(() => couch.close());

/** Reads a feed in the background: {text(), ended} */
async function follow(where) {
    const response = await couch.open(where);
    let text = '';
    const ended = new Promise((resolve, reject) => {
        response.on('data', (chunk) => {
            text += chunk;
        });
        response.on('end', () => resolve(text));
        response.on('error', reject);
        response.on('close', () => resolve(text));
    });
    return { text: () => text, ended, response };
}

test('a continuous feed that reached its limit: lines, last_seq, blank line', async () => {
    const { text } = await couch.get(`${db}/_changes?feed=continuous&limit=2`);
    assert.match(
        text,
        /^\{"seq":"[^\r\n]+\}\n\{"seq":"[^\r\n]+\}\n\{"last_seq":"[^"]+","pending":1\}\n\n$/,
    );
});

test('a continuous feed that timed out ends the same way', async () => {
    const { text } = await couch.get(`${db}/_changes?feed=continuous&timeout=200`);
    assert.match(text, /^(\{"seq":"[^\r\n]+\}\n){3}\{"last_seq":"[^"]+","pending":0\}\n\n$/);
});

test('a continuous feed that never had a row begins with a blank line', async () => {
    const { text } = await couch.get(`${db}/_changes?feed=continuous&since=now&timeout=200`);
    assert.match(text, /^\n\{"last_seq":"[^"]+","pending":0\}\n\n$/);
});

test('a later row comes at once, after a blank line', async () => {
    const feed = await follow(`${db}/_changes?feed=continuous&since=now&limit=1`);
    await waitFor(() => feed.text() === '\n', 'the idle line');
    await couch.put(`${db}/later1`, {});
    const text = await feed.ended;
    assert.match(text, /^\n+\{"seq":"[^\n]+"id":"later1"[^\n]+\}\n\{"last_seq":"[^\n]+\}\n\n$/);
});

test('heartbeats are single line feeds and beat the timeout', async () => {
    const feed = await follow(
        `${db}/_changes?feed=continuous&since=now&heartbeat=100&timeout=200`,
    );
    await waitFor(() => feed.text().length > 6, 'heartbeats');
    assert.match(feed.text(), /^\n+$/);
    feed.response.destroy();
    await feed.ended.catch(() => {});
});

test('heartbeat=0 is refused', async () => {
    assert.strictEqual(
        (await couch.get(`${db}/_changes?feed=continuous&heartbeat=0`)).status,
        400,
    );
});

test('a longpoll with rows answers at once', async () => {
    const { json } = await couch.get(`${db}/_changes?feed=longpoll`);
    assert.ok(json.results.length >= 3);
});

test('a longpoll that timed out', async () => {
    const { text } = await couch.get(`${db}/_changes?feed=longpoll&since=now&timeout=200`);
    assert.match(text, /^\{"results":\[\n\n\n\],\n"last_seq":"[^"]+","pending":0\}\n\n$/);
});

test('a longpoll answers with the next write', async () => {
    const feed = await follow(`${db}/_changes?feed=longpoll&since=now`);
    await waitFor(() => feed.text() === '{"results":[\n\n', 'the idle line');
    await couch.put(`${db}/later2`, {});
    const { results } = JSON.parse(await feed.ended);
    assert.deepStrictEqual(
        results.map((row) => row.id),
        ['later2'],
    );
});

test('an event stream has data and id lines', async () => {
    const { text, headers } = await couch.get(`${db}/_changes?feed=eventsource&limit=1`);
    assert.strictEqual(headers['content-type'], 'text/event-stream');
    assert.match(text, /^data: \{"seq":"[^\n]+\}\nid: "\d+-[^"\n]+"\n\n\n$/);
});

test('an event stream beats with an event of its own', async () => {
    const feed = await follow(`${db}/_changes?feed=eventsource&since=now&heartbeat=100`);
    await waitFor(() => feed.text().includes('event: heartbeat\ndata: \n\n'), 'a heartbeat');
    feed.response.destroy();
    await feed.ended.catch(() => {});
});

test('deleting the database ends a continuous feed cleanly, and then it is 404', async () => {
    const doomed = await couch.makeDb();
    await couch.put(`${doomed}/x`, {});
    const feed = await follow(`${doomed}/_changes?feed=continuous&heartbeat=1000`);
    await waitFor(() => feed.text().includes('"id":"x"'), 'the first row');
    await couch.delete(doomed);
    const text = await feed.ended;
    assert.match(text, /\n\{"last_seq":"[^"]+","pending":\d+\}\n\n$/);
    assert.strictEqual((await couch.get(`${doomed}/_changes`)).status, 404);
});

test('many continuous feeds at once each get the row', async () => {
    const feeds = await Promise.all(
        Array.from({ length: 50 }, () =>
            follow(`${db}/_changes?feed=continuous&since=now&limit=1`),
        ),
    );
    await waitFor(() => feeds.every((feed) => feed.text() === '\n'), 'all idle lines');
    await couch.put(`${db}/wide`, {});
    for (const text of await Promise.all(feeds.map((feed) => feed.ended)))
        assert.match(text, /"id":"wide"/);
});

test('a long feed is whole: every row, one last_seq', async () => {
    const big = await couch.makeDb();
    const docs = Array.from({ length: 2000 }, (_, i) => ({
        _id: `doc${i}`,
        text: 'x'.repeat(500),
    }));
    await couch.post(`${big}/_bulk_docs`, { docs });
    const { text } = await couch.get(
        `${big}/_changes?feed=continuous&include_docs=true&timeout=500&seq_interval=100`,
    );
    /* A CouchDB that takes its time writes an empty line now and then, as for a heartbeat. */
    const rows = text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    const last = rows.pop();
    assert.ok(last.last_seq && last.pending === 0);
    assert.strictEqual(new Set(rows.map((row) => row.doc._id)).size, 2000);
});
