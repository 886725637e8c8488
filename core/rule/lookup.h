/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking up a field of a document, with three answers: json_find() alone does not tell a field
 * that is not there from one behind junk, and "I cannot read it" must not pass for "it is not
 * there". Used by conditions and templates. Pure; any thread.
 */
#ifndef RULE_LOOKUP_H
#define RULE_LOOKUP_H

#include "json/value.h"

enum lookup { LOOKUP_FOUND, LOOKUP_ABSENT, LOOKUP_MALFORMED };

/* *ret_raw is the value at the path in `doc` (raw JSON, or empty: all is absent), and empty on
 * every other answer than FOUND. */
enum lookup lookup_field(tr_str doc, const struct json_path *path, tr_str *ret_raw);

#endif
