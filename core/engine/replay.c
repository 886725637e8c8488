/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead letters that someone marked to be sent again: taken out of the store a few at a time and
 * given to their binding. The cli marks them, also beside a running daemon, which sees within a
 * second that something was written. Loop thread.
 */
#include "base/mem.h"
#include "engine/private.h"
#include "observe/log.h"

enum { LETTERS_AT_ONCE = 100 };

/* A piece, copied out of the store: it must not be called while it hands out letters. */
struct piece {
    struct arena arena;
    struct store_dead_letter letters[LETTERS_AT_ONCE];
    size_t count;
};

static bool take(void *context, const struct store_dead_letter *letter)
{
    struct piece *piece = context;
    struct store_dead_letter *copy = &piece->letters[piece->count++];

    *copy = *letter;
    copy->stream = arena_str(&piece->arena, letter->stream);
    copy->source = arena_str(&piece->arena, letter->source);
    copy->db = arena_str(&piece->arena, letter->db);
    copy->seq = arena_str(&piece->arena, letter->seq);
    copy->row = arena_str(&piece->arena, letter->row);
    return piece->count < LETTERS_AT_ONCE;
}

/* Nothing happens while an earlier piece is on its way: what of it fails loses its mark, and
 * what does not is gone, so the next look begins where this one ends. */
void replay_look(struct running_rule *rule)
{
    struct store_filter filter = {.binding = rule->settings->name,
                                  .id_from = rule->replay_from,
                                  .limit = LETTERS_AT_ONCE,
                                  .marked = true};
    struct piece *piece;
    struct error error;

    if (!rule->replay_wanted || !binding_is_running(rule->binding) ||
        binding_is_replaying(rule->binding))
        return;
    piece = mem_new(struct piece);
    arena_init(&piece->arena, 65536);
    if (store_dead_letter_each(rule->engine->store, &filter, take, piece, &error) < 0)
        log_error("dead letters cannot be read", LOG_S("rule", rule->settings->name),
                  LOG_C("reason", error.text));
    rule->replay_from = piece->count > 0 ? piece->letters[piece->count - 1].id + 1 : 0;
    rule->replay_wanted = piece->count > 0 || rule->replay_again;
    rule->replay_again = rule->replay_again && piece->count > 0;
    for (size_t i = 0; i < piece->count; i++)
        binding_replay(rule->binding, &piece->letters[i]);
    arena_fini(&piece->arena);
    free(piece);
    if (!rule->replay_wanted)
        engine_look(rule->engine);
    else if (!binding_is_replaying(rule->binding))
        replay_look(rule); /* from the first again */
}

void replay_poll(struct engine *engine)
{
    list_each (it, &engine->rules) {
        struct running_rule *rule = list_entry(it, struct running_rule, link);
        /* Marks may have come in front of where it is. */
        rule->replay_again = rule->replay_wanted;
        rule->replay_wanted = true;
        replay_look(rule);
    }
}
