/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plain recount of documents, as stats-calculator promises its figures: exact sums rounded once,
 * extremes, different values; and quantiles within their bound.
 */
'use strict';

const assert = require('node:assert');

const TEXT_MAX = 128; /* bytes that are shown of a value */

/* Numbers of the tests are whole multiples of 2^-70. */
const toUnits = (value) => BigInt(value * 2 ** 70);
const fromUnits = (units, power) => Number(units) / 2 ** power;

function recountField(docs, field) {
    const values = docs.map((doc) => doc[field]);
    const present = values.filter((value) => value !== undefined && value !== null);
    const numbers = present.filter((value) => typeof value === 'number');
    const units = numbers.map(toUnits);
    const sum = fromUnits(
        units.reduce((all, one) => all + one, 0n),
        70,
    );
    return {
        count: numbers.length,
        missing: values.length - present.length,
        invalid: present.length - numbers.length,
        sum,
        mean: numbers.length ? sum / numbers.length : null,
        sumsqr: fromUnits(
            units.reduce((all, one) => all + one * one, 0n),
            140,
        ),
        min: numbers.length ? Math.min(...numbers) : null,
        max: numbers.length ? Math.max(...numbers) : null,
        distinct: new Set(numbers).size,
        sorted: numbers.sort((a, b) => a - b),
    };
}

/* {group: documents} by a field. */
function groupBy(docs, field) {
    const groups = {};
    for (const doc of docs) (groups[doc[field]] ||= []).push(doc);
    return groups;
}

/* What is published of a field is what a recount gives. */
function assertField(found, docs, field) {
    const { sorted, ...wanted } = recountField(docs, field);
    for (const [name, value] of Object.entries(wanted))
        if (name in found) assert.strictEqual(found[name], value, `${field}.${name}`);
    for (const [q, value] of Object.entries(found.quantiles || {})) {
        const exact = sorted.length ? sorted[Math.floor(q * (sorted.length - 1))] : null;
        assert.ok(Math.abs(value - exact) <= Math.abs(exact) / 128, `${field} ${q}: ${value}`);
    }
    for (const { value, count } of found.top || []) {
        const same = docs.filter((doc) => doc[field] === value).length;
        assert.strictEqual(count, same, `${field}: how often ${value} is there`);
    }
}

/* Of a text that is long only its beginning is shown. */
const shown = (text) => (text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text);

/* The same of a field with texts (of ASCII, where they are long and in `top`). */
function assertValues(found, docs, field) {
    const values = docs.map((doc) => doc[field]).filter((value) => value !== undefined);
    const { count, missing, invalid, distinct, top } = found;
    const rest = docs.length - values.length;
    assert.deepStrictEqual([count, missing, invalid], [values.length, rest, 0], field);
    if (distinct !== undefined)
        assert.strictEqual(distinct, new Set(values).size, `${field}.distinct`);
    for (const { value, count: often } of top || []) {
        const same = values.filter((one) => shown(one) === value).length;
        assert.strictEqual(often, same, `${field}: how often ${value} is there`);
    }
}

/* A page with the groups of one field. */
function assertGroups(page, docs, by, fields) {
    const groups = groupBy(docs, by);
    assert.strictEqual(page.documents, docs.length);
    assert.deepEqual(page.groups.map((one) => one.group[by]).sort(), Object.keys(groups).sort());
    for (const { group, documents, figures } of page.groups) {
        assert.strictEqual(documents, groups[group[by]].length);
        for (const field of fields) assertField(figures[field], groups[group[by]], field);
    }
}

/* The documents of a database, without design documents. */
async function allDocs(couch, where) {
    const { rows } = (await couch.get(`${where}/_all_docs?include_docs=true`)).json;
    return rows.filter((row) => !row.id.startsWith('_design/')).map((row) => row.doc);
}

module.exports = { recountField, groupBy, assertField, assertValues, assertGroups, allDocs };
