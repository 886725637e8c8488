/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schedule: from a seed, the lives of the daemon and what happens in each. It is made
 * before anything runs, so that the same seed gives the same schedule.
 *
 *   const lives = makeSchedule({seed, kills: 50, points: failpoints()});
 *
 * A life is {arms, acts, end}: failpoints set at its start ({point, hit, action, ms}), faults
 * from outside by time ({at, what, ms}), and how it ends: {how, at}
 *
 *   'point'   by itself, where a failpoint kills it; by kill -9 when it does not get there
 *   'kill'    kill -9 at a time
 *   'stop'    SIGTERM: it drains and exits with 0, and nothing may be repeated after it
 *
 * Every failpoint of the sources gets its turn, and a fault that leads there where one is
 * needed.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { Rng } = require('../fault/lib/rng');

const REPO = path.resolve(__dirname, '..', '..');
const PATIENCE_MS = 6000; /* for a failpoint to be reached */

/* The names that the sources have, but the clock's, at which nobody dies. */
function failpoints() {
    const files = fs
        .readdirSync(path.join(REPO, 'core'), { recursive: true })
        .filter((file) => file.endsWith('.c'))
        .map((file) => path.join(REPO, 'core', file));
    const names = new Set();
    for (const file of [...files, path.join(__dirname, 'torn_write.c')])
        for (const [, name] of fs
            .readFileSync(file, 'utf8')
            .matchAll(/FAILPOINT\("([^"]+)"\)/g))
            names.add(name);
    return [...names].sort();
}

/* A point that is passed a few times in a life, and what has to happen for it. */
const RARE = [
    { point: /^engine\./, hits: 1, provoke: [{ what: 'new rule' }] },
    { point: /^reload\./, hits: 1, provoke: [{ what: 'reload' }] },
    { point: /^replay\./, hits: 2, provoke: [{ what: 'poison' }, { what: 'replay', at: 300 }] },
    { point: /^dispatch\.letter/, hits: 2, provoke: [{ what: 'poison' }, { what: 'poison' }] },
    { point: /^feed\.row\.|^plugin\.position|^dispatch\.checkpoint/, hits: 4 },
];
const OFTEN = { hits: 12 };
const rarityOf = (point) => RARE.find((rare) => rare.point.test(point)) || OFTEN;

/* What may happen to it meanwhile, and for how long. */
const ACTS = [
    { what: 'freeze', ms: [50, 600] },
    { what: 'reload' },
    { what: 'bad reload' },
    { what: 'reset' },
    { what: 'drop' },
    { what: 'cut' },
    { what: 'drip', ms: [200, 800] },
    { what: 'source', ms: [50, 400] },
    { what: 'full disk', ms: [300, 1200] },
    { what: 'poison' },
    { what: 'endless' },
];

const ACTIONS = [
    ['kill', 0.7],
    ['kill late', 0.12],
    ['stop', 0.08],
    ['delay', 0.1],
];

function pickAction(rng) {
    let p = rng.float();
    const [action] = ACTIONS.find(([, share]) => (p -= share) < 0) || ACTIONS[0];
    if (action === 'kill late') return { action: 'kill', ms: rng.int(20, 300) };
    return action === 'delay' ? { action, ms: rng.int(20, 400) } : { action };
}

/* The points in turn; when all had theirs, again in another order. The first time they kill. */
function* deal(rng, points) {
    for (let round = 0; ; round++) {
        const deck = [...points];
        for (let i = deck.length - 1; i > 0; i--) {
            const j = rng.int(0, i);
            [deck[i], deck[j]] = [deck[j], deck[i]];
        }
        for (const point of deck)
            yield { point, ...(round ? pickAction(rng) : { action: 'kill' }) };
    }
}

function makeActs(rng, acts) {
    return Array.from({ length: rng.int(0, 2) }, () => {
        const act = rng.pick(acts);
        return { at: rng.int(50, 1200), what: act.what, ms: act.ms && rng.int(...act.ms) };
    });
}

function aimedLife(rng, aim) {
    const { hits, provoke = [] } = rarityOf(aim.point);
    const arm = { ...aim, hit: rng.int(1, hits) };
    const dies = arm.action === 'kill';
    return {
        arms: [arm],
        acts: provoke.map((act) => ({ at: 100, ...act })),
        end: dies
            ? { how: 'point', at: PATIENCE_MS }
            : { how: 'kill', at: rng.int(1500, 3000) },
    };
}

function randomLife(rng) {
    const graceful = rng.chance(0.15);
    const end = { how: graceful ? 'stop' : 'kill', at: rng.int(50, 1800) };
    return { arms: [], acts: [], end };
}

/* A step of the clock, by as much as a year. */
function makeStep(rng) {
    const ms = rng.pick([-1, 1]) * rng.pick([1000, 3600000, 31536000000]);
    return { point: 'clock.wall', hit: rng.int(1, 50), action: 'step', ms };
}

/* `without`: acts that are left out, as restarts of a source that is not ours. */
function makeSchedule({ seed, kills, points, without = [] }) {
    const rng = new Rng(seed);
    const acts = ACTS.filter(({ what }) => !without.includes(what));
    const deck = deal(rng, points);
    const lives = [];
    for (let left = kills; left > 0;) {
        const life = rng.chance(0.7) ? aimedLife(rng, deck.next().value) : randomLife(rng);
        life.acts.push(...makeActs(rng, acts));
        life.acts.sort((a, b) => a.at - b.at);
        if (rng.chance(0.1)) life.arms.push(makeStep(rng));
        lives.push(life);
        if (life.end.how !== 'stop') left--;
    }
    return lives;
}

/* Lives that all go the same way, for what is to be shown: `arm` as in TAILRACE_FAILPOINTS;
 * without it they last `ms`. */
function makeDrill({ kills, arm, acts = [], ms: lasts = 1500 }) {
    const [point, hit, how] = arm ? arm.split(':') : [];
    const [action, ms] = how ? how.split('=') : [];
    const arms = arm ? [{ point, hit: Number(hit), action, ms: ms && Number(ms) }] : [];
    const end = { how: arm ? 'point' : 'kill', at: arm ? PATIENCE_MS : lasts };
    return Array.from({ length: kills }, () => ({
        arms,
        acts: acts.map((what, i) => ({ at: 200 + 100 * i, what, ms: 300 })),
        end,
    }));
}

module.exports = { makeSchedule, makeDrill, failpoints };
