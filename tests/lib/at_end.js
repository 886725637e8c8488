// SPDX-License-Identifier: Apache-2.0
//
// What is undone when a test is over: the last first, so that a folder goes after the processes that
// write into it, and all of it, whatever fails on the way. Hooks given to Node's runner itself run
// in the order in which they came, and one that throws leaves out those after it: a server that
// nobody ends then keeps the whole suite waiting.
//
//   const server = await startServer();
//   atEnd(t, () => server.close());
'use strict';

const stacks = new WeakMap();

async function unwind(stack) {
    const errors = [];
    while (stack.length > 0) {
        try {
            await stack.pop()();
        } catch (err) {
            errors.push(err);
        }
    }
    if (errors.length > 0) throw errors[0];
}

/** `t` is the context of the test, `undo` a function that may return a promise. */
function atEnd(t, undo) {
    if (!stacks.has(t)) {
        const stack = [];
        stacks.set(t, stack);
        t.after(() => unwind(stack));
    }
    stacks.get(t).push(undo);
}

module.exports = { atEnd };
