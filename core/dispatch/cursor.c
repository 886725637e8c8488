/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cursor: where a binding stands on one stream. Rows come in here, are matched, and queue up
 * in lanes. Those that matched are pending until they are settled; the position that may be
 * committed is the one just before the first of them.
 */
#include "base/failpoint.h"
#include "base/map.h"
#include "base/mem.h"
#include "dispatch/private.h"
#include "observe/log.h"

/* Of the repeated rows so many in a row are worth a word. */
enum { REPEATS_TELL = 2 };

/* ---- items, and their hold on a segment ---- */

struct item *item_new(struct cursor *cursor, struct hold *hold, uint32_t row)
{
    struct binding *binding = cursor->binding;
    struct item *item = binding->free_items;

    if (item)
        binding->free_items = item->lane_next;
    else
        item = mem_alloc(sizeof(*item));
    *item = (struct item){
        .cursor = cursor, .hold = hold, .row = row, .bytes = hold->segment->rows[row].raw.len};
    hold->items++;
    list_push_back(&cursor->pending, &item->pending);
    binding->rows++;
    return item;
}

/* Held once by whoever makes it, so that a row which is rejected and settled at once does not
 * end it; released by hold_release(). */
struct hold *hold_new(struct binding *binding, struct segment *segment, int64_t since)
{
    struct hold *hold = mem_new(struct hold);

    hold->segment = segment;
    hold->since = since;
    hold->items = 1;
    segment_ref(segment);
    list_push_back(&binding->holds, &hold->link);
    binding->bytes += segment->bytes;
    return hold;
}

void hold_release(struct binding *binding, struct hold *hold)
{
    if (--hold->items > 0)
        return;
    list_remove(&hold->link);
    binding->bytes -= hold->segment->bytes;
    segment_unref(hold->segment);
    free(hold);
}

/* Lanes pass each other, but the position stays before the first that is pending: what is
 * settled behind that counts in the window until the position has passed it too. With `settled`
 * rows, 1 or 0, of its own, an item leaves those behind it to the one before it. */
static void hand_back_passed(struct item *item, uint32_t settled)
{
    struct cursor *cursor = item->cursor;
    struct list *before = item->pending.prev;

    if (cursor->replays || list_empty(&item->pending))
        return;
    if (before == &cursor->pending) {
        cursor->binding->passed -= item->passed;
        return;
    }
    list_entry(before, struct item, pending)->passed += item->passed + settled;
    cursor->binding->passed += settled;
}

static void item_drop(struct item *item, uint32_t settled)
{
    struct binding *binding = item->cursor->binding;

    hand_back_passed(item, settled);
    spread_drop(item);
    list_remove(&item->pending);
    hold_release(binding, item->hold);
    binding->rows--;
    item->lane_next = binding->free_items;
    binding->free_items = item;
}

void item_forget(struct item *item)
{
    item->cursor->binding->stats.received--;
    item->cursor->binding->stats.forgotten++;
    item_drop(item, 0);
}

void item_settle(struct item *item)
{
    struct cursor *cursor = item->cursor;

    count_settled(cursor->binding, item->hold->segment->received_ms);
    item_drop(item, 1);
    cursor->binding->settled++;
    commit_mark(cursor);
    if (cursor->dropped)
        cursor_reap(cursor);
}

/* ---- cursors ---- */

static struct cursor *make_cursor(struct binding *binding, const struct stream_name *stream,
                                  tr_str since, int64_t ordinal)
{
    struct cursor *cursor = mem_new(struct cursor);

    cursor->binding = binding;
    cursor->stream = (struct stream_name){
        .key = str_c(str_dup(stream->key)),
        .source = str_c(str_dup(stream->source)),
        .db = str_c(str_dup(stream->db)),
        .incarnation = str_c(str_dup(stream->incarnation)),
        .transient = stream->transient,
    };
    list_init(&cursor->pending);
    list_init(&cursor->dirty);
    buf_add_str(&cursor->received, since);
    buf_add_str(&cursor->committed, since);
    cursor->received_ordinal = cursor->known_ordinal = ordinal;
    cursor->drain_to = -1;
    if (binding->setup.repeats)
        cursor->name = repeats_name(binding->setup.repeats);
    list_push_back(&binding->cursors, &cursor->link);
    return cursor;
}

/* A stream that went away may come back before all of it was settled. A second cursor beside
 * the first would send the same rows again, and newer ones past those that wait. */
struct cursor *cursor_new(struct binding *binding, const struct stream_name *stream,
                          tr_str since, int64_t ordinal)
{
    struct cursor *cursor = map_remove(&binding->retired, stream->key);

    if (cursor) {
        cursor->retired = false;
        return cursor;
    }
    return make_cursor(binding, stream, since, ordinal);
}

struct cursor *cursor_replays(struct binding *binding, const struct stream_name *stream)
{
    struct cursor *cursor;

    list_each (it, &binding->cursors) {
        cursor = list_entry(it, struct cursor, link);
        if (cursor->replays && str_eq(cursor->stream.key, stream->key))
            return cursor;
    }
    cursor = make_cursor(binding, stream, STR("0"), 0);
    cursor->replays = true;
    return cursor;
}

void cursor_free(struct cursor *cursor)
{
    if (!cursor)
        return;
    lanes_free(cursor);
    list_each_safe (it, &cursor->pending)
        item_drop(list_entry(it, struct item, pending), 0);
    if (cursor->retired)
        map_remove(&cursor->binding->retired, cursor->stream.key);
    list_remove(&cursor->link);
    list_remove(&cursor->dirty);
    buf_fini(&cursor->received);
    buf_fini(&cursor->committed);
    span_free(cursor);
    free((char *)(uintptr_t)cursor->stream.key.ptr);
    free((char *)(uintptr_t)cursor->stream.source.ptr);
    free((char *)(uintptr_t)cursor->stream.db.ptr);
    free((char *)(uintptr_t)cursor->stream.incarnation.ptr);
    free(cursor);
}

void cursor_reap(struct cursor *cursor)
{
    if ((cursor->retired || cursor->dropped) && list_empty(&cursor->pending) &&
        list_empty(&cursor->dirty) && cursor->commits == 0)
        cursor_free(cursor);
}

void cursor_retire(struct cursor *cursor)
{
    cursor->retired = true;
    map_set(&cursor->binding->retired, cursor->stream.key, cursor);
    cursor_reap(cursor);
}

/* Its changes go, but for those that the plugin has and those on their way to the dead letters:
 * they come back. */
static void cursor_drop(struct cursor *cursor)
{
    cursor->retired = false;
    cursor->dropped = true;
    span_hide(cursor);
    list_remove(&cursor->dirty);
    lanes_drop(cursor);
    cursor_reap(cursor);
}

const struct stream_name *cursor_retired(const struct binding *binding, tr_str stream)
{
    const struct cursor *cursor = map_get(&binding->retired, stream);

    return cursor ? &cursor->stream : NULL;
}

struct cursor *cursor_again(struct binding *binding, const struct stream_name *stream,
                            tr_str since)
{
    struct cursor *cursor = make_cursor(binding, stream, since, 0);
    struct cursor *before = map_remove(&binding->retired, stream->key);

    if (before)
        cursor_drop(before);
    cursor_touch(cursor);
    commit_flush(binding);
    binding_check(binding);
    return cursor;
}

/* ---- rows in ---- */

/* What is wrong with the row itself, before any plugin has seen it; or NULL. An error of a
 * condition must not pass as "no match": nobody has judged the row then. */
static const char *judge(struct binding *binding, const tr_change *change, bool *ret_matches,
                         struct error *error)
{
    *ret_matches = true;
    if (change->flags & FEED_ROW_CUT)
        return "the row is longer than the source's max_row; raise it and replay";
    switch (matcher_test(binding->setup.matcher, change, error)) {
    case VERDICT_MATCH: return NULL;
    case VERDICT_NO_MATCH: *ret_matches = false; return NULL;
    default: *ret_matches = !PLANTED("regex_error_no_match"); return error->text;
    }
}

static bool is_repeated(struct cursor *cursor, const tr_change *row)
{
    struct binding *binding = cursor->binding;

    if (!binding->setup.repeats || cursor->replays || row->id.len == 0 ||
        !repeats_seen(binding->setup.repeats, cursor->name, row))
        return false;
    binding->stats.repeated++;
    return true;
}

/* One alone is no sign: a losing branch of a document may have grown, which shows in no row. */
static void tell_repeats(struct cursor *cursor, uint64_t count)
{
    bool told = cursor->again >= REPEATS_TELL;

    cursor->again = count > 0 ? cursor->again + count : 0;
    if (!told && cursor->again >= REPEATS_TELL)
        log_warn("the source sends again what it has sent: it has gone back to an earlier "
                 "position",
                 LOG_C("rule", cursor->binding->setup.name), LOG_S("db", cursor->stream.db),
                 LOG_I("changes", cursor->again));
}

static void take_row(struct cursor *cursor, struct segment *segment, uint32_t row,
                     struct hold **hold)
{
    struct binding *binding = cursor->binding;
    struct error error = {0};
    const char *flaw;
    struct item *item;
    bool matches;

    cursor->received_ordinal++;
    if (is_repeated(cursor, &segment->rows[row]) &&
        binding->setup.options.on_repeat == ON_REPEAT_SKIP) {
        binding->stats.skipped++;
        return;
    }
    flaw = judge(binding, &segment->rows[row], &matches, &error);
    if (!matches) {
        binding->stats.filtered++;
        return;
    }
    if (!*hold)
        *hold = hold_new(binding, segment, cursor->known_ordinal);
    item = item_new(cursor, *hold, row);
    item->ordinal = cursor->received_ordinal;
    if (flaw)
        reject_items(binding, &item, 1, &flaw);
    else
        lane_push(spread_lane(cursor, item, segment->rows[row].id), item);
}

/* How far the segment's position is exact: behind its last row that has a seq, unless the
 * server told the end of all. */
static int64_t known_after(const struct cursor *cursor, const struct segment *segment)
{
    uint32_t behind = segment->count;
    int64_t first = cursor->received_ordinal - segment->count;

    if (!str_eq(segment->last, segment_before(segment, behind)))
        return cursor->received_ordinal;
    while (behind > 0 && !str_eq(segment->rows[behind - 1].seq, segment->last))
        behind--;
    return behind > 0 ? first + behind : cursor->known_ordinal;
}

void cursor_take(struct cursor *cursor, struct segment *segment)
{
    struct binding *binding = cursor->binding;
    uint64_t repeated = binding->stats.repeated;
    struct hold *hold = NULL;

    binding->stats.received += segment->count;
    spread_begin(cursor, segment->count);
    cursor->seen = 0;
    for (uint32_t i = 0; i < segment->count; i++)
        take_row(cursor, segment, i, &hold);
    tell_repeats(cursor, binding->stats.repeated - repeated);
    buf_clear(&cursor->received);
    buf_add_str(&cursor->received, segment->last);
    cursor->known_ordinal = known_after(cursor, segment);
    if (hold)
        hold_release(binding, hold);
    span_grew(cursor);
    lanes_update(cursor);
    commit_mark(cursor);
    if (!binding_has_room(binding))
        binding->was_full = true;
    binding_pump(binding);
}

void cursor_advance(struct cursor *cursor, tr_str seq)
{
    buf_clear(&cursor->received);
    buf_add_str(&cursor->received, seq);
    cursor->known_ordinal = cursor->received_ordinal;
    commit_mark(cursor);
}

void cursor_complete(struct cursor *cursor, uint64_t seen)
{
    cursor->seen = seen;
    commit_mark(cursor);
}

void cursor_touch(struct cursor *cursor)
{
    buf_clear(&cursor->committed);
    commit_mark(cursor);
}

tr_str cursor_received(const struct cursor *cursor)
{
    return buf_str(&cursor->received);
}

tr_str cursor_watermark(const struct cursor *cursor, int64_t *ret_ordinal)
{
    const struct item *first;

    if (list_empty(&cursor->pending) || PLANTED("checkpoint_before_ack")) {
        *ret_ordinal = cursor->received_ordinal;
        return buf_str(&cursor->received);
    }
    first = list_entry(cursor->pending.next, struct item, pending);
    *ret_ordinal = first->ordinal - 1;
    return segment_before(first->hold->segment, first->row);
}

void binding_each_part(const struct binding *binding,
                       bool (*each)(void *ctx, const struct binding_part *part), void *ctx)
{
    bool more = true;

    for (struct list *it = binding->cursors.next; more && it != &binding->cursors;
         it = it->next) {
        const struct cursor *cursor = list_entry(it, struct cursor, link);
        int64_t settled;
        if (cursor->replays || cursor->dropped)
            continue;
        (void)cursor_watermark(cursor, &settled);
        more = each(ctx, &(struct binding_part){
                             .db = cursor->stream.db,
                             .received = (uint64_t)cursor->received_ordinal,
                             .settled = (uint64_t)settled,
                             .is_read = cursor->retired,
                         });
    }
}

/* The ordinal of the row that segment_before() gives the seq of. */
static int64_t known_before(const struct item *item)
{
    const struct segment *segment = item->hold->segment;
    tr_str seq = segment_before(segment, item->row);
    uint32_t behind = item->row;

    while (behind > 0 && segment->rows[behind - 1].seq.ptr != seq.ptr)
        behind--;
    return behind > 0 ? item->ordinal - item->row + behind - 1 : item->hold->since;
}

/* The first that was not sent, and the position before it is one behind all that were. */
static const struct item *first_behind_sent(const struct cursor *cursor)
{
    list_each (it, &cursor->pending) {
        const struct item *item = list_entry(it, struct item, pending);
        if (item->ordinal > cursor->sent_ordinal && known_before(item) >= cursor->sent_ordinal)
            return item;
    }
    return NULL;
}

int64_t cursor_drain_end(const struct cursor *cursor)
{
    const struct item *item;

    if (cursor->replays)
        return -1;
    item = first_behind_sent(cursor);
    return item ? item->ordinal - 1 : cursor->received_ordinal;
}

uint64_t cursor_ahead(const struct cursor *cursor)
{
    int64_t ahead = 0;

    if (cursor->replays || cursor->dropped)
        return 0;
    list_each (it, &cursor->pending) {
        const struct item *item = list_entry(it, struct item, pending);
        if (item->ordinal > cursor->sent_ordinal)
            break;
        if (it == cursor->pending.next)
            ahead = cursor->sent_ordinal - known_before(item);
        ahead--;
    }
    return (uint64_t)ahead;
}

int64_t cursor_known_end(const struct cursor *cursor, tr_str *ret_seq)
{
    const struct item *item = first_behind_sent(cursor);

    if (item) {
        *ret_seq = segment_before(item->hold->segment, item->row);
        return known_before(item);
    }
    if (cursor->known_ordinal < cursor->sent_ordinal)
        return -1;
    *ret_seq = buf_str(&cursor->received);
    return cursor->known_ordinal;
}
