/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client connection of the fault proxy and its connection to the target.
 *
 * Two lanes, one a direction. Requests are read for their ends only, so that a fault can be
 * meant for some of them; their bytes pass as they came. The target is connected to when the
 * first byte is to be passed on, so that a forced status needs no target.
 */
'use strict';

const net = require('node:net');
const { put, rst } = require('./sockets');
const { RequestReader } = require('./wire');
const { Lane } = require('./proxy_lane');

class ProxyConnection {
    constructor(proxy, client) {
        this.proxy = proxy;
        this.client = client;
        this.over = false;
        this.thaw = null;
        this.url = null; /* of the request that is being answered */
        this.reader = new RequestReader();
        this.up = new Lane(this, (bytes) => this.#toTarget(bytes));
        this.down = new Lane(this, (bytes) => put(client, bytes));
        client.on('error', () => this.close());
        client.on('close', () => this.close());
        this.arm();
        this.#readClient();
    }

    /* Arm both lanes anew: at the start, when the faults change, when a request begins. */
    arm(url = this.url) {
        this.url = url;
        const strikes = this.proxy.draw(url);
        this.up.arm(strikes.filter((s) => s.fault.side === 'request'));
        this.down.arm(strikes.filter((s) => s.fault.side !== 'request'));
    }

    /*
     * A stall from byte 0 on freezes a connection that is open already now, not at its next
     * byte.
     */
    async settleStalls() {
        if (this.down.armed.some((s) => s.fault.kind === 'stall')) await this.down.settle();
    }

    /* Faults without a match go on counting over the requests of a connection. */
    #beginRequest(url) {
        this.url = url;
        const strikes = this.proxy.draw(url, true);
        for (const lane of [this.up, this.down]) {
            const kept = lane.armed.filter((s) => !s.fault.match);
            const mine = strikes.filter(
                (s) => (s.fault.side === 'request') === (lane === this.up)
            );
            lane.arm([...kept, ...mine]);
        }
    }

    freeze() {
        if (this.thaw) return;
        this.frozen = new Promise((resolve) => (this.thaw = resolve));
    }

    unfreeze() {
        if (this.thaw) this.thaw();
        this.thaw = this.frozen = null;
    }

    thawed() {
        return this.frozen;
    }

    async #readClient() {
        try {
            for await (const chunk of this.client)
                for (const token of this.reader.feed(chunk))
                    if (!(await this.#token(token))) return;
            await this.up.push(this.reader.rest());
            await this.thawed();
            if (this.target) this.target.end();
            else this.client.end();
        } catch {
            this.close();
        }
    }

    async #token(token) {
        if (token.type === 'head') {
            this.forced = this.proxy.forced(token.req.url);
            this.proxy.stats.requests++;
            if (!this.forced) this.#beginRequest(token.req.url);
            else if (/100-continue/i.test(token.req.headers.expect || ''))
                await put(this.client, 'HTTP/1.1 100 Continue\r\n\r\n');
        }
        if (!this.forced) return this.up.push(Buffer.from(token.raw));
        if (token.type === 'end') await this.#answer(this.forced);
        return !this.over;
    }

    async #answer({ code, headers, body, close }) {
        await this.thawed();
        let head = `HTTP/1.1 ${code} Fault\r\n`;
        const all = { 'Content-Length': Buffer.byteLength(body), ...headers };
        for (const [name, value] of Object.entries(all)) head += `${name}: ${value}\r\n`;
        await put(this.client, `${head}\r\n${body}`);
        if (close) await this.cut('fin');
    }

    async #toTarget(bytes) {
        if (!this.target) this.#connect();
        await put(this.target, bytes);
        this.proxy.stats.bytesUp += bytes.length;
    }

    #connect() {
        this.target = net.connect({ ...this.proxy.target, allowHalfOpen: true });
        this.target.on('error', () => {
            this.proxy.stats.targetErrors++;
            this.#targetGone();
        });
        this.#readTarget();
    }

    async #targetGone() {
        await this.down.settle();
        await this.thawed();
        this.close();
    }

    async #readTarget() {
        try {
            for await (const chunk of this.target) {
                this.proxy.stats.bytesDown += chunk.length;
                if (!(await this.down.push(chunk))) return;
            }
            await this.down.settle();
            await this.thawed();
            this.client.end();
        } catch {
            this.#targetGone();
        }
    }

    /* End both sides: 'fin' after what was passed, or 'rst'. */
    async cut(how) {
        if (this.over) return;
        this.over = true;
        if (how === 'rst') {
            if (this.target) rst(this.target);
            rst(this.client);
        } else {
            if (this.target) this.target.destroy();
            await new Promise((resolve) => this.client.end(resolve));
        }
        this.close();
    }

    close() {
        this.over = true;
        this.unfreeze();
        if (this.target) this.target.destroy();
        this.client.destroy();
        this.proxy.open.delete(this);
    }
}

module.exports = { ProxyConnection };
