/* SPDX-License-Identifier: Apache-2.0 */
/* bulk-sink with new_edits = false: what wins at the source wins in the copy. */
'use strict';

const { Copies } = require('./copy');

class Bulk extends Copies {
    constructor(stage) {
        super(stage, 'bulk', { leaves: false });
    }

    rules(databases) {
        return {
            bulk: {
                source: 'main',
                databases,
                plugin: 'bulk-sink',
                batch: { size: 50 },
                retry: { min: '5ms', max: '200ms' },
                commit: { interval: '300ms', rows: 100 },
                options: {
                    url: `${this.stage.address}/`,
                    database: this.target('$db_name'),
                    new_edits: false,
                    source_url: `${this.stage.address}/`,
                    create_target: true,
                },
            },
        };
    }
}

module.exports = { Bulk };
