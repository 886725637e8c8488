// SPDX-License-Identifier: Apache-2.0
//
// JavaScript of design documents, run in a context of its own with a time limit: filter functions of
// feeds and validate_doc_update of writes.
'use strict';
const vm = require('vm');
const { Reply, notFound, unknown } = require('./reply');

const LIMIT_MS = 2000;

function compile(source) {
    const sandbox = vm.createContext({
        log() {},
        isArray: Array.isArray,
        toJSON: JSON.stringify,
        sum: (l) => l.reduce((a, b) => a + b, 0),
    });
    sandbox.fun = vm.runInContext(`(${source})`, sandbox, { timeout: LIMIT_MS });
    if (typeof sandbox.fun !== 'function')
        throw new Reply(500, 'compilation_error', `not a function: ${source}`);
    return (...args) => {
        sandbox.args = JSON.stringify(args);
        return vm.runInContext('fun.apply(null, JSON.parse(args))', sandbox, {
            timeout: LIMIT_MS,
        });
    };
}

async function designDoc(database, name) {
    try {
        return await database.use((level) => level.pouch.get(`_design/${name}`));
    } catch (err) {
        throw notFound(err.reason === 'deleted' ? 'deleted' : 'missing');
    }
}

/** The filter `design/name` as (doc, req) → boolean. */
async function loadFilter(database, path) {
    const [design, name] = path.split('/');
    const doc = await designDoc(database, design);
    if (!doc.filters || typeof doc.filters[name] !== 'string')
        throw notFound(`missing json key: ${doc.filters ? name : 'filters'}`);
    const call = compile(doc.filters[name]);
    return (row, req) => {
        try {
            return !!call(row, req);
        } catch (err) {
            throw unknown(String(err.message || err));
        }
    };
}

async function loadValidators(database) {
    if (database.validators) return database.validators;
    const found = await database.use((level) =>
        level.pouch.allDocs({
            startkey: '_design/',
            endkey: '_design0',
            include_docs: true,
        }),
    );
    database.validators = found.rows
        .filter(({ doc }) => typeof doc.validate_doc_update === 'string')
        .map(({ doc }) => compile(doc.validate_doc_update));
    return database.validators;
}

/** Throws 403 or 401 when a design document of the database forbids the write. */
function validate(validators, doc, old, userCtx, security) {
    for (const check of validators) {
        try {
            check(doc, old, userCtx, security);
        } catch (err) {
            if (err && err.forbidden !== undefined)
                throw new Reply(403, 'forbidden', err.forbidden);
            if (err && err.unauthorized !== undefined)
                throw new Reply(401, 'unauthorized', err.unauthorized);
            throw unknown(String((err && err.message) || err));
        }
    }
}

module.exports = { loadFilter, loadValidators, validate };
