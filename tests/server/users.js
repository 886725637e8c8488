// SPDX-License-Identifier: Apache-2.0
//
// Passwords: the server admin from the command line, and users as documents of `_users`, whose
// passwords are replaced by a PBKDF2 key when they are written.
'use strict';
const crypto = require('crypto');

const ITERATIONS = 10;
const derive = (password, salt, iterations) =>
    crypto.pbkdf2Sync(password, salt, iterations, 32, 'sha256').toString('hex');

/** Hashes the password of a user document in place. */
function hashPassword(doc) {
    if (typeof doc.password !== 'string') return;
    const salt = crypto.randomBytes(16).toString('hex');
    Object.assign(doc, {
        password_scheme: 'pbkdf2',
        pbkdf2_prf: 'sha256',
        salt,
        iterations: ITERATIONS,
        derived_key: derive(doc.password, salt, ITERATIONS),
    });
    delete doc.password;
}

/** The user's context {name, roles}, or null when there is no such user. */
async function lookUp(store, admin, name) {
    if (admin && admin.name === name) return { name, roles: ['_admin'], salt: admin.password };
    if (!store.exists('_users')) return null;
    try {
        const doc = await store
            .get('_users')
            .use((level) => level.pouch.get(`org.couchdb.user:${name}`));
        return { name, roles: doc.roles || [], salt: doc.salt, doc };
    } catch (err) {
        return null;
    }
}

/** As lookUp, and the password must fit. */
async function checkPassword(store, admin, name, password) {
    const user = await lookUp(store, admin, name);
    if (!user) return null;
    if (!user.doc) return password === admin.password ? user : null;
    return derive(password, user.doc.salt, user.doc.iterations) === user.doc.derived_key
        ? user
        : null;
}

module.exports = { hashPassword, lookUp, checkPassword };
