/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded heap of texts. Main thread.
 */
#include "cli/verify_list.h"

#include "base/mem.h"

static bool is_before(const struct verify_list *list, size_t a, size_t b)
{
    return str_cmp(list->items[a].id, list->items[b].id) < 0;
}

static void swap(struct verify_list *list, size_t a, size_t b)
{
    struct verify_listed item = list->items[a];

    list->items[a] = list->items[b];
    list->items[b] = item;
}

static void sift_up(struct verify_list *list, size_t at)
{
    for (size_t parent; at > 0; at = parent) {
        parent = (at - 1) / 2;
        if (!is_before(list, parent, at))
            return;
        swap(list, at, parent);
    }
}

static void sift_down(struct verify_list *list)
{
    size_t at = 0, child;

    while ((child = 2 * at + 1) < list->count) {
        if (child + 1 < list->count && is_before(list, child, child + 1))
            child++;
        if (!is_before(list, at, child))
            return;
        swap(list, at, child);
        at = child;
    }
}

static struct verify_listed listed(tr_str id, int tag)
{
    return (struct verify_listed){str_n(str_dup(id), id.len), tag};
}

static void drop(struct verify_listed *item)
{
    free((char *)item->id.ptr);
}

void verify_list_offer(struct verify_list *list, tr_str id, int tag)
{
    if (list->count < list->limit) {
        if (list->count == list->room) {
            list->room = list->room ? list->room * 2 : 64;
            list->items = mem_resize(list->items, list->room * sizeof(*list->items));
        }
        list->items[list->count] = listed(id, tag);
        sift_up(list, list->count++);
    } else if (list->limit > 0 && str_cmp(id, list->items[0].id) < 0) {
        drop(&list->items[0]);
        list->items[0] = listed(id, tag);
        sift_down(list);
    }
}

static int by_id(const void *a, const void *b)
{
    return str_cmp(((const struct verify_listed *)a)->id,
                   ((const struct verify_listed *)b)->id);
}

void verify_list_sort(struct verify_list *list)
{
    if (list->count > 0)
        qsort(list->items, list->count, sizeof(*list->items), by_id);
}

void verify_list_clear(struct verify_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        drop(&list->items[i]);
    free(list->items);
    list->items = NULL;
    list->count = list->room = 0;
}
