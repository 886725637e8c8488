/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database as Spiegel 1.2 leaves it: the documents of its user, and those that it keeps itself.
 *
 *   const spiegel = await makeSpiegel(couch);
 *   await spiegel.onChange('stats', {db_name: '^posts$', url: hook.url});
 *   await spiegel.listener('posts', {last_seq: await endOf(couch, posts)});
 *   await spiegel.stop();                    it saves where it stood on _global_changes
 *
 * What its documents look like was read off one that ran: names of databases are escaped as in
 * a URL, what is clean says so, and what was locked when a process died stays locked.
 */
'use strict';

const { sleep } = require('../../lib/couch');
const { dbOf } = require('./docs');

/* The position behind all that a database has now. */
async function endOf(couch, where) {
    return (await couch.get(`${where}/_changes?since=now&limit=1`)).json.last_seq;
}

/* Its design documents, by name. tailrace has no use for them and must not stumble over them. */
const VIEWS = [
    'change_listeners_by_db_name',
    'clean_or_locked_replicators_by_db_name',
    'dirty_and_unlocked_change_listener',
    'dirty_and_unlocked_replicator',
    'dirty_at_change_listener',
    'dirty_at_replicator',
    'dirty_change_listener',
    'dirty_replicator',
    'locked_change_listener',
    'locked_replicator',
    'on_changes',
];

class Spiegel {
    constructor(couch, where) {
        Object.assign(this, { couch, where, db: dbOf(where) });
        this.start = Date.now();
    }

    async put(_id, doc) {
        const answer = await this.couch.put(`${this.where}/${encodeURIComponent(_id)}`, doc);
        if (answer.status !== 201) throw new Error(`${_id}: ${answer.text}`);
        return answer.json.rev;
    }

    onChange(id, doc) {
        return this.put(id, { type: 'on_change', ...doc });
    }

    /* A replicator that has run, unless `doc` says otherwise. */
    replicator(id, doc) {
        return this.put(id, {
            type: 'replicator',
            dirty: false,
            dirty_at: null,
            locked_at: null,
            possibly_deleted_at: null,
            retries: null,
            updated_at: new Date(this.start - 3600000).toISOString(),
            ...doc,
        });
    }

    /* What it keeps of a database that it has listened to. */
    listener(db, doc) {
        const name = encodeURIComponent(db);
        return this.put(`spiegel_cl_${name}`, {
            db_name: name,
            type: 'change_listener',
            dirty: false,
            dirty_at: null,
            locked_at: null,
            possibly_deleted_at: null,
            retries: null,
            updated_at: new Date().toISOString(),
            ...doc,
        });
    }

    /* All that happened up to now was seen by its update-listener, which saves its position. */
    async stop() {
        await sleep(1500); /* events come into _global_changes a moment late */
        const value = await endOf(this.couch, '/_global_changes');
        return this.put('global_lastSeq', { type: 'global', value });
    }
}

async function makeSpiegel(couch, name) {
    const where = await couch.makeDb(name);
    const view = { map: 'function (doc) { emit(doc._id); }' };
    for (const name of VIEWS)
        await couch.put(`${where}/_design/${name}`, { views: { [name]: view } });
    return new Spiegel(couch, where);
}

/* The group of rule_documents that takes its documents over, for the main part of a site. */
function documentsOf(spiegel, options) {
    return {
        rule_documents: {
            spiegel: {
                source: 'main',
                database: spiegel.db,
                plugins: ['http-webhook', 'replicator'],
                ...options,
            },
        },
    };
}

module.exports = { makeSpiegel, documentsOf, endOf };
