/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw JSON values: what they are, what they hold, and the way into them by a path, without a
 * tree.
 *
 * Slices in, slices out, of the same memory. Malformed JSON gives "not found" or JSON_NONE
 * where it is met (what is passed over is not looked into), never a read outside the slice. Any
 * thread. Not to be included beside jansson.h, whose JSON_… names are other ones (json/tree.h).
 */
#ifndef JSON_VALUE_H
#define JSON_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>

enum json_type {
    JSON_NONE = 0, /* not a value                                                          */
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* By the first byte (after white space) and no further. */
enum json_type json_type_of(tr_str raw);

/* The word for a type in messages: "string", "object", … */
const char *json_type_name(enum json_type type);

/* A compiled path: "author.name", "tags.0"; "\." is a dot within a key, and "\\" a backslash.
 * Any other backslash is itself. */
struct json_path {
    tr_str text;   /* as it was written, for messages                                      */
    tr_str *steps; /* decoded keys                                                         */
    size_t count;
};

/* Into the arena. ERR_CONFIG when it is empty or has an empty step. */
int json_path_compile(tr_str text, struct arena *arena, struct json_path *ret_path,
                      struct error *error);

/* The value at the path inside `json`; the last of duplicate keys wins; numbers index arrays
 * (and are keys of objects). False: nothing is there. */
bool json_find(tr_str json, const struct json_path *path, tr_str *ret_raw);

/* One member of an object by its decoded key; the object is read to its end, since the last of
 * duplicates wins. */
bool json_get(tr_str object, tr_str key, tr_str *ret_raw);

/* The same of several, in one walk; ret_raws[i] is empty where there is none. */
void json_get_all(tr_str object, const tr_str *keys, size_t count, tr_str *ret_raws);

/* Walks the members of a raw object or the items of a raw array (then *ret_key is empty). Start
 * with *cursor 0; false at the end or at malformed JSON, and false again from then on. Keys are
 * raw, without their quotes. */
bool json_next(tr_str container, size_t *cursor, tr_str *ret_key, tr_str *ret_value);

/* A raw string (with its quotes) decoded: the slice between the quotes when it holds no escape,
 * else a copy in the arena. False: not a well-formed string. A lone surrogate becomes U+FFFD;
 * bytes that are not UTF-8 stay as they are. */
bool json_decode(tr_str raw, struct arena *arena, tr_str *ret_text);

/* A raw number as a double, whatever the locale; infinite beyond the range of one, and without
 * the digits that do not fit. False: not a number. */
bool json_number(tr_str raw, double *ret_value);

/* Appends `text` as a JSON string with quotes; without them. Each byte that is not UTF-8
 * becomes U+FFFD, control bytes \u00XX; all else stays as it is. */
void json_write_string(struct buf *out, tr_str text);
void json_write_escaped(struct buf *out, tr_str text);

/* The length of the UTF-8 character at `at`, 0 when there is none: cut, overlong, a surrogate,
 * or beyond U+10FFFF. */
size_t json_utf8_length(const char *at, const char *end);

#endif
