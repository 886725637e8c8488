// SPDX-License-Identifier: Apache-2.0
//
// `_local/ID` documents. They are stored by PouchDB as its own local documents, with the revision
// that CouchDB would give (it counts up from the one sent, and checks nothing) inside. PouchDB has no
// list of them: _local_docs has those that were written since the server's start.
'use strict';
const { notFound, notAllowed, sendJson } = require('./reply');
const exact = require('./json');

async function read(level, id) {
    try {
        return await level.pouch.get(id);
    } catch (err) {
        return null;
    }
}

/** Stores or, with _deleted, removes; returns {ok, id, rev}. */
async function putLocal(level, doc) {
    const { _id, _rev, _deleted, _revisions, ...body } = doc;
    const old = await read(level, _id);
    if (_deleted) {
        if (!old) throw notFound();
        await level.pouch.remove(old);
        return { ok: true, id: _id, rev: '0-0' };
    }
    const rev = `0-${(_rev ? parseInt(String(_rev).slice(2), 10) || 0 : 0) + 1}`;
    const record = { _id, rev, body: JSON.stringify(body) };
    if (old) record._rev = old._rev;
    await level.pouch.put(record);
    (level.locals ||= new Set()).add(_id);
    return { ok: true, id: _id, rev };
}

function textOf(id, found) {
    const text = exact.unmark(found.body).slice(1);
    const comma = text === '}' ? '' : ',';
    return `{"_id":${JSON.stringify(id)},"_rev":"${found.rev}"${comma}${text}`;
}

async function localDocs(ctx, database) {
    const rows = await database.use(async (level) => {
        const all = [];
        for (const id of [...(level.locals || [])].sort()) {
            const found = await read(level, id);
            const key = JSON.stringify(id);
            if (found)
                all.push(
                    `{"id":${key},"key":${key},"value":{"rev":"${found.rev}"},` +
                        `"doc":${textOf(id, found)}}`,
                );
        }
        return all;
    });
    sendJson(ctx.res, 200, `{"total_rows":null,"offset":null,"rows":[\n${rows.join(',\n')}\n]}`);
}

async function local(ctx, database, id) {
    const full = `_local/${id}`;
    if (ctx.method === 'PUT') {
        const doc = { ...(await ctx.json()), _id: full };
        if (ctx.query.get('rev')) doc._rev = ctx.query.get('rev');
        return sendJson(ctx.res, 201, await database.use((level) => putLocal(level, doc)));
    }
    const found = (await database.empty())
        ? null
        : await database.use((level) => read(level, full));
    if (ctx.method === 'DELETE') {
        if (!found) throw notFound();
        return sendJson(
            ctx.res,
            200,
            await database.use((level) => putLocal(level, { _id: full, _deleted: true })),
        );
    }
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD')
        throw notAllowed('DELETE,GET,HEAD,POST,PUT,COPY');
    if (!found) throw notFound();
    return sendJson(ctx.res, 200, textOf(full, found), { ETag: `"${found.rev}"` });
}

module.exports = { local, localDocs, putLocal };
