/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 24: @include and files that are none. libconfig would hang on a FIFO and end the
 * process on a folder: everything of that kind is refused, by `check` and by `run`, with file
 * and line.
 */
'use strict';

const test = require('./lib/fault')(24);
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { tailrace, tempDir, writeConf, pluginDir } = require('../lib/tailrace');
const { assertClean } = require('./lib/stage');

const EX_CONFIG = 78;
const CONFIG_TEXT = (dir) => `state_dir = "${dir}/state";\n`;

function makeFifo(file) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    execFileSync('mkfifo', [file]);
}

/* Both commands end by themselves, with a code that says why and words that match. */
async function refused(conf, words, codes = [EX_CONFIG]) {
    for (const command of ['check', 'run']) {
        const args = [command, '-c', conf, '--plugin-dir', pluginDir()];
        const got = await tailrace(args, { timeoutMs: 20000 });
        const said = `${command}: ${got.stdout}${got.stderr}`;
        assert.equal(got.signal, null, `${command} did not end by itself: ${said}`);
        assert.ok(codes.includes(got.code), `exit code ${got.code} of ${said}`);
        assert.match(said, words);
        assertClean(said);
    }
}

const includes = {
    'a FIFO': (dir) => (makeFifo(path.join(dir, 'fifo.conf')), 'fifo.conf'),
    'a folder': (dir) => (fs.mkdirSync(path.join(dir, 'folder')), 'folder'),
    'the folder above': () => '../secret.conf',
    'a file beside it': (dir) => (
        fs.writeFileSync(path.join(dir, 'ok.conf'), 'x = 1;\n'),
        'ok.conf'
    ),
    'an absolute path': () => '/etc/passwd',
    itself: () => 'tailrace.conf',
    'nothing that exists': () => 'missing.conf',
};

for (const [name, make] of Object.entries(includes))
    test(`@include of ${name} is refused`, async (t) => {
        const dir = tempDir(t);
        const conf = writeConf(dir, `${CONFIG_TEXT(dir)}\n@include "${make(dir)}"\n`);
        await refused(conf, /tailrace\.conf:3.*@include/s);
    });

for (const text of ['  @include "x"', '\t@include\t"x"', '@include "x" # tail'])
    test(`${JSON.stringify(text)} is refused`, async (t) => {
        const dir = tempDir(t);
        const conf = writeConf(dir, `${CONFIG_TEXT(dir)}${text}\n`);
        await refused(conf, /tailrace\.conf:2.*@include/s);
    });

test('@include in a drop-in is refused, with its name', async (t) => {
    const dir = tempDir(t);
    const conf = writeConf(dir, {
        'tailrace.conf': CONFIG_TEXT(dir),
        'conf.d/a.conf': 'sources = {};\n',
        'conf.d/b.conf': '\n@include "a.conf"\n',
    });
    await refused(conf, /b\.conf:2.*@include/s);
});

test('@include in a comment or a string is neither refused nor followed', async (t) => {
    const dir = tempDir(t);
    const conf = writeConf(
        dir,
        `${CONFIG_TEXT(dir)}# @include "/dev/zero"\n/*\n@include "/dev/zero"\n*/\n` +
            'sources = { a = { url = "http://127.0.0.1:1/\\\n@include"; }; };\n'.replace(
                '\\\n',
                '',
            ),
    );
    const got = await tailrace(['check', '-c', conf, '--plugin-dir', pluginDir()]);
    assert.doesNotMatch(got.stdout + got.stderr, /cannot|refused/i);
    assert.equal(got.code, 0, got.stderr);
});

const dropIns = {
    'a FIFO': (file) => makeFifo(file),
    'a folder': (file) => fs.mkdirSync(file, { recursive: true }),
    'a link to a FIFO': (file) => {
        makeFifo(`${file}.fifo`);
        fs.symlinkSync(`${file}.fifo`, file);
    },
    'a link to a folder': (file) => {
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.symlinkSync('/tmp', file);
    },
    'a link to nothing': (file) => {
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.symlinkSync('/nowhere', file);
    },
    'a device': (file) => {
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.symlinkSync('/dev/zero', file);
    },
};

for (const [name, make] of Object.entries(dropIns)) {
    test(`a drop-in that is ${name} is refused`, async (t) => {
        const dir = tempDir(t);
        const conf = writeConf(dir, CONFIG_TEXT(dir));
        make(path.join(dir, 'conf.d', 'x.conf'));
        await refused(conf, /x\.conf/, [EX_CONFIG, 66, 74]);
    });

    test(`a main file that is ${name} is refused`, async (t) => {
        const file = path.join(tempDir(t), 'd', 'main.conf');
        make(file);
        await refused(file, /main\.conf/, [EX_CONFIG, 66, 74]);
    });
}
