// SPDX-License-Identifier: Apache-2.0
//
// Requests about many documents: _bulk_docs, _bulk_get, _revs_diff, _missing_revs, _all_docs.
'use strict';
const reply = require('./reply');
const { documentOptions, flag, integer, json } = require('./query');
const { treeOf, leavesOf, print, shape } = require('./docbody');
const { openRevisions } = require('./revisions');
const { writeDocs, writeOne } = require('./writer');
const exact = require('./json');

async function bulkDocs(ctx, database) {
    const body = await ctx.json(true);
    if (!body || !Array.isArray(body.docs))
        throw reply.badRequest('POST body must include `docs` parameter.');
    const newEdits = body.new_edits !== false;
    const results = await writeDocs(ctx, database, body.docs, newEdits);
    const rows = newEdits ? results : results.filter((row) => row.error);
    return reply.sendJson(
        ctx.res,
        201,
        rows.map(({ status, ...row }) => row),
    );
}

/** POST /db: one document, its id made up when it has none. */
async function postDoc(ctx, database) {
    const doc = await ctx.json(true);
    const result = await writeOne(ctx, database, doc, true);
    return reply.sendJson(ctx.res, 201, result, {
        Location: ctx.address(database.name, result.id),
    });
}

async function bulkGetOne(level, item, options) {
    const revs = item.rev === undefined ? 'all' : [item.rev];
    const found = await openRevisions(level, item.id, revs, options.latest);
    const missing = (rev) => ({
        error: { rev, reason: 'missing', id: item.id, error: 'not_found' },
    });
    if (!found.length) return [missing('undefined')];
    const own = item.atts_since ? { ...options, atts_since: item.atts_since } : options;
    return Promise.all(
        found.map(async (one) =>
            one.missing
                ? missing(one.missing)
                : { ok: await shape(level, one.meta, one.rev, one.text, own) },
        ),
    );
}

async function bulkGet(ctx, database) {
    const body = await ctx.json(true);
    if (!body || !Array.isArray(body.docs))
        throw reply.badRequest("Missing JSON list of 'docs'.");
    const options = documentOptions(ctx.query);
    reply.head(ctx.res, 200, { 'Content-Type': 'application/json' });
    await reply.write(ctx.res, '{"results":[');
    let first = true;
    for (let at = 0; at < body.docs.length; at += 50) {
        const rows = await database.use((level) =>
            Promise.all(
                body.docs
                    .slice(at, at + 50)
                    .map(async (item) => ({
                        id: item.id,
                        docs: await bulkGetOne(level, item, options),
                    })),
            ),
        );
        const text = rows.map((row) => exact.stringify(row)).join(',');
        await reply.write(ctx.res, (first ? '' : ',') + text);
        first = false;
    }
    ctx.res.end(']}\n');
}

async function revsDiff(ctx, database) {
    const body = await ctx.json(true);
    const ids = Object.keys(body);
    const metas = (await database.empty())
        ? ids.map(() => null)
        : await database.use((level) => level.metas(ids));
    const out = {};
    ids.forEach((id, i) => {
        const known = metas[i] ? treeOf(metas[i]) : new Map();
        const missing = body[id].filter((rev) => !known.has(rev));
        if (!missing.length) return;
        out[id] = { missing };
        const highest = Math.max(...missing.map((rev) => parseInt(rev, 10)));
        const ancestors = metas[i]
            ? leavesOf(metas[i])
                  .map((l) => l.rev)
                  .filter((r) => parseInt(r, 10) < highest)
            : [];
        if (ancestors.length) out[id].possible_ancestors = ancestors;
    });
    return reply.sendJson(ctx.res, 200, out);
}

async function missingRevs(ctx, database) {
    const body = await ctx.json(true);
    const metas = await database.use((level) => level.metas(Object.keys(body)));
    const out = {};
    Object.entries(body).forEach(([id, revs], i) => {
        const known = metas[i] ? treeOf(metas[i]) : new Map();
        const missing = revs.filter((rev) => !known.has(rev));
        if (missing.length) out[id] = missing;
    });
    return reply.sendJson(ctx.res, 200, { missing_revs: out });
}

async function rowText(level, meta, key, options) {
    const deleted = meta.deleted ? ',"deleted":true' : '';
    let text = `{"id":${JSON.stringify(key)},"key":${JSON.stringify(key)},"value":{"rev":"${meta.winningRev}"${deleted}}`;
    if (options.includeDocs) {
        const body = meta.deleted
            ? null
            : (await level.bodies([meta.rev_map[meta.winningRev]]))[0];
        text += `,"doc":${body ? await print(level, meta, meta.winningRev, body, options) : 'null'}`;
    }
    return `${text}}`;
}

function rangeOf(query) {
    const get = (a, b) => json(query, a) ?? json(query, b);
    const [key, start, end] = [
        json(query, 'key'),
        get('startkey', 'start_key'),
        get('endkey', 'end_key'),
    ];
    const inclusive = query.get('inclusive_end') !== 'false';
    const reverse = flag(query, 'descending');
    const range = { reverse };
    if (key !== undefined) return { gte: key, lte: key, reverse };
    if (start !== undefined) range[reverse ? 'lte' : 'gte'] = start;
    if (end !== undefined)
        range[reverse ? (inclusive ? 'gte' : 'gt') : inclusive ? 'lte' : 'lt'] = end;
    return range;
}

async function* rangeRows(level, query, options) {
    let left = query.has('limit') ? integer(query.get('limit')) : Infinity;
    let skip = query.has('skip') ? integer(query.get('skip')) : 0;
    const range = rangeOf(query);
    while (left > 0) {
        const metas = await level.metaRange(range, 500);
        for (const meta of metas.filter((m) => !m.deleted)) {
            if (skip-- > 0) continue;
            if (left-- <= 0) return;
            yield rowText(level, meta, meta.id, options);
        }
        if (metas.length < 500) return;
        const last = metas[metas.length - 1].id;
        delete range[range.reverse ? 'lte' : 'gte'];
        range[range.reverse ? 'lt' : 'gt'] = last;
    }
}

async function* keyRows(level, keys, options) {
    for (let at = 0; at < keys.length; at += 500) {
        const part = keys.slice(at, at + 500);
        const metas = await level.metas(part.map(String));
        for (let i = 0; i < part.length; i++) {
            yield metas[i]
                ? rowText(level, metas[i], part[i], options)
                : `{"key":${JSON.stringify(part[i])},"error":"not_found"}`;
        }
    }
}

async function allDocs(ctx, database) {
    const body = ctx.method === 'POST' ? await ctx.json(true) : {};
    const keys = body.keys || json(ctx.query, 'keys');
    const options = {
        ...documentOptions(ctx.query),
        includeDocs: flag(ctx.query, 'include_docs') || body.include_docs === true,
    };
    await database.position();
    reply.head(ctx.res, 200, { 'Content-Type': 'application/json' });
    await reply.write(
        ctx.res,
        `{"total_rows":${database.docCount},"offset":${keys ? null : 0},"rows":[\r\n`,
    );
    await database.use(async (level) => {
        let first = true;
        for await (const text of keys
            ? keyRows(level, keys, options)
            : rangeRows(level, ctx.query, options)) {
            await reply.write(ctx.res, (first ? '' : ',\r\n') + text);
            first = false;
        }
    });
    ctx.res.end('\r\n]}\n');
}

module.exports = { bulkDocs, postDoc, bulkGet, revsDiff, missingRevs, allDocs };
