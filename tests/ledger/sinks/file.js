/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file-sink: whole rows, a line each. Read when no daemon writes: between two lives, or at
 * rest. A half line that a crash left is not looked at, since file-sink cuts it off before it
 * goes on; whatever is half behind that is spurious.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { toFile } = require('../../integration/lib/sink');
const { Rows } = require('./rows');

const LIMITS = { concurrency: 1, batch: 20, commitRows: 30 };
const LF = 10;

class File {
    constructor(stage) {
        this.stage = stage;
        this.book = new Rows(stage, { rule: 'file', limits: LIMITS });
        this.books = [this.book];
        this.findings = [];
        this.read = new Map(); /* db -> the offset behind the last whole line */
    }

    async open() {
        this.root = path.join(this.stage.site.dir, 'rows');
        fs.mkdirSync(this.root);
    }

    close() {}

    rules(databases) {
        return {
            file: toFile(path.join(this.root, '${db_name}.ndjson'), databases, {
                batch: { size: LIMITS.batch },
                retry: { min: '5ms', max: '200ms' },
                commit: { interval: '2s', rows: LIMITS.commitRows },
            }),
        };
    }

    /* The daemon is dead, or at rest. */
    between() {
        for (const db of this.stage.dbs) this.#read(db);
    }

    #read(db) {
        const file = path.join(this.root, `${db}.ndjson`);
        if (!fs.existsSync(file)) return;
        const from = this.read.get(db) || 0;
        const fd = fs.openSync(file, 'r');
        const bytes = Buffer.alloc(Math.max(0, fs.fstatSync(fd).size - from));
        fs.readSync(fd, bytes, 0, bytes.length, from);
        fs.closeSync(fd);
        let begin = 0;
        for (let end; (end = bytes.indexOf(LF, begin)) >= 0; begin = end + 1)
            this.#take(db, bytes.toString('utf8', begin, end));
        this.read.set(db, from + begin);
    }

    #take(db, line) {
        let row;
        try {
            row = JSON.parse(line);
        } catch {
            this.findings.push({
                kind: 'spurious',
                sink: 'file',
                what: `${db}: no row: ${line.slice(0, 200)}`,
            });
            return;
        }
        this.book.take({ db, id: row.id, doc: row.doc });
    }

    async missing(truth, letters) {
        this.between();
        return this.book
            .missing(truth, letters)
            .map((what) => ({ kind: 'missing', sink: 'file', what }));
    }
}

module.exports = { File };
