/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merging the trees of several files to one, top-level group by top-level group.
 *
 * Only config/load.c calls, on the thread that loads.
 */
#ifndef CONFIG_MERGE_H
#define CONFIG_MERGE_H

#include "base/map.h"
#include "config/diag.h"

struct merge {
    struct config_node *root;
    struct config_node *last; /* the last top-level setting                                */
    struct arena *arena;
    struct diags *diags;
    struct map groups;  /* name to struct merge_group                                      */
    struct map members; /* "group.member" to its node; "name" to a top-level setting       */
};

/* `root` is a group without members; nodes move into it. */
void merge_init(struct merge *merge, struct config_node *root, struct arena *arena,
                struct diags *diags);
void merge_fini(struct merge *merge);

/* Moves all of `file` (the root of one file) over. Each setting that is there already is an
 * error in `diags` and stays out. */
void merge_add(struct merge *merge, struct config_node *file);

#endif
