/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 28: a webhook that is slow, fails, closes or redirects for ever. It is tried again
 * with the same Idempotency-Key until it takes the change; redirects are off or few, and
 * whoever sends us elsewhere gets no credentials sent there.
 */
'use strict';

const test = require('./lib/fault')(28);
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startScripted, on } = require('./lib/scripted');
const { startProxy } = require('./lib/proxy');
const { plan } = require('./lib/stage');
const { tempDir } = require('../lib/tailrace');
const answers = require('./lib/answers');
const faults = require('./lib/faults');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const KEY = 'idempotency-key';

async function serve(t, script, options) {
    const sc = await startScripted(script, options);
    atEnd(t, () => sc.close());
    return sc;
}

/* A hook that misbehaves `times` times and is well then. */
const hookOf = (t, answer, times) =>
    serve(t, [on('POST', /./, answer).times(times), on('*', /./, { json: { ok: true } })]);

async function toHook(t, url, { count = 2, options, rule, ...more } = {}) {
    const couch = await serve(t, [], { couch: { dbs: { db: rows(count) } } });
    return plan(t, couch.url, {
        rule: { plugin: 'http-webhook', batch: { size: 1 }, ...rule },
        options: {
            url,
            method: 'POST',
            params: { id: '$change.id' },
            timeout: '100ms',
            ...options,
        },
        ...more,
    });
}

const idOf = (req) => req.json().id;

/* Those that came with all of their body. */
const whole = (hook) =>
    hook.requests.filter((r) => r.body.length === Number(r.headers['content-length']));

/* Each change was tried, in order, with one key of its own. */
function assertKeys(requests, ids) {
    const keys = new Map();
    for (const req of requests) {
        const key = req.headers[KEY];
        assert.match(key, /^[0-9a-f]{32}\/[0-9]+-[0-9a-f]{32}\/doc-[0-9]+$/);
        assert.equal(keys.get(idOf(req)) || key, key, `another key for ${idOf(req)}`);
        keys.set(idOf(req), key);
    }
    assert.deepEqual([...keys.keys()], ids);
    assert.equal(new Set(keys.values()).size, ids.length, 'two changes have one key');
}

const troubles = {
    'does not answer': answers.hang(),
    'answers 500': answers.error(500, 'oh', 'no'),
    'answers 503': answers.error(503, 'oh', 'no'),
    'answers 429 with Retry-After': answers.error(429, 'slow', 'down', { 'Retry-After': '1' }),
    'answers 404': answers.error(404, 'not', 'here'),
    'answers 401': answers.error(401, 'who', 'are you'),
    'closes without an answer': answers.fin(),
    'resets the connection': answers.reset(),
    'speaks no HTTP': answers.junk(),
    'closes in the middle of the head': async (ctx) => {
        await ctx.raw('HTTP/1.1 200 OK\r\nContent-Le');
        await ctx.fin();
    },
    'says 200 and resets in the body': answers.cutLength('x'.repeat(100), 10, { rst: true }),
    'says 200 and then nothing': async (ctx) => {
        await ctx.head(200, { 'Content-Length': 100 });
        await ctx.hang();
    },
    'drips its head': (ctx) =>
        ctx.trickle('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', { everyMs: 20 }),
    'redirects, and redirects are off': answers.redirectForEver(),
};

for (const [name, answer] of Object.entries(troubles))
    test(`a webhook that ${name} gets the change again, with the same key`, async (t) => {
        const times = /429/.test(name) ? 1 : 3;
        const hook = await hookOf(t, answer, times);
        const stage = (await toHook(t, `${hook.url}/x`)).start();
        await stage.until(() => whole(hook).length >= times + 2, 'both changes');
        await stage.until(async () => /^2-/.test(await stage.checkpoint()), 'the checkpoint');
        const ids = hook.requests.map(idOf);
        assert.deepEqual(
            ids,
            [...Array(times + 1).fill('doc-1'), 'doc-2'],
            stage.story('order'),
        );
        assertKeys(hook.requests, ['doc-1', 'doc-2']);
        assert.ok(
            hook.requests.every((r) => r.url === '/x'),
            'it was led elsewhere',
        );
        assert.deepEqual(await stage.deadLetters(), []);
        await stage.end();
    });

test('a webhook that refuses connections gets the changes when it is back', async (t) => {
    const hook = await hookOf(t, answers.fin(), 0);
    const fp = await startProxy(hook.url, { faults: [faults.refuse()] });
    atEnd(t, () => fp.close());
    const stage = (await toHook(t, `${fp.url}/x`, { faults: fp })).start();
    await stage.until(() => stage.logs({ level: 'warn' }).length >= 3, 'it is tried again');
    await fp.clear();
    const arrived = () => new Set(whole(hook).map(idOf)).size;
    await stage.until(() => arrived() === 2, 'both changes');
    assertKeys(hook.requests, ['doc-1', 'doc-2']);
    await stage.end();
});

test('random faults on the way lose no change, and a key stays with its change', async (t) => {
    const hook = await hookOf(t, answers.fin(), 0);
    const fp = await startProxy(hook.url);
    atEnd(t, () => fp.close());
    await fp.set([
        faults.cut([0, 100], { match: /x/, p: 0.2 }),
        faults.cutRequest([1, 300], { match: /x/, p: 0.2, how: 'rst' }),
        faults.status(503, { match: /x/, p: 0.2 }),
    ]);
    const stage = (await toHook(t, `${fp.url}/x`, { count: 60, faults: fp })).start();
    const want = rows(60).map((r) => r.id);
    await stage.until(() => new Set(whole(hook).map(idOf)).size === 60, 'all');
    await stage.until(async () => /^60-/.test(await stage.checkpoint()), 'the checkpoint');
    assertKeys(whole(hook), want);
    await stage.end();
});

test('a key is the same after kill -9, and another for another revision', async (t) => {
    const hook = await hookOf(t, answers.hang(), 1);
    const stage = (
        await toHook(t, `${hook.url}/x`, { count: 1, options: { timeout: '60s' } })
    ).start();
    await stage.until(() => hook.requests.length === 1, 'the first attempt');
    await stage.daemon.kill9();
    stage.start();
    await stage.until(() => whole(hook).length === 2, 'the second attempt');
    assertKeys(hook.requests, ['doc-1']);
    await stage.end();
    const next = await toHook(t, `${hook.url}/x`, { count: 0 });
    const couch = await serve(t, [], {
        couch: { dbs: { db: [row(1), row(1, { changes: [{ rev: '2-b' }] })] } },
    });
    next.settings.sources.main.url = couch.url;
    next.write();
    next.start();
    await next.until(() => whole(hook).length === 4, 'two revisions');
    const [, , one, two] = hook.requests.map((r) => r.headers[KEY]);
    assert.notEqual(one, two);
    await next.end();
});

for (const max of [1, 3])
    test(`of redirects for ever at most ${max} are followed`, async (t) => {
        const hook = await serve(t, [
            on('*', '/x', { status: 307, headers: { Location: '/r-1' } }),
            on(
                '*',
                /^\/r-/,
                answers.redirectForEver((n) => `/r-${n + 1}`, 307),
            ),
        ]);
        const options = { max_redirects: max, timeout: '5s' };
        const stage = (await toHook(t, `${hook.url}/x`, { count: 1, options })).start();
        await stage.until(() => hook.seen('POST', '/x').length >= 4, 'it is tried again');
        await stage.end();
        const urls = hook.requests.map((r) => (r.url === '/x' ? 'x' : 'r')).join('');
        assert.match(urls, new RegExp(`^(xr{${max}})+x?r{0,${max}}$`), urls);
    });

test('more than three redirects cannot be asked for', async (t) => {
    const stage = await toHook(t, 'http://127.0.0.1:9/x', { options: { max_redirects: 4 } });
    const got = await stage.command('check');
    assert.equal(got.code, 78, got.stderr);
    assert.match(got.stdout + got.stderr, /max_redirects/);
});

test('a redirect to another host or port takes no credentials along', async (t) => {
    const dir = tempDir(t);
    const elsewhere = await serve(t, [on('*', /./, { json: {} })]);
    const home = await serve(t, [
        on('POST', '/x', { status: 307, headers: { Location: '/y' } }),
        on('POST', '/y', (ctx) => {
            const n = ctx.hit;
            const host = n === 1 ? 'localhost' : n === 2 ? '127.0.0.1' : 'evil:word@127.0.0.1';
            return ctx.reply({
                status: 307,
                headers: { Location: `http://${host}:${elsewhere.port}/z${n}` },
            });
        }),
    ]);
    fs.writeFileSync(path.join(dir, 'token'), 'canary-token\n', { mode: 0o600 });
    const stage = await toHook(t, `${home.url.replace('//', '//hook@')}/x`, {
        dir,
        count: 3,
        files: {
            'passwords.json': JSON.stringify({
                '127.0.0.1': { hook: 'canary-word' },
                localhost: { hook: 'canary-word' },
            }),
        },
        config: { passwords_file: path.join(dir, 'passwords.json') },
        options: {
            max_redirects: 3,
            timeout: '5s',
            secret_headers: { 'X-Api-Key': `file:${path.join(dir, 'token')}` },
        },
    });
    stage.start();
    await stage.until(() => elsewhere.requests.length >= 3, 'three redirects to elsewhere');
    await stage.end();
    const basic = `Basic ${Buffer.from('hook:canary-word').toString('base64')}`;
    for (const req of home.requests) {
        assert.equal(req.headers.authorization, basic, `at home, ${req.url}`);
        assert.equal(req.headers['x-api-key'], 'canary-token', `at home, ${req.url}`);
    }
    for (const req of elsewhere.requests) {
        assert.equal(req.headers.authorization, undefined, `elsewhere, ${req.url}`);
        assert.equal(req.headers['x-api-key'], undefined, `elsewhere, ${req.url}`);
        assert.doesNotMatch(JSON.stringify(req.headers), /canary/);
    }
});
