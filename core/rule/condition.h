/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions on the document of a change. All of a rule's conditions must hold.
 *
 * The short form is a regular expression for each field, nested as the document is:
 *
 *     if: { type = "^post$"; author: { name = "^x"; }; };
 *
 * The long form has a path and any of the operators of `enum condition_op`:
 *
 *     where = ( { path = "author.name"; equals = "bob"; },
 *               { path = "age"; ge = 18; lt = 65; },
 *               { path = "deleted_at"; is = "missing"; } );
 *
 * Regular expressions see strings as they are and all other values as their JSON text; what is
 * absent or null matches none. Of a change without a document every path is absent. Compiled
 * with the configuration; tested on the loop thread, once for each change and rule.
 */
#ifndef RULE_CONDITION_H
#define RULE_CONDITION_H

#include "base/error.h"
#include "config/tree.h"
#include "rule/verdict.h"
#include "json/value.h"

struct diags;
struct regex;

enum condition_op {
    CONDITION_MATCHES,    /* a regular expression is found in it                           */
    CONDITION_EQUALS,     /* a string, number (by value) or boolean                        */
    CONDITION_NOT_EQUALS, /* the opposite: what is absent is not equal either              */
    CONDITION_GT,         /* numbers with numbers, strings with strings byte by byte;      */
    CONDITION_GE,         /* anything else does not hold                                   */
    CONDITION_LT,
    CONDITION_LE,
    CONDITION_TYPE, /* "string" "number" "boolean" "object" "array" "null"                 */
    CONDITION_IS    /* "present" (null is), "absent", "null", "missing" (null or absent)   */
};

struct condition {
    struct json_path path;
    enum condition_op op;
    struct regex *regex;     /* of MATCHES, owned                                          */
    struct config_node want; /* of the others: a copy of the operand                       */
    tr_str text;             /* as it is shown: age ge 18                                  */
};

/* Immutable once made. */
struct conditions {
    struct arena arena;
    struct condition *items;
    size_t count;
};

/* Compiles the group `if` and the list `where`, either may be NULL. Every mistake is reported
 * to `diags`; ERR_CONFIG if there was one, and then there is nothing to free. */
int conditions_init(struct conditions *conditions, const struct config_node *short_form,
                    const struct config_node *long_form, struct diags *diags);
void conditions_fini(struct conditions *conditions);

/* One condition on `doc` (raw JSON or empty). *ret_found (may be NULL) is the raw value at the
 * path, empty when it is absent. On VERDICT_ERROR `error` (may be NULL) says why. */
enum verdict condition_test(const struct condition *condition, tr_str doc, tr_str *ret_found,
                            struct error *error);

/* All of them, up to the first that does not hold: that one settles it, even after one that
 * could not be decided. On VERDICT_ERROR `error` (may be NULL) names the condition. */
enum verdict conditions_test(const struct conditions *conditions, tr_str doc,
                             struct error *error);

#endif
