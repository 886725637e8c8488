/* SPDX-License-Identifier: Apache-2.0 */
/* The replicator: source leaves = replica leaves. */
'use strict';

const { Copies } = require('./copy');

class Replica extends Copies {
    constructor(stage) {
        super(stage, 'replica', { leaves: true });
    }

    rules(databases) {
        return {
            replica: {
                source: 'main',
                databases,
                plugin: 'replicator',
                retry: { min: '5ms', max: '200ms' },
                commit: { interval: '300ms' },
                options: {
                    source_url: `${this.stage.address}/`,
                    target: `${this.stage.address}/${this.target('$db_name')}`,
                    create_target: true,
                    checkpoint_interval: '200ms',
                },
            },
        };
    }
}

module.exports = { Replica };
