// SPDX-License-Identifier: Apache-2.0
//
// One running feed: reads pages from the store, prints what passes, waits when there is no more, and
// ends on its limit, its timeout, the deletion of the database or the client's going. Rows are
// written as the client takes them. `_changes` and `_db_updates` differ in `printRow` and `tail`, and
// in that the latter is `quiet`: no line tells of going idle or waking up, and where nothing else is
// sent the head waits for the first heartbeat or row.
'use strict';
const { readPage, interleave } = require('./rows');
const { print } = require('./docbody');
const { feedFormat } = require('./feedformat');
const reply = require('./reply');

const FLUSH_BYTES = 32768;
/** The limit of a feed without one; seq_interval counts down from it. */
const NO_LIMIT = 1e15;

class Feed {
    /** `plan`: {database, options, filter, pair, printRow(feed, level, row, seqText), tail(feed), quiet} */
    constructor(res, plan) {
        Object.assign(this, plan);
        this.res = res;
        this.format = feedFormat(this.options.feed);
        this.left = this.options.limit;
        this.sent = 0;
        this.started = false;
        this.pending = '';
        this.woken = false;
        this.timedOut = false;
    }

    get live() {
        return this.options.feed !== 'normal';
    }

    async run() {
        reply.head(this.res, 200, {
            'Content-Type': this.format.type,
            ...this.format.headers,
            'Transfer-Encoding': 'chunked',
        });
        if (!this.quiet) this.res.flushHeaders();
        if (this.format.open) this.res.write(this.format.open);
        const beat =
            this.options.heartbeat && this.live
                ? setInterval(() => this.beat(), this.options.heartbeat)
                : null;
        try {
            await this.follow();
            if (!this.res.destroyed)
                this.res.end(
                    this.pending + this.format.close(await this.tail(this), this.timedOut),
                );
        } finally {
            clearInterval(beat);
        }
    }

    async follow() {
        let scan = this.options.descending ? Infinity : Math.min(...this.pair);
        while (!this.res.destroyed && this.left > 0) {
            const page = await this.nextPage(scan);
            if (page === null) return;
            if (page.more) {
                scan = page.last;
                continue;
            }
            await this.flush();
            if (this.isDone()) return;
            if (!(await this.pause(scan))) return;
        }
    }

    /** A normal feed ends with the rows; a longpoll does once it had one. */
    isDone() {
        const { feed } = this.options;
        return feed === 'normal' || (feed === 'longpoll' && this.sent > 0);
    }

    /** Reads and sends one page; null when the database went away. */
    async nextPage(scan) {
        try {
            if (!this.options.descending && (await this.database.position()) <= scan)
                return { more: false };
            return await this.database.use((level) => this.sendPage(level, scan));
        } catch (err) {
            if (this.database.deleted) return null;
            throw err;
        }
    }

    async sendPage(level, scan) {
        const { descending } = this.options;
        const page = await readPage(
            level,
            scan,
            descending,
            this.filter ? Infinity : Math.max(this.left, 10),
        );
        const rows = descending ? page.rows : interleave(page.rows, this.pair);
        for (const row of rows) {
            if (this.left <= 0 || this.res.destroyed) return page;
            const pair = descending ? [row.seq, row.seq] : row.pair;
            if (await this.passes(level, row)) await this.send(level, row, pair);
            this.pair = pair;
        }
        if (!descending && page.more)
            this.pair = [Math.max(this.pair[0], page.last), Math.max(this.pair[1], page.last)];
        return page;
    }

    async passes(level, row) {
        if (!this.filter) return true;
        if (!this.filter.needsDoc) return this.filter.passes(row.id);
        const doc = JSON.parse(await print(level, row.meta, row.meta.winningRev, row.text, {}));
        return this.filter.passes(row.id, doc);
    }

    async send(level, row, pair) {
        if (this.woken && !this.quiet) this.pending += this.format.blank;
        this.woken = false;
        const spaced =
            (this.left === Infinity ? NO_LIMIT - this.sent : this.left) %
                this.options.interval !==
            0;
        const seq = spaced ? 'null' : `"${this.database.seqs.encode(pair[0], pair[1])}"`;
        this.pending += this.format.row(await this.printRow(this, level, row, seq), seq);
        this.sent++;
        this.left--;
        if (this.pending.length >= FLUSH_BYTES) await this.flush();
    }

    flush() {
        const text = this.pending;
        if (!text) return undefined;
        this.pending = '';
        this.started = true;
        return reply.write(this.res, text);
    }

    beat() {
        if (!this.res.destroyed && !this.res.writableNeedDrain && !this.pending)
            this.res.write(this.format.blank);
    }

    /** Waits for a write. False when the timeout has passed; with a heartbeat there is none. */
    async pause(scan) {
        const { timeout, heartbeat } = this.options;
        if (!this.started && !this.quiet) this.res.write('\n');
        this.started = true;
        const end = heartbeat ? Infinity : Date.now() + timeout;
        while ((await this.database.position()) <= scan) {
            const remaining = end - Date.now();
            if (remaining <= 0 || this.res.destroyed) {
                this.timedOut = true;
                return false;
            }
            await this.database.wait(remaining, this.res);
            if (this.database.deleted) return false;
        }
        this.woken = true;
        return true;
    }
}

module.exports = { Feed };
