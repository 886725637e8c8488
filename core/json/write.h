/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON put together member by member, for what the commands print and the daemon tells of
 * itself. A comma comes by itself; whoever calls closes what was opened. Any thread.
 */
#ifndef JSON_WRITE_H
#define JSON_WRITE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* `key` NULL: an item of an array, or the outermost value. */
void json_begin(struct buf *out, const char *key, char bracket); /* '{' or '['            */
void json_end(struct buf *out, char bracket);
void json_str(struct buf *out, const char *key, tr_str value);
void json_num(struct buf *out, const char *key, int64_t value);
void json_bool(struct buf *out, const char *key, bool value);
void json_raw(struct buf *out, const char *key, tr_str value); /* empty: null              */
void json_time(struct buf *out, const char *key, int64_t wall_ms);
void json_seconds(struct buf *out, const char *key, int64_t ms); /* 1500 is 1.500          */

#endif
