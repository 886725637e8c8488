/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first so many ids, in order, of all that are offered in any order. Main thread.
 */
#ifndef CLI_VERIFY_LIST_H
#define CLI_VERIFY_LIST_H

#include "base/str.h"

struct verify_listed {
    tr_str id; /* the list's                                                               */
    int tag;   /* what the caller knows of it                                              */
};

/* Zero it and set `limit`. */
struct verify_list {
    size_t limit;
    struct verify_listed *items; /* a heap whose top is the last, until it is sorted        */
    size_t count, room;
};

/* The id is copied. */
void verify_list_offer(struct verify_list *list, tr_str id, int tag);

/* Nothing can be offered after that. */
void verify_list_sort(struct verify_list *list);

/* Empties it. */
void verify_list_clear(struct verify_list *list);

#endif
