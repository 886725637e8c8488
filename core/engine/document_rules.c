/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The groups of documents: as many as the configuration has. Loop thread.
 */
#include "engine/document_rules.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/document_group.h"

static struct document_group *find_group(const struct document_rules *documents, tr_str name)
{
    list_each (it, &documents->groups) {
        struct document_group *group = list_entry(it, struct document_group, link);
        if (str_eq(str_c(group->name), name))
            return group;
    }
    return NULL;
}

static void group_new(struct engine *engine, const struct document_settings *settings)
{
    struct document_group *group = mem_new(struct document_group);

    group->engine = engine;
    group->name = str_dup(settings->name);
    list_push_back(&engine->documents->groups, &group->link);
    document_group_connect(group, settings);
}

/* ---- for the engine ---- */

void document_rules_start(struct engine *engine)
{
    engine->documents = mem_new(struct document_rules);
    list_init(&engine->documents->groups);
    for (size_t i = 0; i < engine->settings->documents_count; i++)
        group_new(engine, &engine->settings->documents[i]);
}

void document_rules_reload(struct engine *engine)
{
    struct settings *settings = engine->settings;

    if (!engine->documents)
        return;
    list_each_safe (it, &engine->documents->groups) {
        struct document_group *group = list_entry(it, struct document_group, link);
        const struct document_settings *now = settings_documents(settings, str_c(group->name));
        document_group_disconnect(group);
        if (now) {
            document_group_connect(group, now);
        } else {
            document_group_forget(group);
            document_group_free(group);
        }
    }
    for (size_t i = 0; i < settings->documents_count; i++)
        if (!find_group(engine->documents, settings->documents[i].name))
            group_new(engine, &settings->documents[i]);
}

void document_rules_stop(struct engine *engine)
{
    if (!engine->documents)
        return;
    list_each_safe (it, &engine->documents->groups)
        document_group_free(list_entry(it, struct document_group, link));
    free(engine->documents);
    engine->documents = NULL;
}

bool document_rules_are_read(const struct engine *engine)
{
    if (!engine->documents)
        return true;
    list_each (it, &engine->documents->groups) {
        if (!list_entry(it, struct document_group, link)->read)
            return false;
    }
    return true;
}

bool document_rules_are_awaited(const struct engine *engine)
{
    int64_t now = clock_ms();

    if (!engine->documents)
        return false;
    list_each (it, &engine->documents->groups) {
        const struct document_group *group = list_entry(it, struct document_group, link);
        bool comes = group->state == DOCUMENTS_CONNECTING || group->state == DOCUMENTS_READING;
        if (comes && !group->read && now < group->awaited_until_ms)
            return true;
    }
    return false;
}

/* ---- for status ---- */

const char *document_state_name(enum document_state state)
{
    static const char *const names[] = {
        [DOCUMENTS_CONNECTING] = "connecting",
        [DOCUMENTS_READING] = "reading",
        [DOCUMENTS_LIVE] = "live",
        [DOCUMENTS_WAITING] = "waiting",
        [DOCUMENTS_DENIED] = "denied",
        [DOCUMENTS_MISSING] = "missing",
        [DOCUMENTS_DONE] = "done",
    };

    return names[state];
}

void document_rules_each(const struct engine *engine, size_t invalid_max,
                         void (*each)(void *ctx, const struct document_group_status *status),
                         void (*invalid)(void *ctx, tr_str id, const char *reason), void *ctx)
{
    if (!engine->documents)
        return;
    list_each (it, &engine->documents->groups) {
        const struct document_group *group = list_entry(it, struct document_group, link);
        struct document_group_status status = {
            .name = str_c(group->name),
            .source = group->settings->source->name,
            .database = group->settings->database,
            .state = group->state,
            .reason = group->reason,
            .rules = group->rules,
            .invalid = group->invalid,
        };
        size_t cursor = 0, left = invalid_max < group->invalid ? invalid_max : group->invalid;
        void *value;
        tr_str id;

        each(ctx, &status);
        while (left > 0 && map_next(&group->documents, &cursor, &id, &value)) {
            const struct document *document = value;
            if (!document->reason)
                continue;
            invalid(ctx, id, document->reason);
            left--;
        }
    }
}
