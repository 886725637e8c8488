/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of one database, "bench", or of several alike, whose answers are prepared: it sends them as fast as the
 * socket takes them, so that what is measured is the client. It answers what a follower asks
 * (/, /_all_dbs, the database, _changes by GET or POST) and nothing else.
 */
'use strict';

const http = require('node:http');
const { makeRow, makeSeq } = require('./rows');

const DB = 'bench';

class FeedServer {
    constructor(rows, names) {
        this.rows = rows;
        this.names = names;
        this.pages = new Map(); /* by since, limit, interval; made at the first question */
        this.server = http.createServer((req, res) => {
            req.resume();
            this.#answer(new URL(req.url, 'http://bench'), res);
        });
        this.server.keepAliveTimeout = 60000;
    }

    listen() {
        return new Promise((resolve) =>
            this.server.listen(0, '127.0.0.1', () => {
                this.url = `http://127.0.0.1:${this.server.address().port}`;
                resolve(this);
            }),
        );
    }

    #page(since, limit, interval) {
        const key = `${since} ${limit} ${interval}`;
        if (!this.pages.has(key)) {
            const end = Math.min(since + limit, this.rows);
            const rows = [];
            for (let i = since + 1; i <= end; i++)
                rows.push(makeRow(i, i % interval === 0 || i === end));
            this.pages.set(
                key,
                Buffer.from(
                    `{"results":[\n${rows.join(',\n')}\n],\n` +
                        `"last_seq":"${makeSeq(end)}","pending":${this.rows - end}}\n`,
                ),
            );
        }
        return this.pages.get(key);
    }

    #changes(query) {
        return this.#page(
            parseInt(query.get('since') || '0', 10) || 0,
            parseInt(query.get('limit') || `${this.rows}`, 10),
            parseInt(query.get('seq_interval') || '1', 10),
        );
    }

    #answer({ pathname, searchParams }, res) {
        const [, db, what] = /^\/([^/]*)\/?(.*)$/.exec(pathname);
        const known = this.names.includes(db)
            ? {
                  '': () =>
                      `{"db_name":"${db}","instance_start_time":"1700000000",` +
                      `"doc_count":${this.rows},"update_seq":"${makeSeq(this.rows)}"}\n`,
                  _changes: () => this.#changes(searchParams),
              }[what]
            : {
                  '': () => '{"couchdb":"Welcome","version":"3.5.0"}\n',
                  _all_dbs: () => `${JSON.stringify(this.names)}\n`,
              }[db];
        const body = known ? known() : '{"error":"not_found","reason":"missing"}\n';
        res.writeHead(known ? 200 : 404, {
            'Content-Type': 'application/json',
            'Content-Length': Buffer.byteLength(body),
        });
        res.end(body);
    }

    close() {
        this.server.closeAllConnections?.();
        return new Promise((resolve) => this.server.close(resolve));
    }
}

const startFeedServer = (rows, names = [DB]) => new FeedServer(rows, names).listen();

module.exports = { startFeedServer, DB };
