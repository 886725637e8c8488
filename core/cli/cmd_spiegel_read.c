/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spiegel's own documents: what is a rule, how far it has listened, what was still to be done.
 * Pure: bodies of documents in, structures out. Main thread.
 */
#include "cli/cmd_spiegel.h"

#include "base/mem.h"
#include "document/document.h"
#include "http/url.h"
#include "json/value.h"

#include <stdio.h>
#include <time.h>

void spiegel_init(struct spiegel *spiegel, struct settings *settings,
                  const struct document_settings *group)
{
    *spiegel = (struct spiegel){.settings = settings, .group = group};
    arena_init(&spiegel->arena, 64 << 10);
}

void spiegel_fini(struct spiegel *spiegel)
{
    for (size_t i = 0; i < spiegel->rules_count; i++)
        settings_unref(spiegel->rules[i].generation);
    free(spiegel->rules);
    free(spiegel->patterns);
    map_fini(&spiegel->users);
    map_fini(&spiegel->listeners);
    arena_fini(&spiegel->arena);
}

/* ---- values ---- */

int64_t spiegel_time(tr_str text)
{
    struct tm tm = {0};
    char copy[32];
    int ms = 0, end = 0;
    time_t seconds;

    if (text.len == 0 || text.len >= sizeof(copy))
        return 0;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (sscanf(copy, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms, &end) != 7 ||
        (size_t)end != text.len)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    seconds = timegm(&tm);
    return seconds > 0 ? (int64_t)seconds * 1000 + ms : 0;
}

/* A member that is a string, decoded into the arena; else empty. */
static tr_str text_of(tr_str doc, tr_str key, struct arena *arena)
{
    tr_str raw, text;

    if (!json_get(doc, key, &raw) || !json_decode(raw, arena, &text))
        return (tr_str){0};
    return arena_str(arena, text);
}

static enum json_type type_of(tr_str doc, tr_str key)
{
    tr_str raw;

    return json_get(doc, key, &raw) ? json_type_of(raw) : JSON_NONE;
}

/* A member that can be a position in a feed, as it stands; else empty. */
static tr_str seq_of(tr_str doc, tr_str key, struct arena *arena)
{
    enum json_type type = type_of(doc, key);
    tr_str raw;

    if (type != JSON_STRING && type != JSON_NUMBER && type != JSON_ARRAY)
        return (tr_str){0};
    json_get(doc, key, &raw);
    return str_eq(raw, STR("\"\"")) ? (tr_str){0} : arena_str(arena, str_trim(raw));
}

/* What was locked or written lately is a sign that Spiegel runs. */
static int64_t take_activity(struct spiegel *spiegel, tr_str doc)
{
    int64_t updated = spiegel_time(text_of(doc, STR("updated_at"), &spiegel->arena));

    if (type_of(doc, STR("locked_at")) == JSON_STRING)
        spiegel->locked++;
    if (updated > spiegel->active_ms)
        spiegel->active_ms = updated;
    return updated;
}

/* ---- rules ---- */

static struct spiegel_rule *add_rule(struct spiegel *spiegel, tr_str id)
{
    struct spiegel_rule *rule;

    if (spiegel->rules_count == spiegel->rules_room) {
        spiegel->rules_room = spiegel->rules_room ? 2 * spiegel->rules_room : 64;
        spiegel->rules = mem_resize(spiegel->rules,
                                    spiegel->rules_room * sizeof(*spiegel->rules));
    }
    rule = &spiegel->rules[spiegel->rules_count++];
    *rule = (struct spiegel_rule){.id = arena_str(&spiegel->arena, id)};
    rule->name = document_rule_name(spiegel->group->name, id, &spiegel->arena);
    return rule;
}

/* There may be ten thousand rules with a name, and few with a pattern. */
static void note_pattern(struct spiegel *spiegel, const struct spiegel_rule *rule)
{
    const tr_str *names;
    size_t count;

    if (pattern_is_fixed(rule->databases, &names, &count))
        return;
    spiegel->patterns = mem_resize(spiegel->patterns,
                                   (spiegel->patterns_count + 1) * sizeof(*spiegel->patterns));
    spiegel->patterns[spiegel->patterns_count++] = (size_t)(rule - spiegel->rules);
}

/* Spiegel takes a replicator for dirty until it has written `false` into it itself. One with a
 * dirty_at waits to become dirty; one that is locked was running when its process ended. */
static bool is_dirty(tr_str doc)
{
    return type_of(doc, STR("dirty")) != JSON_FALSE ||
           type_of(doc, STR("dirty_at")) == JSON_STRING ||
           type_of(doc, STR("locked_at")) == JSON_STRING;
}

/* Whom a URL names. What lies behind its host may hold variables, and is no matter here. */
static void take_user(struct spiegel *spiegel, tr_str url, tr_str rule)
{
    struct arena *arena = &spiegel->arena;
    struct spiegel_user *user;
    struct url parsed = {0};
    struct buf server = {0};
    tr_str rest = url, scheme = str_cut(url, ':', &rest);

    if (!str_starts(rest, STR("//")))
        return;
    buf_addf(&server, STR_FMT "://", STR_ARG(scheme));
    rest = str_from(rest, 2);
    for (size_t i = 0; i < rest.len && !strchr("/?#", rest.ptr[i]); i++)
        buf_add_char(&server, rest.ptr[i]);
    buf_add_char(&server, '/');
    if (url_parse(buf_str(&server), &parsed, NULL) == 0 && parsed.user && !parsed.password) {
        buf_clear(&server);
        buf_addf(&server, "%s@%s", parsed.user, parsed.host);
        if (!map_get(&spiegel->users, buf_str(&server))) {
            user = arena_zero(arena, sizeof(*user));
            user->host = arena_str(arena, str_c(parsed.host));
            user->user = arena_str(arena, str_c(parsed.user));
            user->rule = rule;
            map_set(&spiegel->users, buf_str(&server), user);
        }
    }
    url_fini(&parsed);
    buf_fini(&server);
}

static void take_rule(struct spiegel *spiegel, tr_str id, tr_str doc, bool is_replicator)
{
    static const char *const with_url[] = {"url", "source", "target"};
    struct settings *generation = NULL;
    struct spiegel_rule *rule;
    enum document_kind kind;
    struct buf reason = {0};
    struct diags diags;

    diags_init(&diags);
    kind = settings_from_document(spiegel->settings, spiegel->group, id, doc, &diags,
                                  &generation);
    if (kind == DOCUMENT_NONE)
        goto out;
    rule = add_rule(spiegel, id);
    rule->is_replicator = is_replicator;
    rule->is_dirty = is_replicator && is_dirty(doc);
    if (kind == DOCUMENT_RULE) {
        rule->generation = generation;
        rule->databases = generation->rules[0].matcher->databases;
        rule->system_databases = generation->rules[0].system_databases != 0;
        note_pattern(spiegel, rule);
        for (size_t i = 0; i < sizeof(with_url) / sizeof(with_url[0]); i++)
            take_user(spiegel, text_of(doc, str_c(with_url[i]), &spiegel->arena), rule->name);
    } else {
        document_reason(&diags, &reason);
        rule->reason = arena_str(&spiegel->arena, buf_str(&reason));
    }
out:
    buf_fini(&reason);
    diags_fini(&diags);
}

/* ---- the others ---- */

static void take_listener(struct spiegel *spiegel, tr_str doc, int64_t updated_ms)
{
    struct arena *arena = &spiegel->arena;
    struct spiegel_listener *listener = arena_zero(arena, sizeof(*listener));
    tr_str db = url_decode(text_of(doc, STR("db_name"), arena), arena);

    if (db.len == 0)
        return;
    listener->seq = seq_of(doc, STR("last_seq"), arena);
    listener->updated_ms = updated_ms;
    map_set(&spiegel->listeners, db, listener);
}

void spiegel_take(struct spiegel *spiegel, tr_str id, tr_str doc)
{
    tr_str type = text_of(doc, STR("type"), &spiegel->arena);

    if (str_eq(type, STR("on_change"))) {
        take_rule(spiegel, id, doc, false);
    } else if (str_eq(type, STR("replicator"))) {
        take_activity(spiegel, doc);
        take_rule(spiegel, id, doc, true);
    } else if (str_eq(type, STR("change_listener"))) {
        take_listener(spiegel, doc, take_activity(spiegel, doc));
    } else if (str_eq(type, STR("global")) && str_eq(id, STR("global_lastSeq"))) {
        spiegel->updates_seq = seq_of(doc, STR("value"), &spiegel->arena);
    }
}
