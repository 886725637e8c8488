/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of document rules share: a group, and the documents that it knows.
 *
 *     document_rules.c    the groups: made, reloaded, ended, shown
 *     document_group.c    one group: its database is read and followed, documents are judged
 *     document_report.c   what is wrong with a document is written into it
 */
#ifndef ENGINE_DOCUMENT_GROUP_H
#define ENGINE_DOCUMENT_GROUP_H

#include "engine/document_report.h"
#include "engine/document_rules.h"
#include "engine/private.h"

struct document_rules {
    struct list groups;
};

struct document_group {
    struct list link;
    struct engine *engine;
    char *name;
    struct settings *generation; /* of files                                               */
    const struct document_settings *settings;
    uint32_t serial;       /* of the generation                                             */
    struct map documents;  /* by id: struct document; those of no concern are not there      */
    size_t rules, invalid; /* of these                                                     */
    uint32_t round;
    bool read; /* a round was read to its end                                              */
    bool reading;
    int64_t awaited_until_ms; /* the first look at databases waits for it no longer         */
    enum document_state state;
    char reason[300];

    struct http_pool *pool;
    struct session *session;
    struct question *question;
    struct feed *feed;
    struct document_reporter *reporter; /* NULL: documents are told nothing                */
    char *incarnation;
    struct timer again;
    uint32_t failures;
};

/* A document that is a rule, or wants to be. */
struct document {
    char *rev;
    char *reason; /* what is wrong; NULL: it is a rule                                      */
    uint32_t judged; /* by which settings, see group->serial                               */
    uint32_t round;
};

/* Begins, or begins anew, by the settings of the engine's generation.
 * Rules that are known stay. */
void document_group_connect(struct document_group *group,
                            const struct document_settings *settings);
void document_group_disconnect(struct document_group *group);

/* Ends all of its rules. */
void document_group_forget(struct document_group *group);

/* Frees it; its rules are the engine's then. Disconnected. */
void document_group_free(struct document_group *group);

#endif
