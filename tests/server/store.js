// SPDX-License-Identifier: Apache-2.0
//
// The databases of a server: creating, deleting, finding them, and keeping only the recently used
// ones open. A Database outlives its LevelDB handle; feeds wait on the Database and so cost nothing
// while it is idle. Every read or write happens inside `use`, which opens and pins the handle.
'use strict';
const fs = require('fs');
const { Registry } = require('./registry');
const { SeqCoder } = require('./seq');
const { openLevel } = require('./leveldb');
const { Reply, noDatabase } = require('./reply');
const { Counter } = require('./counter');

const LEGAL = /^[a-z][a-z0-9_$()+/-]*$/;
const SYSTEM = new Set(['_users', '_replicator', '_global_changes']);

class Database {
    constructor(store, entry) {
        this.store = store;
        this.entry = entry;
        this.name = entry.name;
        this.seqs = new SeqCoder(entry.uuid);
        this.folder = store.registry.folder(entry);
        this.waiters = new Set();
        this.counter = new Counter(this);
        this.pins = 0;
        this.opening = null;
        this.closing = Promise.resolve();
        this.deleted = false;
        this.updateSeq = fs.existsSync(this.folder) ? -1 : 0;
        this.docCount = 0;
        this.validators = null;
    }

    /** Runs `work` with the open Level; the handle stays open until it is done. */
    async use(work) {
        if (this.deleted) throw noDatabase();
        this.pins++;
        try {
            if (!this.opening) this.opening = this.closing.then(() => openLevel(this.folder));
            const level = await this.opening;
            this.store.touch(this);
            if (this.updateSeq < 0) await this.refresh(level);
            return await work(level);
        } finally {
            this.pins--;
        }
    }

    async refresh(level) {
        const info = await level.pouch.info();
        this.updateSeq = info.update_seq;
        this.docCount = info.doc_count;
    }

    /** Where the store stands, without opening a database that nobody ever wrote to. */
    async position() {
        if (this.updateSeq < 0) await this.use(() => undefined);
        return this.updateSeq;
    }

    async empty() {
        return (await this.position()) === 0;
    }

    /** Hands documents to PouchDB and wakes the feeds. */
    write(docs, newEdits) {
        return this.use(async (level) => {
            const results = await level.write(docs, newEdits);
            const before = this.updateSeq;
            await this.refresh(level);
            if (this.updateSeq !== before) {
                if (docs.some((doc) => String(doc._id).startsWith('_design/')))
                    this.validators = null;
                this.wake();
                this.store.events.record('updated', this.name);
            }
            return results;
        });
    }

    wake() {
        const waiters = this.waiters;
        this.waiters = new Set();
        for (const resolve of waiters) resolve();
    }

    /** Resolves at the next write or deletion, or after `ms`, or when the client goes away. */
    wait(ms, res) {
        return new Promise((resolve) => {
            const done = () => {
                clearTimeout(timer);
                this.waiters.delete(done);
                res.removeListener('close', done);
                resolve();
            };
            const timer = ms === Infinity ? undefined : setTimeout(done, ms);
            res.on('close', done);
            this.waiters.add(done);
        });
    }

    /** LevelDB locks its folder, so whoever opens the database next waits for `closing`. */
    close() {
        if (this.opening) this.closing = this.opening.then((level) => level.close());
        this.opening = null;
        return this.closing;
    }
}

class Store {
    constructor(dir, maxOpen) {
        this.registry = new Registry(dir);
        this.databases = new Map();
        this.open = new Map();
        this.maxOpen = maxOpen;
        this.cleaning = new Set();
        this.events = { record() {} };
    }

    exists(name) {
        return this.registry.get(name) !== undefined;
    }

    /** The database, or 404 as CouchDB says it. */
    get(name) {
        let database = this.databases.get(name);
        if (database) return database;
        const entry = this.registry.get(name);
        if (!entry) throw noDatabase();
        database = new Database(this, entry);
        this.databases.set(name, database);
        return database;
    }

    checkName(name) {
        if (SYSTEM.has(name) || LEGAL.test(name)) return;
        throw new Reply(
            400,
            'illegal_database_name',
            `Name: '${name}'. Only lowercase characters (a-z), digits (0-9), ` +
                'and any of the characters _, $, (, ), +, -, and / are allowed. Must begin with a letter.',
        );
    }

    create(name) {
        this.checkName(name);
        if (this.exists(name)) {
            throw new Reply(
                412,
                'file_exists',
                'The database could not be created, the file already exists.',
            );
        }
        this.registry.create(name);
        this.events.record('created', name);
    }

    remove(name) {
        const database = this.get(name);
        this.registry.remove(name);
        this.databases.delete(name);
        this.open.delete(database);
        database.deleted = true;
        database.wake();
        this.events.record('deleted', name);
        this.cleaning.add(database);
        this.cleanUp(database).finally(() => this.cleaning.delete(database));
    }

    /** Readers in mid-page finish on the old handle; the folder goes after them. */
    async cleanUp(database) {
        while (database.pins > 0) await new Promise((resolve) => setTimeout(resolve, 5));
        await database.close();
        await fs.promises.rm(database.folder, { recursive: true, force: true });
    }

    /** Marks as recently used; closes the longest unused handle when there are too many. */
    touch(database) {
        if (database.deleted) return;
        this.open.delete(database);
        this.open.set(database, true);
        if (this.open.size <= this.maxOpen) return;
        for (const old of this.open.keys()) {
            if (old.pins > 0) continue;
            this.open.delete(old);
            old.close();
            return;
        }
    }

    async close() {
        for (const database of this.databases.values()) await database.close();
        this.registry.close();
    }
}

module.exports = { Store, SYSTEM };
