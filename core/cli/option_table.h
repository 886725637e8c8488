/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of options, of plugins and of tailrace itself, printed: for people, as JSON, and as
 * the roff of a man page, so that a page never says other than the table. Main thread.
 */
#ifndef CLI_OPTION_TABLE_H
#define CLI_OPTION_TABLE_H

#include "base/buf.h"

#include <tailrace/option.h>

/* A name, type, default, range and help a line; members of groups as "group.member". */
void option_table_print(const tr_option *options, uint32_t count);

/* An array member `key` of objects; those of a group have "options" of their own. */
void option_table_json(struct buf *out, const char *key, const tr_option *options,
                       uint32_t count);

/* A .TP paragraph an option, on stdout. */
void option_table_man(const tr_option *options, uint32_t count);

#endif
