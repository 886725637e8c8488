/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matcher: all of a rule that decides whether a change is for it.
 *
 *     databases = "^orders$";             rule/pattern.h, asked once for each database
 *     deleted = "exclude";                "include" (default) | "exclude" | "only"
 *     design_documents = "include";       "exclude" (default) | "include" | "only"
 *     if: { … };  where = ( … );          rule/condition.h
 *
 * Compiled out of the rule's group, immutable after; tested on the loop thread, once for each
 * change and rule.
 */
#ifndef RULE_MATCH_H
#define RULE_MATCH_H

#include "rule/condition.h"
#include "rule/pattern.h"

#include <tailrace/change.h>

/* What becomes of the rows of one kind, deleted or design. */
enum match_rows { MATCH_INCLUDE, MATCH_EXCLUDE, MATCH_ONLY };

struct matcher {
    struct pattern *databases; /* owned */
    struct conditions conditions;
    enum match_rows deleted, design;
};

/* Compiles the members of the group `rule` that are named above; others are not looked at.
 * Every mistake is reported to `diags`; ERR_CONFIG if there was one. Free it with
 * matcher_free(). */
int matcher_new(const struct config_node *rule, struct diags *diags,
                struct matcher **ret_matcher);
void matcher_free(struct matcher *matcher);

/* Whether a change (of a database that the pattern matches) is for the rule. On VERDICT_ERROR
 * `error` (may be NULL) says why: the row must be judged by the rule's on_reject, not passed.
 */
enum verdict matcher_test(const struct matcher *matcher, const tr_change *change,
                          struct error *error);

/* True when rows must come with documents for the rule to be decided. */
bool matcher_needs_doc(const struct matcher *matcher);

/* One reason of an explanation. Slices live until the callback returns. */
struct match_reason {
    enum verdict verdict;
    tr_str subject; /* what was asked: "databases", "deleted", "author.name matches \"^x\"" */
    tr_str found;   /* what was found, long values shortened; raw JSON for conditions       */
    tr_str why;     /* of VERDICT_ERROR, and where `found` does not speak for itself        */
};

/* Calls `each` for every part of the decision, also after one that does not hold, and returns
 * the whole verdict, the database's included. */
enum verdict rule_explain(const struct matcher *matcher, tr_str db, const tr_change *change,
                          void (*each)(void *user, const struct match_reason *reason),
                          void *user);

/* A reason as one line without its end, appended to `out`: "no   type matches "^post$": found
 * "page"". */
void match_reason_write(const struct match_reason *reason, struct buf *out);

#endif
