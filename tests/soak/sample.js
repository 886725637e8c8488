/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon is made of at a moment: from /proc, from its state directory, and from what it says
 * of itself.
 *
 *   const look = new Look(pid, stateDir, () => status);
 *   await look.take()      {rss, heap, fds, threads, wal, store, cpu, lag, rows}
 *
 * Sizes are bytes. `heap` is what the process has of its own, anonymous memory; `cpu` is the share
 * of one processor since the look before, in percent; `lag` is the age in seconds of the oldest
 * change that is not settled, `rows` how many are not, both of the rule that has most.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const TICKS = 100; /* a second; Linux has told programs so for ever */

/* The order of the columns and of the panels. */
const METRICS = [
    { key: 'rss', name: 'resident memory', unit: 'bytes' },
    { key: 'heap', name: 'memory of its own (heap)', unit: 'bytes' },
    { key: 'fds', name: 'descriptors', unit: '' },
    { key: 'threads', name: 'threads', unit: '' },
    { key: 'wal', name: 'write-ahead log', unit: 'bytes' },
    { key: 'store', name: 'store', unit: 'bytes' },
    { key: 'cpu', name: 'CPU', unit: '%' },
    { key: 'lag', name: 'lag of the slowest rule', unit: 's' },
    { key: 'rows', name: 'rows of it that wait', unit: '' },
];

const sizeOf = (file) => (fs.existsSync(file) ? fs.statSync(file).size : 0);

class Look {
    constructor(pid, stateDir, status) {
        Object.assign(this, { proc: `/proc/${pid}`, stateDir, status });
        this.before = this.#ticks();
    }

    #read(name) {
        return fs.readFileSync(path.join(this.proc, name), 'utf8');
    }

    /* {used, at}; the name, the second field of stat, may have spaces. */
    #ticks() {
        const fields = this.#read('stat').replace(/^.*\) /s, '').split(' ');
        return { used: Number(fields[11]) + Number(fields[12]), at: process.hrtime.bigint() };
    }

    #cpu() {
        const now = this.#ticks();
        const seconds = Number(now.at - this.before.at) / 1e9;
        const share = (now.used - this.before.used) / TICKS / seconds;
        this.before = now;
        return share * 100;
    }

    async take() {
        const status = this.#read('status');
        const number = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)[1]);
        const { rules = [] } = (await this.status()) || {};
        const most = (key) => Math.max(0, ...rules.map((rule) => rule[key] || 0));
        return {
            rss: number('VmRSS') * 1024,
            heap: number('RssAnon') * 1024,
            fds: fs.readdirSync(path.join(this.proc, 'fd')).length,
            threads: number('Threads'),
            wal: sizeOf(path.join(this.stateDir, 'tailrace.db-wal')),
            store: sizeOf(path.join(this.stateDir, 'tailrace.db')),
            cpu: this.#cpu(),
            lag: most('lag_s'),
            rows: most('lag_rows'),
        };
    }
}

module.exports = { Look, METRICS };
