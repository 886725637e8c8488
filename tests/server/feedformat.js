// SPDX-License-Identifier: Apache-2.0
//
// The bytes between the rows. One object per feed type with: type (of the content), open, row, blank
// (a heartbeat, and the line that marks going idle), and close. Separators are exactly those of
// CouchDB: a comma, CR and LF between the rows of an array, LF alone everywhere else; the last LF of
// an event stream is missing when it ended by its timeout.
'use strict';

const array = () => {
    let first = true;
    return {
        type: 'application/json',
        open: '{"results":[\n',
        row(text) {
            const prefix = first ? '' : ',\r\n';
            first = false;
            return prefix + text;
        },
        blank: '\n',
        close: (tail) => `\n],\n${tail.slice(1)}\n\n`,
    };
};

const FORMATS = {
    normal: array,
    longpoll: array,
    continuous: () => ({
        type: 'application/json',
        open: '',
        row: (text) => `${text}\n`,
        blank: '\n',
        close: (tail) => `${tail}\n\n`,
    }),
    eventsource: () => ({
        type: 'text/event-stream',
        headers: { 'Cache-Control': 'no-cache' },
        open: '',
        row: (text, seq) => `data: ${text}\nid: ${seq}\n\n`,
        blank: 'event: heartbeat\ndata: \n\n',
        close: (tail, timedOut) => (timedOut ? '' : '\n'),
    }),
};

/** A fresh format for one response. */
function feedFormat(feed) {
    return FORMATS[feed]();
}

module.exports = { feedFormat };
