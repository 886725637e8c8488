/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace verify, between its files: cmd_verify.c decides which databases are compared and
 * drives verify_pair.c, verify_show.c prints what came out. Main thread.
 */
#ifndef CLI_CMD_VERIFY_H
#define CLI_CMD_VERIFY_H

#include "cli/verify_pair.h"

/* How a database came out. */
enum verify_result {
    VERIFY_EQUAL,
    VERIFY_DIFFERS,
    VERIFY_NO_DATABASE, /* with --all-dbs: it is not at TARGET                             */
    VERIFY_FAILED       /* the error says why it is not known                              */
};

struct verify {
    struct args *args;
    struct remotes remotes;
    struct verify_options options;
    bool all;                           /* --all-dbs                                       */
    struct remote_names names[REMOTES]; /* with --all-dbs                                  */
    struct verify_pair *pairs;
    size_t count, started, done;
    struct verify_pair **active; /* started and not done                                   */
    size_t active_count, jobs;
    uint64_t rows; /* of those that are done                                               */
    size_t extra;  /* databases that are at TARGET only                                    */
};

enum verify_result verify_result_of(const struct verify_pair *pair, bool all);

void verify_show_text(const struct verify *verify);
void verify_show_json(const struct verify *verify);

#endif
