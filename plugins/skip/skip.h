/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of skip share.
 *
 *     skip.c     the descriptor, options, an instance's life, changes
 *     test.c     a value of a document against the option `match`
 *     pattern.c  regular expressions
 *
 * transform() runs on the worker of the rule's plugin, the rest is [control].
 */
#ifndef SKIP_H
#define SKIP_H

#include <tailrace/ext/json.h>
#include <tailrace/sdk.h>

/* ---- pattern.c ---- */

/* Immutable. */
struct pattern;

/* TR_EINVAL: it is wrong, the error text says where. */
tr_status pattern_new(tr_str text, struct pattern **ret_pattern, tr_error *error);
void pattern_free(struct pattern *pattern);

/* TR_OK: it is found in the text, TR_SKIP: it is not, TR_REJECT: that cannot be said. */
tr_status pattern_find(const struct pattern *pattern, tr_str text, tr_error *error);

/* ---- test.c ---- */

enum { OP_EQUAL, OP_MATCH, OP_GREATER, OP_GREATER_EQUAL, OP_LESS, OP_LESS_EQUAL };

/* Storage of the caller; zeroed, it is none. */
struct test {
    const tr_json *json;
    int32_t op;
    uint32_t type; /* of what is wanted: TR_TYPE_STRING, INT, FLOAT or BOOL                */
    int64_t integer;
    double real;
    char *text;
    size_t text_len;
    struct pattern *pattern; /* of OP_MATCH                                                */
    char *decoded;           /* room for a text of a document                              */
    size_t decoded_cap;
};

/* `value` is the option `match`. TR_EINVAL: the operator does not take it. */
tr_status test_init(struct test *test, const tr_json *json, int32_t op, const tr_value *value,
                    tr_error *error);
void test_fini(struct test *test);

/* The same for a raw value of a document. */
tr_status test_value(struct test *test, tr_str raw, tr_error *error);

#endif
