/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking an instance where a stream begins, and telling it how far all is settled: the host's
 * side of tr.position/1, for plugins that offer it. Called by dispatch on the loop thread,
 * which is where answers come.
 */
#ifndef PLUGIN_POSITION_H
#define PLUGIN_POSITION_H

#include "plugin/instance.h"

#include <tailrace/ext/position.h>

struct position_ask;

/* What is asked; copied. */
struct position_question {
    tr_str source, db, stream, seq;
    bool has_checkpoint;
    /* The answer, once: empty, begin where it was asked. */
    void (*answered)(void *ctx, tr_str seq);
    void *ctx;
};

/* Whether the plugin wants to be asked. */
bool instance_has_position(const struct instance *instance);

/* NULL: there is nobody to ask, begin where you would. */
struct position_ask *instance_ask_position(struct instance *instance,
                                           const struct position_question *question);

/* No answer is wanted any more. NULL is fine. */
void position_cancel(struct position_ask *ask);

/* A checkpoint is durable; copied. Nothing happens if the plugin does not want to know. */
void instance_settled(struct instance *instance, const tr_place *place);

#endif
