/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands that list print: a table for people, or, with --json, an object with one
 * array in it. A command adds what it finds to the one or to the other. Main thread.
 */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include "cli/print.h"

/* Storage of the caller: `as_json` and the table's columns are set before. */
struct listing {
    bool as_json;
    struct table table;
    struct buf json; /* within the array                                                   */
};

/* {"NAME": [ */
void listing_begin(struct listing *listing, const char *name);

/* Prints all of it, unless `code` says that something went wrong. Frees what it holds, and
 * gives `code`. */
int listing_end(struct listing *listing, int code);

#endif
