/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of `tailrace spiegel import` share. For nobody else; main thread.
 *
 *     cmd_spiegel.c        the command: one step after the other
 *     cmd_spiegel_ask.c    questions to the server, each waited for
 *     cmd_spiegel_read.c   Spiegel's documents: what they say (pure)
 *     cmd_spiegel_plan.c   where each rule begins on each database (pure)
 *     cmd_spiegel_write.c  the plan into the store
 *     cmd_spiegel_show.c   the plan on the terminal or as JSON
 */
#ifndef CLI_CMD_SPIEGEL_H
#define CLI_CMD_SPIEGEL_H

#include "base/arena.h"
#include "base/map.h"
#include "engine/settings.h"
#include "http/session.h"
#include "rule/pattern.h"
#include "store/store.h"

/* ---- what Spiegel's database says ---- */

/* An on_change or a replicator document. */
struct spiegel_rule {
    tr_str id, name;             /* `name` is GROUP/ID, as the engine calls it */
    bool is_replicator;          /* else it is an on_change */
    bool is_dirty;               /* a replicator that Spiegel had still to run */
    tr_str reason;               /* why it cannot be a rule; empty: it is one */
    struct settings *generation; /* of the one rule; NULL where there is a reason */
    const struct pattern *databases;
    bool system_databases; /* the pattern is about names that begin with "_" too */
};

/* A change_listener document: a database that Spiegel has listened to. */
struct spiegel_listener {
    tr_str seq;         /* raw JSON of last_seq: all up to here was answered; empty: nothing */
    int64_t updated_ms; /* wall clock; 0: it does not say */
};

/* Someone whom a URL in a document names, and whose password is not there. */
struct spiegel_user {
    tr_str host, user, rule; /* the first rule that names it */
};

struct spiegel {
    struct arena arena;
    struct settings *settings;
    const struct document_settings *group;
    struct spiegel_rule *rules;
    size_t rules_count, rules_room;
    size_t *patterns; /* those rules whose databases only the server can name */
    size_t patterns_count;
    struct map users;     /* "user@host" -> struct spiegel_user of the arena */
    struct map listeners; /* database -> struct spiegel_listener of the arena */
    tr_str updates_seq;   /* raw JSON: where it stood on _global_changes; empty: unknown */
    int64_t active_ms;    /* when it last wrote one of its own documents */
    size_t locked;        /* documents that one of its processes holds, or held when it died */
};

/* `group` is of `settings`; both are borrowed. */
void spiegel_init(struct spiegel *spiegel, struct settings *settings,
                  const struct document_settings *group);
void spiegel_fini(struct spiegel *spiegel);

/* Takes in a document; others than Spiegel's are passed over. What is kept is copied. */
void spiegel_take(struct spiegel *spiegel, tr_str id, tr_str doc);

/* "2026-01-31T12:00:00.123Z" in ms since 1970; 0: it is no such time. */
int64_t spiegel_time(tr_str text);

/* ---- what the server says ---- */

struct spiegel_database {
    tr_str name, incarnation;
    tr_str end; /* raw JSON of the position behind all it has now; empty: not known */
    bool exists;
    bool changed; /* since Spiegel last looked which databases change */
};

/* ---- where a rule begins ---- */

enum spiegel_why {
    SPIEGEL_LISTENED,    /* where Spiegel stood */
    SPIEGEL_UNANSWERED,  /* Spiegel has tried, and has not got through its first batch */
    SPIEGEL_MADE_ANEW,   /* the database is younger than Spiegel's position */
    SPIEGEL_CHANGED,     /* changed, and Spiegel had not come to it yet */
    SPIEGEL_NEVER,       /* Spiegel has never listened to it */
    SPIEGEL_REPLICATED,  /* nothing since the last replication */
    SPIEGEL_TO_REPLICATE /* dirty, or changed since: it is replicated once */
};

/* For people, and one word for programs. */
const char *spiegel_why_text(enum spiegel_why why);
const char *spiegel_why_word(enum spiegel_why why);

/* A rule's place on a database. */
struct spiegel_place {
    size_t rule, database;
    enum spiegel_why why;
    tr_str seq;    /* raw JSON, of the plan's data */
    tr_str stream; /* the key */
    bool kept;     /* a checkpoint stands there already, and stays */
};

struct spiegel_plan {
    struct arena arena;
    struct spiegel_database *databases;
    size_t databases_count, databases_room;
    struct map by_name; /* database -> index + 1 */
    struct spiegel_place *places;
    size_t places_count, places_room;
    bool changes_known;  /* `changed` of the databases says something */
    bool replicate_all;  /* replicators run once, dirty or not */
    bool unlistened_now; /* databases of SPIEGEL_NEVER begin at their end */
};

void spiegel_plan_init(struct spiegel_plan *plan);
void spiegel_plan_fini(struct spiegel_plan *plan);

/* The database of this name, made if it is not there; valid until the next is made. */
struct spiegel_database *spiegel_plan_database(struct spiegel_plan *plan, tr_str name);

/* Whether a rule is about it that has a pattern; names in documents are not looked at. */
bool spiegel_is_wanted(const struct spiegel *spiegel, tr_str db);

/* Fills `places`, rule by rule, for the databases that exist; `source` is the name in keys. */
void spiegel_plan_make(struct spiegel_plan *plan, const struct spiegel *spiegel, tr_str source);

/* Marks the databases that an answer of _global_changes names: raw JSON of its `results`. Gives
 * how many rows there were. */
size_t spiegel_plan_changed(struct spiegel_plan *plan, tr_str results);

/* ---- the server ---- */

struct spiegel_server {
    struct loop *loop;
    struct http *http;
    struct secrets *secrets;
    struct http_pool *pool;
    struct session *session;
    const struct source_settings *source;
};

/* To be given back by spiegel_server_close() in either case. */
int spiegel_server_open(struct spiegel_server *server, const struct settings *settings,
                        const struct source_settings *source, struct error *error);
void spiegel_server_close(struct spiegel_server *server);

/* All documents of Spiegel's database. ERR_NOINPUT, ERR_NOPERM, ERR_UNAVAIL, ERR_PROTOCOL. */
int spiegel_server_documents(struct spiegel_server *server, tr_str db, struct spiegel *spiegel,
                             struct error *error);

/* The databases that rules are about, into the plan, with what the server says of each. */
int spiegel_server_databases(struct spiegel_server *server, const struct spiegel *spiegel,
                             struct spiegel_plan *plan, struct error *error);

/* Marks what changed since Spiegel's position on _global_changes. Where that cannot be told
 * changes_known stays false, and the error says why. */
int spiegel_server_changed(struct spiegel_server *server, const struct spiegel *spiegel,
                           struct spiegel_plan *plan, struct error *error);

/* ---- the store ---- */

/* Marks the places that have a checkpoint already as kept. */
int spiegel_find_kept(struct store *store, const struct spiegel *spiegel,
                      struct spiegel_plan *plan, struct error *error);

/* Writes the others, and of each rule that it has looked at its databases. Durable when it
 * returns 0. The store was opened with its lock; `loop` must live until it is closed. */
int spiegel_write(struct store *store, struct loop *loop, const struct spiegel *spiegel,
                  const struct spiegel_plan *plan, tr_str source, struct error *error);

/* ---- output ---- */

void spiegel_show_table(const struct spiegel *spiegel, const struct spiegel_plan *plan);
void spiegel_show_json(const struct spiegel *spiegel, const struct spiegel_plan *plan,
                       tr_str source, bool dry_run);

/* A bar on stderr if that is a terminal: `done` of `total` of what; done == total ends it. */
void spiegel_progress(const char *what, size_t done, size_t total);

#endif
