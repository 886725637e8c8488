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
const { sleep } = require('../lib/couch');
const { DEEDS } = require('./deeds');

const EX_IOERR = 74;
const RECOVERY_MS = 400; /* of rules from a sink that failed: more than their retry.max */

/* As TAILRACE_FAILPOINTS has it. */
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

    /* A stop does not wait for a sink that fails; so it drains, and nothing may be repeated,
     * where the sinks are well. */
    async #end({ end: { how } }, over) {
        const { stage } = this;
        const { daemon } = stage;
        if (how === 'stop') {
            await this.started();
            stage.quiet = true;
            await sleep(RECOVERY_MS);
            await daemon.stop().catch(() => {}); /* `over` says the same */
            stage.quiet = false;
        } else if (!this.over) {
            daemon.signal('SIGKILL');
        }
        return over;
    }

    async #act(acts) {
        const began = Date.now();
        for (const { at, what, ms } of acts) {
            await Promise.race([this.stage.end, sleep(began + at - Date.now())]);
            if (this.over) return;
            this.#count(what, await DEEDS[what](this, ms));
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

    /* The end was the one that the schedule wanted, and no other. */
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
        report.life(stage.life, {
            graceful: end.code === 0,
            stalled: this.#wasStalled(life),
            cutShort: stage.cutShort(),
        });
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
        return full && code === EX_IOERR && !this.stage.said(/"rule started"/);
    }

    /* Until then it does not listen to signals, and its state is anybody's. */
    started() {
        return this.stage.daemon.waitForLog({ msg: 'rule started' }).catch(() => {});
    }
}

module.exports = { Chaos };
