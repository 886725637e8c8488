/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chaos: plays a life of the schedule on the stage. Each fault is counted when it is injected,
 * and once more when its effect was seen: that is what the report's table is made of.
 *
 *   const chaos = new Chaos(stage, report);
 *   await chaos.play(life);                 the daemon is dead behind it
 */
'use strict';

const fs = require('node:fs');
const { execFileSync } = require('node:child_process');
const { sleep } = require('../lib/couch');
const { tailrace } = require('../lib/tailrace');
const faults = require('../fault/lib/faults');
const { toFile } = require('../integration/lib/sink');

const LIMIT = 4096; /* bytes of a file: all that grow are larger soon */

/* The rules as a reload may find them: one gone, options of others changed. All come back. */
const VARIANTS = [
    (rules) => rules,
    ({ watch, ...rules }) => rules,
    (rules) => ({ ...rules, hook: { ...rules.hook, retry: { min: '7ms', max: '90ms' } } }),
    (rules) => ({ ...rules, hook: withOptions(rules.hook, { timeout: '6s' }) }),
    (rules) => ({ ...rules, file: { ...rules.file, window: { rows: 300 } } }),
];

function withOptions(rule, options) {
    return { ...rule, options: { ...rule.options, ...options } };
}

/* Only rules that there are. */
const clean = (rules) =>
    Object.fromEntries(Object.entries(rules).filter(([, rule]) => rule && rule.plugin));

function printArm({ point, hit, action, ms }) {
    return `${point}:${hit}:${action}${ms === undefined ? '' : `=${ms}`}`;
}

class Chaos {
    constructor(stage, report) {
        Object.assign(this, { stage, report, reloads: 0 });
    }

    async play(life) {
        const { stage } = this;
        const names = life.arms.map(printArm).join(',');
        this.over = false;
        this.undo = [];
        stage.configure();
        stage.begin(names ? { TAILRACE_FAILPOINTS: names } : {});
        const over = stage.end.then((end) => ((this.over = true), end));
        const acts = this.#act(life.acts);
        const waking = this.#keepAwake();
        await Promise.race([over, sleep(life.end.at)]);
        const dead = this.over; /* before anybody else ended it */
        const end = await this.#end(life, over);
        this.over = true;
        await Promise.all([acts, waking]);
        for (const undo of this.undo) await undo();
        this.#judge(life, end, dead);
        await stage.ended();
    }

    async #end({ end: { how } }, over) {
        const { daemon } = this.stage;
        if (how === 'stop') await this.started();
        if (how !== 'stop') {
            if (!this.over) daemon.signal('SIGKILL');
            return over;
        }
        daemon.signal('SIGTERM');
        const late = sleep(30000).then(() => undefined);
        const end = await Promise.race([over, late]);
        if (!end) daemon.signal('SIGKILL');
        return end || over.then(() => ({ error: 'SIGTERM did not end it in 30 s' }));
    }

    async #act(acts) {
        const began = Date.now();
        for (const { at, what, ms } of acts) {
            await Promise.race([this.stage.end, sleep(Math.max(0, began + at - Date.now()))]);
            if (this.over) return;
            this.#count(what, await DEEDS[what].call(this, ms));
        }
    }

    /* A failpoint may have stopped it. */
    async #keepAwake() {
        while (!this.over) {
            await sleep(200);
            if (this.stage.said(/^failpoint .*: stop$/) && this.isStopped() && !this.frozen)
                this.stage.daemon.signal('SIGCONT');
        }
    }

    isStopped() {
        try {
            return / T /.test(fs.readFileSync(`/proc/${this.stage.daemon.pid}/stat`, 'utf8'));
        } catch {
            return false;
        }
    }

    #judge(life, end, dead) {
        const { stage, report } = this;
        const { how } = life.end;
        for (const arm of life.arms) {
            const { point, action } = arm;
            const reached = stage.said(new RegExp(`^failpoint ${point}: ${action}`));
            this.#count(action === 'step' ? 'clock step' : `${action} at ${point}`, reached);
        }
        if (how === 'kill') this.#count('kill -9 at random', end.signal === 'SIGKILL');
        if (how === 'stop') this.#count('SIGTERM', end.code === 0);
        report.life(stage.life, { graceful: end.code === 0, stalled: this.#wasStalled(life) });
        const asWanted = how === 'stop' ? end.code === 0 : end.signal === 'SIGKILL';
        const tooEarly = dead && how !== 'point';
        if ((asWanted && !tooEarly) || this.#couldNotStart(life, end)) return;
        const story = [
            `life ${stage.life}: ${end.error || `exit code ${end.code}, signal ${end.signal}`}`,
            ...stage.daemon.stderrLines.slice(-15),
        ];
        report.find({ kind: 'death', sink: 'daemon', what: story.join('\n      ') });
    }

    #count(name, seen) {
        this.report.injected(name);
        if (seen) this.report.seen(name);
    }

    /* Its store took nothing for a while: what was settled then could not be committed. */
    #wasStalled({ arms }) {
        const holds = ({ point, action }) => /^store\./.test(point) && action !== 'stop';
        return this.stage.said(/the store is stalled/) || arms.some(holds);
    }

    /* Without a store there is nothing to wait with: it says so and ends (EX_IOERR). */
    #couldNotStart(life, { code }) {
        const full = life.acts.some(({ what }) => what === 'full disk');
        return full && code === 74 && !this.stage.said(/"rule started"/);
    }

    /* Until then it does not listen to signals, and its state is anybody's. */
    started() {
        return this.stage.daemon.waitForLog({ msg: 'rule started' }).catch(() => {});
    }

    /* A log line of this kind after the deed, within reason. */
    async logged(pattern, deed) {
        const { daemon } = this.stage;
        const from = daemon.stderrLines.length;
        await deed();
        return daemon.waitForLog(pattern, 3000, { from }).then(
            () => true,
            () => false,
        );
    }
}

/* ---- the faults from outside; each says whether its effect was seen ---- */

const DEEDS = {
    async freeze(ms) {
        this.frozen = true;
        this.stage.daemon.signal('SIGSTOP');
        await sleep(ms);
        const seen = this.isStopped();
        this.stage.daemon.signal('SIGCONT');
        this.frozen = false;
        return seen || this.over;
    },

    async reload() {
        await this.started();
        const change = VARIANTS[this.reloads++ % VARIANTS.length];
        this.stage.configure((rules) => clean(change(rules)));
        return this.logged(/configuration loaded again/, () =>
            this.stage.daemon.signal('SIGHUP'),
        );
    },

    /* Its first look at the databases is still to come. */
    async 'new rule'() {
        await this.started();
        const { dbs } = this.stage;
        const name = `late-${++this.reloads}`;
        const rule = ({ file }) => toFile(`${file.options.path}.${name}`, [dbs[0]]);
        this.stage.configure((rules) => clean({ ...rules, [name]: rules.file && rule(rules) }));
        return this.logged({ msg: 'rule started', rule: name }, () =>
            this.stage.daemon.signal('SIGHUP'),
        );
    },

    async 'bad reload'() {
        await this.started();
        this.stage.site.writeText('rules: { hook: { source = "nowhere"; }; }; oops');
        return this.logged(/the new configuration is refused/, () =>
            this.stage.daemon.signal('SIGHUP'),
        );
    },

    async reset() {
        const { connections } = this.stage.proxy;
        this.stage.proxy.killAll('rst');
        return connections > 0;
    },

    async drop() {
        const before = this.stage.proxy.stats.dropped;
        await this.stage.proxy.set(faults.drop({ times: 10 }));
        this.undo.push(() => this.stage.proxy.clear());
        await sleep(100);
        return this.stage.proxy.stats.dropped > before;
    },

    /* In the middle of whatever comes. */
    async cut() {
        const fault = faults.cut([1, 4000], {
            match: /_changes|_bulk|_revs_diff/,
            how: 'rst',
            times: 6,
        });
        await this.stage.proxy.set(fault);
        this.undo.push(() => this.stage.proxy.clear());
        await sleep(400);
        return this.stage.proxy.struck(fault) > 0;
    },

    async drip(ms) {
        const before = this.stage.proxy.stats.bytesDown;
        await this.stage.proxy.set(faults.drip(20000));
        await sleep(ms);
        await this.stage.proxy.clear();
        return this.stage.proxy.stats.bytesDown > before;
    },

    async source(ms) {
        await this.stage.source.kill();
        await sleep(ms);
        await this.stage.source.restart();
        return true;
    },

    /* No file of the daemon may grow: its store's, and those of file-sink. */
    async 'full disk'(ms) {
        const { daemon } = this.stage;
        const limit = (bytes) => {
            try {
                execFileSync('prlimit', ['--pid', String(daemon.pid), `--fsize=${bytes}:`], {
                    stdio: 'ignore',
                });
            } catch {
                /* it has died meanwhile */
            }
        };
        limit(LIMIT);
        await sleep(ms);
        limit('unlimited');
        return this.stage.said(/store is stalled|cannot be written|File too large/);
    },

    async poison() {
        await this.stage.writers.poison();
        return true;
    },

    async endless() {
        await this.stage.writers.endless();
        return true;
    },

    /* The receiver has come to like poison, for the rest of this life. */
    async replay() {
        await this.started();
        const webhook = this.stage.sink('webhook');
        webhook.lenient = true;
        this.undo.push(() => (webhook.lenient = false));
        const { code } = await tailrace(
            this.stage.site.args('dead-letter', 'replay', '--all'),
            { timeoutMs: 5000 },
        );
        return code === 0 || this.over;
    },
};

module.exports = { Chaos };
