/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON strings in and out: escapes decoded, escapes written. The functions of json/value.h that
 * are about text; any thread.
 */
#include "json/block.h"
#include "json/lex.h"
#include "json/value.h"

bool json_decode(tr_str raw, struct arena *arena, tr_str *ret_text)
{
    const char *at = raw.ptr, *end;
    size_t len = 0;
    tr_str inner;
    char *text;

    if (raw.len < 2)
        return false;
    end = raw.ptr + raw.len;
    inner = str_n(raw.ptr + 1, raw.len - 2);
    if (*at == '"' && end[-1] == '"' && json_plain(at + 1, end) == end - 1) {
        *ret_text = inner;
        return true;
    }
    if (json_lex_string(&at, end) != LEX_DONE || at != end)
        return false;
    at = inner.ptr;
    end = at + inner.len;
    text = arena_alloc(arena, inner.len); /* no escape is shorter than what it means */
    while (at < end) {
        char piece[4];
        size_t n;

        if (*at != '\\') {
            text[len++] = *at++;
            continue;
        }
        n = json_lex_unescape(&at, end, piece);
        memcpy(text + len, piece, n);
        len += n;
    }
    *ret_text = str_n(text, len);
    return true;
}

static bool continues(const char *at, unsigned char low, unsigned char high)
{
    unsigned char c = (unsigned char)*at;

    return c >= low && c <= high;
}

size_t json_utf8_length(const char *at, const char *end)
{
    unsigned char c = (unsigned char)*at;
    size_t left = (size_t)(end - at);

    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        return left > 1 && continues(at + 1, 0x80, 0xbf) ? 2 : 0;
    if (c >= 0xe0 && c <= 0xef)
        return left > 2 &&
                       continues(at + 1, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf) &&
                       continues(at + 2, 0x80, 0xbf)
                   ? 3
                   : 0;
    if (c >= 0xf0 && c <= 0xf4)
        return left > 3 &&
                       continues(at + 1, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf) &&
                       continues(at + 2, 0x80, 0xbf) && continues(at + 3, 0x80, 0xbf)
                   ? 4
                   : 0;
    return 0;
}

/* The end of the run of bytes from `at` on that stand in a JSON string as they are. */
static const char *as_it_is(const char *at, const char *end)
{
    while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\') {
        size_t len = json_utf8_length(at, end);

        if (len == 0)
            break;
        at += len;
    }
    return at;
}

void json_write_escaped(struct buf *out, tr_str text)
{
    const char *at = text.ptr, *end;

    if (text.len == 0)
        return;
    for (end = at + text.len;; at++) {
        const char *run = as_it_is(at, end);

        buf_add(out, at, (size_t)(run - at));
        at = run;
        if (at == end)
            break;
        if (*at == '"' || *at == '\\')
            buf_add(out, (char[]){'\\', *at}, 2);
        else if ((unsigned char)*at < 0x20)
            buf_addf(out, "\\u%04x", (unsigned)(unsigned char)*at);
        else
            buf_add_c(out, "\xef\xbf\xbd");
    }
}

void json_write_string(struct buf *out, tr_str text)
{
    buf_add_char(out, '"');
    json_write_escaped(out, text);
    buf_add_char(out, '"');
}
