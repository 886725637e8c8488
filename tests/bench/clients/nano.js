/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows a database to its end by nano's ChangesReader, in batches, and counts:
 *
 *     node nano.js URL DATABASE [BATCH_SIZE]
 */
'use strict';

const nano = require('nano');

const [url, name, batchSize] = process.argv.slice(2);
const options = { since: '0', includeDocs: true, timeout: 100 };
if (batchSize) options.batchSize = Number(batchSize);

let seen = 0;
nano(url)
    .db.use(name)
    .changesReader.get(options)
    .on('batch', (batch) => (seen += batch.length))
    .on('error', (err) => {
        console.error(err.message);
        process.exit(1);
    })
    .on('end', () => console.log(`counted ${seen}`));
