// SPDX-License-Identifier: Apache-2.0
//
// Mango selectors, the part that change feeds are filtered with: equality and $eq $ne $gt $gte $lt
// $lte $in $nin $exists $type $regex $size $all $elemMatch $and $or $nor $not, nested fields as
// objects or dotted names. Values compare in CouchDB's order: null, booleans, numbers, strings,
// arrays, objects.
'use strict';
const { badRequest } = require('./reply');

function rank(value) {
    if (value === null) return 0;
    if (typeof value === 'boolean') return 1;
    if (typeof value === 'number') return 2;
    if (typeof value === 'string') return 3;
    return Array.isArray(value) ? 4 : 5;
}

function compare(a, b) {
    if (rank(a) !== rank(b)) return rank(a) - rank(b);
    if (Array.isArray(a)) {
        for (let i = 0; i < Math.min(a.length, b.length); i++) {
            const order = compare(a[i], b[i]);
            if (order) return order;
        }
        return a.length - b.length;
    }
    if (a !== null && typeof a === 'object')
        return compare(Object.entries(a).sort(), Object.entries(b).sort());
    return a < b ? -1 : a > b ? 1 : 0;
}

function typeOf(value) {
    return ['null', 'boolean', 'number', 'string', 'array', 'object'][rank(value)];
}

const OPERATORS = {
    $eq: (v, arg) => v !== undefined && compare(v, arg) === 0,
    $ne: (v, arg) => v !== undefined && compare(v, arg) !== 0,
    $gt: (v, arg) => v !== undefined && compare(v, arg) > 0,
    $gte: (v, arg) => v !== undefined && compare(v, arg) >= 0,
    $lt: (v, arg) => v !== undefined && compare(v, arg) < 0,
    $lte: (v, arg) => v !== undefined && compare(v, arg) <= 0,
    $in: (v, arg) => v !== undefined && arg.some((a) => compare(v, a) === 0),
    $nin: (v, arg) => v !== undefined && !arg.some((a) => compare(v, a) === 0),
    $exists: (v, arg) => (v !== undefined) === arg,
    $type: (v, arg) => v !== undefined && typeOf(v) === arg,
    $regex: (v, arg) => typeof v === 'string' && new RegExp(arg).test(v),
    $size: (v, arg) => Array.isArray(v) && v.length === arg,
    $all: (v, arg) => Array.isArray(v) && arg.every((a) => v.some((e) => compare(e, a) === 0)),
    $elemMatch: (v, arg) => Array.isArray(v) && v.some((e) => matches(arg, e)),
    $not: (v, arg) => !matches(arg, v),
    $and: (v, arg) => arg.every((s) => matches(s, v)),
    $or: (v, arg) => arg.some((s) => matches(s, v)),
    $nor: (v, arg) => !arg.some((s) => matches(s, v)),
};

function field(value, name) {
    let at = value;
    for (const part of name.split('.')) {
        if (at === null || typeof at !== 'object') return undefined;
        at = at[part];
    }
    return at;
}

/** Does the value satisfy the selector? */
function matches(selector, value) {
    if (selector === null || typeof selector !== 'object' || Array.isArray(selector)) {
        return OPERATORS.$eq(value, selector);
    }
    return Object.entries(selector).every(([name, arg]) =>
        name[0] === '$' ? OPERATORS[name](value, arg) : matches(arg, field(value, name)),
    );
}

/** Refuses operators that do not exist before the first row is read. */
function check(selector) {
    if (selector === null || typeof selector !== 'object') return;
    for (const [name, arg] of Object.entries(selector)) {
        if (name[0] === '$' && !Array.isArray(selector) && !OPERATORS[name])
            throw badRequest(`Invalid operator: ${name}`);
        check(arg);
    }
}

module.exports = { matches, check };
