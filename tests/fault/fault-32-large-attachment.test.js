/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault 32: a large attachment is copied from one database to another. It flows through, in
 * little memory; one that does not come as it was announced leaves nothing behind.
 * TAILRACE_TEST_ATTACHMENT says how many MiB; on a real CouchDB 1024 will do.
 */
'use strict';

const test = require('./lib/fault')(32);
const { before, after } = require('node:test');
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const { startTestServer, uniqueDb, waitFor } = require('../lib/couch');
const { put } = require('../integration/lib/docs');
const { startHook } = require('../integration/lib/sink');
const { copyBench, urlOf } = require('../integration/lib/copy');

const MB = 1 << 20;

let couch, bench;

before(async () => {
    couch = await startTestServer();
    bench = copyBench(couch);
});
after(() => couch.close());
