/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stats.js compares with: a server that is told of one change a request and keeps count, sum
 * and quantiles of it by one field, in memory, as an API behind a webhook would, knowing what each
 * document added before. Prints its port; GET / answers what it has, and its CPU time.
 */
'use strict';

const http = require('node:http');

const GAMMA = Math.log(1.0157); /* bins as wide as the plugin's */

const documents = new Map();
const groups = new Map();

function move({ country, amount }, step) {
    let group = groups.get(country);
    if (!group) groups.set(country, (group = { count: 0, sum: 0, bins: new Map() }));
    const bin = Math.ceil(Math.log(amount) / GAMMA);
    group.count += step;
    group.sum += step * amount;
    group.bins.set(bin, (group.bins.get(bin) || 0) + step);
}

function take({ _id, _rev, country, amount }) {
    const before = documents.get(_id);
    if (before && before._rev === _rev) return;
    if (before) move(before, -1);
    documents.set(_id, { _rev, country, amount });
    move({ country, amount }, 1);
}

function told() {
    const figures = {};
    for (const [country, { count, sum }] of groups) figures[country] = { count, sum };
    const { user, system } = process.cpuUsage();
    return JSON.stringify({ figures, cpu: (user + system) / 1e6 });
}

const server = http.createServer((request, response) => {
    if (request.method === 'GET') return response.end(told());
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
        take(JSON.parse(Buffer.concat(chunks)).change);
        response.end('ok');
    });
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
