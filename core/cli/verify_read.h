/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads `_changes` of one end to its end for `verify`: all of it, what came since, or the rows
 * of some documents. It only reads. Main thread.
 */
#ifndef CLI_VERIFY_READ_H
#define CLI_VERIFY_READ_H

#include "cli/remote.h"
#include "feed/feed.h"

/* Storage of the caller: zero it, fill the first part. */
struct verify_reader {
    struct remotes *remotes;
    int end;
    tr_str db;
    bool winners; /* only winning revisions, else all leaves                               */
    void (*row)(void *ctx, int end, const tr_change *row);
    void *ctx;

    bool over; /* nothing is being read; then `error` says how it ended                    */
    struct error error; /* code 0: it was read to its end. ERR_NOINPUT: no such database    */
    uint64_t rows;      /* in all                                                          */

    /* The reader's. */
    struct feed *feed;
    struct buf since; /* raw JSON; empty: from the beginning                               */
    struct buf ids;
    int64_t failing_ms; /* since when nothing came; 0: it does                             */
};

/* Goes on from where it was. Callbacks come from turns of the loop. */
void verify_reader_start(struct verify_reader *reader);

/* The rows of these documents as they are now; `ids` is a raw JSON array of a hundred at most:
 * for more of them CouchDB reads all of the database. */
void verify_reader_start_ids(struct verify_reader *reader, tr_str ids);

/* Rows that the server says are still to come; *ret_told false: it did not say yet. */
uint64_t verify_reader_pending(const struct verify_reader *reader, bool *ret_told);

void verify_reader_fini(struct verify_reader *reader);

#endif
