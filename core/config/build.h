/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making nodes: for the parser, for defaults, and for whoever turns something else (a document
 * of a database) into a tree that config/schema.h can check.
 *
 * All memory is the arena's. Only the thread that owns the arena; a tree that is handed out is
 * not changed any more.
 */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include "config/tree.h"

/* A node that stands nowhere yet; `name` and `text` are copied. */
struct config_node *config_node_new(struct arena *arena, enum config_type type, tr_str name);
struct config_node *config_node_text(struct arena *arena, tr_str name, tr_str text);

/* Makes `node` the last child of `parent`; `last` is the child before it, NULL when it is the
 * first one. Returns `node`, which is the next call's `last`. */
struct config_node *config_node_link(struct config_node *parent, struct config_node *last,
                                     struct config_node *node);

/* `node` and all below it, in `arena` and standing nowhere; texts and places are not copied. */
struct config_node *config_node_copy(struct arena *arena, const struct config_node *node);

#endif
