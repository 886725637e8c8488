// SPDX-License-Identifier: Apache-2.0
//
// Who asks, and whether they may: basic authentication, session cookies, security objects. Without
// an admin everybody is one.
'use strict';
const crypto = require('crypto');
const { Reply, badRequest, notAllowed, sendJson } = require('./reply');
const { lookUp, checkPassword } = require('./users');

const NOBODY = { name: null, roles: [] };
const DEFAULT_SECURITY = { members: { roles: ['_admin'] }, admins: { roles: ['_admin'] } };
const wrongPassword = () => new Reply(401, 'unauthorized', 'Name or password is incorrect.');

function sign(secret, name, time, salt) {
    return crypto
        .createHmac('sha256', secret + salt)
        .update(`${name}:${time}`)
        .digest();
}

function makeCookie(server, user) {
    const time = Math.floor(Date.now() / 1000)
        .toString(16)
        .toUpperCase();
    const body = Buffer.concat([
        Buffer.from(`${user.name}:${time}:`),
        sign(server.secret, user.name, time, user.salt),
    ]);
    const date = new Date(Date.now() + server.cookieTimeout * 1000).toUTCString();
    const expires = date.replace(/(\d\d) (\w{3}) (\d{4})/, '$1-$2-$3');
    return (
        `AuthSession=${body.toString('base64url')}; Version=1; Expires=${expires}; ` +
        `Max-Age=${server.cookieTimeout}; Path=/; HttpOnly`
    );
}

/** The user of a session cookie; nobody when it has expired. */
async function fromCookie(ctx, cookie) {
    const body = Buffer.from(cookie, 'base64url');
    const first = body.indexOf(58);
    const second = body.indexOf(58, first + 1);
    if (first < 1 || second < 0) {
        throw badRequest('Malformed AuthSession cookie. Please clear your cookies.');
    }
    const [name, time] = [
        body.slice(0, first).toString(),
        body.slice(first + 1, second).toString(),
    ];
    const user = await lookUp(ctx.store, ctx.server.admin, name);
    if (!user || !sign(ctx.server.secret, name, time, user.salt).equals(body.slice(second + 1)))
        return NOBODY;
    const age = Date.now() / 1000 - parseInt(time, 16);
    if (age >= ctx.server.cookieTimeout) return NOBODY;
    if (age > ctx.server.cookieTimeout * 0.1)
        ctx.res.setHeader('Set-Cookie', makeCookie(ctx.server, user));
    return { name, roles: user.roles, by: 'cookie' };
}

/** Finds the user of a request: {name, roles, by}. */
async function authenticate(ctx) {
    if (!ctx.server.admin) return { name: null, roles: ['_admin'] };
    const header = ctx.req.headers.authorization || '';
    if (header.startsWith('Basic ')) {
        const text = Buffer.from(header.slice(6), 'base64').toString();
        const colon = text.indexOf(':');
        const user = await checkPassword(
            ctx.store,
            ctx.server.admin,
            text.slice(0, colon),
            text.slice(colon + 1),
        );
        if (!user) throw wrongPassword();
        return { name: user.name, roles: user.roles, by: 'default' };
    }
    const cookie = /(?:^|;\s*)AuthSession=([^;]*)/.exec(ctx.req.headers.cookie || '');
    return cookie && cookie[1] ? fromCookie(ctx, cookie[1].replace(/"/g, '')) : NOBODY;
}

const isAdmin = (user) => user.roles.includes('_admin');

function requireAdmin(user) {
    if (!isAdmin(user)) throw new Reply(401, 'unauthorized', 'You are not a server admin.');
}

function listed(user, group) {
    const { names = [], roles = [] } = group || {};
    return names.includes(user.name) || roles.some((role) => user.roles.includes(role));
}

const securityOf = (database) => database.entry.security || DEFAULT_SECURITY;

/** Members only, where members are named. */
function requireMember(user, database) {
    const { members = {}, admins = {} } = securityOf(database);
    const open = !(members.names || []).length && !(members.roles || []).length;
    if (isAdmin(user) || open || listed(user, members) || listed(user, admins)) return;
    if (user.name === null)
        throw new Reply(401, 'unauthorized', 'You are not authorized to access this db.');
    throw new Reply(403, 'forbidden', 'You are not allowed to access this db.');
}

function requireDbAdmin(user, database) {
    if (isAdmin(user) || listed(user, securityOf(database).admins)) return;
    throw new Reply(
        user.name === null ? 401 : 403,
        user.name === null ? 'unauthorized' : 'forbidden',
        'You are not a db or server admin.',
    );
}

/** /_session: log in, say who is there, log out. */
async function session(ctx) {
    if (ctx.method === 'POST') {
        const text = (await ctx.body()).toString();
        const json = /json/.test(ctx.req.headers['content-type'] || '');
        const form = json ? JSON.parse(text) : Object.fromEntries(new URLSearchParams(text));
        if (!form.name && !form.username)
            throw badRequest('request body must contain a username');
        const user = ctx.server.admin
            ? await checkPassword(
                  ctx.store,
                  ctx.server.admin,
                  form.name || form.username,
                  form.password,
              )
            : null;
        if (!user) throw wrongPassword();
        return sendJson(
            ctx.res,
            200,
            { ok: true, name: user.name, roles: user.roles },
            { 'Set-Cookie': makeCookie(ctx.server, user) },
        );
    }
    if (ctx.method === 'DELETE') {
        return sendJson(
            ctx.res,
            200,
            { ok: true },
            { 'Set-Cookie': 'AuthSession=; Version=1; Path=/; HttpOnly' },
        );
    }
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') throw notAllowed('GET,HEAD,POST,DELETE');
    const info = { authentication_handlers: ['cookie', 'default'] };
    if (ctx.user.by) info.authenticated = ctx.user.by;
    return sendJson(ctx.res, 200, {
        ok: true,
        userCtx: { name: ctx.user.name, roles: ctx.user.roles },
        info,
    });
}

module.exports = {
    authenticate,
    session,
    requireAdmin,
    requireMember,
    requireDbAdmin,
    securityOf,
};
