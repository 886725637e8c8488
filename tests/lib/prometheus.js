/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus' text format 0.0.4, read strictly: whatever a scraper might stumble over is an
 * error here.
 *
 *   const metrics = parse(text);
 *   metrics.families.get('x_total')        {type, help, samples: [{name, labels, value}]}
 *   metrics.value('x_total', {rule: 'r'})  of the one sample with these labels; or undefined
 */
'use strict';

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"/;
const VALUE = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/;
const TYPES = ['counter', 'gauge', 'histogram'];

const unescape = (text) => text.replace(/\\(.)/g, (all, c) => (c === 'n' ? '\n' : c));
const number = (text) => Number(text.replace('Inf', 'Infinity'));

class Metrics {
    constructor() {
        this.families = new Map();
        this.seen = new Set();
        this.family = undefined;
    }

    samples(name) {
        const family = this.families.get(name.replace(/_(bucket|sum|count)$/, ''));
        const all = (this.families.get(name) || family || { samples: [] }).samples;
        return all.filter((it) => it.name === name);
    }

    value(name, labels = {}) {
        const fits = (it) => Object.entries(labels).every(([key, text]) => it.labels[key] === text);
        const found = this.samples(name).filter(fits);
        if (found.length > 1) throw new Error(`${found.length} samples are ${name}`);
        return found[0]?.value;
    }

    head(line) {
        const [, word, name, text] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) || [];
        if (!word || NAME.exec(name)?.[0] !== name) throw new Error(`no head: ${line}`);
        if (word === 'HELP') {
            if (this.families.has(name)) throw new Error(`${name} comes twice`);
            this.family = { name, help: text, samples: [] };
            this.families.set(name, this.family);
            return;
        }
        if (this.family?.name !== name || this.family.type) throw new Error(`stray: ${line}`);
        if (!TYPES.includes(text)) throw new Error(`no type: ${line}`);
        this.family.type = text;
    }

    sample(line) {
        const name = NAME.exec(line)?.[0];
        const labels = {};
        let rest = line.slice(name?.length);
        if (rest.startsWith('{')) {
            rest = rest.slice(1);
            for (let hit; (hit = LABEL.exec(rest)); ) {
                if (hit[1] in labels) throw new Error(`a label comes twice: ${line}`);
                labels[hit[1]] = unescape(hit[2]);
                rest = rest.slice(hit[0].length);
                if (!rest.startsWith(',')) break;
                rest = rest.slice(1);
            }
            if (!rest.startsWith('}')) throw new Error(`labels: ${line}`);
            rest = rest.slice(1);
        }
        if (!name || rest[0] !== ' ' || !VALUE.test(rest.slice(1)))
            throw new Error(`no sample: ${line}`);
        this.add({ name, labels, value: number(rest.slice(1)) }, line);
    }

    add(sample, line) {
        const { family } = this;
        const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
        if (!family?.type) throw new Error(`a sample without a head: ${line}`);
        const suffix = sample.name.slice(family.name.length);
        const good = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
        if (!sample.name.startsWith(family.name) || !good.includes(suffix))
            throw new Error(`a sample of another family: ${line}`);
        if (this.seen.has(key)) throw new Error(`a series comes twice: ${line}`);
        if (family.type === 'counter' && !(sample.value >= 0)) throw new Error(`below 0: ${line}`);
        this.seen.add(key);
        family.samples.push(sample);
    }

    /* Buckets rise and end with all. */
    checkHistogram(family) {
        const sets = new Map();
        for (const { name, labels, value } of family.samples) {
            const { le, ...others } = labels;
            const key = JSON.stringify(others);
            if (!sets.has(key)) sets.set(key, { buckets: [] });
            if (name.endsWith('_bucket')) sets.get(key).buckets.push([number(le), value]);
            else sets.get(key)[name.slice(family.name.length)] = value;
        }
        for (const [key, set] of sets) {
            const rises = set.buckets.every(
                ([le, n], i, all) => i === 0 || (le > all[i - 1][0] && n >= all[i - 1][1]),
            );
            const [le, n] = set.buckets.at(-1) || [];
            if (!rises || le !== Infinity || n !== set._count || set._sum === undefined)
                throw new Error(`no histogram: ${family.name}${key}`);
        }
    }
}

function parse(text) {
    const metrics = new Metrics();
    if (!text.endsWith('\n')) throw new Error('the last line does not end');
    for (const line of text.slice(0, -1).split('\n'))
        if (line.startsWith('#')) metrics.head(line);
        else metrics.sample(line);
    for (const family of metrics.families.values()) {
        if (family.samples.length === 0) throw new Error(`${family.name} has no sample`);
        if (family.type === 'counter' && !family.name.endsWith('_total'))
            throw new Error(`${family.name} counts and does not end with _total`);
        if (family.type === 'histogram') metrics.checkHistogram(family);
    }
    return metrics;
}

module.exports = { parse };
