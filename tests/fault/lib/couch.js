/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The believable CouchDB: what the scripted server answers where a test has no line of its own.
 *
 * As little as a client needs to come to the point of the test: welcome, session, databases,
 * `_changes`, `_local` documents, and the write end of replication. No authentication, no
 * documents of its own beyond those in the rows.
 *
 *   new Couch({dbs: {a: [rows…], b: {rows, instance_start_time}}})
 *   couch.db('a').append(row)      a live feed sends it
 *   couch.recreate('a', rows)      deleted and created again: another incarnation
 */
'use strict';

const { Database } = require('./couch_db');
const { serveChanges } = require('./couch_changes');
const { rev } = require('./rows');

const WELCOME = {
    couchdb: 'Welcome',
    version: '3.5.0',
    git_sha: '11f0d3643',
    uuid: '5a4f6f1fa9d0f9d0e8c0f6fd1b0a3c77',
    features: [
        'access-ready',
        'partitioned',
        'pluggable-storage-engines',
        'reshard',
        'scheduler',
    ],
    vendor: { name: 'The Apache Software Foundation' },
};

class Couch {
    constructor({ dbs = {}, user = 'admin' } = {}) {
        this.dbs = new Map();
        this.user = user;
        for (const [name, content] of Object.entries(dbs)) this.create(name, content);
    }

    create(name, content = []) {
        const db = new Database(name, Array.isArray(content) ? { rows: content } : content);
        this.dbs.set(name, db);
        return db;
    }

    remove(name) {
        const db = this.dbs.get(name);
        this.dbs.delete(name);
        if (db) db.remove();
    }

    recreate(name, content) {
        this.remove(name);
        return this.create(name, content);
    }

    db(name) {
        return this.dbs.get(name);
    }

    handle(ctx) {
        const [name, ...rest] = ctx.req.path.split('/').slice(1).map(decodeURIComponent);
        if (name === '' || name.startsWith('_')) return this.#server(ctx, name);
        const db = this.dbs.get(name);
        if (!rest.length || rest[0] === '') return this.#database(ctx, name, db);
        if (!db) return ctx.error(404, 'not_found', 'Database does not exist.');
        if (rest[0] === '_local') return this.#local(ctx, db, rest.slice(1).join('/'));
        return this.#inside(ctx, db, rest);
    }

    #server(ctx, name) {
        if (name === '') return ctx.reply({ json: WELCOME });
        if (name === '_up') return ctx.reply({ json: { status: 'ok' } });
        if (name === '_all_dbs') return ctx.reply({ json: [...this.dbs.keys()].sort() });
        if (name === '_session') return this.#session(ctx);
        if (name === '_dbs_info') {
            const info = (key) =>
                this.dbs.has(key)
                    ? { key, info: this.db(key).info() }
                    : { key, error: 'not_found' };
            return ctx.reply({ json: ctx.req.json().keys.map(info) });
        }
        /* _db_updates too: a CouchDB without _global_changes, as single nodes are */
        return ctx.error(404, 'not_found', 'Database does not exist.');
    }

    #session(ctx) {
        const roles = ['_admin'];
        if (ctx.req.method !== 'POST')
            return ctx.reply({
                json: { ok: true, userCtx: { name: this.user, roles }, info: {} },
            });
        const cookie = 'AuthSession=YWRtaW46Njc4; Version=1; Path=/; HttpOnly';
        return ctx.reply({
            headers: { 'Set-Cookie': cookie },
            json: { ok: true, name: this.user, roles },
        });
    }

    #database(ctx, name, db) {
        const { method } = ctx.req;
        if (method === 'PUT') {
            if (db)
                return ctx.error(
                    412,
                    'file_exists',
                    'The database could not be created, the file already exists.'
                );
            this.create(name);
            return ctx.reply({ status: 201, json: { ok: true } });
        }
        if (!db) return ctx.error(404, 'not_found', 'Database does not exist.');
        if (method === 'DELETE') this.remove(name);
        return ctx.reply({ json: method === 'DELETE' ? { ok: true } : db.info() });
    }

    #local(ctx, db, id) {
        const { method } = ctx.req;
        const old = db.locals.get(id);
        if (method === 'GET' || method === 'HEAD')
            return old ? ctx.reply({ json: old }) : ctx.error(404, 'not_found', 'missing');
        const doc = method === 'PUT' ? ctx.req.json() : {};
        const given = doc._rev || ctx.req.query.get('rev') || undefined;
        if (given !== (old && old._rev))
            return ctx.error(409, 'conflict', 'Document update conflict.');
        const next = `0-${Number((given || '0-0').split('-')[1]) + 1}`;
        if (method === 'DELETE') db.locals.delete(id);
        else db.locals.set(id, { ...doc, _id: `_local/${id}`, _rev: next });
        return ctx.reply({
            status: method === 'PUT' ? 201 : 200,
            json: { ok: true, id: `_local/${id}`, rev: next },
        });
    }

    #inside(ctx, db, [what]) {
        if (what === '_changes') return serveChanges(ctx, db);
        if (what === '_bulk_docs') return this.#bulkDocs(ctx);
        if (what === '_revs_diff') {
            const asked = Object.entries(ctx.req.json());
            return ctx.reply({
                json: Object.fromEntries(asked.map(([id, missing]) => [id, { missing }])),
            });
        }
        if (what === '_ensure_full_commit')
            return ctx.reply({ status: 201, json: { ok: true, instance_start_time: '0' } });
        const row = db.rows.filter((r) => r.id === what && r.doc).pop();
        if (!row || row.deleted)
            return ctx.error(404, 'not_found', row ? 'deleted' : 'missing');
        return ctx.reply({ json: row.doc });
    }

    /* Accepts everything and keeps nothing: a test reads what was sent from `requests`. */
    #bulkDocs(ctx) {
        const { docs, new_edits = true } = ctx.req.json();
        const result = (doc, i) => ({
            ok: true,
            id: doc._id || `new-${i}`,
            rev: rev(1, JSON.stringify(doc)),
        });
        return ctx.reply({ status: 201, json: new_edits ? docs.map(result) : [] });
    }
}

module.exports = { Couch };
