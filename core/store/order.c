/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorting entries by their keys, seven bytes at a time: these are one number, which needs no
 * look at the key, and those that are alike in it are sorted by the next seven. Keys that begin
 * alike, as most do, are compared no slower than others. Called by state.c.
 */
#include "store/order.h"

#include "base/mem.h"

#include <endian.h>
#include <stdbool.h>

enum { HEAD_BYTES = 7 };

/* The bytes from there on, zeros behind the end, and how many there are: so of two keys of
 * which one is the beginning of the other the shorter one is less. */
static uint64_t head_of(tr_str key, size_t from)
{
    size_t len = key.len > from ? key.len - from : 0;
    uint64_t head = 0;

    if (len > HEAD_BYTES) {
        memcpy(&head, key.ptr + from, sizeof(head));
        return (be64toh(head) & ~UINT64_C(0xff)) | HEAD_BYTES;
    }
    for (size_t i = 0; i < HEAD_BYTES; i++)
        head = head << 8 | (i < len ? (unsigned char)key.ptr[from + i] : 0);
    return head << 8 | len;
}

static int by_head(const void *a, const void *b)
{
    uint64_t one = ((const struct order_item *)a)->head;
    uint64_t other = ((const struct order_item *)b)->head;

    return (one > other) - (one < other);
}

/* Those that are the same up to `from`. Many come in order. No deeper than keys are long, for
 * the last byte of a head tells whether its key goes on. */
static void sort(struct order_item *items, size_t count, size_t from)
{
    bool is_sorted = true;
    size_t begin = 0;

    for (size_t i = 0; i < count; i++) {
        items[i].head = head_of(items[i].entry->key, from);
        is_sorted = is_sorted && (i == 0 || items[i - 1].head <= items[i].head);
    }
    if (!is_sorted)
        qsort(items, count, sizeof(*items), by_head);
    for (size_t i = 1; i <= count; i++) {
        if (i < count && items[i].head == items[begin].head)
            continue;
        if (i - begin > 1 && (items[begin].head & 0xff) == HEAD_BYTES)
            sort(items + begin, i - begin, from + HEAD_BYTES);
        begin = i;
    }
}

struct order_item *order_entries(const struct store_state_entry *entries, size_t count)
{
    struct order_item *items = mem_new_array(struct order_item, count + 1);

    for (size_t i = 0; i < count; i++)
        items[i].entry = &entries[i];
    sort(items, count, 0);
    return items;
}
