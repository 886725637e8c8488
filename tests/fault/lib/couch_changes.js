/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `_changes` of the believable CouchDB, from the array of rows of a Database: normal, longpoll
 * and continuous, with since, limit, include_docs, seq_interval, heartbeat and timeout, and the
 * line ends and blank lines exactly where CouchDB 3.5 puts them.
 */
'use strict';

const { rowBytes } = require('./rows');

const IDLE_MS = 60000; /* a feed with neither heartbeat nor timeout ends after this */

function readQuery(query) {
    const number = (name, none) => (query.has(name) ? Number(query.get(name)) : none);
    const beat = query.get('heartbeat');
    return {
        feed: query.get('feed') || 'normal',
        limit: number('limit', Infinity),
        interval: number('seq_interval', 1),
        docs: query.get('include_docs') === 'true',
        heartbeat: beat === 'true' ? IDLE_MS : beat ? Number(beat) : 0,
        timeout: number('timeout', IDLE_MS),
    };
}

/* Row i as the query wants it. */
function printRow(db, i, q) {
    const row = db.rows[i];
    if (typeof row === 'string' || Buffer.isBuffer(row)) return rowBytes(row);
    const { doc, ...plain } = row;
    const seq = (i + 1) % q.interval === 0 ? db.seqOf(i) : null;
    return rowBytes({
        seq,
        ...plain,
        ...(seq === null && { seq }),
        ...(q.docs && doc && { doc }),
    });
}

/* The closing fields, without the brace that opens them. */
function closing(db, at) {
    const pending = db.rows.length - at;
    return `"last_seq":${JSON.stringify(db.lastSeq(at))},"pending":${pending}}`;
}

/* Until the database changes, the client goes or ms are over. */
function waitChange(ctx, db, ms) {
    return new Promise((resolve) => {
        const done = () => {
            clearTimeout(timer);
            db.off('change', done);
            ctx.signal.removeEventListener('abort', done);
            resolve();
        };
        const timer = setTimeout(done, ms);
        db.on('change', done);
        ctx.signal.addEventListener('abort', done);
    });
}

/* Blank lines until there is a row at `at`; returns false when the feed is to end. */
async function* idle(ctx, db, at, q) {
    while (!ctx.gone && !db.deleted && db.rows.length <= at) {
        await waitChange(ctx, db, q.heartbeat || q.timeout);
        if (ctx.gone || db.deleted) return false;
        if (db.rows.length > at) break;
        if (!q.heartbeat) return false;
        yield '\n';
    }
    return !ctx.gone && !db.deleted;
}

async function* continuous(ctx, db, at, q) {
    let left = q.limit;
    for (;;) {
        for (; left > 0 && at < db.rows.length; at++, left--) {
            yield printRow(db, at, q);
            yield '\n';
        }
        if (left <= 0) break;
        yield '\n';
        if (!(yield* idle(ctx, db, at, q))) break;
    }
    yield `{${closing(db, at)}\n\n`;
}

async function* listed(ctx, db, at, q) {
    yield '{"results":[\n';
    if (q.feed === 'longpoll' && db.rows.length <= at) {
        yield '\n';
        yield* idle(ctx, db, at, q);
    }
    const end = Math.min(db.rows.length, at + q.limit);
    for (let first = true; at < end; at++, first = false) {
        if (!first) yield ',\r\n';
        yield printRow(db, at, q);
    }
    yield `\n],\n${closing(db, at)}\n\n`;
}

function serveChanges(ctx, db) {
    const q = readQuery(ctx.req.query);
    const at = db.position(ctx.req.query.get('since'));
    if (at === null)
        return ctx.error(
            400,
            'bad_request',
            "Malformed sequence supplied in 'since' parameter."
        );
    const feed = q.feed === 'continuous' ? continuous : listed;
    return ctx.chunked(feed(ctx, db, at, q));
}

module.exports = { serveChanges };
