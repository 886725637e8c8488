// SPDX-License-Identifier: Apache-2.0
//
// Which rows a feed lets through: the built-in filters by id, selector and design document, and the
// functions of design documents. A filter is {ids?} for those that need no body, or test(row, doc).
'use strict';
const selector = require('./selector');
const { loadFilter } = require('./design');
const { badRequest } = require('./reply');

/** Returns null (all rows pass), or {needsDoc, passes(id, doc)}. */
async function feedFilter(database, options, request) {
    const name = options.filter;
    if (!name) return null;
    if (name === '_doc_ids') {
        if (!Array.isArray(options.docIds))
            throw badRequest('`doc_ids` filter parameter is not a list of doc ids.');
        const ids = new Set(options.docIds);
        return { needsDoc: false, passes: (id) => ids.has(id) };
    }
    if (name === '_design')
        return { needsDoc: false, passes: (id) => id.startsWith('_design/') };
    if (name === '_selector') {
        const wanted = options.selector;
        if (wanted === null || typeof wanted !== 'object' || Array.isArray(wanted)) {
            throw badRequest('Selector must be specified in POST payload');
        }
        selector.check(wanted);
        return { needsDoc: true, passes: (id, doc) => selector.matches(wanted, doc) };
    }
    if (!/^[^/]+\/[^/]+$/.test(name))
        throw badRequest('`filter` must be of the form `designname/filtername`');
    const call = await loadFilter(database, name);
    return { needsDoc: true, passes: (id, doc) => call(doc, request) };
}

module.exports = { feedFilter };
