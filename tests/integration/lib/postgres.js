/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PostgreSQL of a test's own, in a temporary folder, on a socket there and on a loopback port,
 * and rules of the plugin postgres-sink that lead to it.
 *
 *   const postgres = await startPostgres();            after: await postgres.close();
 *   const site = postgresSite(t, couch, postgres, db, {table: 'docs'}, {batch: {size: 10}});
 *   await postgres.rows('SELECT id, rev FROM docs ORDER BY id');      [{id, rev}, …]
 *   await postgres.stop('SIGKILL');  await postgres.start();
 *
 * PostgreSQL refuses to run as root, so there the user "postgres" of its package runs it. By the
 * socket everybody may do everything; by the port one needs the password SECRET.
 */
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFileSync, spawn } = require('node:child_process');
const { waitFor } = require('../../lib/couch');
const { freePort } = require('../../lib/free_port');
const { makeSite } = require('./site');

const SECRET = 'canary-3f9c';

/* Debian keeps the server's programs out of the path. */
function programs() {
    const debian = '/usr/lib/postgresql';
    const dirs = (fs.existsSync(debian) ? fs.readdirSync(debian) : [])
        .sort((a, b) => b - a)
        .map((version) => path.join(debian, version, 'bin'));
    const found = [...dirs, ...process.env.PATH.split(':')].find((dir) =>
        fs.existsSync(path.join(dir, 'initdb')),
    );
    if (!found) throw new Error('no PostgreSQL: tests/setup test installs it');
    return found;
}

function whoRuns() {
    if (process.getuid() !== 0) return {};
    const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
    return { uid: id('-u'), gid: id('-g') };
}

/* Runs a program to its end; its output. */
function run(program, args, options = {}) {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => (out += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk) => (err += chunk));
    return new Promise((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (code) =>
            code === 0 ? resolve(out) : reject(new Error(`${program}: ${code}: ${err}`)),
        );
    });
}

class Postgres {
    constructor(dir, port, settings) {
        Object.assign(this, { dir, port, settings, bin: programs(), who: whoRuns() });
        this.data = path.join(dir, 'data');
        this.conninfo = `host=${dir} port=${port} user=postgres dbname=postgres`;
        this.tcp = `host=127.0.0.1 port=${port} user=postgres dbname=postgres`;
    }

    async init() {
        const file = path.join(this.dir, 'password');
        fs.writeFileSync(file, `${SECRET}\n`);
        if (this.who.uid) fs.chownSync(this.dir, this.who.uid, this.who.gid);
        fs.chmodSync(this.dir, 0o755);
        await run(
            path.join(this.bin, 'initdb'),
            ['-D', this.data, '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--no-sync']
                .concat(['--auth-local=trust', '--auth-host=scram-sha-256'])
                .concat(['--pwfile', file]),
            { cwd: this.dir, ...this.who },
        );
    }

    async start() {
        const settings = {
            unix_socket_directories: this.dir,
            listen_addresses: '127.0.0.1',
            port: this.port,
            fsync: 'off',
            ...this.settings,
        };
        const args = Object.entries(settings).flatMap(([key, value]) => [
            '-c',
            `${key}=${value}`,
        ]);
        this.log = fs.openSync(path.join(this.dir, 'log'), 'a');
        const launch = () => {
            this.child = spawn(path.join(this.bin, 'postgres'), ['-D', this.data, ...args], {
                cwd: this.dir,
                stdio: ['ignore', this.log, this.log],
                ...this.who,
            });
            this.exited = new Promise((resolve) => this.child.once('exit', resolve));
        };
        launch();
        await waitFor(
            () => {
                /* After SIGKILL it refuses as long as old sessions have not ended. */
                if (this.child.exitCode !== null) launch();
                return this.sql('SELECT 1').catch(() => false);
            },
            'PostgreSQL',
            60000,
        );
    }

    /* SIGINT: sessions are ended and all is written down; SIGKILL: nothing is. */
    async stop(signal = 'SIGINT') {
        this.child.kill(signal);
        await this.exited;
        fs.closeSync(this.log);
        this.child = null;
    }

    /* What a script prints, a row a line, fields divided by `|`. */
    sql(script) {
        const psql = path.join(this.bin, 'psql');
        const where = ['-h', this.dir, '-p', String(this.port), '-U', 'postgres'];
        return run(psql, [...where, '-d', 'postgres', '-XqAt', '-v', 'ON_ERROR_STOP=1'].concat([
            '-c',
            script,
        ]));
    }

    async rows(query) {
        const text = await this.sql(`SELECT coalesce(json_agg(q), '[]') FROM (${query}) q`);
        return JSON.parse(text);
    }

    async close() {
        if (this.child) await this.stop('SIGQUIT');
        fs.rmSync(this.dir, { recursive: true, force: true });
    }
}

async function startPostgres(settings = {}) {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-pg-'));
    const postgres = new Postgres(dir, await freePort(), settings);
    await postgres.init();
    await postgres.start();
    return postgres;
}

function toPostgres(postgres, db, options, rule) {
    return {
        source: 'main',
        databases: [db],
        plugin: 'postgres-sink',
        retry: { min: '5ms', max: '100ms' },
        ...rule,
        options: { conninfo: postgres.conninfo, create_table: true, ...options },
    };
}

function postgresSite(t, couch, postgres, db, options, rule) {
    return makeSite(t, couch, { rules: { r: toPostgres(postgres, db, options, rule) } });
}

/*
 * Counts what is written to a table, by a trigger: each row of its counter is an operation. The
 * table must be there.
 */
function countWrites(postgres, table) {
    return postgres.sql(`
        CREATE TABLE ${table}_writes (n bigserial, op text, id text, rev text);
        CREATE FUNCTION ${table}_count() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' THEN
                INSERT INTO ${table}_writes (op, id, rev) VALUES (TG_OP, OLD.id, OLD.rev);
            ELSE
                INSERT INTO ${table}_writes (op, id, rev) VALUES (TG_OP, NEW.id, NEW.rev);
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER ${table}_count AFTER INSERT OR UPDATE OR DELETE ON ${table}
            FOR EACH ROW EXECUTE FUNCTION ${table}_count();`);
}

module.exports = { startPostgres, toPostgres, postgresSite, countWrites, SECRET };
