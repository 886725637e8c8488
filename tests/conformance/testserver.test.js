// SPDX-License-Identifier: Apache-2.0
//
// What only the test server has: its state across restarts and kills, its switches. Never run
// against a real server.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { TestServer, spawnServer, sleep, ADMIN } = require('../lib/couch');

async function withServer(args, work) {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-couch-'));
    const running = [];
    const start = async () => {
        const child = await spawnServer(dir, ['--port', '0', '--admin', ADMIN, ...args]);
        running.push(child);
        return Object.assign(new TestServer(child.url, ADMIN, false, child.stop), { child });
    };
    try {
        await work(start);
    } finally {
        for (const child of running)
            if (child.process.exitCode === null && !child.process.signalCode)
                await child.stop();
        fs.rmSync(dir, { recursive: true, force: true });
    }
}

for (const signal of ['SIGTERM', 'SIGKILL']) {
    test(`after ${signal} a restart shows the same databases, documents and seqs`, () =>
        withServer([], async (start) => {
            const one = await start();
            await one.put('/kept');
            await one.put('/gone');
            await one.delete('/gone');
            await one.put('/kept/a', { v: 1 });
            const info = (await one.get('/kept')).json;
            const { last_seq: seq } = (await one.get('/kept/_changes')).json;
            await one.child.stop(signal);
            const two = await start();
            assert.strictEqual((await two.get('/gone')).status, 404);
            assert.strictEqual(
                (await two.get('/kept')).json.instance_start_time,
                info.instance_start_time,
            );
            assert.strictEqual((await two.get('/kept/a')).json.v, 1);
            assert.deepStrictEqual(
                (await two.get(`/kept/_changes?since=${seq}`)).json.results,
                [],
            );
        }));
}

test("an expired cookie is nobody's", () =>
    withServer(['--cookie-timeout', '1'], async (start) => {
        const couch = await start();
        await couch.put('/db');
        const login = await couch.request('/_session', {
            method: 'POST',
            auth: '',
            body: { name: 'admin', password: 'secret' },
        });
        const headers = { Cookie: login.headers['set-cookie'][0].split(';')[0] };
        await sleep(2100);
        assert.strictEqual((await couch.request('/db', { auth: '', headers })).status, 401);
    }));

test('a document over the size limit is 413', () =>
    withServer(['--max-document-size', '1000'], async (start) => {
        const couch = await start();
        await couch.put('/db');
        const { status, json } = await couch.put('/db/big', { text: 'x'.repeat(1100) });
        assert.deepStrictEqual(
            [status, json],
            [413, { error: 'document_too_large', reason: 'big' }],
        );
    }));

test('more databases than may be open at once', () =>
    withServer(['--max-open', '3'], async (start) => {
        const couch = await start();
        for (let i = 0; i < 10; i++) {
            await couch.put(`/db${i}`);
            await couch.put(`/db${i}/a`, { i });
        }
        for (let i = 0; i < 10; i++)
            assert.strictEqual((await couch.get(`/db${i}/a`)).json.i, i);
    }));

test('without _global_changes there are no _db_updates', () =>
    withServer(['--no-system-databases'], async (start) => {
        const couch = await start();
        assert.strictEqual((await couch.get('/_db_updates')).status, 404);
    }));
