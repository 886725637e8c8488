// SPDX-License-Identifier: Apache-2.0
//
// POST /_replicate: one-shot replication by PouchDB, over HTTP even between databases of this server,
// so that what it writes passes the same doors as any client's write. As in CouchDB it goes on when
// who asked went away, and who asks for one that is under way waits for the end of that one.
'use strict';
const crypto = require('crypto');
const PouchDB = require('pouchdb-core')
    .plugin(require('pouchdb-adapter-http'))
    .plugin(require('pouchdb-replication'));
const { badRequest, notFound, sendJson } = require('./reply');

function endpoint(ctx, value) {
    const { url, headers, auth } = typeof value === 'string' ? { url: value } : value;
    if (typeof url !== 'string')
        throw badRequest('`source` and `target` must be names or URLs');
    const basic =
        auth && auth.basic
            ? { username: auth.basic.username, password: auth.basic.password }
            : undefined;
    const fetchWith = (address, options) => {
        for (const [name, text] of Object.entries(headers || {}))
            options.headers.set(name, text);
        return PouchDB.fetch(address, options);
    };
    const options = { adapter: 'http', skip_setup: true, auth: basic, fetch: fetchWith };
    if (/^https?:/.test(url)) return new PouchDB(url, options);
    const { admin } = ctx.server;
    if (admin) options.auth = { username: admin.name, password: admin.password };
    return new PouchDB(`${ctx.server.url}/${encodeURIComponent(url)}`, options);
}

async function ensureThere(database, make) {
    const answer = await database.fetch('', { method: make ? 'PUT' : 'GET' });
    if (!answer.ok && answer.status !== 412)
        throw notFound(`could not open ${database.name.replace(/\/\/[^@]*@/, '//')}`);
}

async function run(ctx, body) {
    const [source, target] = [endpoint(ctx, body.source), endpoint(ctx, body.target)];
    await ensureThere(source, false);
    await ensureThere(target, body.create_target);
    const options = { batch_size: 200 };
    for (const name of ['doc_ids', 'selector', 'filter', 'query_params'])
        if (body[name]) options[name] = body[name];
    const result = await PouchDB.replicate(source, target, options);
    const session = crypto.randomUUID().replaceAll('-', '');
    return {
        ok: result.ok,
        session_id: session,
        source_last_seq: result.last_seq,
        history: [
            {
                session_id: session,
                start_time: new Date(result.start_time).toUTCString(),
                end_time: new Date(result.end_time).toUTCString(),
                docs_read: result.docs_read,
                docs_written: result.docs_written,
                doc_write_failures: result.doc_write_failures,
            },
        ],
    };
}

/** Headers and passwords do not name a replication. */
function nameOf(body) {
    const bare = (value) => (typeof value === 'string' ? value : value.url);
    const url = (value) => bare(value).replace(/\/\/[^@/]*@/, '//');
    return JSON.stringify({ ...body, source: url(body.source), target: url(body.target) });
}

async function replicate(ctx) {
    ctx.requireAdmin();
    const body = await ctx.json(true);
    if (!body.source || !body.target) throw badRequest('`source` and `target` must be there');
    if (body.continuous) throw badRequest('The test server replicates in one shot only.');
    const [jobs, name] = [ctx.server.replications, nameOf(body)];
    if (!jobs.has(name))
        jobs.set(
            name,
            run(ctx, body).finally(() => jobs.delete(name)),
        );
    return sendJson(ctx.res, 200, await jobs.get(name));
}

module.exports = { replicate };
