#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
//
// The command line of the test server:
//
//     node main.js --port 0 --dir DIR [--admin admin:secret] [--cookie-timeout SECONDS]
//                  [--max-document-size BYTES] [--max-open N] [--tls-cert FILE --tls-key FILE]
//                  [--no-system-databases]
//
// Prints one line, `listening on URL`, when it takes requests. SIGTERM and SIGINT close it.
'use strict';
const { parseArgs } = require('util');
const { startServer } = require('./server');

const text = { type: 'string' };
const OPTIONS = {
    port: text,
    dir: text,
    admin: text,
    'cookie-timeout': text,
    'max-document-size': text,
    'max-open': text,
    'tls-cert': text,
    'tls-key': text,
    'no-system-databases': { type: 'boolean' },
};

async function main() {
    const { values } = parseArgs({ options: OPTIONS });
    if (!values.dir)
        throw new Error('--dir DIR is missing: the folder that keeps the databases');
    const number = (name) => (values[name] === undefined ? undefined : Number(values[name]));
    const server = await startServer({
        port: number('port'),
        dir: values.dir,
        admin: values.admin,
        cookieTimeout: number('cookie-timeout'),
        maxDocumentSize: number('max-document-size'),
        maxOpen: number('max-open'),
        tlsCert: values['tls-cert'],
        tlsKey: values['tls-key'],
        systemDatabases: values['no-system-databases'] ? [] : undefined,
    });
    process.stdout.write(`listening on ${server.url}\n`);
    const stop = () =>
        server.close().then(
            () => process.exit(0),
            () => process.exit(1),
        );
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
}

main().catch((err) => {
    process.stderr.write(`${err.message}\n`);
    process.exit(1);
});
