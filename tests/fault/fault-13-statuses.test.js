/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 13: each status on each endpoint. For an endpoint there is one daemon with a source
 * for each status. What fails is told with its source, delivers nothing and moves no
 * checkpoint; when the server is well again, all rows come, each once.
 */
'use strict';

const test = require('./lib/fault')(13);
const assert = require('node:assert');
const path = require('node:path');
const { startScripted, on } = require('./lib/scripted');
const { plan, isStart, LineFile, QUICK } = require('./lib/stage');
const { tempDir } = require('../lib/tailrace');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const STATUSES = [
    202, 204, 302, 400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 429, 500, 502, 503, 504,
];
const IDS = rows(3).map((r) => r.id);
const PASSWORDS = { 'passwords.json': JSON.stringify({ '127.0.0.1': { admin: 'secret' } }) };

/* The statuses of `fine` are no failure there. */
const endpoints = {
    'GET /db': { method: 'GET', where: /^\/db$/ },
    'GET /_all_dbs': { method: 'GET', where: /^\/_all_dbs/, rule: { databases: '^d' } },
    'a page of _changes': { method: 'GET', where: /feed=normal/ },
    'continuous _changes': { method: 'GET', where: /feed=continuous/, before: IDS },
    'GET _local': {
        method: 'GET',
        where: /_local/,
        marker: true,
        fine: [404, 400, 405, 412, 413, 415],
    },
    'PUT _local': {
        method: 'PUT',
        where: /_local/,
        marker: true,
        fine: [202, 204, 400, 401, 403, 405, 412, 413, 415],
    },
    'POST /_session': {
        method: 'POST',
        where: /^\/_session/,
        source: { auth: 'cookie' },
        user: 'admin@',
    },
};

/* A server that answers one kind of request with a status until it is healed. */
async function serve(t, status, { method, where, marker }) {
    const content = { rows: rows(3), ...(marker && { instance_start_time: '0' }) };
    const server = { status, healed: false, asked: 0 };
    server.sc = await startScripted(
        [
            on(method, where, (ctx) => {
                server.asked++;
                if (server.healed) return ctx.couch();
                return ctx.error(status, 'forced', `the test says ${status}`);
            }),
        ],
        { couch: { dbs: { db: content } } },
    );
    atEnd(t, () => server.sc.close());
    return server;
}

/* One daemon, a source and a rule for each server. */
function followAll(t, servers, { source, rule, user = '' }) {
    const dir = tempDir(t);
    const config = { passwords_file: path.join(dir, 'passwords.json'), sources: {}, rules: {} };
    for (const server of servers) {
        const name = `s${server.status}`;
        server.sink = new LineFile(path.join(dir, `${name}.ndjson`));
        config.sources[name] = {
            url: server.sc.url.replace('//', `//${user}`),
            ...QUICK,
            discover_interval: '100ms',
            ...source,
        };
        config.rules[name] = {
            source: name,
            databases: ['db'],
            plugin: 'file-sink',
            options: { path: server.sink.file },
            commit: { interval: '5ms' },
            ...rule,
        };
    }
    return plan(t, '', { dir, config, files: PASSWORDS }).start();
}

const idsOf = (server) => server.sink.read().map((line) => JSON.parse(line.toString()).id);

async function positions(stage) {
    return new Map((await stage.checkpoints()).map((c) => [c.source, c.seq]));
}

for (const [name, endpoint] of Object.entries(endpoints))
    test(`${name}: each status is told, moves nothing, and is recovered from`, async (t) => {
        const { before = [], fine = [] } = endpoint;
        const servers = await Promise.all(STATUSES.map((s) => serve(t, s, endpoint)));
        const failing = servers.filter((s) => !fine.includes(s.status));
        const stage = followAll(t, servers, endpoint);

        for (const { status, ...server } of servers.filter((s) => !failing.includes(s)))
            await stage.until(() => idsOf(server).length === 3, `${status} does no harm`);
        for (const server of failing) {
            const what = `${name}, ${server.status}`;
            await stage.until(() => server.asked >= 3, `${what}: it is tried again`);
            await stage.until(
                () => idsOf(server).length >= before.length,
                `${what}: first rows`,
            );
            await stage.until(
                () =>
                    stage.logs({ source: `s${server.status}` }).some((r) => r.level === 'warn'),
                `${what}: it is told`,
            );
        }
        const at = await positions(stage);
        for (const server of failing) {
            const what = stage.story(`${name}, ${server.status}`);
            assert.deepEqual(idsOf(server), before, what);
            const seq = at.get(`s${server.status}`);
            assert.ok(
                before.length ? /^3-/.test(seq) : isStart(seq),
                `position ${seq}, ${what}`,
            );
        }
        for (const server of servers) {
            server.healed = true;
            server.sc.couch.db('db').append(row(4));
        }
        for (const server of servers) {
            await stage.until(
                () => idsOf(server).includes('doc-4'),
                `recovered: ${server.status}`,
            );
            const story = stage.story(`${name}, ${server.status}: lost or repeated`);
            assert.deepEqual(idsOf(server), [...IDS, 'doc-4'], story);
        }
        await stage.end();
    });

test('Retry-After of a 429 is kept to', async (t) => {
    const sc = await startScripted(
        [
            on('GET', /_changes/, {
                status: 429,
                headers: { 'Retry-After': '1' },
                json: { error: 'too_many_requests', reason: 'slow down' },
            }).times(1),
        ],
        { couch: { dbs: { db: rows(3) } } },
    );
    atEnd(t, () => sc.close());
    const stage = plan(t, sc.url).start();
    await stage.untilIds(IDS);
    const [first, second] = sc.seen('GET', /_changes/);
    assert.ok(second.time - first.time >= 990, `${second.time - first.time} ms`);
    await stage.end();
});

test('a session that the server forgot is renewed once, and nobody hears of it', async (t) => {
    const cookies = ['AuthSession=one', 'AuthSession=two'];
    let logins = 0;
    const sc = await startScripted(
        [
            on('POST', '/_session', (ctx) =>
                ctx.reply({
                    headers: {
                        'Set-Cookie': `${cookies[Math.min(logins++, 1)]}; Version=1; Path=/`,
                    },
                    json: { ok: true },
                }),
            ),
            on('GET', /_changes/, (ctx) =>
                ctx.req.headers.cookie === cookies[1]
                    ? ctx.couch()
                    : ctx.error(401, 'unauthorized', 'You are not authorized'),
            ),
        ],
        { couch: { dbs: { db: rows(3) } } },
    );
    atEnd(t, () => sc.close());
    const dir = tempDir(t);
    const stage = plan(t, sc.url.replace('//', '//admin@'), {
        dir,
        files: PASSWORDS,
        source: { auth: 'cookie' },
        config: { passwords_file: path.join(dir, 'passwords.json') },
    }).start();
    await stage.untilIds(IDS);
    assert.equal(logins, 2);
    assert.equal(stage.logs({ level: 'warn' }).length, 0, stage.story('it was told'));
    await stage.end();
});

for (const status of [401, 403])
    test(`a marker that may not be read (${status}) is no other database`, async (t) => {
        let refused = false;
        const sc = await startScripted(
            [
                on('GET', /_local/, (ctx) =>
                    refused ? ctx.error(status, 'no', 'not now') : ctx.couch(),
                ),
            ],
            { couch: { dbs: { db: { rows: rows(3), instance_start_time: '0' } } } },
        );
        atEnd(t, () => sc.close());
        const stage = plan(t, sc.url).start();
        await stage.untilIds(IDS);
        await stage.end();
        refused = true;
        stage.start();
        await stage.until(() => stage.logs({ level: 'warn' }).length > 0, 'it is told');
        refused = false;
        sc.couch.db('db').append(row(4));
        await stage.untilIds(['doc-4']);
        assert.deepEqual(stage.ids(), [...IDS, 'doc-4'], stage.story('it began anew'));
        await stage.end();
    });
