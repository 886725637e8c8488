/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader: fills a database from empty with mails, made up, over several connections at once,
 * corrects some of them and withdraws others.
 */
'use strict';

const { sleep } = require('../../tests/lib/couch');

const AT_ONCE = 2;
const REQUEST = 250;
const PEOPLE = ['ada', 'ben', 'cleo', 'dora', 'emil'];
const WORDS = 'the deal is off call me before noon about gas power and that meeting'.split(' ');

function makeMail(n) {
    const words = Array.from({ length: 60 }, (_, i) => WORDS[(n * 7 + i * i) % WORDS.length]);
    return {
        _id: `mail-${String(n).padStart(7, '0')}`,
        from: `${PEOPLE[n % PEOPLE.length]}@example.com`,
        to: `${PEOPLE[(n + 1 + (n % 3)) % PEOPLE.length]}@example.com`,
        subject: `${words[0]} ${words[1]} (${n})`,
        body: words.join(' '),
    };
}

/* Writes documents and returns them with their revisions. */
async function post(couch, where, docs) {
    const { status, json, text } = await couch.post(`${where}/_bulk_docs`, { docs });
    if (status !== 201 && status !== 202) throw new Error(`${where}/_bulk_docs: ${text}`);
    const refused = json.find((row) => row.error);
    if (refused) throw new Error(`${where}: ${JSON.stringify(refused)}`);
    return docs.map((doc, i) => ({ ...doc, _rev: json[i].rev }));
}

/* Every tenth mail is corrected, and every twentieth withdrawn: {mails, corrected, withdrawn}. */
async function loadMails(couch, where, count) {
    const told = { mails: 0, corrected: 0, withdrawn: 0 };
    let next = 0;

    async function load() {
        while (next < count) {
            const from = next;
            next = Math.min(count, from + REQUEST);
            const mails = Array.from({ length: next - from }, (_, i) => makeMail(from + i));
            const there = await post(couch, where, mails);
            const later = there
                .filter((_, i) => (from + i) % 10 === 0)
                .map(({ _id, _rev, ...mail }, i) =>
                    i % 2 === 0
                        ? { _id, _rev, ...mail, corrected: true }
                        : { _id, _rev, _deleted: true },
                );
            await post(couch, where, later);
            const withdrawn = later.filter((doc) => doc._deleted).length;
            told.mails += mails.length;
            told.withdrawn += withdrawn;
            told.corrected += later.length - withdrawn;
            await sleep(300); /* so that a person can follow */
        }
    }

    await Promise.all(Array.from({ length: AT_ONCE }, load));
    return told;
}

module.exports = { loadMails, post };
