/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spool of `verify`: how each document stands at both ends, on disk, so that ten million of
 * them take little memory.
 *
 *     add() ──▶ 256 buckets by the id's hash ──▶ one file ──▶ bucket by bucket, joined, each()
 *
 * The two ends tell of their documents in different orders, so a document is met again only
 * when all has been read. A bucket has all that was said of its documents, and is small enough
 * to be joined in memory. Of few documents nothing is written at all. The file has no name:
 * however the process ends, it is gone. Main thread.
 */
#ifndef CLI_VERIFY_SPOOL_H
#define CLI_VERIFY_SPOOL_H

#include "base/error.h"
#include "cli/remote.h"

enum { SPOOL_BUCKETS = 256 };

/* How a document stands at one end. */
struct spool_stand {
    bool there;
    bool deleted;    /* its winner                                                         */
    uint64_t leaves; /* a hash of all its leaves, see verify_pair.c                        */
};

struct spool_entry {
    tr_str id;
    struct spool_stand at[REMOTES];
    unsigned round; /* the last in which something was said of it                          */
};

struct spool;

/* Nothing is made on disk yet. */
struct spool *spool_new(void);
void spool_free(struct spool *spool); /* NULL is fine                                      */

/* Takes note; what is said of a document later takes the place of what was said before. Rounds
 * begin with 0 and are few. ERR_IO, ERR_CANTCREAT. */
int spool_add(struct spool *spool, int end, tr_str id, bool deleted, uint64_t leaves,
              unsigned round, struct error *error);

/* Calls each() for every document of a bucket, in no order; the entry is borrowed. ERR_IO. */
int spool_each(struct spool *spool, unsigned bucket,
               void (*each)(void *ctx, const struct spool_entry *entry), void *ctx,
               struct error *error);

#endif
