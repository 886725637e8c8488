/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group of commits as one transaction. Inside store/ only; on the commit thread.
 */
#ifndef STORE_GROUP_H
#define STORE_GROUP_H

#include "store/internal.h"

/* Tries once. SQLITE_OK: each commit of the group has its status and those that are DONE are
 * durable; *ret_done says how many. Else nothing of the group was written, and it may be tried
 * again. */
int group_commit(struct store *store, struct list *group, uint64_t *ret_done);

/* Moves the write-ahead log into the database when it has grown. SQLite's code; a reader that
 * is in the way is no failure. */
int group_trim_log(struct store *store);

#endif
