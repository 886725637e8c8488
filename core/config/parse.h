/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One text to nodes, through libconfig, which is seen in parse.c alone.
 *
 * Called by the loader for files and by the schema for defaults. Any thread.
 */
#ifndef CONFIG_PARSE_H
#define CONFIG_PARSE_H

#include "config/diag.h"

/* Nodes are made in `arena`, their `file` is `file` itself. The root is a group without a name.
 * 0, or ERR_CONFIG with at least one error in `diags`. */
int config_parse(tr_str text, const char *file, struct arena *arena, struct diags *diags,
                 struct config_node **ret_root);

#endif
