/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One database at both ends, compared.
 *
 *     read both ──▶ join ──▶ all equal ─────────────────────────────▶ done
 *       ▲             └────▶ some differ ──▶ look at the listed ones ──▶ done
 *       └── what came since ◀── wait ◀──┘
 *
 * A replication that runs meanwhile makes documents differ that will not a moment later. So
 * where some differ, both ends are read on from where they were, until that brings nothing or
 * the time for it is over; what was written lately and differs still is no difference, but
 * changing. Those that are to be listed are asked for once more by their ids, which brings
 * their revisions. Main thread.
 */
#ifndef CLI_VERIFY_PAIR_H
#define CLI_VERIFY_PAIR_H

#include "cli/verify_list.h"
#include "cli/verify_read.h"
#include "cli/verify_spool.h"

struct verify_options {
    bool winners;        /* winning revisions only                                         */
    bool ids_only;       /* whether they are there and not deleted, no revisions           */
    bool ignore_deleted; /* deleted is as good as not there                                */
    int64_t settle_ms;   /* how long to look again; 0: not at all                          */
    size_t limit;        /* documents that are listed                                      */
};

enum verify_kind { VERIFY_MISSING, VERIFY_EXTRA, VERIFY_DIFFERENT, VERIFY_KINDS };

struct verify_difference {
    enum verify_kind kind;
    tr_str id;
    struct {
        bool there, deleted;
        tr_str revs; /* raw JSON: [{"rev":"1-a"}, …], the winner first                     */
    } at[REMOTES];
};

struct verify_counts {
    uint64_t documents[REMOTES], deleted[REMOTES];
    uint64_t kinds[VERIFY_KINDS];
    uint64_t changing;
};

enum verify_stage { VERIFY_READS, VERIFY_JOINS, VERIFY_WAITS, VERIFY_LOOKS, VERIFY_DONE };

/* Storage of the caller: zero it and fill the first part. */
struct verify_pair {
    struct remotes *remotes;
    const struct verify_options *options;
    tr_str db[REMOTES]; /* names                                                           */

    enum verify_stage stage;
    struct error error; /* when done: code 0: it was compared                              */
    int failed;         /* the end that failed                                             */
    struct verify_counts counts;
    struct verify_difference *differences; /* in order of id                               */
    size_t differences_count;

    /* The pair's. */
    struct spool *spool;
    struct verify_reader readers[REMOTES];
    unsigned round, bucket;
    uint64_t rows_before;
    int64_t began_ms, wait_ms;
    struct timer timer;
    struct arena arena;
    struct verify_list list;
    size_t looked, looking; /* of the list: done, and being asked for behind that          */
};

void verify_pair_start(struct verify_pair *pair);

/* After each turn of the loop: does what is next, a little at a time. True: there is more to be
 * done right away. */
bool verify_pair_step(struct verify_pair *pair);

/* How many differ. */
uint64_t verify_pair_differing(const struct verify_pair *pair);

/* Frees all but the result; verify_pair_fini() also that. */
void verify_pair_stop(struct verify_pair *pair);
void verify_pair_fini(struct verify_pair *pair);

#endif
