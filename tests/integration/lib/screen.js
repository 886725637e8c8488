/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A terminal: what a person sees after so many bytes. And a site's run on one, by script(1).
 *
 *   const run = startOnTerminal(t, site.args('run', '--once'), {rows: 24, columns: 80});
 *   await run.until((screen) => /rows/.test(screen.bottom()));
 *   const {code} = await run.ended;
 *
 * It knows the few sequences that tailrace sends, and refuses all others.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { spawn, execFileSync } = require('node:child_process');
const { binary, tempDir } = require('../../lib/tailrace');
const { waitFor } = require('../../lib/couch');
const { atEnd } = require('../../lib/at_end');

class Screen {
    constructor(rows, columns) {
        this.raw = '';
        this.rest = '';
        this.saved = { row: 0, column: 0 };
        this.row = this.column = 0;
        this.lines = [];
        this.resize(rows, columns);
    }

    resize(rows, columns) {
        Object.assign(this, { rows, columns, top: 0, end: rows - 1 });
        while (this.lines.length > rows) this.lines.shift();
        while (this.lines.length < rows) this.lines.push('');
        this.row = Math.min(this.row, rows - 1);
    }

    write(text) {
        this.raw += text;
        this.rest += text;
        const token = /^(?:\x1b\[(\??[\d;]*)([A-Za-z])|\x1b([78])|([\r\n])|([^\x00-\x1f\x7f]))/;
        for (let hit; (hit = token.exec(this.rest)); this.rest = this.rest.slice(hit[0].length))
            this.#obey(hit);
        if (this.rest && !/^\x1b(\[\??[\d;]*)?$/.test(this.rest))
            throw new Error(`not known: ${JSON.stringify(this.rest.slice(0, 20))}`);
    }

    #obey([, numbers, sequence, keep, end, letter]) {
        if (letter) this.#put(letter);
        else if (end === '\r') this.column = 0;
        else if (end === '\n') this.#feed();
        else if (keep === '7') this.saved = { row: this.row, column: this.column };
        else if (keep === '8') Object.assign(this, this.saved);
        else if (numbers.startsWith('?')) this.#mode(`${numbers}${sequence}`);
        else this.#command(sequence, numbers ? numbers.split(';').map(Number) : []);
    }

    /* The second screen, and whether the cursor is shown. */
    #mode(words) {
        if (words === '?1049h' || words === '?1049l') {
            this.second = words.endsWith('h');
            this.lines.fill('');
        } else if (words === '?25h' || words === '?25l') this.hidden = words.endsWith('l');
        else throw new Error(`not known: ESC [ ${words}`);
    }

    #command(letter, numbers) {
        if (letter === 'm') return;
        if (letter === 'H') {
            this.row = Math.min(numbers[0] || 1, this.rows) - 1;
            this.column = (numbers[1] || 1) - 1;
        } else if (letter === 'J') {
            this.lines[this.row] = this.lines[this.row].slice(0, this.column);
            this.lines.fill('', this.row + 1);
        } else if (letter === 'K') {
            this.lines[this.row] = this.lines[this.row].slice(0, this.column);
        } else if (letter === 'A') {
            this.row = Math.max(this.row - numbers[0], 0);
        } else if (letter === 'r') {
            [this.top, this.end] = numbers.length
                ? [numbers[0] - 1, numbers[1] - 1]
                : [0, this.rows - 1];
            this.row = this.column = 0;
        } else throw new Error(`not known: ESC [ ${numbers} ${letter}`);
    }

    #put(letter) {
        if (this.column === this.columns) (this.column = 0), this.#feed();
        const line = this.lines[this.row].padEnd(this.column);
        const [front, rest] = [line.slice(0, this.column), line.slice(this.column + 1)];
        this.lines[this.row] = front + letter + rest;
        this.column++;
    }

    #feed() {
        if (this.row === this.end) {
            this.lines.splice(this.end + 1, 0, '');
            this.lines.splice(this.top, 1);
        } else if (this.row < this.rows - 1) this.row++;
    }

    bottom() {
        return this.lines[this.rows - 1];
    }

    /* All rows scroll: the terminal is as it was. */
    isWhole() {
        return this.top === 0 && this.end === this.rows - 1;
    }

    text() {
        return this.lines.join('\n').trimEnd();
    }
}

class OnTerminal {
    constructor(t, args, { rows = 24, columns = 200, env } = {}) {
        const dir = tempDir(t);
        this.note = path.join(dir, 'note');
        this.screen = new Screen(rows, columns);
        const quoted = [binary(), ...args].map((word) => `'${word}'`).join(' ');
        const line =
            `stty rows ${rows} cols ${columns}; ulimit -c 0; ` +
            `{ echo $$; tty; } >'${this.note}'; exec ${quoted}`;
        this.child = spawn('script', ['-qec', line, '/dev/null'], {
            env: { ...process.env, SHELL: '/bin/sh', TERM: 'xterm', NO_COLOR: '1', ...env },
        });
        this.child.stdout.setEncoding('utf8').on('data', (text) => this.screen.write(text));
        this.ended = new Promise((resolve) =>
            this.child.on('close', (code) => resolve({ code, screen: this.screen })),
        );
        atEnd(t, () => this.child.kill('SIGKILL'));
    }

    /* What the screen shows when `good` likes it. */
    async until(good) {
        await waitFor(() => good(this.screen), `${good}`, 20000).catch((err) => {
            throw new Error(`${err.message}; the screen:\n${this.screen.text()}`);
        });
        return this.screen;
    }

    press(keys) {
        this.child.stdin.write(keys);
    }

    signal(name) {
        process.kill(Number(fs.readFileSync(this.note, 'utf8').split('\n')[0]), name);
    }

    resize(rows, columns) {
        const tty = fs.readFileSync(this.note, 'utf8').split('\n')[1];
        execFileSync('stty', ['-F', tty, 'rows', rows, 'cols', columns]);
        this.screen.resize(rows, columns);
    }
}

function startOnTerminal(t, args, options) {
    return new OnTerminal(t, args, options);
}

module.exports = { Screen, startOnTerminal };
