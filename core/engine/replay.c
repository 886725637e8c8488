/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead letters that someone marked to be sent again: taken out of the store a few at a time and
 * given to their binding. The cli marks them, also beside a running daemon, which sees within a
 * second that something was written. Loop thread.
 */
#include "engine/private.h"
#include "observe/log.h"

enum { LETTERS_AT_ONCE = 100 };

static bool send_again(void *context, const struct store_dead_letter *letter)
{
    struct running_rule *rule = context;

    rule->replay_from = letter->id + 1;
    binding_replay(rule->binding, letter);
    return true;
}

/* Called when the binding is idle: then none of an earlier piece is still on its way, and one
 * that failed has lost its mark. */
void replay_look(struct running_rule *rule)
{
    struct store_filter filter = {
        .binding = rule->settings->name, .limit = LETTERS_AT_ONCE, .marked = true};
    int64_t from = rule->replay_from;
    struct error error;

    if (!rule->replay_wanted || !binding_is_running(rule->binding) ||
        !binding_is_idle(rule->binding))
        return;
    filter.id_from = from;
    if (store_dead_letter_each(rule->engine->store, &filter, send_again, rule, &error) < 0)
        log_error("dead letters cannot be read", LOG_S("rule", rule->settings->name),
                  LOG_C("reason", error.text));
    if (rule->replay_from == from) {
        rule->replay_wanted = false;
        rule->replay_from = 0;
        engine_look(rule->engine);
    }
}

void replay_poll(struct engine *engine)
{
    if (!store_changed(engine->store))
        return;
    list_each (it, &engine->rules) {
        struct running_rule *rule = list_entry(it, struct running_rule, link);
        rule->replay_wanted = true;
        replay_look(rule);
    }
}
