/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop: the first operation fails, the second, … until a run is clean.
 *
 *   const sum = await loop(scenes, test, way, { tell });             every n
 *   const sum = await sample(scene, test, way, 5, { rng, tell });    five of them, spread
 *
 * There is a run at once in each of the scenes.
 *
 * Both resolve to {seen, runs, fine, refused, bad}: operations of that kind in a run, runs, those
 * that ended with success and with an error in order, and complaints, each a text to read.
 */
'use strict';

const { runFaulty, lastLines } = require('./program');

const SANITIZER = /(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:/;
/* How glibc itself ends a program that it has no memory for. */
const GLIBC = /cannot allocate memory/;
const FORTIFY = /stack smashing|buffer overflow detected|free\(\)|malloc\(\)|corrupted/;

/* How a command may end that met a failure: one that is over, but where `way` says otherwise, so
 * that it has no reason to go on for ever. Or it was a lock's end, which no kernel refuses on a
 * disk of its own: then the process holds it, and says that it waits for it. */
function complaintsAbout(run, way, codes) {
    if (run.hung) return ['it hangs'];
    if (run.stopped && way.times !== 0 && !/^unlock/.test(run.first))
        return ['it goes on when nothing fails any more'];
    if (run.signal) return [`it crashes: ${run.signal}`];
    const at = run.stderr.search(SANITIZER);
    if (at >= 0) return [`a sanitizer reports:\n${run.stderr.slice(at, at + 2500)}`];
    if (FORTIFY.test(run.stderr)) return ['the heap or the stack is damaged'];
    if (codes.includes(run.code)) return [];
    if (run.code === 127 && GLIBC.test(run.stderr)) return [];
    if (run.code < 64 || run.code > 78) return [`the exit code ${run.code} has no meaning`];
    /* Unless it was the telling that failed. */
    const mute = !/\w/.test(run.stderr + run.stdout);
    return mute && !/^write/.test(run.first) ? ['it ends without a word'] : [];
}

function describe(test, way, n, run, complaint) {
    return (
        `${test.name}, ${way.kind} ${n} (${JSON.stringify(way)}), ${run.first || 'no failure'}, ` +
        `exit ${run.code ?? run.signal}: ${complaint}\n${lastLines(run.stderr)}`
    );
}

async function once(scene, test, way, n) {
    await scene.begin(test.begin);
    const words = typeof test.words === 'function' ? test.words(scene) : test.words;
    const { build, patience } = way;
    const run = await runFaulty(scene.words(...words), { ...way, at: n }, { build, patience });
    const complaints = complaintsAbout(run, way, test.codes || [0]);
    if (!complaints.length && run.failed)
        complaints.push(...(await test.after(scene, run).catch((err) => [err.message])));
    return { run, complaints };
}

class Sum {
    constructor(test, way, tell) {
        Object.assign(this, { test, way, tell, seen: 0, runs: 0, fine: 0, refused: 0, bad: [] });
    }

    add(n, { run, complaints }) {
        this.runs++;
        this.seen = Math.max(this.seen, run.seen[this.way.kind]);
        if (complaints.length) {
            this.bad.push(...complaints.map((c) => describe(this.test, this.way, n, run, c)));
            if (this.tell) this.tell(this.bad[this.bad.length - 1]);
        } else if ((this.test.codes || [0]).includes(run.code)) this.fine++;
        else this.refused++;
        return run.failed > 0;
    }
}

/* Threads come in another order each time, so that one clean run may be chance; the end is when
 * each scene had one, and another. */
async function loop(scenes, test, way, { tell, stride = way.stride || 1, from = 1 } = {}) {
    const sum = new Sum(test, way, tell);
    let [next, clean] = [from, 0];
    const run = async (scene) => {
        while (clean <= scenes.length) {
            const n = next;
            next += stride;
            clean = sum.add(n, await once(scene, test, way, n)) ? 0 : clean + 1;
        }
    };
    await Promise.all(scenes.map(run));
    return sum;
}

async function sample(scene, test, way, count, { rng, tell } = {}) {
    const sum = new Sum(test, way, tell);
    sum.add(0, await once(scene, test, way, 0));
    const all = sum.seen;
    for (let i = 0; i < Math.min(count, all); i++) {
        const n = 1 + Math.floor(((i + rng.float()) * all) / Math.min(count, all));
        sum.add(n, await once(scene, test, way, n));
    }
    return sum;
}

module.exports = { loop, sample };
