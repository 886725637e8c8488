// SPDX-License-Identifier: Apache-2.0
//
// Which databases exist: name, incarnation, security object. State is a log of JSON lines in the
// server's folder, rewritten at start, appended to with one write call a change; a torn last line
// (kill -9 in mid-write) is dropped. A database that nobody wrote to has no folder yet, so that ten
// thousand empty ones cost a line each.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

class Registry {
    constructor(dir) {
        this.dir = dir;
        this.file = path.join(dir, 'registry.ndjson');
        this.entries = new Map();
        this.sorted = null;
        fs.mkdirSync(path.join(dir, 'db'), { recursive: true });
        this.load();
        this.removeStrayFolders();
    }

    load() {
        const text = fs.existsSync(this.file) ? fs.readFileSync(this.file, 'utf8') : '';
        for (const line of text.split('\n')) {
            let record;
            try {
                record = JSON.parse(line);
            } catch (e) {
                continue;
            }
            if (record.secret) this.secret = record.secret;
            else if (record.deleted) this.entries.delete(record.name);
            else this.entries.set(record.name, record);
        }
        if (!this.secret) this.secret = crypto.randomBytes(24).toString('hex');
        const lines = [{ secret: this.secret }, ...this.entries.values()];
        fs.writeFileSync(
            `${this.file}.new`,
            lines.map((l) => `${JSON.stringify(l)}\n`).join(''),
        );
        fs.renameSync(`${this.file}.new`, this.file);
        this.log = fs.openSync(this.file, 'a');
    }

    removeStrayFolders() {
        const known = new Set([...this.entries.values()].map((e) => e.uuid));
        for (const name of fs.readdirSync(path.join(this.dir, 'db'))) {
            if (!known.has(name))
                fs.rmSync(path.join(this.dir, 'db', name), { recursive: true, force: true });
        }
    }

    append(record) {
        fs.writeSync(this.log, `${JSON.stringify(record)}\n`);
    }

    get(name) {
        return this.entries.get(name);
    }

    create(name) {
        const entry = {
            name,
            uuid: crypto.randomBytes(16).toString('hex'),
            created: Math.floor(Date.now() / 1000),
            security: null,
        };
        this.append(entry);
        this.entries.set(name, entry);
        this.sorted = null;
        return entry;
    }

    remove(name) {
        this.append({ name, deleted: true });
        this.entries.delete(name);
        this.sorted = null;
    }

    setSecurity(entry, security) {
        entry.security = security;
        this.append(entry);
    }

    names() {
        if (!this.sorted) this.sorted = [...this.entries.keys()].sort();
        return this.sorted;
    }

    folder(entry) {
        return path.join(this.dir, 'db', entry.uuid);
    }

    close() {
        fs.closeSync(this.log);
    }
}

module.exports = { Registry };
