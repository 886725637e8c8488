/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 25: files that are no plugins, or whose writer cannot be trusted. They are refused
 * before anything of them runs, by `check` and by `run`, and the reason is said.
 */
'use strict';

const test = require('./lib/fault')(25);
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { plan, testPlugin } = require('./lib/stage');
const { tempDir } = require('../lib/tailrace');

const sync = () => testPlugin('sync');

/* A file of its own to spoil. */
function copy(t, from, name = 'copy.so') {
    const file = path.join(tempDir(t), name);
    fs.copyFileSync(from, file);
    fs.chmodSync(file, 0o755);
    return file;
}

const notRoot = process.getuid() !== 0 && 'needs root';

/* How to make the plugin, and the reason that is to be given. */
const cases = {
    'of another major version': [() => testPlugin('bad_symbol'), /tr_plugin_v1/],
    'not a shared object': [() => testPlugin('not_elf'), /ELF|too short|invalid/],
    'an empty file': [
        (t) => {
            const file = copy(t, sync());
            fs.truncateSync(file);
            return file;
        },
        /too short|invalid|ELF/,
    ],
    'cut in half': [
        (t) => {
            const file = copy(t, sync());
            fs.truncateSync(file, fs.statSync(file).size >> 1);
            return file;
        },
        /is cut short/,
    ],
    'a library that is no plugin': [() => findLibrary(), /tr_plugin_v1/],
    'without process()': [() => testPlugin('incomplete'), /process.*required|one is missing/],
    'with an endless table of options': [() => testPlugin('endless'), /option table/],
    'writable by its group': [(t) => chmod(copy(t, sync()), 0o775), /writable by others.*775/],
    'writable by everybody': [(t) => chmod(copy(t, sync()), 0o757), /writable by others.*757/],
    'in a folder that everybody may write': [
        (t) => {
            const file = copy(t, sync());
            chmod(path.dirname(file), 0o777);
            return file;
        },
        /writable by others.*777/,
    ],
    'in a folder below one that everybody may write': [
        (t) => {
            const dir = tempDir(t);
            const file = path.join(dir, 'inner', 'x.so');
            fs.mkdirSync(path.dirname(file));
            fs.copyFileSync(sync(), file);
            chmod(dir, 0o777);
            return file;
        },
        /writable by others.*777/,
    ],
    'a link to one that everybody may write': [
        (t) => {
            const link = path.join(tempDir(t), 'link.so');
            fs.symlinkSync(chmod(copy(t, sync()), 0o757), link);
            return link;
        },
        /writable by others/,
    ],
    /* Judged before it is opened: else the reason would be that it is no shared object. */
    'writable, whatever is in it': [
        (t) => chmod(copy(t, testPlugin('not_elf')), 0o757),
        /writable by others/,
    ],
    'a FIFO': [
        (t) => {
            const file = path.join(tempDir(t), 'fifo.so');
            execFileSync('mkfifo', [file]);
            return file;
        },
        /not a regular file/,
    ],
    'a folder': [(t) => tempDir(t), /not a regular file/],
    'a device': [() => '/dev/zero', /not a regular file/],
    'not there': [(t) => path.join(tempDir(t), 'none.so'), /none\.so.*No such file/],
    'a relative path': [() => '../plugins/sync', /not a plugin's name/],
    'a name with a path in it': [() => 'x/../sync', /not a plugin's name/],
    'an unknown name': [() => 'no-such', /there is no plugin "no-such"/],
    'of another user': [
        (t) => {
            const file = copy(t, sync());
            fs.chownSync(file, 65534, 65534);
            return file;
        },
        /belongs to user 65534/,
        notRoot,
    ],
};

function chmod(file, mode) {
    fs.chmodSync(file, mode);
    return file;
}

/* One that node itself uses. */
function findLibrary() {
    const maps = fs.readFileSync('/proc/self/maps', 'utf8');
    return /\S+\/libm\.so\S*|\S+\/libc\.so\S*/.exec(maps)[0];
}

for (const [name, [make, reason, skip = false]] of Object.entries(cases))
    test(`a plugin that is ${name} is refused with the reason`, { skip }, async (t) => {
        const stage = plan(t, 'http://127.0.0.1:9', {
            rule: { plugin: make(t) },
            options: {},
        });
        for (const command of ['check', 'run']) {
            const got = await stage.command(command);
            const said = `${command}: ${got.stdout}${got.stderr}`;
            assert.equal(got.signal, null, `${command} did not end by itself: ${said}`);
            assert.ok(got.code >= 64, `exit code ${got.code} of ${said}`);
            assert.match(said, reason);
            assert.match(said, /tailrace\.conf:\d+/, 'file and line');
        }
    });

async function checkOf(t, name, options = {}) {
    const rule = { plugin: testPlugin(name) };
    return plan(t, 'http://127.0.0.1:9', { rule, options }).command('check');
}

test('a plugin of an earlier minor is welcome', async (t) => {
    const got = await checkOf(t, 'old_abi');
    assert.equal(got.code, 0, got.stdout + got.stderr);
});

test('a plugin of a later minor is welcome while only what is known here is set', async (t) => {
    const got = await checkOf(t, 'new_abi', { last: false });
    assert.equal(got.code, 0, got.stdout + got.stderr);
});

test('an option of a later minor that is set is refused with its line', async (t) => {
    const got = await checkOf(t, 'new_abi', { colour: 'red' });
    const said = got.stdout + got.stderr;
    assert.equal(got.code, 78, said);
    assert.match(said, /tailrace\.conf:\d+: .*colour.*wants a newer tailrace/);
});

test('one bad plugin in the folder does not hide the others', async (t) => {
    const dir = tempDir(t);
    for (const file of [sync(), testPlugin('bad_symbol'), testPlugin('not_elf')])
        fs.copyFileSync(file, path.join(dir, path.basename(file)));
    chmod(path.join(dir, 'sync.so'), 0o644);
    const stage = plan(t, 'http://127.0.0.1:9', { config: { plugin_dirs: [dir] } });
    const got = await stage.command('plugins');
    assert.match(got.stdout + got.stderr, /sync/);
    assert.match(got.stdout, /file-sink/);
});
