// SPDX-License-Identifier: Apache-2.0
//
// JSON as CouchDB keeps it: integers of any size exact, floats with a fraction even when it is zero
// (1e3 comes back as 1000.0). JavaScript numbers can do neither, so such a number travels through
// the store as a marked string and is unmarked when it is sent. Ordinary bodies take no extra pass.
'use strict';

const MARK = '\u0001n:';
const MARKED = /"\\u0001n:([^"]+)"/g;
const SUSPECT = /[:[,]\s*-?\d+(?:\d{15}|[.eE])/;
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function mark(token) {
    if (token[0] === '"') return token;
    if (/[.eE]/.test(token)) {
        const value = Number(token);
        return Number.isInteger(value) && Math.abs(value) < 1e21
            ? `"\\u0001n:${value}.0"`
            : token;
    }
    return token.length > 15 ? `"\\u0001n:${token}"` : token;
}

/** Parses; throws SyntaxError as JSON.parse does. */
function parse(text) {
    return JSON.parse(SUSPECT.test(text) ? text.replace(TOKEN, mark) : text);
}

/** Turns stored text into the text to send. */
function unmark(text) {
    return text.includes('\\u0001n:') ? text.replace(MARKED, '$1') : text;
}

function stringify(value) {
    return unmark(JSON.stringify(value));
}

module.exports = { MARK, parse, stringify, unmark };
