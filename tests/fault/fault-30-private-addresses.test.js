/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 30: webhooks to addresses that must not be reached. Link-local ones, where clouds keep
 * their credentials, are refused always, private and loopback ones with deny_private, however
 * they are spelled, and no connection is made.
 */
'use strict';

const test = require('./lib/fault')(30);
const assert = require('node:assert');
const path = require('node:path');
const { startScripted, on } = require('./lib/scripted');
const { plan, isStart } = require('./lib/stage');
const { tempDir } = require('../lib/tailrace');
const { rows } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const LINK_LOCAL = [
    '169.254.169.254',
    '169.254.1.1',
    '169.254.43518',
    '169.16689662',
    '2852039166',
    '0xA9FEA9FE',
    '0xa9.0xfe.0xa9.0xfe',
    '0251.0376.0251.0376',
    '0251.254.169.254',
    '169.254.169.254.',
    '[::ffff:169.254.169.254]',
    '[::ffff:a9fe:a9fe]',
    '[0:0:0:0:0:ffff:a9fe:a9fe]',
    '[64:ff9b::a9fe:a9fe]',
    '[fe80::1]',
    '[febf::1]',
    '%31%36%39.254.169.254',
    '１６９.254.169.254',
];

const LOOPBACK = [
    '127.0.0.1',
    '127.0.0.2',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '017700000001',
    'localhost',
    'LOCALHOST',
    'localhost.',
    '0.0.0.0',
    '0',
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '127.0.0.1.',
];

const PRIVATE = [
    '10.0.0.1',
    '10.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '192.168.257',
    '100.64.0.1',
    '[fc00::1]',
    '[fd12:3456::1]',
    '[::ffff:10.0.0.1]',
    '[::ffff:192.168.1.1]',
    '255.255.255.255',
    '224.0.0.1',
];

/* A rule for each host, all on one row. */
async function tryAll(t, hosts, options, port) {
    const couch = await startScripted([], { couch: { dbs: { db: rows(1) } } });
    atEnd(t, () => couch.close());
    const dir = tempDir(t);
    const config = { rules: {} };
    const shared = { source: 'main', databases: ['db'], commit: { interval: '5ms' } };
    hosts.forEach((host, i) => {
        config.rules[`r${i}`] = {
            ...shared,
            plugin: 'http-webhook',
            options: {
                url: `http://${host}:${port}/latest`,
                method: 'POST',
                connect_timeout: '2s',
                ...options,
            },
        };
    });
    config.rules.rule = {
        ...shared,
        plugin: 'file-sink',
        options: { path: path.join(dir, 'out.ndjson') },
    };
    return plan(t, couch.url, { dir, config });
}

/* Spellings that are no URL at all are refused before, by `check`; the others are left. */
async function spellings(t, hosts, options, port) {
    const stage = await tryAll(t, hosts, options, port);
    const got = await stage.command('check');
    const bad = new Set(
        [...(got.stdout + got.stderr).matchAll(/rules\.r(\d+)\./g)].map((m) => hosts[m[1]]),
    );
    return hosts.filter((host) => !bad.has(host));
}

async function target(t) {
    const hook = await startScripted([on('*', /./, { json: {} })]);
    atEnd(t, () => hook.close());
    return hook;
}

const tables = {
    'link-local addresses are refused always': [LINK_LOCAL, {}],
    'link-local addresses are refused with deny_private': [LINK_LOCAL, { deny_private: true }],
    'loopback addresses are refused with deny_private': [LOOPBACK, { deny_private: true }],
    'private addresses are refused with deny_private': [PRIVATE, { deny_private: true }],
};

for (const [name, [hosts, options]] of Object.entries(tables))
    test(name, async (t) => {
        const hook = await target(t);
        const left = await spellings(t, hosts, options, hook.port);
        assert.ok(left.length >= hosts.length - 5, `only these are URLs: ${left}`);
        const stage = (await tryAll(t, left, options, hook.port)).start();
        await stage.untilIds(['doc-1']);
        for (const [i, host] of left.entries()) {
            const rule = `r${i}`;
            const refusal = () =>
                stage
                    .logs({ rule })
                    .find((r) =>
                        /refused|not allowed|private|link-local|loopback/.test(r.reason),
                    );
            const noHost = () =>
                stage
                    .logs({ rule })
                    .find((r) => /cannot be resolved|illegal format/.test(r.reason));
            await stage.until(() => refusal() || noHost(), `a refusal of ${host}`);
        }
        assert.equal(hook.accepted, 0, stage.story('a connection was made'));
        const letters = await stage.deadLetters();
        const positions = await stage.checkpoints();
        for (const [i, host] of left.entries()) {
            const isKept = letters.some((l) => l.rule === `r${i}`);
            const seq = (positions.find((c) => c.rule === `r${i}`) || {}).seq;
            assert.ok(isKept || isStart(seq), stage.story(`${host}: settled, but not sent`));
        }
        await stage.end();
    });

test('without deny_private loopback is a host like others', async (t) => {
    const hook = await target(t);
    const stage = (await tryAll(t, ['127.0.0.1', 'localhost'], {}, hook.port)).start();
    await stage.until(() => hook.requests.length >= 2, 'both requests');
    await stage.end();
});

for (const options of [{}, { deny_private: true }])
    test(`a redirect to a refused address is not followed ${JSON.stringify(options)}`, async (t) => {
        const hook = await startScripted([
            on('*', /./, {
                status: 307,
                headers: { Location: 'http://169.254.169.254/latest/' },
            }),
        ]);
        atEnd(t, () => hook.close());
        const all = { max_redirects: 3, ...options };
        const stage = (await tryAll(t, ['127.0.0.1'], all, hook.port)).start();
        await stage.untilIds(['doc-1']);
        await stage.until(
            () =>
                stage
                    .logs({ rule: 'r0' })
                    .some((r) => /refused|not allowed|private|link-local/.test(r.reason)),
            'the refusal',
        );
        assert.equal(hook.accepted, options.deny_private ? 0 : hook.accepted);
        await stage.end();
    });
