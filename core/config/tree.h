/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration as a typed tree: what the files said, with the place where each thing
 * stands.
 *
 * config_load() (config/load.h) makes one out of the main file and conf.d; config/schema.h
 * checks a group of it against a table of options. Nodes live in the tree's arena and are
 * immutable, so any thread may read them as long as the tree lives.
 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum config_type {
    CONFIG_GROUP,
    CONFIG_LIST, /* arrays and lists alike                                                 */
    CONFIG_STRING,
    CONFIG_INT,
    CONFIG_FLOAT,
    CONFIG_BOOL
};

struct config_node {
    enum config_type type;
    tr_str name;      /* empty for items of a list                                      */
    const char *file; /* where it stands; NULL: made by the program                     */
    int line;
    const char *pointer; /* of a document: the JSON pointer to it; NULL: as its parent says  */
    struct config_node *parent;
    struct config_node *first, *next; /* children of a group or list; siblings             */
    size_t count;                     /* number of children                                */
    tr_str text;                      /* CONFIG_STRING, NUL-ended                          */
    int64_t number;                   /* CONFIG_INT, CONFIG_BOOL                           */
    double real;                      /* CONFIG_FLOAT                                      */
};

/* The direct member `name` of a group, or NULL; also when `group` is NULL. */
const struct config_node *config_member(const struct config_node *group, tr_str name);

/* Walks a dotted path from `group`. */
const struct config_node *config_at(const struct config_node *group, const char *path);

#define config_each(it, group)                                                                 \
    for (const struct config_node *it = (group) ? (group)->first : NULL; it; it = it->next)

/* "rules.calc-stats.options.url", or "/options/url" in a document, for messages; into the
 * arena.
 */
const char *config_path(const struct config_node *node, struct arena *arena);

/* The same text for the same content, without places: two generations of a rule are compared by
 * it. Members are sorted by name. Appended to `out`. */
struct buf;
void config_canonical(const struct config_node *node, struct buf *out);

/* The node as JSON (for tr.json/1 and --json). Appended to `out`. */
void config_json(const struct config_node *node, struct buf *out);

/* A parse of "250ms", "5s", "2m", "1h", "1d" into ms, of "64KB", "8MB", "1GB" (1024s) into
 * bytes; a bare number is ms or bytes. False: not of that form, or overflow. */
bool config_parse_duration(tr_str text, int64_t *ret_ms);
bool config_parse_size(tr_str text, int64_t *ret_bytes);

#endif
