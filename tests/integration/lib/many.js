/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many databases: a set of them with names of their own, a ledger of what was written into them,
 * and a daemon for which they are more than it has feeds.
 *
 *   const many = await makeMany(couch, 30);            {dbs, pattern, prefix, written}
 *   const {hook, daemon, watch} = await followMany(t, couch, many.pattern);
 *   await many.write(many.dbs[3], 'a');
 *   await many.arrived(hook);
 *   await assertStops(daemon);
 *   many.assertOnce(hook);
 */
'use strict';

const assert = require('node:assert');
const { uniqueDb, waitFor, sleep } = require('../../lib/couch');
const { startWatch } = require('../../lib/watch');
const { makeSite } = require('./site');
const { startHook, toHook } = require('./sink');
const { fill, names } = require('./docs');

/* Impatient, so that tests are quick; two feeds, so that thirty databases are many. */
const SOURCE = {
    retry_min: '10ms',
    retry_max: '200ms',
    poll_interval: '200ms',
    discover_interval: '200ms',
    max_feeds: 2,
    max_connections: 8,
    request_rate: 1000,
};

/* Runs `work` on each of the items, so many at a time. */
async function eachOf(items, atOnce, work) {
    const queue = [...items];
    const worker = async () => {
        while (queue.length) await work(queue.shift());
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
}

const pathOf = (db) => `/${encodeURIComponent(db)}`;
const keyOf = (change) => `${change.db}/${change.id}`;

class Many {
    constructor(couch, prefix) {
        Object.assign(this, { couch, prefix, pattern: `^${prefix}`, dbs: [], written: [] });
    }

    /* A database more, with documents. */
    async make(db, docs = 0) {
        await this.couch.makeDb(db);
        this.dbs.push(db);
        await this.writeAll(db, names(docs));
    }

    async writeAll(db, ids) {
        await fill(this.couch, pathOf(db), ids);
        this.written.push(...ids.map((id) => `${db}/${id}`));
    }

    write(db, id) {
        return this.writeAll(db, [id]);
    }

    /* Resolves when all that was written has come, or a later version of the ledger has. */
    arrived(hook, ms = 30000) {
        return this.arrivedOf(hook, this.written, ms);
    }

    async arrivedOf(hook, keys, ms = 30000) {
        const missing = () => {
            const have = new Set(hook.taken.map(keyOf));
            return keys.filter((key) => !have.has(key));
        };
        await waitFor(() => missing().length === 0, 'all that was written', ms).catch((err) => {
            const list = missing();
            throw new Error(
                `${err.message}: ${list.length} of ${keys.length} missing: ${list.slice(0, 5)}`,
            );
        });
    }

    /* Nothing is missing, nothing came twice, and nothing else came. */
    assertOnce(hook, keys = this.written) {
        assert.deepEqual(hook.taken.map(keyOf).sort(), [...keys].sort());
    }
}

async function makeMany(couch, count, { docs = 1, prefix = `${uniqueDb('many')}_` } = {}) {
    const many = new Many(couch, prefix);
    const dbs = Array.from({ length: count }, (_, i) => prefix + String(i).padStart(3, '0'));
    await eachOf(dbs, 8, (db) => many.make(db, docs));
    many.dbs.sort();
    return many;
}

/* A daemon that follows them through a watch, which may `answer` itself, into a hook; resolves
 * when its rule has started. */
async function followMany(t, couch, databases, options = {}) {
    const { rule, rules, source, reply, answer, ...more } = options;
    const hook = await startHook(t, reply);
    const watch = await startWatch(couch.url, t);
    watch.answer = answer;
    const site = makeSite(
        t,
        { url: watch.url, auth: couch.auth },
        {
            rules: { r: toHook(hook, databases, rule), ...rules },
            source: { ...SOURCE, ...source },
            ...more,
        },
    );
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'rule started' });
    return { hook, watch, site, daemon };
}

/* Resolves when nothing was asked about single databases for a while: what happened before the
 * daemon was there has been told and looked at. */
async function untilIdle(watch, prefix, ms = 1500) {
    const count = () => watch.of((req) => req.db.startsWith(prefix)).length;
    for (let last = -1; last !== count(); await sleep(ms)) last = count();
}

async function assertStops(daemon) {
    const exit = await daemon.stop();
    assert.deepEqual(exit, { code: 0, signal: null }, daemon.stderrLines.slice(-20).join('\n'));
}

module.exports = {
    makeMany,
    followMany,
    untilIdle,
    assertStops,
    eachOf,
    pathOf,
    keyOf,
    Many,
    SOURCE,
};
