/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The word by which a command line means a stream of a rule. Main thread.
 */
#ifndef CLI_STREAM_H
#define CLI_STREAM_H

#include "cli/args.h"

/* Whether `word` means the stream of that key: it is the key, "source/db", or the database;
 * empty: it means any. */
bool stream_is(tr_str word, tr_str key, tr_str source, tr_str db);

/* The word of a command that takes RULE and either a stream or --all: empty for all. EX_USAGE
 * with a line on stderr. */
int stream_chosen(const struct args *args, tr_str *ret_word);

#endif
