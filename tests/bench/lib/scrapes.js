/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tailrace that is scraped while it runs, and where its CPU time goes meanwhile: to the thread of
 * the admin endpoint by the kernel's count (schedstat, nanoseconds), and to the gathering of the
 * figures by its own.
 */
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const bench = require('./bench');
const { sleep } = require('../../lib/couch');

/* As libmicrohttpd calls its thread. */
const ENDPOINT = /^MHD/;

/* Empty where no daemon answers, as at its start and its end. */
function get(socketPath, path) {
    return new Promise((resolve) => {
        const request = http.get({ socketPath, path }, (answer) => {
            const pieces = [];
            answer.on('data', (piece) => pieces.push(piece));
            answer.on('end', () =>
                resolve(answer.statusCode === 200 ? Buffer.concat(pieces).toString() : ''),
            );
        });
        request.on('error', () => resolve(''));
    });
}

const sample = (text, name) => Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)[1]);

/* Milliseconds of CPU time: {endpoint, all}; null when the process has ended meanwhile. */
function threads(pid) {
    const sum = { endpoint: 0, all: 0 };
    try {
        for (const id of fs.readdirSync(`/proc/${pid}/task`)) {
            const read = (name) => fs.readFileSync(`/proc/${pid}/task/${id}/${name}`, 'utf8');
            const ms = parseInt(read('schedstat'), 10) / 1e6;
            sum.all += ms;
            if (ENDPOINT.test(read('comm'))) sum.endpoint += ms;
        }
    } catch (err) {
        if (err.code !== 'ENOENT' && err.code !== 'ESRCH') throw err;
        return null;
    }
    return sum;
}

class Scrapes {
    constructor(socket, lock, everyMs) {
        this.count = 0;
        this.bytes = 0;
        this.gathered = []; /* ms of each text */
        this.going = true;
        this.done = this.#go(socket, lock, everyMs);
    }

    async #go(socket, lock, everyMs) {
        let before = { times: 0, seconds: 0 };
        for (; this.going; await sleep(everyMs)) {
            const text = await get(socket, '/metrics');
            const spent = text && threads(Number(fs.readFileSync(lock, 'utf8')));
            if (!spent) continue;
            const now = {
                times: sample(text, 'tailrace_metrics_gathered_total'),
                seconds: sample(text, 'tailrace_metrics_gather_seconds_total'),
            };
            this.count++;
            this.bytes = text.length;
            this.spent = spent;
            if (now.times > before.times)
                this.gathered.push(
                    (1000 * (now.seconds - before.seconds)) / (now.times - before.times),
                );
            before = now;
        }
    }

    async stop() {
        this.going = false;
        await this.done;
    }
}

/*
 * Runs a configuration to the end, its endpoint asked every so many milliseconds: as
 * bench.runTailrace(), with {scrapes: {count, bytes, gathered: [ms], spent: {endpoint, all}}}.
 * `socket` is what its admin.listen says.
 */
async function runScraped(conf, socket, everyMs) {
    const scrapes = new Scrapes(socket, bench.lockOf(conf), everyMs);
    try {
        return { ...(await bench.runTailrace(conf)), scrapes };
    } finally {
        await scrapes.stop();
    }
}

module.exports = { runScraped };
