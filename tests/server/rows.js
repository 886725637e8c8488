// SPDX-License-Identifier: Apache-2.0
//
// From the store to feed rows, a page at a time: {seq, id, meta, text}. CouchDB keeps a database in
// shards and interleaves them differently in each call; so does this: a page is split by shard and
// merged at random, and a position is a pair. A page read again from a pair leaves out what that
// pair has passed.
'use strict';
const { shardOf } = require('./seq');

const PAGE_ROWS = 500;
const PAGE_BYTES = 4e6;
const ID_AT_END = /,?"_id":("(?:[^"\\]|\\.)*"),"_rev":"([^"]*)"(,"_deleted":true)?\}$/;

/** The document id of a stored revision: PouchDB writes _id and _rev last. */
function idOf(text) {
    const at = text.lastIndexOf('"_id":"');
    const match = at < 0 ? null : ID_AT_END.exec(text.slice(Math.max(0, at - 1)));
    return match ? JSON.parse(match[1]) : JSON.parse(text)._id;
}

/** Reads one page of current rows. Returns {rows, last, more}; `last` is the position it reached. */
async function readPage(level, since, descending, rows) {
    const wanted = Math.min(rows, PAGE_ROWS);
    const found = await level.revisions(since, wanted, PAGE_BYTES, descending);
    const ids = found.map(([, text]) => idOf(text));
    /* Once: a document of a thousand revisions has a thousand rows here, and large metadata. */
    const once = [...new Set(ids)];
    const metas = new Map((await level.metas(once)).map((meta, i) => [once[i], meta]));
    const current = [];
    found.forEach(([seq, text], i) => {
        const meta = metas.get(ids[i]);
        if (meta && meta.seq === seq) current.push({ seq, id: ids[i], meta, text });
    });
    await loadWinners(level, current);
    return {
        rows: current,
        last: found.length ? found[found.length - 1][0] : since,
        more: found.length > 0,
    };
}

/** The newest revision of a document is not always its winner. */
async function loadWinners(level, rows) {
    const losers = rows.filter(({ seq, meta }) => meta.rev_map[meta.winningRev] !== seq);
    const texts = await level.bodies(losers.map(({ meta }) => meta.rev_map[meta.winningRev]));
    losers.forEach((row, i) => {
        row.text = texts[i];
    });
}

/** Orders a page as two shards would deliver it and gives each row the pair it leads to. */
function interleave(rows, pair) {
    const shards = [[], []];
    for (const row of rows) {
        const shard = shardOf(row.id);
        if (row.seq > pair[shard]) shards[shard].push(row);
    }
    const at = [...pair];
    const next = [0, 0];
    const merged = [];
    while (next[0] < shards[0].length || next[1] < shards[1].length) {
        let shard = Math.random() < 0.5 ? 0 : 1;
        if (next[shard] >= shards[shard].length) shard = 1 - shard;
        const run = 1 + ((Math.random() * 8) | 0);
        for (let i = 0; i < run && next[shard] < shards[shard].length; i++) {
            const row = shards[shard][next[shard]++];
            at[shard] = Math.max(at[shard], row.seq);
            row.pair = [at[0], at[1]];
            merged.push(row);
        }
    }
    return merged;
}

module.exports = { readPage, interleave, idOf };
