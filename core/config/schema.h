/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema: a group of the tree checked against a table of options, and the values read back.
 *
 * config_check() finds everything that a table can tell: unknown keys, missing ones, wrong
 * types, values out of range. What it gives, struct config_values, is what stands behind the
 * tr_config of the ABI; config_values_get() is tr_host.config_get. Core's own tables are read
 * by the same means, or at once by config_values_bind().
 *
 * Checking belongs to the thread that owns the diagnostics. Values may be read by any thread
 * once nobody resolves secrets in them any more.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "config/diag.h"

#include <tailrace/option.h>

struct config_values;

/* Checks the member `name` of `owner` (a rule's "options"), or `owner` itself when `name` is
 * NULL. Both may be absent: then all is default, and what is missing is reported at `owner`.
 * `table` has `count` entries that are `stride` bytes apart (also those of nested groups);
 * fewer bytes than we know of read as 0, more are passed over; stride 0 is our own size. An
 * option of a type that is not known here, of a later plugin, is passed over unless it is set
 * or required.
 *
 * 0, then *ret_values is the caller's to config_values_free(); warnings may have been added.
 * ERR_CONFIG: at least one error was added to `diags`. Texts point into the tree: it must
 * outlive the values, as must the table. */
int config_check(const struct config_node *owner, const char *name, const tr_option *table,
                 uint32_t count, uint32_t stride, struct diags *diags,
                 struct config_values **ret_values);

/* Wipes secrets. */
void config_values_free(struct config_values *values);

/*
 * tr_host.config_get: the value at a dotted path. `ret_value->size` is set by the caller.
 *   - a single value: `idx` is 0
 *   - a list: its item `idx`
 *   - a group: i is the number of members that the file gave, s the name of member `idx`
 *   - steps of digits reach into lists: "targets.0.url"; an item that is a group or list itself
 *     is a TR_TYPE_GROUP with i the number of its members and s empty
 *   - inside a group without a table, and of TR_TYPE_ANY, values have the file's own type
 * Defaults inside a group are there also when the group is not. A secret that is not resolved
 * is an empty text. TR_ENOENT: not set and without default, not in the table, of a type that is
 * not known here, or idx past the end. TR_EINVAL: NULL, an empty step in the path, or a
 * tr_value that is too short. Texts are ended by NUL and valid as long as the values.
 */
tr_status config_values_get(const struct config_values *values, const char *path, uint32_t idx,
                            tr_value *ret_value);

/* The node at the path (a default has one too), or NULL: for free-form groups, config_json(),
 * and messages of checks that a table cannot make. "" is the checked group itself. */
const struct config_node *config_values_node(const struct config_values *values,
                                             const char *path);

/* Turns a reference ("file:/run/key", "env:NAME", "cred:NAME") into its secret; the buffer is
 * wiped after. Negative, with the reason, when it cannot. */
typedef int config_resolve_fn(void *user, tr_str reference, struct buf *ret_secret,
                              struct error *error);

/* Resolves every SECRET value. All that fail are reported in `diags`; ERR_CONFIG then. Doing it
 * again reads them anew; texts got before are invalid then. */
int config_values_resolve(struct config_values *values, config_resolve_fn *resolve, void *user,
                          struct diags *diags);

/* Fills the struct at `base` like tr_bind() of the SDK, but texts are tr_str (copied into
 * `arena`, ended by NUL, {NULL, 0} when not set):
 *     STRING URL PATH REGEX SECRET   tr_str
 *     INT DURATION SIZE              int64_t
 *     FLOAT                          double
 *     BOOL ENUM                      int32_t
 * Lists, groups and options with offset (size_t)-1 are left out; other things that are not set
 * stay as they are. `path` is the group whose options `table` has: "" or "limits". */
void config_values_bind(const struct config_values *values, const char *path,
                        const tr_option *table, uint32_t count, void *base,
                        struct arena *arena);

#endif
