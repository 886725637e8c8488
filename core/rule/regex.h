/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions (PCRE2): compiled once, matched on any thread, bounded in time and
 * memory.
 *
 * Patterns come from operators and from documents, values from whoever writes to a database; a
 * value that makes a pattern backtrack for ever must cost milliseconds and must be noticed. A
 * pattern is not anchored, `$` is the very end of the value, and a value that is not UTF-8
 * is matched in its parts that are.
 */
#ifndef RULE_REGEX_H
#define RULE_REGEX_H

#include "base/error.h"
#include "base/str.h"
#include "rule/verdict.h"

#include <stdbool.h>

enum {
    REGEX_PATTERN_MAX = 64 * 1024,    /* bytes of a pattern                                */
    REGEX_JIT_STACK = 1024 * 1024,    /* bytes a thread; PCRE2's own 32 KB end at 5 KB values */
    REGEX_MATCH_LIMIT = 1000 * 1000,  /* steps back before it gives up                     */
    REGEX_HEAP_LIMIT_KB = 128 * 1024, /* of the interpreter, given back after each match   */
};

/* Immutable once made. */
struct regex;

/* Compiles a copy of `pattern`. ERR_CONFIG: it is wrong; the text says where, why and what to
 * do. Free it with regex_free(). */
int regex_new(tr_str pattern, struct regex **ret_regex, struct error *error);
void regex_free(struct regex *regex);

/* The pattern as it was given, NUL-ended; lives as long as the regex. */
tr_str regex_text(const struct regex *regex);

/* False where the system forbids memory that is written and run (MemoryDenyWriteExecute): the
 * interpreter then does all work. */
bool regex_is_jit(const struct regex *regex);

/* Whether it is found anywhere in `text`. On VERDICT_ERROR `error` (may be NULL) says why. */
enum verdict regex_match(const struct regex *regex, tr_str text, struct error *error);

#endif
