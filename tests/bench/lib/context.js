/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a test has for what is to be undone, for benchmarks that use the same helpers.
 *
 *   const t = makeContext();  …  await t.close();
 */
'use strict';

function makeContext() {
    const undo = [];
    return {
        after: (work) => undo.push(work),
        close: async () => {
            for (const work of undo) await work();
        },
    };
}

module.exports = { makeContext };
