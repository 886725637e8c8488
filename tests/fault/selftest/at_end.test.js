/* SPDX-License-Identifier: Apache-2.0 */
/* What is undone at the end of a test: in reverse, all of it, and the first failure is told. */
'use strict';

const test = require('node:test');
const assert = require('node:assert');
const { atEnd } = require('../../lib/at_end');

/* A test that ends when its hooks are run. */
function fakeTest() {
    const hooks = [];
    return { after: (hook) => hooks.push(hook), end: () => Promise.all(hooks.map((h) => h())) };
}

test('the last comes first, one after another', async () => {
    const t = fakeTest();
    const seen = [];
    atEnd(t, () => seen.push('folder'));
    atEnd(t, async () => seen.push(await 'server'));
    atEnd(t, () => seen.push('daemon'));
    await t.end();
    assert.deepEqual(seen, ['daemon', 'server', 'folder']);
});

test('what fails is told and leaves nothing out', async () => {
    const t = fakeTest();
    const seen = [];
    atEnd(t, () => seen.push('folder'));
    atEnd(t, () => Promise.reject(new Error('the second')));
    atEnd(t, () => {
        throw new Error('the first');
    });
    await assert.rejects(t.end(), /the first/);
    assert.deepEqual(seen, ['folder']);
});
