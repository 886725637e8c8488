/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules that come from documents: for each group of `rule_documents` the changes of its
 * database are followed, and a document that is put, changed or removed starts, changes or ends
 * a rule.
 *
 * Rules live in memory: each start reads all documents. A group that cannot be read leaves the
 * rules that are known as they are. A document that is wrong concerns itself only: its rule, if
 * it had one, ends, and goes on from its checkpoints once the document is mended. Called by
 * engine.c, and by whoever tells of the groups, on the loop thread.
 */
#ifndef ENGINE_DOCUMENT_RULES_H
#define ENGINE_DOCUMENT_RULES_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct engine;

void document_rules_start(struct engine *engine);  /* all groups of engine->settings         */
void document_rules_reload(struct engine *engine); /* engine->settings is another one now     */
void document_rules_stop(struct engine *engine); /* reads no more; the rules are the engine's */

/* Every group was read to the end once: those that run once have all their rules then. */
bool document_rules_are_read(const struct engine *engine);

/* A group that was never read is about to be. No database is looked at before: the first rules
 * do not show how many there are, and so whether each is worth a feed. False when it takes too
 * long, for nothing else is to wait for a server that hangs. */
bool document_rules_are_awaited(const struct engine *engine);

enum document_state {
    DOCUMENTS_CONNECTING,
    DOCUMENTS_READING, /* from the beginning                                               */
    DOCUMENTS_LIVE,    /* all are known, changes come at once                              */
    DOCUMENTS_WAITING, /* no answer, or none that helps: tried again                       */
    DOCUMENTS_DENIED,  /* 401 or 403: tried again, for a person to mend                    */
    DOCUMENTS_MISSING, /* there is no such database: looked for again                      */
    DOCUMENTS_DONE     /* `run --once`: read to the end                                    */
};

/* "connecting", "live", … */
const char *document_state_name(enum document_state state);

/* For status. Slices live until the callback returns. */
struct document_group_status {
    tr_str name, source, database;
    enum document_state state;
    const char *reason; /* of WAITING, DENIED and MISSING; else ""                          */
    size_t rules, invalid;
};

/* Calls `group` for each group and, after it, `invalid` for up to `invalid_max` of its
 * documents that are wrong, in no order. */
void document_rules_each(const struct engine *engine, size_t invalid_max,
                         void (*group)(void *ctx, const struct document_group_status *status),
                         void (*invalid)(void *ctx, tr_str id, const char *reason), void *ctx);

#endif
