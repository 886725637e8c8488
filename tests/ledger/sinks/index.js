/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sinks, a file each. One more is a class with
 *
 *   rules(databases)         its rules, as tests/integration/lib/site.js prints them
 *   open(), close()
 *   between()                optional: a life of the daemon is over
 *   missing(truth, letters)  what is not there: [{kind, sink, what}], empty when all has come
 *   books                    of rows that it took (rows.js), for duplicates and order
 *   findings                 what it saw go wrong meanwhile
 *
 * made with the stage (stage.js), and a line here.
 */
'use strict';

const { Webhook } = require('./webhook');
const { File } = require('./file');
const { Bulk } = require('./bulk');
const { Replica } = require('./replica');
const { PostgresTable } = require('./postgres');
const { Stats } = require('./stats');

const SINKS = {
    webhook: Webhook,
    file: File,
    bulk: Bulk,
    replica: Replica,
    postgres: PostgresTable,
    stats: Stats,
};

module.exports = { SINKS };
