/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 34: secrets. A file of them that others may read is refused; and a canary never shows
 * in logs, in what the commands print, in /proc or in dead letters.
 */
'use strict';

const test = require('./lib/fault')(34);
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startScripted, on } = require('./lib/scripted');
const { startProxy } = require('./lib/proxy');
const { plan } = require('./lib/stage');
const { tempDir } = require('../lib/tailrace');
const answers = require('./lib/answers');
const faults = require('./lib/faults');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const CANARIES = {
    source: 'canary-Source "pass\\word" ß%/:@?',
    hook: 'canary-Hook-7b3f',
    hmac: 'canary-hmac-key-11aa',
    header: 'canary-bearer-22bb',
    session: 'canarySession33cc',
    environment: 'canary-env-44dd',
    credential: 'canary-cred-55ee',
};

/* Each in the forms in which it could come out. */
function formsOf(secret) {
    return [
        secret,
        encodeURIComponent(secret),
        JSON.stringify(secret).slice(1, -1),
        Buffer.from(secret).toString('base64').replace(/=+$/, ''),
        Buffer.from(secret).toString('hex'),
    ];
}

const FORMS = Object.entries({
    ...CANARIES,
    'source as Basic': `admin:${CANARIES.source}`,
    'hook as Basic': `hook:${CANARIES.hook}`,
}).flatMap(([name, secret]) => formsOf(secret).map((form) => [name, form]));

function assertNoCanary(where, text) {
    for (const [name, form] of FORMS)
        assert.ok(
            !text.includes(form),
            `${where} shows the secret ${name}: ${around(text, form)}`,
        );
}

function around(text, form) {
    const at = text.indexOf(form);
    return text.slice(Math.max(0, at - 200), at + 200);
}

function setSecrets(dir) {
    const passwords = { '127.0.0.1': { admin: CANARIES.source, hook: CANARIES.hook } };
    for (const name of ['hmac', 'header', 'credential'])
        fs.writeFileSync(path.join(dir, name), `${CANARIES[name]}\n`, { mode: 0o600 });
    return { 'passwords.json': JSON.stringify(passwords) };
}

async function stageWithSecrets(t, source, hook, auth, more) {
    const dir = tempDir(t);
    const files = setSecrets(dir);
    return plan(t, source.replace('//', '//admin@'), {
        dir,
        files,
        env: { CANARY: CANARIES.environment, CREDENTIALS_DIRECTORY: dir },
        config: { passwords_file: path.join(dir, 'passwords.json') },
        source: { auth },
        rule: { plugin: 'http-webhook', batch: { size: 1 } },
        options: {
            url: `${hook.replace('//', '//hook@')}/x`,
            method: 'POST',
            timeout: '1s',
            hmac: { secret: `file:${path.join(dir, 'hmac')}` },
            secret_headers: {
                'X-Bearer': `file:${path.join(dir, 'header')}`,
                'X-Other': 'env:CANARY',
                'X-Credential': 'cred:credential',
            },
            ...more,
        },
    });
}

function proc(stage, name) {
    return fs.readFileSync(`/proc/${stage.daemon.pid}/${name}`, 'latin1');
}

for (const auth of ['basic', 'cookie'])
    test(`a canary shows nowhere, whatever goes wrong (${auth})`, async (t) => {
        const cookie = `AuthSession=${CANARIES.session}; Version=1; Path=/; HttpOnly`;
        const login = (ctx) =>
            ctx.reply({ headers: { 'Set-Cookie': cookie }, json: { ok: true } });
        const denied = answers.error(401, 'unauthorized', 'Name or password is incorrect.');
        const sc = await startScripted(
            [
                on('POST', '/_session', denied).times(1),
                on('POST', '/_session', login),
                on('GET', /^\/db$/, denied).times(2),
                on('GET', /_changes/, answers.html()).times(1),
                on('GET', /_changes/, answers.error(500, 'oh', 'no')).times(1),
                on('GET', /_changes/, answers.reset()).times(1),
            ],
            { couch: { dbs: { db: rows(4) } } },
        );
        atEnd(t, () => sc.close());
        const hook = await startScripted([
            on('*', /./, answers.error(500, 'oh', 'no')).times(1),
            on('*', /./, answers.fin()).times(1),
            on('*', /./, answers.hang()).times(1),
            on('*', /./, answers.error(401, 'who', 'are you')).times(1),
            on('*', /./, answers.error(400, 'bad', 'request')).times(1),
            on('*', /./, { json: {} }),
        ]);
        atEnd(t, () => hook.close());
        const fp = await startProxy(sc.url);
        atEnd(t, () => fp.close());
        const stage = await stageWithSecrets(t, fp.url, hook.url, auth);
        stage.faults = fp;
        stage.start();
        await stage.until(async () => /^4-/.test(await stage.checkpoint()), 'all is settled');
        await fp.set(faults.drop({ how: 'rst', times: 3 }));
        sc.couch.db('db').append(row(5));
        await stage.until(async () => /^5-/.test(await stage.checkpoint()), 'the fifth row');

        /* The secrets were used, so that they could have shown. */
        const used = JSON.stringify([...sc.requests, ...hook.requests].map((r) => r.headers));
        const bodies = Buffer.concat(sc.requests.map((r) => r.body)).toString();
        const basic = (s) => Buffer.from(s).toString('base64');
        assert.ok(used.includes(basic(`hook:${CANARIES.hook}`)), 'the password of the hook');
        assert.ok(
            ['header', 'environment', 'credential'].every((it) => used.includes(CANARIES[it])),
            'headers',
        );
        assert.match(used, /x-tailrace-signature/);
        if (auth === 'basic')
            assert.ok(used.includes(basic(`admin:${CANARIES.source}`)), 'basic');
        else assert.ok(used.includes(CANARIES.session), 'the session');
        if (auth === 'cookie')
            assert.ok(bodies.includes(formsOf(CANARIES.source)[2]), 'the login');

        assertNoCanary('/proc/PID/cmdline', proc(stage, 'cmdline'));
        /* What it was started with is no fault of its own: all but the secret given there. */
        assertNoCanary(
            '/proc/PID/environ',
            proc(stage, 'environ').replace(`CANARY=${CANARIES.environment}`, ''),
        );
        fs.writeFileSync(
            path.join(stage.dir, 'doc.json'),
            JSON.stringify({ _id: 'a', _rev: '1-a' }),
        );
        const commands = [
            ['check'],
            ['check', '--json'],
            ['plugins'],
            ['plugins', 'http-webhook'],
            ['plugins', '--json'],
            ['explain', 'db', path.join(stage.dir, 'doc.json')],
            ['explain', 'db', path.join(stage.dir, 'doc.json'), '--json'],
            ['status'],
            ['status', '--json'],
            ['checkpoint', 'list'],
            ['dead-letter', 'list'],
            ['dead-letter', 'list', '--json'],
            ['dead-letter', 'show', '1'],
            ['dead-letter', 'show', '1', '--json'],
        ];
        for (const words of commands) {
            const got = await stage.command(...words);
            assert.ok(got.code < 64, `${words.join(' ')}: ${got.stdout}${got.stderr}`);
            assertNoCanary(words.join(' '), got.stdout + got.stderr);
        }
        assert.equal((await stage.deadLetters()).length, 1, 'a dead letter to look at');
        await stage.end();
        assertNoCanary('the log', stage.daemon.stderrLines.join('\n') + stage.daemon.stdout);
        for (const name of fs.readdirSync(path.join(stage.dir, 'state')))
            assertNoCanary(
                name,
                fs.readFileSync(path.join(stage.dir, 'state', name), 'latin1'),
            );
    });

test('a password in an URL is refused or at least never shown', async (t) => {
    const stage = plan(t, 'http://admin:canary-Hook-7b3f@127.0.0.1:9');
    for (const command of [['check'], ['check', '--json']]) {
        const got = await stage.command(...command);
        assertNoCanary(command.join(' '), got.stdout + got.stderr);
    }
    stage.start();
    await stage
        .until(
            () => !stage.daemon.running || stage.logs({ level: 'warn' }).length > 0,
            'it fails',
        )
        .catch(() => {});
    await stage.daemon.kill9();
    assertNoCanary('the log', stage.daemon.stderrLines.join('\n'));
});

for (const mode of [0o644, 0o640, 0o604, 0o660, 0o666])
    test(`a passwords file of mode ${mode.toString(8)} is refused`, async (t) => {
        const dir = tempDir(t);
        const file = path.join(dir, 'passwords.json');
        const stage = plan(t, 'http://admin@127.0.0.1:9', {
            dir,
            config: { passwords_file: file },
        });
        fs.writeFileSync(file, JSON.stringify({ '127.0.0.1': { admin: CANARIES.hook } }));
        fs.chmodSync(file, mode);
        const got = await stage.command('run');
        assert.ok(got.code >= 64, `exit code ${got.code}: ${got.stderr}`);
        assert.match(got.stderr, /passwords\.json/);
        assert.match(got.stderr, /chmod|others|readable/);
        assertNoCanary('the log', got.stderr);
    });

for (const name of ['hmac', 'header'])
    test(`a file of a secret (${name}) that others may read is refused`, async (t) => {
        const stage = await stageWithSecrets(
            t,
            'http://127.0.0.1:9',
            'http://127.0.0.1:9',
            'basic',
        );
        fs.chmodSync(path.join(stage.dir, name), 0o644);
        stage.start();
        await stage
            .until(
                () =>
                    !stage.daemon.running ||
                    stage.daemon.stderrLines.some((l) => /chmod|others/.test(l)),
                'the refusal',
            )
            .catch(() => {});
        await stage.daemon.kill9();
        const text = stage.daemon.stderrLines.join('\n');
        assert.match(text, /others|chmod/);
        assertNoCanary('the log', text);
    });

test('a broken passwords file is told without what is in it', async (t) => {
    const dir = tempDir(t);
    const file = path.join(dir, 'passwords.json');
    const stage = plan(t, 'http://admin@127.0.0.1:9', {
        dir,
        config: { passwords_file: file },
    });
    for (const text of [
        `{"127.0.0.1": {"admin": "${CANARIES.hook}"`,
        `{"127.0.0.1": "${CANARIES.hook}"}`,
        `{"127.0.0.1": {"admin": ["${CANARIES.hook}"]}}`,
        CANARIES.hook,
        `["${CANARIES.hook}"]`,
    ]) {
        fs.writeFileSync(file, text, { mode: 0o600 });
        const got = await stage.command('run');
        assert.ok(got.code >= 64, `exit code ${got.code} for ${text}: ${got.stderr}`);
        assertNoCanary('the log', got.stderr + got.stdout);
    }
});
