/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The faults that the proxy can do, as plain objects, and their spelling on a command line.
 *
 * Every fault may say when it applies:
 *   match   RegExp over path and query: only for such requests. Offsets then count from the
 *           first byte of that response (or request); else from the first byte of the
 *           connection, or, when it is open already, from the moment the fault is set.
 *   from    'body': offsets count from the byte after the head (needs match)
 *   times   how often it may strike; default: always
 *   p       with this probability, drawn from the seed for each connection or matching request
 *   side    'response' (default) or 'request'
 * An offset or a duration may be [lo, hi]: drawn from the seed.
 */
'use strict';

/* Pass n bytes, then close: 'fin' (the peer sees exactly n bytes) or 'rst' (at most n). */
const cut = (at, more) => ({ kind: 'cut', at, how: 'fin', ...more });

const cutRequest = (at, more) => cut(at, { side: 'request', ...more });

/* Only so many bytes a second, from byte `at` on. */
const drip = (rate, more) => ({ kind: 'drip', at: 0, rate, ...more });

/*
 * Half-open: after n bytes nothing passes any more, in either direction, not even the end of
 * the connection; the sockets stay. clear() heals it, and what was held back flows on.
 */
const stall = (at = 0, more) => ({ kind: 'stall', at, ...more });

/* Hold byte `at` (0) back for this long: slow headers, a slow server. */
const delay = (ms, more) => ({ kind: 'delay', at: 0, ms, ...more });

/* Change byte n: xor with `mask`. */
const corrupt = (at, more) => ({ kind: 'corrupt', at, mask: 0xff, ...more });

/* RST as soon as the client says something (with match: on such a request). */
const reset = (more) => ({ kind: 'cut', side: 'request', at: 0, how: 'rst', ...more });

/*
 * Answer instead of the target. `headers` and `body` are sent as they are; the target never
 * sees the request. {close: true} ends the connection after it. HTTP only, not through TLS.
 */
const status = (code, more) => ({ kind: 'status', code, headers: {}, body: '', ...more });

/* Close every open connection now and each new one at once. */
const drop = (more) => ({ kind: 'drop', how: 'fin', ...more });

/* Do not listen: ECONNREFUSED. Connections that are open stay. */
const refuse = () => ({ kind: 'refuse' });

const makers = {
    cut,
    'cut-request': cutRequest,
    drip,
    stall,
    delay,
    corrupt,
    reset,
    status,
    drop,
    refuse,
};

/* The fields that a maker takes as its first argument. */
const FIRST = {
    cut: 'at',
    'cut-request': 'at',
    drip: 'rate',
    stall: 'at',
    delay: 'ms',
    corrupt: 'at',
    status: 'code',
};

function parseValue(key, text) {
    if (key === 'match') return new RegExp(text);
    if (key === 'headers') return JSON.parse(text);
    if (/^\d+\.\.\d+$/.test(text)) return text.split('..').map(Number);
    if (/^(\d+\.?\d*|\.\d+)$/.test(text)) return Number(text);
    return text === 'true' ? true : text;
}

/*
 * A fault from a command line: KIND[:key=value[,key=value]…], for instance
 * `cut:at=10..200,how=rst,match=/_changes,times=3`. A comma in a value is written %2C.
 */
function parseFault(text) {
    const [, kind, rest] = /^([a-z-]+)(?::(.*))?$/s.exec(text) || [];
    const make = makers[kind];
    if (!make)
        throw new Error(`unknown fault "${text}"; have: ${Object.keys(makers).join(', ')}`);
    const fields = {};
    for (const pair of (rest || '').split(',').filter(Boolean)) {
        const eq = pair.indexOf('=');
        if (eq < 0) throw new Error(`"${pair}" in fault "${text}" is not key=value`);
        const key = pair.slice(0, eq);
        fields[key] = parseValue(key, pair.slice(eq + 1).replaceAll('%2C', ','));
    }
    const first = FIRST[kind];
    if (!first) return make(fields);
    if (fields[first] === undefined && kind !== 'stall')
        throw new Error(`fault "${text}" needs ${first}=…`);
    return make(fields[first], fields);
}

module.exports = {
    cut,
    cutRequest,
    drip,
    stall,
    delay,
    corrupt,
    reset,
    status,
    drop,
    refuse,
    parseFault,
};
