// SPDX-License-Identifier: Apache-2.0
//
// POST /_replicate: one-shot replication by PouchDB, over HTTP even between databases of this server,
// so that what it writes passes the same doors as any client's write.
'use strict';
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

async function replicate(ctx) {
    ctx.requireAdmin();
    const body = await ctx.json(true);
    if (!body.source || !body.target) throw badRequest('`source` and `target` must be there');
    if (body.continuous) throw badRequest('The test server replicates in one shot only.');
    const [source, target] = [endpoint(ctx, body.source), endpoint(ctx, body.target)];
    await ensureThere(source, false);
    await ensureThere(target, body.create_target);
    const options = { batch_size: 200 };
    for (const name of ['doc_ids', 'selector', 'filter', 'query_params'])
        if (body[name]) options[name] = body[name];
    const result = await PouchDB.replicate(source, target, options);
    return sendJson(ctx.res, 200, {
        ok: result.ok,
        history: [
            {
                start_time: result.start_time,
                end_time: result.end_time,
                docs_read: result.docs_read,
                docs_written: result.docs_written,
                doc_write_failures: result.doc_write_failures,
            },
        ],
        source_last_seq: result.last_seq,
    });
}

module.exports = { replicate };
