/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive doubly linked rings: the link lives inside what is listed, so that joining and
 * leaving a list allocates nothing and costs the same anywhere in it. A list head is a link
 * too.
 *
 * Not thread-safe. A link that is on no list points to itself, so leaving twice is harmless.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

/* The T that holds the link `ptr` as its `member`. */
#define list_entry(ptr, T, member) ((T *)(void *)((char *)(ptr)-offsetof(T, member)))

#define list_each(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)

/* For loops that may take `it` off the list or free it. */
#define list_each_safe(it, head)                                                               \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head);                  \
         it = it##_next, it##_next = it->next)

static inline void list_init(struct list *link)
{
    link->next = link->prev = link;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_insert_before(struct list *at, struct list *link)
{
    link->prev = at->prev;
    link->next = at;
    at->prev->next = link;
    at->prev = link;
}

static inline void list_push_back(struct list *head, struct list *link)
{
    list_insert_before(head, link);
}

static inline void list_push_front(struct list *head, struct list *link)
{
    list_insert_before(head->next, link);
}

static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* Takes off the first link, or NULL. */
static inline struct list *list_pop(struct list *head)
{
    struct list *first = head->next;

    if (first == head)
        return NULL;
    list_remove(first);
    return first;
}

/* Moves all of `from` behind all of `to`; `from` is empty then. */
static inline void list_append(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif
