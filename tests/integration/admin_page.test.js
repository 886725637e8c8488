/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin page in a headless Chromium, before a running daemon: it draws what the status says,
 * runs under its own content security policy, asks nobody else, and takes no name for markup.
 */
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { startTestServer } = require('../lib/couch');
const { tempDir } = require('../lib/tailrace');
const { freePort } = require('../lib/free_port');
const { startHook, toHook } = require('./lib/sink');
const { makeSite } = require('./lib/site');
const { makeFilled } = require('./lib/docs');

const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--enable-logging=stderr', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];
const LOOKS_MS = 9000; /* of the page's own time                                               */

let couch;

before(async () => (couch = await startTestServer()));
after(() => couch.close());

/* What the page is after some looks, and what the browser has to say about it. */
function open(t, port, size) {
    const args = [...FLAGS, `--user-data-dir=${path.join(tempDir(t), 'profile')}`,
        `--window-size=${size}`, `--virtual-time-budget=${LOOKS_MS}`, '--dump-dom',
        `http://127.0.0.1:${port}/`];
    return new Promise((resolve, reject) =>
        execFile(CHROMIUM, args, { maxBuffer: 1 << 26, timeout: 60000 }, (err, dom, log) =>
            err ? reject(err) : resolve({ dom, log }),
        ),
    );
}

/* The inside of the element with this id, up to the next one that has one. */
const inside = (dom, id) => dom.split(`id="${id}"`)[1].split(' id="')[0];

test('the page draws what the daemon tells', async (t) => {
    if (!fs.existsSync(CHROMIUM)) return t.skip('needs chromium; see tests/setup');
    const { db, ids } = await makeFilled(couch, 3);
    const good = await startHook(t);
    const bad = await startHook(t, () => 422);
    const port = await freePort();
    const site = makeSite(t, couch, {
        rules: { good: toHook(good, [db]), bad: toHook(bad, [db], { on_reject: 'stop' }) },
        main: { admin: { listen: `127.0.0.1:${port}` } },
    });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'admin endpoint listens' });
    await good.until(ids.length);
    await daemon.waitForLog({ rule: 'bad', msg: /^rule held/ });
    const { dom, log } = await open(t, port, '1200,900');
    assert.match(dom, /<body data-state="running">/);
    assert.match(inside(dom, 'about'), new RegExp(`pid ${daemon.pid} `));
    assert.match(inside(dom, 'rules'), />good<.*>bad<|>bad<.*>good</s);
    assert.match(inside(dom, 'rules'), />held</);
    assert.match(inside(dom, 'trouble-list'), /Rule bad.*held: .*422/s);
    assert.match(inside(dom, 'sources'), />main<.*class="bar"/s);
    for (const plot of ['plot-rate', 'plot-lag']) {
        const [, curve] = /class="curve" d="([^"]+)"/.exec(inside(dom, plot));
        assert.match(curve, /^M[\d. ]+L/); /* two looks at least                                */
    }
    assert.doesNotMatch(log, /CONSOLE/); /* no error of a script, nothing that the policy refused */
    return daemon.stop();
});

test('a name is text, whatever it looks like', async (t) => {
    if (!fs.existsSync(CHROMIUM)) return t.skip('needs chromium; see tests/setup');
    const port = await freePort();
    const name = '<img src=x onerror=document.title=1>';
    const site = makeSite(t, null, {
        sources: { far: { url: 'http://127.0.0.1:9/', retry_min: '5ms' } },
        rules: {
            r: { source: 'far', databases: [name], plugin: 'file-sink',
                options: { path: '/dev/null' } },
        },
        main: { admin: { listen: `127.0.0.1:${port}` } },
    });
    const daemon = site.start();
    await daemon.waitForLog({ msg: 'admin endpoint listens' });
    const { dom } = await open(t, port, '390,844');
    assert.match(inside(dom, 'trouble-list'), /far\/&lt;img src=x onerror=document\.title=1&gt;/);
    assert.doesNotMatch(dom, /<img/);
    assert.match(dom, /<title>tailrace<\/title>/);
    return daemon.stop();
});
