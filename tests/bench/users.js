/* SPDX-License-Identifier: Apache-2.0 */
/*
 * users: a thousand users with a database each, a replicator document from the first to each
 * other one, and an API that is called for each change: see tests/integration/lib/users.js. It is
 * about getting through without an error, and what that costs; how long it takes is the server's
 * business mostly, which waits up to five seconds before each replication.
 *
 * The messages: one to a daemon that has just got its rules; one to a daemon that has replicated
 * before; and one that is stopped in the middle, and ended by the next daemon.
 */
'use strict';

const bench = require('./lib/bench');

process.env.TAILRACE_BIN ||= bench.TAILRACE;
process.env.TAILRACE_PLUGIN_DIR ||= bench.PLUGINS;
const { startTestServer, sleep } = require('../lib/couch');
const { makeContext } = require('./lib/context');
const { makeUsers } = require('../integration/lib/users');

const PATIENCE_MS = 900000;

async function message(users) {
    const before = users.cost().cpu_s;
    const calls = users.api.requests.length;
    users.watch.clear();
    await users.say();
    const times = await users.all();
    await users.settled();
    return {
        ...times,
        ...users.requests(),
        calls: users.api.requests.length - calls,
        cpu_s: users.cost().cpu_s - before,
        connections: users.cost().connections,
    };
}

/* Stopped when it is under way; the next daemon has to bring it to its end. */
async function stopped(users) {
    await users.say();
    await sleep(2000);
    const { code, stop_s } = await users.stop();
    if (code !== 0) throw new Error(`it ended with ${code}`);
    const start_s = await users.start(users.names.length);
    return { stop_s, start_s, ...(await users.all()) };
}

async function measure(t, server, most, options) {
    const count = server.isReal ? most : Math.min(most, 100); /* it is for tests, not for speed */
    const users = await makeUsers(t, server, count, { patienceMs: PATIENCE_MS, ...options });
    const start_s = (await users.start()) + (await users.looked());
    await users.settled();
    const before = users.cost();
    users.watch.clear();
    const rules_s = await users.befriend();
    await users.settled();
    const rules = users.cost();
    const result = {
        server: server.isReal ? 'a real CouchDB' : 'the test server',
        users: count,
        start_s,
        rules_s,
        rules_cpu_s: rules.cpu_s - before.cpu_s,
        rules_requests: users.requests(),
        rule_kb: ((rules.rss_mb - before.rss_mb) * 1024) / (count - 1),
        first: await message(users),
        second: await message(users),
    };
    const { peak_mb, threads } = users.cost();
    result.stopped = await stopped(users);
    await users.settled();
    const { stop_s, ...exit } = await users.stop();
    await users.judge(exit);
    const calls = [...users.calls().values()];
    const repeats = calls.reduce((sum, n) => sum + n - 1, 0);
    return { ...result, peak_mb, threads, stop_s, repeats, warnings: users.warnings() };
}

function show(r) {
    const s = (value) => bench.fixed(value, 1);
    const { first: a, second: b } = r;
    console.log(`\n  ${bench.count(r.users)} users, ${r.server}:`);
    bench.table([
        ['', 'first message', 'second'],
        ['everybody has it after, s', s(a.arrived_s), s(b.arrived_s)],
        ['the API knows of all after, s', s(a.told_s), s(b.told_s)],
        ['calls of the API', a.calls, b.calls],
        ['replications that were asked for', a.replications, b.replications],
        ['  of these not with 200', a.replications_refused, b.replications_refused],
        ['requests about the source', a.of_source, b.of_source],
        ['requests about the targets', a.of_targets, b.of_targets],
        ['requests of other kinds', a.of_server, b.of_server],
        ['connections', a.connections, b.connections],
        ["tailrace's CPU seconds", bench.fixed(a.cpu_s, 2), bench.fixed(b.cpu_s, 2)],
    ]);
    const { replications, of_source: source } = r.rules_requests;
    console.log('');
    bench.table([
        ['', ''],
        ['start, s', s(r.start_s)],
        ['from documents to rules that run, s', bench.fixed(r.rules_s, 2)],
        ['  CPU seconds', bench.fixed(r.rules_cpu_s, 2)],
        ['  requests about the source, replications', `${source}, ${replications}`],
        ['memory of a rule, KB', s(r.rule_kb)],
        ['peak of memory, MB', s(r.peak_mb)],
        ['threads', r.threads],
        ['a stop in the middle, s', s(r.stopped.stop_s)],
        ['rules run again after, s', s(r.stopped.start_s)],
        ['and the API knows of all after, s', s(r.stopped.told_s)],
        ['a stop at rest, s', s(r.stop_s)],
        ['calls that were repeated', r.repeats],
        ['warnings', Object.values(r.warnings).reduce((sum, n) => sum + n, 0)],
    ]);
    for (const [text, n] of Object.entries(r.warnings)) console.log(`    ${n} × ${text}`);
}

module.exports = async function users({ users: count = 1000, couchdb, replicator }) {
    if (couchdb) process.env.TAILRACE_TEST_COUCHDB = couchdb;
    const t = makeContext();
    const server = await startTestServer();
    try {
        const result = await measure(t, server, count, replicator);
        show(result);
        return result;
    } finally {
        await t.close();
        await server.close();
    }
};
