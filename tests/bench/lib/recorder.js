/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proxy in front of a server that writes down which URLs are asked for, so that another client
 * can be given exactly the same ones. Nothing is measured through it.
 */
'use strict';

const http = require('node:http');

/* Resolves to {url, seen, close()}; seen has paths with their queries. */
function startRecorder(target) {
    const { hostname, port } = new URL(target);
    const seen = [];
    const server = http.createServer((req, res) => {
        seen.push(req.url);
        const { method, headers, url: path } = req;
        const onward = http.request({ hostname, port, path, method, headers }, (answer) => {
            res.writeHead(answer.statusCode, answer.headers);
            answer.pipe(res);
        });
        onward.on('error', () => res.destroy());
        req.pipe(onward);
    });
    const close = () => {
        server.closeAllConnections?.();
        return new Promise((resolve) => server.close(resolve));
    };
    return new Promise((resolve) =>
        server.listen(0, '127.0.0.1', () =>
            resolve({ url: `http://127.0.0.1:${server.address().port}`, seen, close }),
        ),
    );
}

module.exports = { startRecorder };
