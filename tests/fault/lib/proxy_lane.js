/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a proxied connection: passes bytes on and strikes at exact offsets.
 *
 * The proxy arms a lane with faults; each armed fault counts the bytes that passed since. The
 * lane cuts what it gets at the next offset where something is to happen, so that a fault for
 * byte n sees byte n first in the piece, whatever the packets were.
 */
'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

const TICK_MS = 10; /* the grain of drip */

class Lane {
    constructor(conn, write) {
        this.conn = conn;
        this.write = write; /* async (bytes) */
        this.armed = [];
    }

    arm(strikes) {
        this.armed = strikes;
    }

    /* Pass bytes; returns false when the connection is over. */
    async push(bytes) {
        while (bytes.length && !this.conn.over) {
            await this.conn.thawed();
            for (const s of [...this.armed]) {
                if (s.left !== 0 || s.spent) continue;
                await this.#strike(s, bytes);
                if (this.conn.over) return false;
            }
            await this.conn.thawed();
            if (this.conn.over) return false;
            const n = this.#room(bytes);
            const piece = bytes.subarray(0, n);
            bytes = bytes.subarray(n);
            for (const s of this.armed) this.#count(s, piece);
            await this.write(piece);
            await this.settle();
            await this.#pace(n);
        }
        return !this.conn.over;
    }

    /*
     * Strike what needs no byte to strike on. A cut or a stall must not wait for byte n: it may
     * never come, and then the end of the stream, which a stall has to hide, would pass.
     */
    async settle() {
        for (const s of [...this.armed])
            if (s.left === 0 && !s.spent && /cut|stall/.test(s.fault.kind))
                await this.#strike(s);
    }

    /* How many bytes may pass before anything happens. */
    #room(bytes) {
        let n = bytes.length;
        for (const s of this.armed) {
            if (s.inHead) n = Math.min(n, headEnd(s, bytes));
            else if (s.left > 0) n = Math.min(n, s.left);
            else if (s.fault.kind === 'drip')
                n = Math.min(n, Math.max(1, ((s.fault.rate * TICK_MS) / 1000) | 0));
        }
        return n;
    }

    #count(s, piece) {
        if (s.inHead) {
            s.tail = (s.tail + piece.toString('latin1')).slice(-4);
            s.inHead = s.tail !== '\r\n\r\n';
            if (!s.inHead) s.left = s.at;
        } else if (s.left > 0) {
            s.left -= piece.length;
        }
    }

    async #strike(s, bytes) {
        const { fault } = s;
        s.spent = true;
        if (!this.conn.proxy.strikes(fault)) return;
        if (fault.kind === 'cut') await this.conn.cut(fault.how);
        else if (fault.kind === 'stall') this.conn.freeze();
        else if (fault.kind === 'delay') await sleep(s.ms, null, { ref: false });
        else if (fault.kind === 'corrupt') bytes[0] ^= fault.mask;
        else if (fault.kind === 'drip') s.dripping = true;
    }

    async #pace(n) {
        const slow = this.armed.find((s) => s.dripping);
        if (slow) await sleep((n / slow.fault.rate) * 1000, null, { ref: false });
    }
}

/* The length of what still belongs to the head, when its end is in these bytes; else all. */
function headEnd(s, bytes) {
    const text = s.tail + bytes.toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    return end < 0 ? bytes.length : end + 4 - s.tail.length;
}

module.exports = { Lane };
