/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as a tree: the functions behind tr.json/1 (tailrace/ext/json.h), of the same signatures,
 * so that plugin/ puts them into its table as they are. What they promise stands there.
 *
 * A tree is jansson's, and tree.c is the only file of the core that includes jansson.h. Any
 * thread may use any of it; a tree belongs to one thread at a time. All but parse() take NULL
 * for a value and say that nothing is there.
 *
 * Known limits: a key that holds \u0000, nesting deeper than 2,048, a lone surrogate, bytes
 * that are not UTF-8 and numbers beyond the range of a double are errors of parse(). An integer
 * beyond 64 bits is read as a double. jansson 2.14 passes over a raw NUL byte behind a number,
 * which no JSON has and json/value.h refuses.
 */
#ifndef JSON_TREE_H
#define JSON_TREE_H

#include <tailrace/ext/json.h>

/* Any JSON value, with nothing but white space behind it. TR_EINVAL: the error text (NULL: not
 * wanted) says line, column and what is wrong there. The column counts characters. */
tr_status json_tree_parse(tr_str json, tr_json_value **ret_root, tr_error *error);
void json_tree_free(tr_json_value *root);

/* TR_JSON_…, or TR_EINVAL for NULL. */
int32_t json_tree_type(const tr_json_value *value);
size_t json_tree_count(const tr_json_value *value);
const tr_json_value *json_tree_get(const tr_json_value *object, tr_str key);
const tr_json_value *json_tree_at(const tr_json_value *array, size_t i);

/* 1 and a member, in the order of the text (a duplicate key stands where it stood first), or 0.
 */
int32_t json_tree_next(const tr_json_value *object, void **cursor, tr_str *ret_key,
                       const tr_json_value **ret_value);
tr_str json_tree_string(const tr_json_value *value);
double json_tree_number(const tr_json_value *value);

/* No NUL is put behind the text. TR_EINVAL: no value, or `cap` is too small (then
 * *ret_len > cap, and what is in `buf` is of no use). */
tr_status json_tree_dump(const tr_json_value *value, char *buf, size_t cap, size_t *ret_len);

#endif
