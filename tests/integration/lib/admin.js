/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the admin endpoint.
 *
 *   const {status, headers, text} = await ask({port}, '/metrics');
 */
'use strict';

const http = require('node:http');

/* One request. `where` is {port} or {socketPath}. */
function ask(where, url, { method = 'GET', headers } = {}) {
    return new Promise((resolve, reject) => {
        const options = { host: '127.0.0.1', ...where, path: url, method, headers, agent: false };
        const request = http.request(options, (answer) => {
            let text = '';
            answer.setEncoding('utf8').on('data', (piece) => (text += piece));
            answer.on('end', () => {
                resolve({ status: answer.statusCode, headers: answer.headers, text });
            });
        });
        request.on('error', reject).end();
    });
}

module.exports = { ask };
