/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 18: two daemons on one state directory. The second ends with a clear word and touches
 * nothing, however the first was started or is held up; after the first has gone, killed or
 * not, there is room again.
 */
'use strict';

const test = require('./lib/fault')(18);
const assert = require('node:assert');
const { startScripted } = require('./lib/scripted');
const { follow } = require('./lib/stage');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const EX_TEMPFAIL = 75;

async function serve(t) {
    const sc = await startScripted([], { couch: { dbs: { db: rows(3) } } });
    atEnd(t, () => sc.close());
    const stage = follow(t, sc.url);
    await stage.untilIds(['doc-3']);
    return { sc, stage };
}

async function assertTurnedAway(stage, ...args) {
    const second = await stage.command('run', ...args);
    assert.equal(second.code, EX_TEMPFAIL, second.stderr);
    const said = second.stderr.split('\n').filter((line) => /another tailrace/.test(line));
    assert.equal(said.length, 1, second.stderr);
    assert.match(said[0], new RegExp(`pid ${stage.daemon.pid}.*stop it first`));
}

test('the second is turned away, and the first goes on', async (t) => {
    const { sc, stage } = await serve(t);
    await assertTurnedAway(stage);
    await assertTurnedAway(stage, '--once');
    sc.couch.db('db').append(row(4));
    await stage.untilIds(['doc-4']);
    assert.equal(stage.ids().length, 4, stage.story('rows were repeated'));
    await stage.end();
});

test('one that is stopped in its tracks still holds its directory', async (t) => {
    const { sc, stage } = await serve(t);
    stage.daemon.signal('SIGSTOP');
    await assertTurnedAway(stage);
    stage.daemon.signal('SIGCONT');
    sc.couch.db('db').append(row(4));
    await stage.untilIds(['doc-4']);
    await stage.end();
});

test('after kill -9 there is room at once', async (t) => {
    const { sc, stage } = await serve(t);
    await stage.daemon.kill9();
    stage.start();
    sc.couch.db('db').append(row(4));
    await stage.untilIds(['doc-4']);
    await stage.end();
});
