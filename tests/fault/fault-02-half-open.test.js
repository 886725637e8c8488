/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 2: half-open TCP. A feed without a byte for three heartbeats is dead and is connected
 * anew; one that is idle but has its heartbeats is left alone, for however long.
 *
 * The proxy stalls a connection as a whole. Packets that vanish, so that not even an
 * acknowledgement comes, are a matter of the kernel: that test runs this file once more in a
 * network namespace of its own, where nftables drops them and nobody else is in reach.
 */
'use strict';

const test = require('./lib/fault')(2);
const assert = require('node:assert');
const { execFileSync, spawnSync } = require('node:child_process');
const { startScripted, on } = require('./lib/scripted');
const { startProxy } = require('./lib/proxy');
const { follow } = require('./lib/stage');
const faults = require('./lib/faults');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const SILENT = /sent nothing for 600 ms/;

async function behindProxy(t, count) {
    const sc = await startScripted([], { couch: { dbs: { db: rows(count) } } });
    atEnd(t, () => sc.close());
    const fp = await startProxy(sc.url);
    atEnd(t, () => fp.close());
    const stage = follow(t, fp.url, { source: { heartbeat: '200ms' }, faults: fp });
    await stage.untilLog({ msg: 'following' });
    return { sc, fp, stage };
}

const INSIDE = process.env.TAILRACE_TEST_NAMESPACE === '1';
const UNSHARE = ['--net', '--map-root-user'];

function whyNoNamespace() {
    const words = [...UNSHARE, 'nft', 'list', 'tables'];
    const tried = spawnSync('unshare', words, { encoding: 'utf8' });
    if (tried.status === 0) return false;
    return `no network namespace with nftables: ${(tried.stderr || `${tried.error}`).trim()}`;
}

/* Packets of this connection vanish, in both directions. */
function dropPackets(serverPort, clientPort) {
    const ports = (from, to) => `tcp sport ${from} tcp dport ${to} drop`;
    execFileSync('nft', ['-f', '-'], {
        input:
            'table inet test {\n chain input {\n  type filter hook input priority 0;\n' +
            `  ${ports(serverPort, clientPort)}\n  ${ports(clientPort, serverPort)}\n }\n}\n`,
    });
}

async function packetsVanish(t) {
    const sc = await startScripted([], { couch: { dbs: { db: rows(3) } } });
    atEnd(t, () => sc.close());
    const stage = follow(t, sc.url, { source: { heartbeat: '200ms' } });
    const feed = await sc.waitFor((r) => /feed=continuous/.test(r.url));
    await stage.untilIds(['doc-3']);
    await stage.untilLog({ msg: 'following' });
    dropPackets(sc.port, feed.remotePort);
    sc.couch.db('db').append(row(4));
    await stage.untilIds(['doc-4']);
    assert.equal(stage.logs({ reason: SILENT }).length, 1, stage.story('the watchdog'));
    assert.equal(sc.seen('GET', /feed=continuous/).length, 2, 'one feed more');
    assert.deepEqual(stage.ids(), rows(4).map((r) => r.id), stage.story('repeated'));
    await stage.end();
}

const skip = !INSIDE && whyNoNamespace();

test('packets that vanish: the feed is connected anew', { skip }, (t) => {
    if (INSIDE) return packetsVanish(t);
    const env = { ...process.env, TAILRACE_TEST_NAMESPACE: '1' };
    delete env.NODE_TEST_CONTEXT; /* it is a run of its own */
    const script = 'ip link set lo up && exec "$0" --test-name-pattern=vanish "$1"';
    const words = [...UNSHARE, 'sh', '-c', script, process.execPath, __filename];
    const run = spawnSync('unshare', words, { env, encoding: 'utf8', timeout: 60000 });
    assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
    assert.match(run.stdout, /# pass 1$|ℹ pass 1$/m);
    return undefined;
});

test('a live feed that falls silent is connected anew, and nothing is lost', async (t) => {
    const { sc, fp, stage } = await behindProxy(t, 3);
    await fp.set(faults.stall(0, { match: /feed=continuous/, times: 1 }));
    sc.couch.db('db').append(row(4));
    await stage.untilIds(['doc-4']);
    assert.equal(stage.logs({ reason: SILENT }).length, 1, stage.story('the watchdog'));
    assert.equal(fp.struck(fp.faults[0]), 1);
    sc.couch.db('db').append(row(5));
    await stage.untilIds(['doc-5']);
    assert.deepEqual(
        stage.ids(),
        rows(5).map((r) => r.id),
        stage.story('repeated'),
    );
    await stage.end();
});

test('a connection that stalls in the middle of a row is connected anew', async (t) => {
    const { sc, fp, stage } = await behindProxy(t, 1);
    await fp.set(faults.stall([10, 150], { match: /feed=continuous/, times: 1 }));
    sc.couch.db('db').append(row(2), row(3));
    await stage.untilIds(['doc-2', 'doc-3']);
    assert.equal(stage.logs({ reason: SILENT }).length, 1, stage.story('the watchdog'));
    assert.deepEqual(
        stage.ids(),
        rows(3).map((r) => r.id),
        stage.story('repeated'),
    );
    await stage.end();
});

test('an idle feed with heartbeats is never ended', async (t) => {
    let beats = 0;
    const sc = await startScripted(
        [
            on('GET', /feed=continuous/, (ctx) =>
                ctx.chunked(async function* () {
                    assert.equal(ctx.req.query.get('heartbeat'), '200');
                    for (; await ctx.sleep(200); beats++) yield '\n';
                }),
            ),
        ],
        { couch: { dbs: { db: rows(2) } } },
    );
    atEnd(t, () => sc.close());
    const stage = follow(t, sc.url, { source: { heartbeat: '200ms' } });
    await stage.until(() => beats >= 15, '15 heartbeats');
    assert.equal(sc.seen('GET', /feed=continuous/).length, 1, stage.story('connected anew'));
    assert.equal(stage.logs({ level: 'warn' }).length, 0, stage.story('something was wrong'));
    await stage.end();
    assert.deepEqual(sc.errors, []);
});
