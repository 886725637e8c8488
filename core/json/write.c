/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON into a buffer, see write.h.
 */
#include "json/write.h"

#include "base/clock.h"
#include "json/value.h"

#include <inttypes.h>

static void begin_member(struct buf *out, const char *key)
{
    char last = out->len > 0 ? out->ptr[out->len - 1] : '{';

    if (last != '{' && last != '[')
        buf_add_char(out, ',');
    if (!key)
        return;
    json_write_string(out, str_c(key));
    buf_add_char(out, ':');
}

void json_begin(struct buf *out, const char *key, char bracket)
{
    begin_member(out, key);
    buf_add_char(out, bracket);
}

void json_end(struct buf *out, char bracket)
{
    buf_add_char(out, bracket);
}

void json_str(struct buf *out, const char *key, tr_str value)
{
    begin_member(out, key);
    json_write_string(out, value);
}

void json_num(struct buf *out, const char *key, int64_t value)
{
    begin_member(out, key);
    buf_addf(out, "%" PRId64, value);
}

void json_bool(struct buf *out, const char *key, bool value)
{
    begin_member(out, key);
    buf_add_c(out, value ? "true" : "false");
}

void json_raw(struct buf *out, const char *key, tr_str value)
{
    begin_member(out, key);
    buf_add_str(out, value.len > 0 ? value : STR("null"));
}

void json_time(struct buf *out, const char *key, int64_t wall_ms)
{
    char text[CLOCK_TEXT];

    clock_format(wall_ms, text);
    json_str(out, key, str_c(text));
}

/* In whole numbers: what %f prints depends on a locale, which a plugin may set. */
void json_seconds(struct buf *out, const char *key, int64_t ms)
{
    if (ms < 0)
        ms = 0;
    begin_member(out, key);
    buf_addf(out, "%" PRId64 ".%03d", ms / 1000, (int)(ms % 1000));
}
