/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What config_check() makes: scopes of entries of items. Shared by the files of the schema only
 * (schema.c fills it, value.c and value_text.c judge single values, values.c reads).
 *
 *     scope   a group with a table: an entry for each option
 *     entry   one option: its items, none when it is not set
 *     item    one value; of a group with a table, the scope inside
 */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "config/schema.h"

struct config_scope;

struct config_item {
    tr_value value;
    const struct config_node *node; /* NULL: a group that is not there                     */
    struct config_scope *scope;     /* GROUP with a table                                  */
    char *secret;                   /* SECRET, resolved: on the heap, to be wiped          */
};

struct config_entry {
    const tr_option *option;
    const struct config_node *node; /* of the file, or the default's; NULL: not set        */
    struct config_item *items;
    uint32_t count;
};

struct config_scope {
    const void *table; /* as the plugin gave it, to notice one that holds itself           */
    const struct config_scope *outer;
    struct config_entry *entries;
    uint32_t count;
};

struct config_values {
    struct arena arena;
    const struct config_node *node; /* the group that was checked; NULL: absent            */
    struct config_scope *root;
};

/* A group in messages, also one that is not there. */
struct config_place {
    const char *file;
    int line;
    const char *path;
};

/* One value of the file or of a default; where its mistakes go. */
struct config_value_check {
    const tr_option *option;
    const struct config_node *node;
    const struct config_place *group;
    struct diags *diags;
    bool is_default;
};

/* "rules.x" and "url" to "rules.x.url"; into the arena. */
const char *config_path_join(const char *group, const char *name, struct arena *arena);

/* Adds an error whose text begins with "is …"; for a default with whose mistake it is. */
struct diag *config_value_fail(const struct config_value_check *check, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "is a string, but a duration such as "5s" is wanted" */
struct diag *config_value_mistype(const struct config_value_check *check);

/* Converts and judges a scalar. False, with an error in the diagnostics, when it is wrong. */
bool config_value_read(const struct config_value_check *check, tr_value *ret_value);

/* The judges of texts that have a form (value_text.c). False, with an error, when it lacks it.
 */
bool config_value_is_url(const struct config_value_check *check);
bool config_value_is_path(const struct config_value_check *check);
bool config_value_is_regex(const struct config_value_check *check);
bool config_value_is_secret(const struct config_value_check *check);

/* A node of its natural type: for groups without a table. */
tr_value config_value_natural(const struct config_node *node);

#endif
