/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stats.js compares with: a server that is told of one change a request and keeps count, sum
 * and quantiles of it by one field, as an API behind a webhook would, knowing what each document
 * added before.
 *
 *     node stats.js [DIR]
 *
 * Without DIR it keeps all in memory, and loses it with its life. With it a request is answered
 * when what its document adds is on the disk (LevelDB, synced); what comes in while one write is
 * under way goes into the next, so that requests that are in flight together share an fsync.
 * Nothing is read but at a start, which makes the figures of what the documents add: they need
 * no writing. Prints its port; GET / answers the figures, and its CPU time.
 */
'use strict';

const http = require('node:http');

const GAMMA = Math.log(1.0157); /* bins as wide as the plugin's */

const documents = new Map(); /* id -> [rev, country, amount] */
const groups = new Map();

function move([, country, amount], step) {
    let group = groups.get(country);
    if (!group) groups.set(country, (group = { count: 0, sum: 0, bins: new Map() }));
    const bin = Math.ceil(Math.log(amount) / GAMMA);
    group.count += step;
    group.sum += step * amount;
    group.bins.set(bin, (group.bins.get(bin) || 0) + step);
}

function take(id, added) {
    const before = documents.get(id);
    if (before && before[0] === added[0]) return;
    if (before) move(before, -1);
    documents.set(id, added);
    move(added, 1);
}

/* A write that fails ends the process, whose memory is ahead of the disk then. */
class Disk {
    waiting = [];
    writes = false;

    async open(dir) {
        this.db = require('leveldown')(dir);
        await new Promise((resolve, reject) =>
            this.db.open((err) => (err ? reject(err) : resolve())),
        );
        const rows = this.db.iterator({ keyAsBuffer: false, valueAsBuffer: false });
        await new Promise((resolve, reject) => {
            const next = (err, id, added) => {
                if (err) return reject(err);
                if (id === undefined) return rows.end(resolve);
                take(id, JSON.parse(added));
                rows.next(next);
            };
            rows.next(next);
        });
    }

    put(key, value, done) {
        this.waiting.push({ type: 'put', key, value, done });
        if (!this.writes) this.#write();
    }

    #write() {
        const now = this.waiting;
        this.waiting = [];
        this.writes = true;
        this.db.batch(now, { sync: true }, (err) => {
            if (err) throw err;
            this.writes = false;
            for (const { done } of now) done();
            if (this.waiting.length > 0 && !this.writes) this.#write();
        });
    }
}

function told() {
    const figures = {};
    for (const [country, { count, sum }] of groups) figures[country] = { count, sum };
    const { user, system } = process.cpuUsage();
    return JSON.stringify({ figures, cpu: (user + system) / 1e6 });
}

/* One that comes again is written again too: it may not be on the disk yet. */
function change(body, disk, response) {
    const { _id, _rev, country, amount } = JSON.parse(body).change;
    const added = [_rev, country, amount];
    take(_id, added);
    if (disk) disk.put(_id, JSON.stringify(added), () => response.end('ok'));
    else response.end('ok');
}

async function main([dir]) {
    const disk = dir && new Disk();
    if (disk) await disk.open(dir);
    const server = http.createServer((request, response) => {
        if (request.method === 'GET') return response.end(told());
        const chunks = [];
        request.on('data', (chunk) => chunks.push(chunk));
        request.on('end', () => change(Buffer.concat(chunks), disk, response));
    });
    server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

main(process.argv.slice(2));
