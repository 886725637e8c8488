/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seeded fault proxy: stands between a client and a server and breaks what passes.
 *
 *   const fp = await startProxy(sc.url, {seed: 42});
 *   await fp.set(faults.cut(120, {match: /_changes/, times: 1}));
 *   …
 *   await fp.clear();
 *
 * Everything random is drawn from the seed; put fp.describe() into the message of an assertion.
 * The proxy is plain TCP: TLS passes through, without `match` and `status`. Also a command:
 *
 *   node proxy.js --target http://127.0.0.1:5984 --listen 0 --seed 42 --fault cut:at=120
 *
 * which prints one line of JSON with its url, then obeys lines on stdin: a fault is added,
 * `clear` heals, `stats` prints a line of JSON.
 */
'use strict';

const net = require('node:net');
const { freePort } = require('../../lib/free_port');
const { Rng } = require('./rng');
const { ProxyConnection } = require('./proxy_conn');

const WHOLE = new Set(['status', 'drop', 'refuse']); /* not a matter of bytes */

class FaultProxy {
    constructor(targetUrl, { seed } = {}) {
        const url = new URL(targetUrl);
        this.scheme = url.protocol;
        this.target = {
            host: url.hostname,
            port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
        };
        this.rng = new Rng(seed);
        this.faults = [];
        this.hits = new Map();
        this.open = new Set();
        this.stats = {
            accepted: 0,
            requests: 0,
            struck: 0,
            forced: 0,
            dropped: 0,
            targetErrors: 0,
            bytesUp: 0,
            bytesDown: 0,
        };
    }

    get seed() {
        return this.rng.seed;
    }

    /* How many connections are open now. */
    get connections() {
        return this.open.size;
    }

    /* allowHalfOpen: the end of one direction is passed on, and is not the end of the other. */
    listen(port) {
        this.server = net.createServer({ allowHalfOpen: true }, (client) =>
            this.#accept(client)
        );
        return new Promise((resolve, reject) => {
            this.server.once('error', reject);
            this.server.listen(port, '127.0.0.1', () => {
                this.port = this.server.address().port;
                this.url = `${this.scheme}//127.0.0.1:${this.port}`;
                resolve(this);
            });
        });
    }

    #accept(client) {
        this.stats.accepted++;
        client.setNoDelay(true);
        const conn = new ProxyConnection(this, client);
        this.open.add(conn);
        const dropping = this.faults.find(
            (f) => f.kind === 'drop' && this.#chance(f) && this.strikes(f)
        );
        if (!dropping) return;
        this.stats.dropped++;
        conn.cut(dropping.how);
    }

    /*
     * Replace all faults by this one or these, counted anew; resolves when they are in force.
     */
    async set(fault) {
        this.faults = [].concat(fault);
        for (const f of this.faults) this.hits.delete(f);
        await this.#apply();
    }

    /* One fault more; on connections that are open the offsets of all count from here again. */
    async add(fault) {
        this.faults = [...this.faults, fault];
        await this.#apply();
    }

    /* Heal: stalled connections flow again, refused ones are accepted at the same port. */
    async clear() {
        await this.set([]);
        for (const conn of this.open) conn.unfreeze();
    }

    async #apply() {
        const refusing = this.faults.some((f) => f.kind === 'refuse');
        if (refusing && this.server) this.#unlisten();
        else if (!refusing && !this.server) await this.listen(this.port);
        for (const conn of this.open) {
            conn.arm();
            await conn.settleStalls();
        }
        if (this.faults.some((f) => f.kind === 'drop')) this.killAll();
    }

    #unlisten() {
        this.server.close();
        this.server = null;
    }

    /* End every open connection now. */
    killAll(how = 'fin') {
        for (const conn of [...this.open]) conn.cut(how);
    }

    #chance(fault) {
        return fault.p === undefined || this.rng.chance(fault.p);
    }

    #number(value) {
        return Array.isArray(value) ? this.rng.int(...value) : value;
    }

    /*
     * The faults that are in for a connection (url null) or for a request on it. A request
     * draws only what has a match; what has none was drawn when the connection began.
     */
    draw(url, onlyMatching = false) {
        const wanted = (f) => (f.match ? url !== null && f.match.test(url) : !onlyMatching);
        return this.faults
            .filter((f) => !WHOLE.has(f.kind) && wanted(f) && this.#chance(f))
            .map((fault) => {
                const at = this.#number(fault.at);
                const inHead = fault.from === 'body';
                return {
                    fault,
                    at,
                    left: inHead ? -1 : at,
                    inHead,
                    tail: '',
                    ms: this.#number(fault.ms),
                };
            });
    }

    /* The status to answer this request with, if any. */
    forced(url) {
        const fault = this.faults.find(
            (f) =>
                f.kind === 'status' &&
                (!f.match || f.match.test(url)) &&
                this.#chance(f) &&
                this.strikes(f)
        );
        if (fault) this.stats.forced++;
        return fault;
    }

    /* A fault is about to strike: may it, by its `times`? Counts. */
    strikes(fault) {
        const n = this.hits.get(fault) || 0;
        if (n >= (fault.times ?? Infinity)) return false;
        this.hits.set(fault, n + 1);
        this.stats.struck++;
        return true;
    }

    /* How often this fault struck. */
    struck(fault) {
        return this.hits.get(fault) || 0;
    }

    /* For failure messages: the seed and what was going on. */
    describe() {
        const print = (f) => {
            const fields = Object.entries(f).map(
                ([k, v]) => `${k}=${v instanceof RegExp ? v : JSON.stringify(v)}`
            );
            return `${fields.join(' ')} (struck ${this.struck(f)})`;
        };
        const list = this.faults.map(print).join('; ') || 'none';
        return `fault proxy: seed=${this.seed} (TAILRACE_SEED), faults: ${list}`;
    }

    close() {
        for (const conn of [...this.open]) conn.close();
        if (!this.server) return Promise.resolve();
        return new Promise((resolve) => this.server.close(resolve));
    }
}

/* Start on loopback. Options: port (0: any), seed, faults (in force from the start). */
async function startProxy(targetUrl, { port = 0, seed, faults = [] } = {}) {
    const proxy = await new FaultProxy(targetUrl, { seed }).listen(port || (await freePort()));
    await proxy.set(faults);
    return proxy;
}

module.exports = { startProxy };

if (require.main === module) require('./proxy_cli').main(process.argv.slice(2));
