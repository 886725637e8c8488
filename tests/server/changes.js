// SPDX-License-Identifier: Apache-2.0
//
// GET and POST /db/_changes: reads the question, finds where to begin, prints rows.
'use strict';
const { feedOptions } = require('./query');
const { feedFilter } = require('./filters');
const { leavesOf, print } = require('./docbody');
const { Feed } = require('./feed');
const { badRequest } = require('./reply');

/** The position a `since` stands for: a pair, one for each shard. */
async function startOf(database, since) {
    if (since === '0') return [0, 0];
    if (since === 'now') {
        const now = await database.position();
        return [now, now];
    }
    const pair = database.seqs.decode(since);
    if (!pair) throw badRequest("Malformed sequence supplied in 'since' parameter.");
    return pair;
}

function revsText(row, style) {
    if (style !== 'all_docs') return `{"rev":"${row.meta.winningRev}"}`;
    return leavesOf(row.meta)
        .map((leaf) => `{"rev":"${leaf.rev}"}`)
        .join(',');
}

async function printRow(feed, level, row, seq) {
    const { options } = feed;
    let text = `{"seq":${seq},"id":${JSON.stringify(row.id)},"changes":[${revsText(row, options.style)}]`;
    if (row.meta.deleted) text += ',"deleted":true';
    if (options.includeDocs)
        text += `,"doc":${await print(level, row.meta, row.meta.winningRev, row.text, options)}`;
    return `${text}}`;
}

async function tail(feed) {
    const { database, pair, options } = feed;
    const left = database.deleted
        ? 0
        : await database.counter.after(options.descending ? [0, 0] : pair);
    const pending = options.descending ? Math.max(0, left - feed.sent) : left;
    return `{"last_seq":"${database.seqs.encode(pair[0], pair[1])}","pending":${pending}}`;
}

/** The handler; `ctx` as the router makes it. */
async function changes(ctx, database) {
    const body = ctx.method === 'POST' ? await ctx.json(true) : {};
    const options = feedOptions(ctx.query, body || {});
    if (ctx.req.headers['last-event-id'])
        options.since = ctx.req.headers['last-event-id'].replace(/"/g, '');
    const filter = await feedFilter(database, options, {
        query: Object.fromEntries(ctx.query),
        method: ctx.method,
        userCtx: ctx.user,
        body,
    });
    const pair = options.descending ? [0, 0] : await startOf(database, options.since);
    await new Feed(ctx.res, { database, options, filter, pair, printRow, tail }).run();
}

module.exports = { changes, startOf };
