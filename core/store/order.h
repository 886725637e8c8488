/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of an operation by their keys: rows that are neighbours lie on one page, and in
 * order each page is touched once. Inside store/ only; any thread.
 */
#ifndef STORE_ORDER_H
#define STORE_ORDER_H

#include "store/state.h"

#include <stddef.h>
#include <stdint.h>

struct order_item {
    uint64_t head; /* of the sorting                                                       */
    const struct store_state_entry *entry;
};

/* All of them, each key once; free() it. */
struct order_item *order_entries(const struct store_state_entry *entries, size_t count);

#endif
