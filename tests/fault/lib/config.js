/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints an object as a configuration file: strings are quoted, an array becomes a list.
 *
 *   printConfig({state_dir: '/x', rules: {r: {batch: {size: 1}}}})
 */
'use strict';

function printString(text) {
    const escaped = text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n').replace(/\r/g, '\\r');
    return `"${escaped.replace(/[\x00-\x1f\x7f]/g, (c) => `\\x${hex(c)}`)}"`;
}

function hex(c) {
    return c.charCodeAt(0).toString(16).padStart(2, '0');
}

function printValue(value, indent) {
    if (Array.isArray(value)) return `(${value.map((v) => printValue(v, indent)).join(', ')})`;
    if (typeof value === 'string') return printString(value);
    if (typeof value !== 'object') return String(value);
    return `{\n${printConfig(value, `${indent}  `)}${indent}}`;
}

function printConfig(settings, indent = '') {
    return Object.entries(settings)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${indent}${name} = ${printValue(value, indent)};\n`)
        .join('');
}

module.exports = { printConfig };
