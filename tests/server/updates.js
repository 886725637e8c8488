// SPDX-License-Identifier: Apache-2.0
//
// /_db_updates. Events are documents of the database `_global_changes`, one for each (type, database),
// written a moment after the fact and in groups, as the real server does: an event of a server that
// is killed in between is lost. No such database, no events and 404. Where databases come and go,
// `_dbs`, in which the real server lists them, is updated too.
'use strict';
const { feedOptions } = require('./query');
const { Feed } = require('./feed');
const { startOf } = require('./changes');

const DELAY_MS = 250;
const NAME = '_global_changes';

/** Collects events and writes them down in groups. */
class Recorder {
    constructor(store) {
        this.store = store;
        this.waiting = new Set();
        this.timer = null;
    }

    record(type, name) {
        if (name === NAME || !this.store.exists(NAME)) return;
        this.waiting.add(`${type}:${name}`);
        if (type !== 'updated') this.waiting.add('updated:_dbs');
        if (!this.timer) this.timer = setTimeout(() => this.write().catch(() => {}), DELAY_MS);
    }

    async write() {
        this.timer = null;
        const ids = [...this.waiting];
        this.waiting.clear();
        if (!this.store.exists(NAME)) return;
        const database = this.store.get(NAME);
        const metas = await database.use((level) => level.metas(ids));
        await database.write(
            ids.map((_id, i) => (metas[i] ? { _id, _rev: metas[i].winningRev } : { _id })),
            true,
        );
    }

    async close() {
        clearTimeout(this.timer);
        if (this.waiting.size) await this.write();
    }
}

async function printRow(feed, level, row, seq) {
    const colon = row.id.indexOf(':');
    const [type, name] = [row.id.slice(0, colon), row.id.slice(colon + 1)];
    return `{"db_name":${JSON.stringify(name)},"type":"${type}","seq":${seq}}`;
}

async function tail(feed) {
    return `{"last_seq":"${feed.database.seqs.encode(feed.pair[0], feed.pair[1])}"}`;
}

async function dbUpdates(ctx) {
    ctx.requireAdmin();
    const database = ctx.store.get(NAME);
    const options = feedOptions(ctx.query, {});
    const pair = options.descending ? [0, 0] : await startOf(database, options.since);
    const plan = { database, options, filter: null, pair, printRow, tail, quiet: true };
    await new Feed(ctx.res, plan).run();
}

module.exports = { Recorder, dbUpdates };
