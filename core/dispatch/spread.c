/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which lane a change goes to. Those of one document keep their order: as long as one of them
 * is pending, the next goes where it went. All else goes by runs of neighbours to a lane that
 * has little to do. What lies side by side in a feed often does in the sink as well, and costs
 * less there in one batch than in several, which write the same leaves of a B-tree; and a lane
 * that waits for a sink gets no more than what has to wait behind it.
 */
#include "base/mem.h"
#include "dispatch/private.h"

enum {
    PLACES_MIN = 1024,
    PLACES_PER_ROW = 8, /* so that few documents share one                                  */
    PLACES_MAX = 1 << 20,
    LANES_LOOKED_AT = 16
};

/* The pending changes of the documents whose hash leads here, and their lane. Where two share
 * one they share the lane, which is harmless. */
struct place {
    uint32_t pending;
    uint32_t lane;
};

static struct place *place_of(const struct binding *binding, tr_str id)
{
    return &binding->places[hash_bytes(id.ptr, id.len) & (binding->places_count - 1)];
}

/* Twice as many places part who shared one, and bring nobody together: so all keep their lane.
 */
static void move_to_places(struct cursor *cursor)
{
    list_each (it, &cursor->pending) {
        struct item *item = list_entry(it, struct item, pending);
        const struct place *before = item->place;
        if (!before)
            continue;
        item->place = place_of(cursor->binding, item->hold->segment->rows[item->row].id);
        item->place->lane = before->lane;
        item->place->pending++;
    }
}

static void make_places(struct binding *binding)
{
    struct place *before = binding->places;
    size_t count = before ? (size_t)binding->places_count * 2 : PLACES_MIN;

    binding->places = mem_new_array(struct place, count);
    binding->places_count = (uint32_t)count;
    list_each (it, &binding->cursors)
        move_to_places(list_entry(it, struct cursor, link));
    free(before);
}

void spread_begin(struct cursor *cursor, uint32_t rows)
{
    const struct binding_options *options = &cursor->binding->setup.options;
    uint32_t run = rows / options->concurrency;

    cursor->run = run > options->batch_size ? options->batch_size : run > 0 ? run : 1;
    cursor->run_left = 0;
}

/* Of those that come next the first without a change, or the one with the fewest. */
static uint32_t choose(const struct cursor *cursor)
{
    uint32_t lanes = cursor->binding->setup.options.concurrency, best = 0;

    for (uint32_t i = 0; i < lanes && i < LANES_LOOKED_AT; i++) {
        uint32_t lane = (cursor->run_lane + 1 + i) % lanes;
        if (i == 0 || cursor->lanes[lane].count < cursor->lanes[best].count)
            best = lane;
    }
    return best;
}

struct lane *spread_lane(struct cursor *cursor, struct item *item, tr_str id)
{
    struct binding *binding = cursor->binding;
    struct place *place;

    if (!cursor->lanes)
        lanes_make(cursor);
    if (binding->setup.options.concurrency == 1)
        return cursor->lanes;
    if (!binding->places || (binding->places_count < PLACES_MAX &&
                             binding->rows > binding->places_count / PLACES_PER_ROW))
        make_places(binding);
    place = place_of(binding, id);
    item->place = place;
    if (place->pending++ > 0)
        return &cursor->lanes[place->lane];
    if (cursor->run_left == 0) {
        cursor->run_lane = choose(cursor);
        cursor->run_left = cursor->run > 0 ? cursor->run : 1;
    }
    cursor->run_left--;
    place->lane = cursor->run_lane;
    return &cursor->lanes[place->lane];
}

void spread_drop(struct item *item)
{
    if (item->place)
        item->place->pending--;
}
