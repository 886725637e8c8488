/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spiegel's regular expressions: from JavaScript's dialect to PCRE2's, as far as the two differ
 * in what people write. Any thread.
 */
#include "document/translate.h"

#include "rule/pattern.h"

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_four_hex(tr_str text)
{
    return text.len >= 4 && is_hex(text.ptr[0]) && is_hex(text.ptr[1]) && is_hex(text.ptr[2]) &&
           is_hex(text.ptr[3]);
}

tr_str pattern_of_javascript(tr_str pattern, struct arena *arena)
{
    struct buf out = {0};
    bool in_class = false;
    tr_str copy;

    for (size_t i = 0; i < pattern.len; i++) {
        tr_str rest = str_from(pattern, i);
        char c = rest.ptr[0];
        if (c == '\\' && rest.len > 1) {
            bool is_unicode = rest.ptr[1] == 'u' && is_four_hex(str_from(rest, 2));
            if (is_unicode)
                buf_addf(&out, "\\x{%.4s}", rest.ptr + 2);
            else
                buf_add(&out, rest.ptr, 2);
            i += is_unicode ? 5 : 1;
        } else if (!in_class && str_starts(rest, STR("[^]"))) {
            buf_add_c(&out, "[\\s\\S]"); /* anything */
            i += 2;
        } else if (!in_class && str_starts(rest, STR("[]"))) {
            buf_add_c(&out, "(?!)"); /* nothing */
            i += 1;
        } else if (in_class && c == '[') {
            buf_add_c(&out, "\\["); /* no [:class:] there */
        } else {
            in_class = in_class ? c != ']' : c == '[';
            buf_add_char(&out, c);
        }
    }
    copy = arena_str(arena, buf_str(&out));
    buf_fini(&out);
    return copy;
}

/* Whether no name that the expression matches can be among those that are not looked at. */
static bool is_apart(tr_str pattern, tr_str own)
{
    tr_str prefix = pattern_prefix_of(pattern);

    return prefix.len > 0 && !str_starts(own, prefix) &&
           !str_starts(STR("_global_changes"), prefix) && !str_starts(STR("_dbs"), prefix);
}

/* Spiegel sees names as they are in a URL, where some characters that a name can have are
 * escaped. No name has a %. */
static tr_str decode_names(tr_str pattern, struct arena *arena)
{
    static const struct {
        const char *code, *text;
    } codes[] = {{"%2F", "/"},   {"%2f", "/"},   {"%24", "\\$"}, {"%2B", "\\+"},
                 {"%2b", "\\+"}, {"%28", "\\("}, {"%29", "\\)"}};
    struct buf out = {0};
    tr_str copy;

    if (str_find(pattern, '%') == pattern.len)
        return pattern;
    for (size_t i = 0; i < pattern.len;) {
        size_t n = 0;
        while (n < sizeof(codes) / sizeof(codes[0]) &&
               !str_starts(str_from(pattern, i), str_c(codes[n].code)))
            n++;
        if (n < sizeof(codes) / sizeof(codes[0])) {
            buf_add_c(&out, codes[n].text);
            i += 3;
        } else {
            buf_add_char(&out, pattern.ptr[i++]);
        }
    }
    copy = arena_str(arena, buf_str(&out));
    buf_fini(&out);
    return copy;
}

tr_str pattern_of_databases(tr_str pattern, tr_str own, struct arena *arena)
{
    struct buf out = {0};
    tr_str copy;

    pattern = decode_names(pattern, arena);
    if (is_apart(pattern, own))
        return pattern;
    buf_add_c(&out, "^(?!");
    for (size_t i = 0; i < own.len; i++) {
        if (strchr("$()+/-", own.ptr[i]))
            buf_add_char(&out, '\\');
        buf_add_char(&out, own.ptr[i]);
    }
    buf_add_c(&out, "$|_global_changes$|_dbs$).*?(?:");
    buf_add_str(&out, pattern);
    buf_add_char(&out, ')');
    copy = arena_str(arena, buf_str(&out));
    buf_fini(&out);
    return copy;
}
