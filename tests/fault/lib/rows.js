/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes rows of a `_changes` feed for scripted answers.
 *
 * A row is an object (sent as JSON) or a string or Buffer (sent as it is, so that a test can
 * send what no JSON printer would: duplicate keys, lone surrogates, invalid UTF-8, half a row).
 */
'use strict';

const crypto = require('node:crypto');

function rev(n, salt) {
    return `${n}-${crypto.createHash('md5').update(String(salt)).digest('hex')}`;
}

/* Row number n, with a document; `extra` replaces or adds fields. */
function row(n, extra = {}) {
    const id = extra.id || `doc-${n}`;
    const r = rev(1, id);
    return { id, changes: [{ rev: r }], doc: { _id: id, _rev: r, n }, ...extra };
}

/* Rows 1 to n. */
function rows(n, extra) {
    return Array.from({ length: n }, (_, i) => row(i + 1, extra ? extra(i + 1) : {}));
}

/*
 * One row of exactly `bytes` bytes and its LF, in pieces of 64 KB: it never exists as a
 * whole.
 */
function* bigRow(bytes, { id = 'big', seq = '1-big' } = {}) {
    const r = rev(1, id);
    const start =
        `{"seq":${JSON.stringify(seq)},"id":${JSON.stringify(id)},"changes":[{"rev":"${r}"}],` +
        `"doc":{"_id":${JSON.stringify(id)},"_rev":"${r}","fill":"`;
    const end = '"}}';
    let left = bytes - Buffer.byteLength(start) - end.length;
    if (left < 0) throw new RangeError(`a row needs ${bytes - left} bytes at least`);
    const piece = Buffer.alloc(65536, 'x');
    yield start;
    for (; left > 0; left -= piece.length)
        yield piece.subarray(0, Math.min(left, piece.length));
    yield `${end}\n`;
}

/* The bytes of a row as they go over the wire. */
function rowBytes(r) {
    return typeof r === 'string' || Buffer.isBuffer(r)
        ? Buffer.from(r)
        : Buffer.from(JSON.stringify(r));
}

module.exports = { rev, row, rows, bigRow, rowBytes };
