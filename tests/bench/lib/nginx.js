/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An nginx on a loopback port that answers everything with 204: a receiver that costs little, so
 * that the sender is what is measured. It has a folder of its own and needs no root.
 */
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const { spawn } = require('node:child_process');
const { makeFolder } = require('./bench');
const { request, waitFor } = require('../../lib/couch');
const { freePort } = require('../../lib/free_port');

const conf = (dir, port) => `
daemon off;
master_process off;
worker_processes 1;
pid ${dir}/pid;
error_log ${dir}/error.log;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path ${dir}/body;
    proxy_temp_path ${dir}/proxy;
    fastcgi_temp_path ${dir}/fastcgi;
    uwsgi_temp_path ${dir}/uwsgi;
    scgi_temp_path ${dir}/scgi;
    server {
        listen 127.0.0.1:${port} backlog=1024;
        location / { return 204; }
        location = /status { stub_status; }
    }
}
`;

const accepts = (port) =>
    new Promise((resolve) => {
        const socket = net.connect(port, '127.0.0.1');
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
        socket.once('connect', () => socket.destroy());
    });

/* Resolves to {url, requests(), close()}, requests() being how many it has had; NGINX names another binary. */
async function startNginx() {
    const dir = makeFolder();
    const port = await freePort();
    fs.writeFileSync(`${dir}/nginx.conf`, conf(dir, port));
    const nginx = process.env.NGINX || '/usr/sbin/nginx';
    if (!fs.existsSync(nginx))
        throw new Error(`no nginx at ${nginx}: apt-get install nginx-light, or set NGINX`);
    const child = spawn(
        nginx,
        ['-e', `${dir}/error.log`, '-p', dir, '-c', `${dir}/nginx.conf`],
        {
            stdio: 'inherit',
        },
    );
    const exited = new Promise((resolve) => child.once('exit', resolve));
    await waitFor(() => accepts(port), 'nginx');
    const base = `http://127.0.0.1:${port}`;
    return {
        url: `${base}/hook`,
        requests: async () => {
            const { text } = await request(`${base}/status`);
            return Number(/requests\s+\d+ \d+ (\d+)/.exec(text)[1]);
        },
        close: () => (child.kill('SIGTERM'), exited),
    };
}

module.exports = { startNginx };
