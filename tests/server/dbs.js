// SPDX-License-Identifier: Apache-2.0
//
// What concerns whole databases and the server itself: welcome, lists, create, delete, info,
// security, and the maintenance calls that clients make and that have nothing to do here.
'use strict';
const crypto = require('crypto');
const { Reply, badRequest, notAllowed, sendJson } = require('./reply');
const { integer, json } = require('./query');

const welcome = (ctx) =>
    sendJson(ctx.res, 200, {
        couchdb: 'Welcome',
        version: '3.5.0',
        git_sha: '11f0d36',
        uuid: ctx.server.uuid,
        features: [
            'access-ready',
            'partitioned',
            'pluggable-storage-engines',
            'reshard',
            'scheduler',
        ],
        vendor: { name: 'The Apache Software Foundation' },
    });

const up = (ctx) => sendJson(ctx.res, 200, { status: 'ok', seeds: {} });

function uuids(ctx) {
    const count = ctx.query.has('count') ? integer(ctx.query.get('count')) : 1;
    const list = Array.from({ length: count }, () => crypto.randomBytes(16).toString('hex'));
    return sendJson(ctx.res, 200, { uuids: list }, { 'Cache-Control': 'no-cache' });
}

function allDbs(ctx) {
    ctx.requireAdmin();
    const { query } = ctx;
    const start = json(query, 'startkey') ?? json(query, 'start_key');
    const end = json(query, 'endkey') ?? json(query, 'end_key');
    let names = ctx.store.registry.names();
    if (query.get('descending') === 'true') names = [...names].reverse();
    const forward = query.get('descending') !== 'true';
    const before = (a, b) => (forward ? a < b : a > b);
    names = names.filter(
        (n) =>
            (start === undefined || !before(n, start)) &&
            (end === undefined || !before(end, n)),
    );
    const skip = query.has('skip') ? integer(query.get('skip')) : 0;
    const limit = query.has('limit') ? integer(query.get('limit')) : Infinity;
    return sendJson(ctx.res, 200, names.slice(skip, skip + limit));
}

async function infoOf(database) {
    const at = await database.position();
    const deletedCount = at === 0 ? 0 : await database.counter.deleted();
    return {
        instance_start_time: String(database.entry.created),
        db_name: database.name,
        purge_seq: database.seqs.encodeStill(0),
        update_seq: database.seqs.encodeStill(at),
        sizes: { file: 16700, external: 0, active: 0 },
        props: {},
        doc_del_count: deletedCount,
        doc_count: database.docCount,
        disk_format_version: 8,
        compact_running: false,
        cluster: { q: 2, n: 1, w: 1, r: 1 },
    };
}

async function dbsInfo(ctx) {
    ctx.requireAdmin();
    let names = ctx.store.registry.names();
    if (ctx.method === 'POST') {
        const { keys } = await ctx.json(true);
        if (!Array.isArray(keys)) throw badRequest('`keys` member must exist.');
        if (keys.length > 100) throw badRequest('too_many_keys');
        names = keys;
    }
    const rows = [];
    for (const key of names) {
        if (!ctx.store.exists(key)) rows.push({ key, error: 'not_found' });
        else rows.push({ key, info: await infoOf(ctx.store.get(key)) });
    }
    return sendJson(ctx.res, 200, rows);
}

function create(ctx, name) {
    ctx.requireAdmin();
    ctx.store.create(name);
    return sendJson(ctx.res, 201, { ok: true }, { Location: ctx.address(name) });
}

function remove(ctx, name) {
    ctx.requireAdmin();
    if (ctx.query.has('rev')) {
        throw badRequest(
            'You tried to DELETE a database with a ?=rev parameter. ' +
                'Did you mean to DELETE a document instead?',
        );
    }
    ctx.store.remove(name);
    return sendJson(ctx.res, 200, { ok: true });
}

const info = async (ctx, database) => sendJson(ctx.res, 200, await infoOf(database));

async function security(ctx, database) {
    if (ctx.method === 'GET') return sendJson(ctx.res, 200, ctx.securityOf(database));
    if (ctx.method !== 'PUT') throw notAllowed('PUT,GET');
    ctx.requireDbAdmin(database);
    const object = await ctx.json();
    if (object === null || typeof object !== 'object' || Array.isArray(object))
        throw badRequest('Request body must be a JSON object');
    ctx.store.registry.setSecurity(database.entry, object);
    return sendJson(ctx.res, 200, { ok: true });
}

const fullCommit = (ctx, database) =>
    sendJson(ctx.res, 201, { ok: true, instance_start_time: String(database.entry.created) });

function compact(ctx, database) {
    ctx.requireDbAdmin(database);
    return sendJson(ctx.res, 202, { ok: true });
}

function revsLimit(ctx) {
    if (ctx.method === 'GET') return sendJson(ctx.res, 200, '1000');
    throw new Reply(501, 'not_implemented', 'The test server keeps its revision limit.');
}

module.exports = {
    welcome,
    up,
    uuids,
    allDbs,
    dbsInfo,
    create,
    remove,
    info,
    security,
    fullCommit,
    compact,
    revsLimit,
};
