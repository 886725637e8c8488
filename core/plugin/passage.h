/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a rule's transforms made of a batch: the changes that go on, with their documents, and
 * what became of the others. Filled by chain.c on the worker, read by the plugin, merged into
 * the job's outcome and freed on the loop.
 */
#ifndef PLUGIN_PASSAGE_H
#define PLUGIN_PASSAGE_H

#include "base/arena.h"
#include "plugin/ticket.h"

struct json_doc;

struct passage {
    tr_batch batch;       /* what the plugin sees                                             */
    tr_change *changes;   /* of it                                                            */
    uint32_t *places;     /* of these in the job's batch                                      */
    int32_t *settled;     /* of each change there; TR_OK: it goes on                          */
    const char **reasons; /* of those that were refused                                     */
    struct arena arena;   /* of all these, and of the documents                               */
    const char **messages; /* the plugin's own, once they are merged */
};

/* Empty, for the changes of `batch`, whose memory outlives it. */
struct passage *passage_new(const tr_batch *batch);

/* The change number `i` goes on, with this document. */
void passage_add(struct passage *passage, uint32_t i, const tr_change *change,
                 const struct json_doc *doc);

/* It does not: TR_SKIP, or TR_REJECT for a reason. */
void passage_settle(struct passage *passage, uint32_t i, tr_status status, const char *reason);

#endif
