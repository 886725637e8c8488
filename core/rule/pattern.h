/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which databases a rule is about: a regular expression, or a list of exact names.
 *
 *     databases = "^user-[0-9]+$";
 *     databases = [ "orders", "invoices" ];
 *
 * Compiled with the configuration; asked once for each database, never for each change. Any
 * thread.
 */
#ifndef RULE_PATTERN_H
#define RULE_PATTERN_H

#include "config/tree.h"
#include "rule/verdict.h"

#include "base/error.h"

struct diags;

/* Immutable once made. */
struct pattern;

/* Out of the node `databases`. On an error it is reported to `diags` and ERR_CONFIG is
 * returned. Free it with pattern_free(). */
int pattern_new(const struct config_node *node, struct diags *diags,
                struct pattern **ret_pattern);
void pattern_free(struct pattern *pattern);

/* Whether the rule is about this database (its name not percent-encoded). On VERDICT_ERROR
 * `error` (may be NULL) says why. */
enum verdict pattern_match(const struct pattern *pattern, tr_str db, struct error *error);

/* True when the names are known without asking the server: a list, or an expression that is one
 * name between ^ and $. Then *ret_names has *ret_count names, that live as long as the pattern.
 */
bool pattern_is_fixed(const struct pattern *pattern, const tr_str **ret_names,
                      size_t *ret_count);

/* What every name that the expression matches begins with, as far as that can be read off it:
 * "user-" of "^user-[0-9]+$". Empty: nothing is known. A slice of `expression`. */
tr_str pattern_prefix_of(tr_str expression);

/* As it was written, for messages; lives as long as the pattern. */
tr_str pattern_text(const struct pattern *pattern);

#endif
