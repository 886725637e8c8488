/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 29: nasty values in the templates of a webhook. What the receiver saw is the oracle: a
 * value stays inside of its place in path or query, the host is never a template, and a header
 * with a control byte is not sent at all.
 */
'use strict';

const test = require('./lib/fault')(29);
const assert = require('node:assert');
const { startScripted, on } = require('./lib/scripted');
const { plan } = require('./lib/stage');
const { Rng } = require('./lib/rng');
const { atEnd } = require('../lib/at_end');

const VALUES = [
    'plain',
    '\r\nX-Evil: 1',
    '\nX-Evil: 1',
    '\r',
    '\n',
    'a\r\n\r\nGET /evil HTTP/1.1\r\n\r\n',
    '../',
    '../../etc/passwd',
    '..',
    '.',
    './',
    '/',
    '//',
    '/../',
    '\\..\\',
    '@evil.example',
    'u:p@evil',
    '?x=1',
    '?',
    '&x=2',
    '=',
    '#frag',
    '%',
    '%2e%2e%2f',
    '%0d%0a',
    '%00',
    ';x',
    ':',
    ':80',
    '://evil/',
    ' ',
    '\t',
    '+',
    '"',
    "'",
    '<>',
    '{}',
    '[]',
    '|',
    '^',
    '`',
    '~',
    '*',
    '!',
    '$',
    '${change.id}',
    '$change',
    'é',
    '😀',
    '\u2028',
    '\ufeff',
    '\u0000',
    'a\u0000b',
    '\u0001',
    '\u001b[31m',
    '\u007f',
    '\u0085',
    'x'.repeat(3000),
];

/* And some that chance puts together. */
function randomValues(rng, count) {
    const bits = [
        '\r',
        '\n',
        '../',
        '@',
        '?',
        '&',
        '#',
        '%',
        '/',
        ':',
        '\\',
        ' ',
        '\u0000',
        'é',
        'a',
        '..',
        '=',
    ];
    return Array.from({ length: count }, () =>
        Array.from({ length: rng.int(1, 8) }, () => rng.pick(bits)).join(''),
    );
}

const docsOf = (values) =>
    values.map((v, i) => ({
        id: `doc-${i}`,
        changes: [{ rev: '1-a' }],
        doc: { _id: `doc-${i}`, _rev: '1-a', v },
    }));

async function send(t, values, options, rng) {
    const couch = await startScripted([], { couch: { dbs: { db: docsOf(values) } } });
    const hook = await startScripted([on('*', /./, { json: {} })]);
    atEnd(t, () => couch.close());
    atEnd(t, () => hook.close());
    const stage = plan(t, couch.url, {
        faults: rng && { describe: () => `seed=${rng.seed} (TAILRACE_SEED)` },
        rule: { plugin: 'http-webhook', batch: { size: 1 } },
        options: options(hook),
    }).start();
    await stage.until(
        async () => new RegExp(`^${values.length}-`).test(await stage.checkpoint()),
        'all is settled',
    );
    const letters = await stage.deadLetters();
    await stage.end();
    assert.deepEqual(hook.junk, [], 'the receiver saw what is no request');
    return { hook, stage, rejected: new Set(letters.map((l) => l.doc_id)), letters };
}

const hasControl = (v) => /[\u0000-\u001f\u007f]/.test(v);

test('a value stays in its place in path and query', async (t) => {
    const rng = new Rng();
    const values = [...VALUES, ...randomValues(rng, 60)];
    const { hook, stage, rejected } = await send(
        t,
        values,
        ({ url }) => ({
            url: `${url}/hook/\${change.v}/end?a=1&v=\${change.v}&n=\${change.id}`,
            method: 'POST',
        }),
        rng,
    );
    for (const req of hook.requests) {
        const i = Number(/n=doc-(\d+)$/.exec(req.url)[1]);
        const value = values[i];
        const what = stage.story(`${JSON.stringify(value)} became ${req.url}`);
        assert.match(req.url, /^[\x21-\x7e]+$/, what);
        const [path, query, ...more] = req.url.split('?');
        assert.deepEqual(more, [], what);
        const parts = path.split('/');
        assert.equal(parts.length, 4, what);
        assert.deepEqual([parts[0], parts[1], parts[3]], ['', 'hook', 'end'], what);
        assert.equal(decodeURIComponent(parts[2]), value, what);
        assert.ok(!/^\.{1,2}$/.test(parts[2]), `a step up or none: ${what}`);
        const params = query.split('&');
        assert.deepEqual([params.length, params[0]], [3, 'a=1'], what);
        assert.equal(decodeURIComponent(params[1].slice(2)), value, what);
        assert.equal(req.headers.host, `127.0.0.1:${hook.port}`, what);
        assert.ok(!('x-evil' in req.headers), what);
    }
    const sent = new Set(hook.requests.map((r) => Number(/n=doc-(\d+)$/.exec(r.url)[1])));
    for (const [i, value] of values.entries())
        assert.ok(
            sent.has(i) !== rejected.has(`doc-${i}`),
            `${JSON.stringify(value)}: sent or dead letter`,
        );
    assert.ok(sent.has(0) && sent.size > values.length - 30, `only ${sent.size} were sent`);
});

test('a value stays in its place in params of GET', async (t) => {
    const rng = new Rng();
    const values = [...VALUES, ...randomValues(rng, 60)];
    const { hook, stage } = await send(
        t,
        values,
        ({ url }) => ({
            url: `${url}/x`,
            method: 'GET',
            params: { v: '$change.v', id: '$change.id' },
        }),
        rng,
    );
    for (const req of hook.requests) {
        const value = values[Number(req.query.get('id').replace(/"/g, '').slice(4))];
        const seen = req.query.get('v');
        const what = stage.story(`${JSON.stringify(value)} became ${req.url}`);
        assert.equal(req.path, '/x', what);
        assert.deepEqual([...req.query.keys()], ['v', 'id'], what);
        assert.ok(
            seen === value || seen === JSON.stringify(value) || JSON.parse(seen) === value,
            what,
        );
    }
});

test('a header with a control byte is not sent; others arrive as they are', async (t) => {
    const rng = new Rng();
    const values = [...VALUES, ...randomValues(rng, 60)];
    const { hook, stage, rejected, letters } = await send(
        t,
        values,
        ({ url }) => ({
            url: `${url}/x?n=\${change.id}`,
            method: 'POST',
            headers: { 'X-Value': 'a ${change.v} z' },
        }),
        rng,
    );
    const sent = new Map(hook.requests.map((r) => [Number(/doc-(\d+)$/.exec(r.url)[1]), r]));
    for (const [i, value] of values.entries()) {
        const what = stage.story(`${JSON.stringify(value)} in a header`);
        assert.equal(rejected.has(`doc-${i}`), hasControl(value), what);
        assert.equal(sent.has(i), !hasControl(value), what);
        if (!sent.has(i)) continue;
        const { headers } = sent.get(i);
        assert.equal(
            Buffer.from(headers['x-value'], 'latin1').toString(),
            `a ${value} z`,
            what,
        );
        assert.ok(!('x-evil' in headers), what);
    }
    assert.ok(
        letters.every((l) => /control|header/.test(l.error)),
        letters[0].error,
    );
});

test('a value in a JSON body adds nothing to it', async (t) => {
    const values = [...VALUES, '","evil":"1', '"}', '\\', '\\"'];
    const { hook } = await send(t, values, ({ url }) => ({
        url: `${url}/x`,
        method: 'POST',
        body: '{"v":"${change.v}","id":"${change.id}"}',
    }));
    for (const req of hook.requests) {
        const body = req.json();
        assert.deepEqual(body, { v: values[Number(body.id.slice(4))], id: body.id });
    }
    assert.equal(hook.requests.length, values.length);
});

const hosts = [
    'http://${change.id}/x',
    'http://${change.id}.example/x',
    'http://127.0.0.1${change.id}/x',
    'http://127.0.0.1:${change.id}/x',
    'http://${change.id}@127.0.0.1/x',
    'http://u:${change.id}@127.0.0.1/x',
    '${change.id}://127.0.0.1/x',
    '${change.id}',
    '$change.id',
    'http://$db_name/x',
    'http:${change.id}',
];

for (const url of hosts)
    test(`a template in front of the path is refused: ${url}`, async (t) => {
        const stage = plan(t, 'http://127.0.0.1:9', {
            rule: { plugin: 'http-webhook' },
            options: { url, method: 'POST' },
        });
        const got = await stage.command('check');
        assert.equal(got.code, 78, got.stdout + got.stderr);
        assert.match(got.stdout + got.stderr, /tailrace\.conf:\d+/);
    });
