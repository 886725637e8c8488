/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows that all benchmarks use: the same ones in every run, about 1 KB each with their
 * documents, which have prose with escapes, numbers, a list and nested objects.
 */
'use strict';

const crypto = require('node:crypto');

const LINE = 'Nothing is lost that was acknowledged once, and "once" is a promise';
const hash = (text) => crypto.createHash('md5').update(text).digest('hex');

function makeDoc(i, lines = 5) {
    const rev = `1-${hash(`rev ${i}`)}`;
    const doc = {
        _id: `post-${String(i).padStart(8, '0')}`,
        _rev: rev,
        type: 'post',
        author: { name: `Ada ${i}`, mail: `ada${i % 997}@example.com` },
        created: '2024-03-07T08:15:00Z',
        likes: i % 1000,
        score: (i % 77) + 0.5,
        tags: ['couch', 'change', 'feed'],
        public: true,
        parent: null,
        body: '',
    };
    for (let line = 0; line < lines; line++) doc.body += `${LINE} ${hash(`${i} ${line}`)}.\n`;
    return doc;
}

/* As CouchDB makes them: opaque and long. */
const makeSeq = (i) =>
    `${i}-g1AAAACheJzLYWBgYMpgTmEQTM4vTc5ISXIwNDLXMwBCwxyQVCJDUv3${hash(`s${i}`)}`;

/* A row as CouchDB writes it; seq is null where seq_interval leaves it out. */
function makeRow(i, withSeq = true) {
    const doc = makeDoc(i);
    const seq = withSeq ? `"${makeSeq(i)}"` : 'null';
    return (
        `{"seq":${seq},"id":"${doc._id}","changes":[{"rev":"${doc._rev}"}],` +
        `"doc":${JSON.stringify(doc)}}`
    );
}

module.exports = { makeDoc, makeRow, makeSeq };
