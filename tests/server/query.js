// SPDX-License-Identifier: Apache-2.0
//
// Query parameters as CouchDB reads them. A number that is none makes the real server crash in its
// conversion, which a client sees as 500 badarg; unknown parameters are ignored.
'use strict';
const { badRequest, unknown } = require('./reply');

function integer(text) {
    if (!/^[+-]?\d+$/.test(text)) throw unknown('badarg');
    return parseInt(text, 10);
}

function flag(query, name) {
    return query.get(name) === 'true';
}

/** A parameter whose value is JSON. */
function json(query, name) {
    const text = query.get(name);
    if (text === null) return undefined;
    try {
        return JSON.parse(text);
    } catch (err) {
        throw badRequest('invalid UTF-8 JSON');
    }
}

/** What the reader of a document asks for. */
function documentOptions(query) {
    const options = {};
    for (const name of [
        'revs',
        'revs_info',
        'conflicts',
        'deleted_conflicts',
        'local_seq',
        'attachments',
        'att_encoding_info',
        'latest',
    ]) {
        options[name] = flag(query, name);
    }
    if (flag(query, 'meta'))
        options.revs_info = options.conflicts = options.deleted_conflicts = true;
    return options;
}

const FEEDS = new Set(['normal', 'longpoll', 'continuous', 'live', 'eventsource']);
const DEFAULT_TIMEOUT = 60000;

/** Everything a changes feed can be asked; `body` is that of a POST. */
function feedOptions(query, body) {
    const feed = query.get('feed') || 'normal';
    if (!FEEDS.has(feed)) {
        throw badRequest(
            'Supported `feed` types: normal, continuous, live, longpoll, eventsource',
        );
    }
    const style = query.get('style') || 'main_only';
    if (style !== 'main_only' && style !== 'all_docs') throw unknown('badarg');
    const limit = query.has('limit') ? integer(query.get('limit')) : Infinity;
    const interval = Number(query.get('seq_interval') ?? 1);
    if (!(interval >= 1)) throw badRequest('invalid_seq_interval');
    return {
        ...documentOptions(query),
        revs: false,
        feed: feed === 'live' ? 'continuous' : feed,
        style,
        since: (query.get('since') ?? query.get('last-event-id') ?? '0').replace(
            /^"(.*)"$/,
            '$1',
        ),
        descending: query.get('descending') === 'true' || query.get('dir') === 'rev',
        includeDocs: flag(query, 'include_docs'),
        limit: limit < 0 ? Infinity : limit,
        interval,
        filter: query.get('filter') || '',
        timeout: query.has('timeout')
            ? Math.min(integer(query.get('timeout')), DEFAULT_TIMEOUT)
            : DEFAULT_TIMEOUT,
        heartbeat: heartbeat(query.get('heartbeat')),
        docIds: body.doc_ids || json(query, 'doc_ids'),
        selector: body.selector,
    };
}

function heartbeat(text) {
    if (text === null || text === 'false') return 0;
    if (text === 'true') return DEFAULT_TIMEOUT;
    if (!/^\d+$/.test(text))
        throw badRequest(
            'Invalid heartbeat value. Expecting a positive integer value (in milliseconds).',
        );
    const beat = parseInt(text, 10);
    if (beat === 0)
        throw badRequest('The heartbeat value should be a positive integer (in milliseconds).');
    return Math.min(beat, DEFAULT_TIMEOUT);
}

module.exports = { integer, flag, json, documentOptions, feedOptions };
