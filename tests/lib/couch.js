// SPDX-License-Identifier: Apache-2.0
//
// What tests need of a CouchDB: a server to talk to, a small client, databases with names of their
// own. `startTestServer` starts the test server on a temporary folder, unless
// TAILRACE_TEST_COUCHDB=http://admin:secret@host:port names a real one, which is then used and left
// as it was found: databases made with `server.makeDb()` are deleted by `server.close()`.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const https = require('https');
const os = require('os');
const path = require('path');
const { spawn } = require('child_process');

const MAIN = path.join(__dirname, '..', 'server', 'main.js');
const STOP_MS = 10000;
const ADMIN = 'admin:secret';

/** Opens a request; resolves to the response stream. Options: method, headers, body, auth ("u:p"). */
function open(url, options = {}) {
    const target = new URL(url);
    const headers = { ...options.headers };
    let body = options.body;
    if (body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body))
        body = JSON.stringify(body);
    if (body !== undefined) {
        headers['Content-Length'] = Buffer.byteLength(body);
        if (!Object.keys(headers).some((n) => n.toLowerCase() === 'content-type'))
            headers['Content-Type'] = 'application/json';
    }
    const credentials =
        options.auth !== undefined
            ? options.auth
            : target.username
              ? `${decodeURIComponent(target.username)}:${decodeURIComponent(target.password)}`
              : '';
    if (credentials)
        headers.Authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
    const client = target.protocol === 'https:' ? https : http;
    return new Promise((resolve, reject) => {
        const request = client.request(
            {
                protocol: target.protocol,
                hostname: target.hostname,
                port: target.port,
                path: target.pathname + target.search,
                method: options.method || 'GET',
                headers,
                agent: options.agent === undefined ? false : options.agent,
                rejectUnauthorized: false,
            },
            resolve,
        );
        request.on('error', reject);
        request.end(body);
    });
}

/** A whole answer: {status, headers, text, bytes, json}; json is undefined when the body is none. */
async function request(url, options) {
    const response = await open(url, options);
    const chunks = [];
    for await (const chunk of response) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const text = bytes.toString();
    let json;
    try {
        json = JSON.parse(text);
    } catch (err) {
        json = undefined;
    }
    return { status: response.statusCode, headers: response.headers, bytes, text, json };
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks until the answer is truthy; fails with `what` after `ms`. */
async function waitFor(check, what = 'a condition', ms = 60000) {
    const end = Date.now() + ms;
    for (;;) {
        const value = await check();
        if (value) return value;
        if (Date.now() > end) throw new Error(`waited ${ms} ms in vain for ${what}`);
        await sleep(25);
    }
}

const uniqueDb = (prefix = 'tailrace') =>
    `${prefix}_${Date.now().toString(36)}_${crypto.randomBytes(4).toString('hex')}`;

/** Starts the test server as a process; resolves to {url, process, stop(signal)}. */
function spawnServer(dir, args = []) {
    const child = spawn(process.execPath, [MAIN, '--dir', dir, ...args], {
        stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    /* One that does not come to its end must not keep a whole suite waiting. */
    const stop = async (signal = 'SIGTERM') => {
        child.kill(signal);
        const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
        await exited;
        clearTimeout(timer);
    };
    return new Promise((resolve, reject) => {
        let text = '';
        exited.then((code) =>
            reject(new Error(`the test server ended with ${code} before it listened`)),
        );
        child.stdout.on('data', (chunk) => {
            text += chunk;
            const match = /listening on (\S+)/.exec(text);
            if (match) resolve({ url: match[1], process: child, stop });
        });
    });
}

/** What tests hold: the address, the client bound to it, and the databases to clean up. */
class TestServer {
    constructor(url, auth, isReal, stop) {
        Object.assign(this, { url, auth, isReal, stop });
        this.made = [];
        this.authUrl = url.replace('://', `://${auth}@`);
    }

    open(where, options) {
        return open(this.url + where, { auth: this.auth, ...options });
    }

    request(where, options) {
        return request(this.url + where, { auth: this.auth, ...options });
    }

    get(where, headers) {
        return this.request(where, { headers });
    }

    put(where, body, headers) {
        return this.request(where, { method: 'PUT', body, headers });
    }

    post(where, body, headers) {
        return this.request(where, { method: 'POST', body, headers });
    }

    delete(where) {
        return this.request(where, { method: 'DELETE' });
    }

    /** A new database; resolves to its path, "/name". */
    async makeDb(name = uniqueDb()) {
        const where = `/${encodeURIComponent(name)}`;
        const answer = await this.put(where);
        if (answer.status !== 201 && answer.status !== 202)
            throw new Error(`could not create ${name}: ${answer.text}`);
        this.made.push(where);
        return where;
    }

    /** Deletes one that makeDb made, before the end. */
    async removeDb(where) {
        await this.delete(where);
        this.made = this.made.filter((other) => other !== where);
    }

    /** Deletes what makeDb made and stops the server if it was started here. */
    async close() {
        for (const where of this.made) await this.delete(where);
        if (this.stop) await this.stop();
    }
}

/** `options.args`: more arguments for main.js; `options.dir`: a folder to keep. */
async function startTestServer(options = {}) {
    const real = process.env.TAILRACE_TEST_COUCHDB;
    if (real) {
        const { protocol, host, username, password } = new URL(real);
        return new TestServer(`${protocol}//${host}`, `${username}:${password}`, true, null);
    }
    const dir = options.dir || fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-couch-'));
    const server = await spawnServer(dir, [
        '--port',
        '0',
        '--admin',
        ADMIN,
        ...(options.args || []),
    ]);
    return new TestServer(server.url, ADMIN, false, async () => {
        await server.stop();
        if (!options.dir) fs.rmSync(dir, { recursive: true, force: true });
    });
}

module.exports = {
    open,
    request,
    sleep,
    waitFor,
    uniqueDb,
    spawnServer,
    startTestServer,
    TestServer,
    ADMIN,
};
