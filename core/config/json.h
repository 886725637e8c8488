/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as a configuration: a document of a database becomes the tree that a file would have
 * given, so that the same schema judges both.
 *
 * Where a file has a name and a line, such a tree has a name (the document's) and JSON
 * pointers: a diagnostic reads "orders: error: /options/url: is not …". Called by core/document
 * with what a database holds: nothing in it is trusted. Any thread.
 */
#ifndef CONFIG_JSON_H
#define CONFIG_JSON_H

#include "config/diag.h"

/* The limits of config/load.h and config/scan.h hold for documents too. */
enum { CONFIG_JSON_MAX = 1024 * 1024, CONFIG_JSON_DEPTH_MAX = 32 };

/* Whether `json` is one whole, well-formed object within the limits. Else ERR_CONFIG, with an
 * error in `diags` at `file`, which may be NULL. */
int config_json_validate(tr_str json, const char *file, struct diags *diags);

/*
 * A raw value (of an object that is well-formed) as a node `name` of `arena` that stands at
 * `pointer` of `file`; both are kept as they are, and the nodes within say where they are by
 * their names. Whole numbers are CONFIG_INT, others CONFIG_FLOAT; the last of duplicate members
 * wins. ERR_CONFIG for what no configuration can hold (null, a NUL character, a whole number
 * beyond 64 bits, an empty name, groups too deep), with all of it in `diags`.
 */
int config_json_node(tr_str raw, tr_str name, const char *file, const char *pointer,
                     struct arena *arena, struct diags *diags, struct config_node **ret_node);

/* `pointer` + "/" + `name`, escaped as RFC 6901 has it; into the arena. */
const char *config_json_pointer(const char *pointer, tr_str name, struct arena *arena);

#endif
