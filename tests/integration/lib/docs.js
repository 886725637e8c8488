/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Databases and documents of integration tests.
 *
 * `dbOf(where)` is the name behind what server.makeDb() gives.
 */
'use strict';

const crypto = require('node:crypto');
const { uniqueDb, waitFor } = require('../../lib/couch');

const dbOf = (where) => decodeURIComponent(where.slice(1));

/* Names in the order in which they were written. */
function names(count, prefix = 'doc', from = 1) {
    return Array.from(
        { length: count },
        (_, i) => `${prefix}-${String(from + i).padStart(6, '0')}`,
    );
}

/* Writes documents with these ids, a thousand a request; `make(id)` gives the other fields. */
async function fill(couch, where, ids, make = () => ({})) {
    for (let at = 0; at < ids.length; at += 1000) {
        const docs = ids.slice(at, at + 1000).map((_id) => ({ _id, ...make(_id) }));
        const answer = await couch.post(`${where}/_bulk_docs`, { docs });
        if (answer.status !== 201 || answer.json.some((row) => row.error))
            throw new Error(`documents cannot be written: ${answer.text.slice(0, 300)}`);
    }
}

/* A new database with documents; resolves to {where, db, ids}. */
async function makeFilled(couch, count, { name, make, prefix } = {}) {
    const where = await couch.makeDb(name || uniqueDb());
    const ids = names(count, prefix);
    await fill(couch, where, ids, make);
    return { where, db: dbOf(where), ids };
}

/* Writes them once more: a second revision has a history. */
async function revise(couch, where, ids) {
    const { rows } = (
        await couch.post(`${where}/_all_docs?include_docs=true`, { keys: ids })
    ).json;
    const docs = rows.map(({ doc }) => doc);
    const answer = await couch.post(`${where}/_bulk_docs`, { docs });
    if (answer.status !== 201) throw new Error(answer.text);
}

async function put(couch, where, id, doc = {}) {
    const answer = await couch.put(`${where}/${id}`, doc);
    if (answer.status !== 201) throw new Error(`${where}/${id}: ${answer.text}`);
    return answer.json.rev;
}

async function remove(couch, where, id) {
    const { _rev } = (await couch.get(`${where}/${id}`)).json;
    const answer = await couch.delete(`${where}/${id}?rev=${_rev}`);
    if (answer.status !== 200) throw new Error(`${where}/${id}: ${answer.text}`);
    return answer.json.rev;
}

/* Writes leaf revisions, as a replicator does. */
async function putLeaves(couch, where, docs) {
    const answer = await couch.post(`${where}/_bulk_docs`, { docs, new_edits: false });
    if (answer.status !== 201) throw new Error(answer.text);
}

/* A document with an attachment of so many bytes that no server compresses, called as a picture
 * is; the attachment's digest. */
async function putLarge(couch, where, id, name, size) {
    const bytes = crypto.randomBytes(size);
    const rev = await put(couch, where, id, { what: name });
    const answer = await couch.request(`${where}/${id}/${name}?rev=${rev}`, {
        method: 'PUT',
        body: bytes,
        headers: { 'Content-Type': 'image/jpeg' },
    });
    if (answer.status !== 201) throw new Error(answer.text);
    return crypto.createHash('md5').update(bytes).digest('base64');
}

/* The same of whatever is at a path, which never lies in memory whole. */
async function digestOf(couch, at) {
    const hash = crypto.createHash('md5');
    for await (const piece of await couch.open(at)) hash.update(piece);
    return hash.digest('base64');
}

/*
 * Deletes a database and makes it again with documents. A server tells incarnations apart by the
 * second they were made in, so that second has to be over first.
 */
async function replaceDb(couch, where, ids) {
    const { instance_start_time: old } = (await couch.get(where)).json;
    const isNew = () => Math.floor(Date.now() / 1000) > Number(old);
    await waitFor(() => Number(old) > 1e11 || Number(old) === 0 || isNew(), 'the next second');
    await couch.delete(where);
    await waitFor(async () => (await couch.put(where)).status === 201, 'the new database');
    await fill(couch, where, ids);
}

module.exports = {
    dbOf,
    names,
    fill,
    makeFilled,
    revise,
    put,
    remove,
    putLeaves,
    putLarge,
    digestOf,
    replaceDb,
};
