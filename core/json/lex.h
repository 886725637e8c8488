/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokens of JSON, for the files of this folder: where a string, a number, any value ends.
 *
 * Each function moves *at over what it read when it says LEX_DONE, and leaves it alone when
 * not. LEX_MORE means that the bytes up to `end` can be the beginning of such a token; LEX_BAD,
 * that no bytes behind them make it one. What is inside of objects and arrays is not looked at
 * (json/skip.h), and whether strings are UTF-8 neither. Any thread.
 */
#ifndef JSON_LEX_H
#define JSON_LEX_H

#include "base/str.h"

enum json_lex { LEX_DONE, LEX_MORE, LEX_BAD };

/* Behind the white space at `at`. */
static inline const char *json_lex_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* A string with its quotes: escapes are well-formed, control bytes stand nowhere. */
enum json_lex json_lex_string(const char **at, const char *end);

/* Any value. A number that reaches `end` is LEX_MORE: another digit may follow. */
enum json_lex json_lex_value(const char **at, const char *end);

/* A member of an object: key, colon, value, with white space around the colon. The key is given
 * raw, without its quotes. */
enum json_lex json_lex_member(const char **at, const char *end, tr_str *ret_key,
                              tr_str *ret_value);

/* Whether all of it is one number by the grammar of JSON. */
bool json_lex_is_number(tr_str raw);

/* Whether a raw key (without its quotes, well-formed) is `name` once its escapes are decoded,
 * which only make it longer. Most keys are other ones by their first byte. */
bool json_lex_key_is_all(tr_str key, tr_str name);

static inline bool json_lex_key_is(tr_str key, tr_str name)
{
    if (key.len < name.len)
        return false;
    if (name.len > 0 && *key.ptr != *name.ptr && *key.ptr != '\\')
        return false;
    return json_lex_key_is_all(key, name);
}

/* Decodes the well-formed escape at *at, or two that are a surrogate pair; a lone surrogate is
 * U+FFFD. How many bytes were put into `to`. */
size_t json_lex_unescape(const char **at, const char *end, char to[4]);

#endif
