/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for tests: a private CA, and servers that are right, expired or of another name.
 *
 *   const pki = makePki(tempDir(t));
 *   startScripted(script, {tls: pki.good});      also pki.expired, pki.wrongName, pki.stranger
 *   … ca_file = pki.caFile …
 *
 * Made with the openssl command, anew each time: a certificate kept in the tree would expire.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');

const CA_CONF = `
[ca]
default_ca = test
[test]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
`;

const HERE = 'DNS:localhost,IP:127.0.0.1';

function openssl(dir, ...args) {
    execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
}

/* Dates as the openssl command takes them; `days` from now. */
function date(days) {
    const iso = new Date(Date.now() + days * 86400e3).toISOString();
    return `${iso.slice(0, 19).replace(/[-:T]/g, '')}Z`;
}

const EC_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function makeCa(dir, name) {
    fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync(path.join(dir, 'ca.cnf'), CA_CONF);
    fs.writeFileSync(path.join(dir, 'index.txt'), '');
    openssl(
        dir,
        'req',
        '-x509',
        ...EC_KEY,
        '-config',
        'ca.cnf',
        '-extensions',
        'root',
        '-days',
        '30',
        '-subj',
        `/CN=${name}`,
        '-keyout',
        'ca.key',
        '-out',
        'ca.pem',
    );
    return path.join(dir, 'ca.pem');
}

/* A certificate of the CA in dir, valid between the two days from now. */
function issue(dir, name, { altNames = HERE, fromDays = -1, toDays = 30 } = {}) {
    openssl(
        dir,
        'req',
        '-new',
        ...EC_KEY,
        '-config',
        'ca.cnf',
        '-subj',
        `/CN=${name}`,
        '-addext',
        `subjectAltName=${altNames}`,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
    );
    openssl(
        dir,
        'ca',
        '-batch',
        '-config',
        'ca.cnf',
        '-cert',
        'ca.pem',
        '-keyfile',
        'ca.key',
        '-notext',
        '-startdate',
        date(fromDays),
        '-enddate',
        date(toDays),
        '-in',
        `${name}.csr`,
        '-out',
        `${name}.pem`,
    );
    const keyFile = path.join(dir, `${name}.key`);
    const certFile = path.join(dir, `${name}.pem`);
    return {
        key: fs.readFileSync(keyFile),
        cert: fs.readFileSync(certFile),
        keyFile,
        certFile,
    };
}

/*
 * Everything, below dir: {ca, caFile, good, expired, wrongName, stranger}; each with key and
 * cert.
 */
function makePki(dir) {
    const mine = path.join(dir, 'ca');
    const other = path.join(dir, 'other-ca');
    const caFile = makeCa(mine, 'tailrace test CA');
    makeCa(other, 'a CA that nobody trusts');
    return {
        caFile,
        ca: fs.readFileSync(caFile),
        good: issue(mine, 'good'),
        expired: issue(mine, 'expired', { fromDays: -20, toDays: -10 }),
        wrongName: issue(mine, 'wrong-name', { altNames: 'DNS:elsewhere.example' }),
        stranger: issue(other, 'stranger'),
    };
}

module.exports = { makePki };
