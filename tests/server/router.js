// SPDX-License-Identifier: Apache-2.0
//
// From a request to its handler, and from whatever a handler throws to an answer.
'use strict';
const { Context } = require('./context');
const auth = require('./auth');
const dbs = require('./dbs');
const bulk = require('./bulk');
const { changes } = require('./changes');
const { dbUpdates } = require('./updates');
const { document } = require('./documents');
const { attachment } = require('./attachments');
const { local, localDocs } = require('./local');
const { replicate } = require('./replicate');
const reply = require('./reply');

/** name: [methods, handler] */
const SERVER = {
    _up: ['GET,HEAD', dbs.up],
    _uuids: ['GET', dbs.uuids],
    _all_dbs: ['GET,HEAD', dbs.allDbs],
    _dbs_info: ['GET,POST', dbs.dbsInfo],
    _db_updates: ['GET', dbUpdates],
    _replicate: ['POST', replicate],
    _session: ['GET,HEAD,POST,DELETE', auth.session],
};

const DATABASE = {
    _changes: ['GET,POST,HEAD', changes],
    _all_docs: ['GET,POST,HEAD', bulk.allDocs],
    _bulk_docs: ['POST', bulk.bulkDocs],
    _bulk_get: ['POST', bulk.bulkGet],
    _revs_diff: ['POST', bulk.revsDiff],
    _missing_revs: ['POST', bulk.missingRevs],
    _local_docs: ['GET', localDocs],
    _security: ['PUT,GET', dbs.security],
    _ensure_full_commit: ['POST', dbs.fullCommit],
    _compact: ['POST', dbs.compact],
    _revs_limit: ['PUT,GET', dbs.revsLimit],
};

function call([methods, handler], ctx, ...args) {
    if (!methods.split(',').includes(ctx.method)) throw reply.notAllowed(methods);
    return handler(ctx, ...args);
}

function toDatabase(ctx, name) {
    if (ctx.method === 'PUT') return dbs.create(ctx, name);
    const database = ctx.store.get(name);
    auth.requireMember(ctx.user, database);
    if (ctx.method === 'GET' || ctx.method === 'HEAD') return dbs.info(ctx, database);
    if (ctx.method === 'DELETE') return dbs.remove(ctx, name);
    if (ctx.method === 'POST') return bulk.postDoc(ctx, database);
    throw reply.notAllowed('DELETE,GET,HEAD,POST');
}

function toDocument(ctx, database, parts) {
    const [first, second] = parts;
    if (first === '_local') return local(ctx, database, parts.slice(1).join('/'));
    const long = first === '_design';
    const id = long ? `_design/${second}` : first;
    const name = parts.slice(long ? 2 : 1).join('/');
    return name ? attachment(ctx, database, id, name) : document(ctx, database, id);
}

async function route(ctx) {
    ctx.user = await auth.authenticate(ctx);
    const [name, ...rest] = ctx.path;
    if (name === undefined) return dbs.welcome(ctx);
    if (Object.hasOwn(SERVER, name)) return call(SERVER[name], ctx);
    if (!rest.length) return toDatabase(ctx, name);
    const database = ctx.store.get(name);
    auth.requireMember(ctx.user, database);
    if (Object.hasOwn(DATABASE, rest[0])) return call(DATABASE[rest[0]], ctx, database);
    return toDocument(ctx, database, rest);
}

/** Once headers are out there is no other way to say that something failed. */
function answerError(res, err) {
    if (res.headersSent || res.destroyed) return res.destroy();
    if (err instanceof reply.Reply) return reply.sendError(res, err);
    process.stderr.write(`${err.stack || err}\n`);
    return reply.sendError(res, reply.unknown(String(err.message || err)));
}

/** The listener of the HTTP server. */
async function handle(server, req, res) {
    try {
        await route(new Context(server, req, res));
    } catch (err) {
        answerError(res, err);
    }
}

module.exports = { handle };
