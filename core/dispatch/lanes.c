/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All lanes of a cursor: made with its first change, since most streams of a pattern have none
 * for a while, and gone with it.
 */
#include "base/mem.h"
#include "dispatch/private.h"

static uint32_t count_of(const struct cursor *cursor)
{
    return cursor->lanes ? cursor->binding->setup.options.concurrency : 0;
}

void lanes_make(struct cursor *cursor)
{
    cursor->lanes = mem_new_array(struct lane, cursor->binding->setup.options.concurrency);
    for (uint32_t i = 0; i < count_of(cursor); i++) {
        cursor->lanes[i].cursor = cursor;
        cursor->lanes[i].tail = &cursor->lanes[i].head;
        list_init(&cursor->lanes[i].ready);
    }
}

void lanes_free(struct cursor *cursor)
{
    for (uint32_t i = 0; i < count_of(cursor); i++)
        lane_fini(&cursor->lanes[i]);
    free(cursor->lanes);
    cursor->lanes = NULL;
}

void lanes_update(struct cursor *cursor)
{
    for (uint32_t i = 0; i < count_of(cursor); i++)
        lane_update(&cursor->lanes[i]);
}

void lanes_drop(struct cursor *cursor)
{
    for (uint32_t i = 0; i < count_of(cursor); i++)
        lane_drop(&cursor->lanes[i]);
}

void lanes_drain(struct cursor *cursor)
{
    for (uint32_t i = 0; i < count_of(cursor); i++) {
        if (cursor->lanes[i].backing_off)
            cursor->drain_to = -1; /* its sink is down: a stop does not wait for that        */
        lane_clear(&cursor->lanes[i]);
    }
    lanes_update(cursor);
}
