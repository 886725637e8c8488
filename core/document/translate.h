/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of core/document/ share: a document on its way to a rule. For nobody else.
 *
 *     document.c    which type, and what all of them have
 *     translate.c   reading members, adding nodes
 *     on_change.c   Spiegel's on_change
 *     variables.c   its variables, in URLs and parameters
 *     pattern.c     its regular expressions, which are JavaScript's
 *     replicator.c  Spiegel's replicator, and those of them that a server is to do
 *     replicator_native.c   and those that the plugin does itself
 */
#ifndef DOCUMENT_TRANSLATE_H
#define DOCUMENT_TRANSLATE_H

#include "config/build.h"
#include "config/json.h"
#include "document/document.h"
#include "json/value.h"

struct translation {
    const struct document_options *options;
    tr_str id, doc;
    const char *file; /* the id                                                            */
    struct arena *arena;
    struct diags *diags;
    struct config_node *rule;
    bool failed;
};

/* document.c's branches: fill t->rule. */
void translate_on_change(struct translation *t);
void translate_replicator(struct translation *t);

/* ---- replicator.c, replicator_native.c ---- */

/* Whether a member of a replicator document is a field of _replicate, and not Spiegel's. */
bool replicator_is_for_server(tr_str name);
bool replicator_is_native(struct translation *t, tr_str source, tr_str target);
/* Fills the rule behind its databases. */
void replicator_native(struct translation *t, tr_str source, tr_str target, int64_t delay_ms);

/* ---- translate.c ---- */

/* Adds an error at a JSON pointer, and what to do about it. */
void translate_refuse(struct translation *t, const char *pointer, const char *remedy,
                      const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The member `key` if it is there and not null; of another type than wanted it is refused.
 * Texts are decoded, NUL-ended and hold no NUL. */
bool translate_raw(struct translation *t, const char *key, tr_str *ret_raw);
bool translate_text(struct translation *t, const char *key, tr_str *ret_text);
bool translate_flag(struct translation *t, const char *key); /* false when it is not there   */
bool translate_object(struct translation *t, const char *key, tr_str *ret_raw);

/* A member that has to be there. */
bool translate_wanted_text(struct translation *t, const char *key, const char *remedy,
                           tr_str *ret_text);

/* Add a member to a group, as its last; `pointer` NULL: where the group is. For few members. */
struct config_node *translate_add(struct translation *t, struct config_node *group,
                                  enum config_type type, const char *name, const char *pointer);
void translate_add_text(struct translation *t, struct config_node *group, const char *name,
                        tr_str text, const char *pointer);
void translate_add_flag(struct translation *t, struct config_node *group, const char *name,
                        bool flag, const char *pointer);
void translate_add_int(struct translation *t, struct config_node *group, const char *name,
                       int64_t number, const char *pointer);

void translate_remove(struct config_node *group, struct config_node *node);

/* A raw key, decoded; into the arena. */
tr_str translate_name(tr_str key, struct arena *arena);

/* Adds to the rule what of the group's defaults it does not have. */
void translate_defaults(struct translation *t);

/* ---- variables.c ---- */

/* A URL of Spiegel as the template of http-webhook that gives the same: variables in braces,
 * and only these. What no URL may hold is percent-encoded, a fragment is left out. Into `out`.
 */
void variables_in_url(tr_str url, struct buf *out);

/* The parameters (a raw object) as the template of a JSON body: values that are one variable
 * are it, all else is as it stands. */
void variables_in_body(tr_str params, struct arena *arena, struct buf *out);

/* The parameters behind a URL of `out`, as a query string. */
void variables_in_query(tr_str params, struct arena *arena, struct buf *out);

/* ---- pattern.c ---- */

/* A regular expression of JavaScript as one of PCRE2. */
tr_str pattern_of_javascript(tr_str pattern, struct arena *arena);

/* An expression on names of databases that matches what `pattern` does but for the databases
 * that Spiegel never looks at: `own`, and those of the server's own books. */
tr_str pattern_of_databases(tr_str pattern, tr_str own, struct arena *arena);

#endif
