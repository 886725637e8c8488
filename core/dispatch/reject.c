/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes that were refused for good: dead letters, and their way back.
 *
 * A change that becomes a dead letter is settled when the store says that the letter is
 * durable, and not before: only then may a checkpoint pass it. A letter that is sent again
 * stays in the store until the plugin has taken it.
 */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "dispatch/private.h"
#include "observe/log.h"

struct letter_commit {
    struct store_commit commit;
    struct binding *binding;
    struct arena arena;
    struct state_epoch *epoch; /* what was written for them; NULL: the plugin keeps nothing */
    struct item **items;
    uint32_t count;
    struct store_op ops[]; /* of each item, and one of the epoch                            */
};

static struct letter_commit *commit_new(struct binding *binding, uint32_t count)
{
    struct letter_commit *letters = mem_zero(1, sizeof(*letters) +
                                                    (count + 1) * sizeof(struct store_op));

    arena_init(&letters->arena, 1024);
    letters->binding = binding;
    letters->items = arena_alloc(&letters->arena, count * sizeof(struct item *));
    letters->commit.binding = str_c(binding->setup.name);
    letters->commit.ops = letters->ops;
    letters->commit.ops_count = letters->count = count;
    return letters;
}

static void replay_over(struct binding *binding)
{
    if (--binding->letters == 0 && binding->state == BINDING_RUNNING)
        binding->setup.events->replayed(binding->setup.ctx);
}

/* A batch of letters of a plugin that keeps state is over: others may be sent again. */
static void end_batch(struct binding *binding)
{
    binding->replaying--;
    binding_update_lanes(binding);
    binding_pump(binding);
}

static void end_epoch(struct letter_commit *letters)
{
    bool has_op = letters->commit.ops_count > letters->count;

    if (letters->commit.status == STORE_DONE)
        state_epoch_done(letters->epoch, has_op ? &letters->ops[letters->count] : NULL);
    else
        state_epoch_drop(letters->epoch);
    end_batch(letters->binding);
}

static void commit_done(struct store_commit *done)
{
    struct letter_commit *letters = list_entry(done, struct letter_commit, commit);
    struct binding *binding = letters->binding;

    FAILPOINT("dispatch.letter.durable");
    binding->commits--;
    if (done->status == STORE_FULL)
        binding_hold(binding, "its dead letters are at their bound (dead_letters); see "
                              "`tailrace dead-letter list`, replay or purge them, and reload");
    for (uint32_t i = 0; done->status == STORE_DONE && i < letters->count; i++) {
        if (done->ops[i].kind == STORE_DELETE_DEAD_LETTER)
            binding->stats.ok++;
        else
            binding->stats.dead++;
        item_settle(letters->items[i]);
        if (done->ops[i].kind != STORE_ADD_DEAD_LETTER)
            replay_over(binding);
    }
    count_end(binding);
    if (letters->epoch)
        end_epoch(letters);
    arena_fini(&letters->arena);
    free(letters);
    binding_check(binding);
}

static void submit(struct letter_commit *letters)
{
    letters->commit.done = commit_done;
    letters->binding->commits++;
    store_commit_submit(letters->binding->setup.store, &letters->commit);
}

/* The operation for one item; its slices live in the item's segment, which stays. */
static void fill(struct letter_commit *letters, uint32_t i, struct item *item,
                 const char *message)
{
    const tr_change *change = item_change(item);
    const struct stream_name *stream = &item->cursor->stream;
    int64_t now = clock_wall_ms(), waited = 0;
    struct store_op *op = &letters->ops[i];

    if (item->attempts > 0)
        waited = loop_now(letters->binding->setup.loop) - item->first_ms;
    letters->items[i] = item;
    op->kind = item->letter ? STORE_FAIL_DEAD_LETTER : STORE_ADD_DEAD_LETTER;
    op->dead_letter = (struct store_dead_letter){
        .id = item->letter,
        .binding = str_c(letters->binding->setup.name),
        .stream = stream->key,
        .source = stream->source,
        .db = stream->db,
        .doc_id = change->id,
        .revs = change->revs,
        .seq = change->seq,
        .error = arena_str(&letters->arena, str_c(message[0] ? message : "no reason given")),
        .attempts = item->attempts,
        .first_ms = now - waited,
        .last_ms = now,
        .row = change->raw,
        .row_cut = (change->flags & FEED_ROW_CUT) != 0,
    };
}

static void log_reject(const struct item *item, const char *what, const char *message)
{
    log_warn(what, LOG_C("rule", item->cursor->binding->setup.name),
             LOG_S("db", item->cursor->stream.db), LOG_S("id", item_change(item)->id),
             LOG_S("rev", item_change(item)->rev), LOG_I("attempts", item->attempts),
             LOG_C("reason", message));
}

/* A planted bug: the position moves over them although no letter is durable yet. */
static void pass_before(struct binding *binding, struct item **items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        list_remove(&items[i]->pending);
        commit_mark(items[i]->cursor);
    }
    commit_flush(binding);
}

void reject_items(struct binding *binding, struct item **items, uint32_t count,
                  const char *const *messages)
{
    enum on_reject on_reject = binding->setup.options.on_reject;
    struct letter_commit *letters;

    /* One that is a dead letter already stays one: no position depends on it. */
    if (items[0]->letter)
        on_reject = ON_REJECT_DEAD_LETTER;
    if (on_reject == ON_REJECT_STOP) {
        /* They stay pending, in no lane: the position is held just before them. */
        log_reject(items[0], "change rejected: the rule stops", messages[0]);
        binding_hold(binding,
                     "a change was rejected and on_reject is \"stop\": %s; mend the "
                     "cause and restart or reload tailrace",
                     messages[0]);
        return;
    }
    if (on_reject == ON_REJECT_SKIP) {
        for (uint32_t i = 0; i < count; i++) {
            log_reject(items[i], "change rejected: skipped", messages[i]);
            binding->stats.skipped++;
            item_settle(items[i]);
        }
        count_end(binding);
        return;
    }
    letters = commit_new(binding, count);
    for (uint32_t i = 0; i < count; i++) {
        log_reject(items[i], "change rejected: kept as a dead letter", messages[i]);
        fill(letters, i, items[i], messages[i]);
    }
    if (PLANTED("dead_letter_after_checkpoint"))
        pass_before(binding, items, count);
    FAILPOINT("dispatch.letter.ready");
    submit(letters);
}

/* ---- the way back ---- */

static void fill_taken(struct letter_commit *letters, uint32_t i, struct item *item)
{
    letters->items[i] = item;
    letters->ops[i].kind = STORE_DELETE_DEAD_LETTER;
    letters->ops[i].dead_letter.id = item->letter;
}

void replay_settled(struct item *item)
{
    struct binding *binding = item->cursor->binding;
    struct letter_commit *letters;

    if (binding->kept) {
        item->lane_next = binding->replayed;
        binding->replayed = item;
        return;
    }
    letters = commit_new(binding, 1);
    fill_taken(letters, 0, item);
    FAILPOINT("replay.acked");
    submit(letters);
}

void replay_keep(struct binding *binding, struct state_epoch *epoch)
{
    struct letter_commit *letters;
    uint32_t count = 0;

    for (struct item *it = binding->replayed; it; it = it->lane_next)
        count++;
    if (count == 0) {
        state_epoch_drop(epoch);
        end_batch(binding);
        return;
    }
    letters = commit_new(binding, count);
    letters->epoch = epoch;
    for (uint32_t i = 0; i < count; i++) {
        struct item *item = binding->replayed;
        binding->replayed = item->lane_next;
        fill_taken(letters, i, item);
    }
    if (state_epoch_freeze(epoch, &letters->ops[count]))
        letters->commit.ops_count++;
    FAILPOINT("replay.acked");
    submit(letters);
}

/* A letter that cannot be sent: its mark goes, so that it is not tried over and over. */
struct unsent_commit {
    struct store_commit commit;
    struct store_op op;
    struct binding *binding;
};

static void unsent_done(struct store_commit *done)
{
    struct unsent_commit *unsent = list_entry(done, struct unsent_commit, commit);
    struct binding *binding = unsent->binding;

    binding->commits--;
    free(unsent);
    replay_over(binding);
    binding_check(binding);
}

static void cannot_send(struct binding *binding, int64_t id, const char *why)
{
    struct unsent_commit *unsent = mem_new(struct unsent_commit);

    log_warn("dead letter cannot be replayed", LOG_C("rule", binding->setup.name),
             LOG_I("letter", id), LOG_C("reason", why));
    unsent->binding = binding;
    unsent->op.kind = STORE_FAIL_DEAD_LETTER;
    unsent->op.dead_letter = (struct store_dead_letter){
        .id = id, .error = str_c(why), .last_ms = clock_wall_ms()};
    unsent->commit.binding = str_c(binding->setup.name);
    unsent->commit.ops = &unsent->op;
    unsent->commit.ops_count = 1;
    unsent->commit.done = unsent_done;
    binding->commits++;
    store_commit_submit(binding->setup.store, &unsent->commit);
}

void binding_replay(struct binding *binding, const struct store_dead_letter *letter)
{
    const struct stream_name stream = {
        .key = letter->stream, .source = letter->source, .db = letter->db};
    struct cursor *cursor;
    struct segment *segment;
    struct hold *hold;
    struct item *item;
    struct lane *lane;

    FAILPOINT("replay.begin");
    binding->letters++;
    segment = letter->row_cut ? NULL : segment_of_row(letter->row, letter->seq);
    if (!segment) {
        cannot_send(binding, letter->id,
                    letter->row_cut
                        ? "only the head of this row was kept: it was longer than the "
                          "source's max_row; write the document again instead"
                        : "the stored row is not a row");
        return;
    }
    binding->stats.received++;
    cursor = cursor_replays(binding, &stream);
    hold = hold_new(binding, segment, 0);
    item = item_new(cursor, hold, 0);
    item->letter = letter->id;
    hold_release(binding, hold);
    segment_unref(segment);
    lane = spread_lane(cursor, item, segment->rows[0].id);
    lane_push(lane, item);
    lane_update(lane);
    binding_pump(binding);
}
