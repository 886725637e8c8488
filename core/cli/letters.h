/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the dead-letter commands share: which letters a command line names. Main thread.
 */
#ifndef CLI_LETTERS_H
#define CLI_LETTERS_H

#include "cli/site.h"

/* What is meant: one filter, or, when single ids are given, one for each. */
struct letters {
    struct store_filter *filters;
    size_t count;
    tr_str rule; /* the one that was named, or empty                                       */
};

/* Reads --rule, --db, --before, --all and the ids. Something must be named, and not two things
 * that exclude each other. ERR_USAGE with a line on stderr. */
int letters_init(struct letters *letters, const struct args *args);
void letters_fini(struct letters *letters);

/* An error line, and EX_NOINPUT, for an id that is not there; EX_OK if all are. */
int letters_find(const struct letters *letters, struct store *store);

/* "2026-01-31", "2026-01-31T12:00:00Z" (UTC), or an age such as "7d": milliseconds since 1970.
 */
bool letters_parse_time(tr_str text, int64_t now_ms, int64_t *ret_wall_ms);

/* The id of a dead letter; 0: not one. */
int64_t letters_parse_id(const char *text);

#endif
