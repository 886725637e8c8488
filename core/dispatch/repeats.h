/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A memory of rows that cursors were given lately, by document and revisions. A source may go
 * back (a shard was lost, or taken over by another node) and send again what it has sent; by
 * their positions nobody can tell, for those are opaque.
 *
 * It is of one size, however many cursors there are: what was seen long ago, or by a cursor
 * that has gone, is forgotten. A cursor that begins anew is another one and remembers nothing,
 * so that what is meant to be read again never counts. Loop thread.
 */
#ifndef DISPATCH_REPEATS_H
#define DISPATCH_REPEATS_H

#include <tailrace/change.h>

#include <stdbool.h>

struct repeats;

struct repeats *repeats_new(void);
void repeats_free(struct repeats *repeats); /* NULL is fine                                 */

/* A name for a cursor, which no other has had. */
uint64_t repeats_name(struct repeats *repeats);

/* Whether the cursor has had the row, as far as is remembered; from now on it has. */
bool repeats_seen(struct repeats *repeats, uint64_t cursor, const tr_change *row);

#endif
