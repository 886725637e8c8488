/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 23: SIGHUP with a configuration that is wrong. The old one stays live, the log says
 * what is wrong with file and line, and the next SIGHUP with a good one works.
 */
'use strict';

const test = require('./lib/fault')(23);
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { startScripted } = require('./lib/scripted');
const { plan, LineFile } = require('./lib/stage');
const { rows, row } = require('./lib/rows');
const { atEnd } = require('../lib/at_end');

const swap = (from, to) => (text) => {
    assert.ok(text.includes(from), `the configuration has ${from}`);
    return text.replace(from, to);
};

/* A record that names file, line and key. */
const at = (key) => new RegExp(`"file":"[^"]*/tailrace.conf","line":\\d+,"key":"[^"]*${key}"`);

/* What is done to the file, and what the log has to say. */
const mistakes = {
    'a syntax error': [swap('rules = {', 'rules = {{'), at('')],
    'an open string': [(text) => `${text}x = "open`, at('')],
    'an unknown key': [swap('rules = {', 'colour = "red";\nrules = {'), at('colour')],
    'an unknown option of a source': [swap('retry_min', 'retry_mni'), at('retry_mni')],
    'an unknown option of a plugin': [swap('path = ', 'paht = '), at('paht')],
    'a wrong type': [swap('poll_interval = "20ms"', 'poll_interval = {}'), at('poll_interval')],
    'a value out of range': [
        swap('retry_max = "20ms"', 'retry_max = "9999d"'),
        at('retry_max'),
    ],
    'a plugin that is not there': [swap('"file-sink"', '"no-such"'), /no-such/],
    'a source that is not there': [
        swap('source = "main"', 'source = "mian"'),
        at('rules.rule.source'),
    ],
    'a bad expression': [swap('databases = ("db")', 'databases = "("'), at('')],
};

const problem = (line) => /"level":"error"/.test(line);

async function begin(t) {
    const sc = await startScripted([], { couch: { dbs: { db: rows(1) } } });
    atEnd(t, () => sc.close());
    const stage = plan(t, sc.url).start();
    await stage.untilIds(['doc-1']);
    return { sc, stage };
}

/* SIGHUP, and the log from there until something in it is an error; all of it as one text. */
async function reload(stage) {
    const from = stage.daemon.stderrLines.length;
    const fresh = () => stage.daemon.stderrLines.slice(from);
    stage.daemon.signal('SIGHUP');
    await stage.until(() => fresh().some(problem), 'the error');
    return fresh().join('\n');
}

async function stillWorks(sc, stage, id) {
    sc.couch.db('db').append(row(9, { id }));
    await stage.untilIds([id]);
}

for (const [name, [spoil, words]] of Object.entries(mistakes))
    test(`a reload with ${name} keeps the old configuration and says where`, async (t) => {
        const { sc, stage } = await begin(t);
        const good = fs.readFileSync(stage.conf, 'utf8');
        fs.writeFileSync(stage.conf, spoil(good));
        assert.match(await reload(stage), words);
        await stillWorks(sc, stage, 'after');
        /* And a good one is taken. */
        const other = new LineFile(path.join(stage.dir, 'other.ndjson'));
        fs.writeFileSync(stage.conf, good.replace(stage.sink.file, other.file));
        stage.daemon.signal('SIGHUP');
        sc.couch.db('db').append(row(10, { id: 'ten' }));
        await stage.until(() => {
            const all = [...stage.rows(), ...other.read()].map(
                (l) => JSON.parse(l.toString()).id,
            );
            return all.includes('ten');
        }, 'row ten');
        for (let n = 11; other.read().length === 0; n++) {
            sc.couch.db('db').append(row(n));
            await stage.until(
                () => stage.rows().length + other.read().length >= n - 7,
                `row ${n} in one of the files`,
            );
        }
        await stage.end();
    });

test('a reload with a configuration that cannot be read keeps the old one', async (t) => {
    const { sc, stage } = await begin(t);
    fs.unlinkSync(stage.conf);
    assert.match(await reload(stage), /tailrace\.conf/);
    await stillWorks(sc, stage, 'without a file');
    fs.mkdirSync(stage.conf);
    assert.match(await reload(stage), /tailrace\.conf/);
    await stillWorks(sc, stage, 'with a folder');
    await stage.end();
});
