/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spiegel's replicator documents as rules of the plugin replicator.
 *
 *     source, target            the options of the same name; the rule is about the database
 *                               that the source ends with
 *
 * What the plugin can do itself it does, see replicator_native.c. The rest is the server's that
 * has the documents, as it is for Spiegel:
 *
 *     dirty_after_milliseconds  delay
 *     what else _replicate has  body, as it stands
 *
 * Spiegel takes one that it has not seen yet for dirty and runs it at once: so the rule reads
 * its database from the beginning; for a server without documents, which makes one run. Any
 * thread.
 */
#include "document/translate.h"

#include "http/url.h"

enum { CHANGES_A_RUN = 10000 };

/* Spiegel's own books, and what a run that ends must not be told. */
bool replicator_is_for_server(tr_str name)
{
    static const char *const own[] = {
        "type",       "dirty",   "dirty_at",   "dirty_after_milliseconds",
        "locked_at",  "retries", "updated_at", "possibly_deleted_at",
        "continuous", "cancel",  "source",     "target",
        "enabled",    "tailrace"};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (str_eq(name, str_c(own[i])))
            return false;
    return !str_starts(name, STR("_"));
}

/* The last segment of a URL, or a name as it is. */
static tr_str database_of(tr_str source, struct arena *arena)
{
    size_t scheme = str_starts(source, STR("https://"))  ? 8
                    : str_starts(source, STR("http://")) ? 7
                                                         : 0;
    tr_str rest = str_from(source, scheme), segment = STR("");
    size_t slash = str_find(rest, '/');

    if (scheme == 0)
        return source;
    rest = str_from(rest, slash + 1);
    rest.len = str_find(rest, '?');
    rest.len = str_find(rest, '#');
    while (rest.len > 0) {
        tr_str part = str_cut(rest, '/', &rest);
        if (part.len > 0)
            segment = part;
    }
    return url_decode(segment, arena);
}

static void take_database(struct translation *t, tr_str source)
{
    tr_str name = database_of(source, t->arena);
    struct config_node *list, *item;

    if (name.len == 0) {
        translate_refuse(t, "/source", "such as \"https://user@host:6984/orders\"",
                         "is a URL without a database");
        return;
    }
    list = translate_add(t, t->rule, CONFIG_LIST, "databases", "/source");
    item = translate_add(t, list, CONFIG_STRING, "", "/source");
    item->text = arena_str(t->arena, name);
}

static void take_body(struct translation *t, struct config_node *options)
{
    size_t cursor = 0, count = 0;
    struct buf body = {0};
    tr_str key, raw;

    buf_add_char(&body, '{');
    while (json_next(t->doc, &cursor, &key, &raw)) {
        if (!replicator_is_for_server(translate_name(key, t->arena)))
            continue;
        if (count++ > 0)
            buf_add_char(&body, ',');
        buf_add(&body, key.ptr - 1, key.len + 2);
        buf_add_char(&body, ':');
        buf_add_str(&body, raw);
    }
    buf_add_char(&body, '}');
    if (count > 0)
        translate_add_text(t, options, "body", buf_str(&body), "");
    buf_fini(&body);
}

/* 0: none. */
static int64_t read_delay(struct translation *t)
{
    double ms = 0;
    tr_str raw;

    if (!translate_raw(t, "dirty_after_milliseconds", &raw))
        return 0;
    if (json_type_of(raw) != JSON_NUMBER || !json_number(raw, &ms) || ms > 1e15) {
        translate_refuse(t, "/dirty_after_milliseconds", "", "is not a number of milliseconds");
        return 0;
    }
    return ms >= 1 ? (int64_t)ms : 0;
}

static void for_server(struct translation *t, tr_str source, tr_str target, int64_t delay_ms)
{
    struct config_node *options, *batch;

    translate_add_flag(t, t->rule, "include_docs", false, NULL);
    translate_add_text(t, t->rule, "design_documents", STR("include"), NULL);
    translate_add_text(t, t->rule, "since", STR("beginning"), NULL);
    translate_add_text(t, t->rule, "plugin", STR("replicator"), "/type");
    options = translate_add(t, t->rule, CONFIG_GROUP, "options", NULL);
    translate_add_text(t, options, "mode", STR("server"), NULL);
    translate_add_text(t, options, "source", source, "/source");
    translate_add_text(t, options, "target", target, "/target");
    if (t->options->server.len > 0)
        translate_add_text(t, options, "server", t->options->server, NULL);
    take_body(t, options);
    if (delay_ms > 0)
        translate_add_int(t, options, "delay", delay_ms, "/dirty_after_milliseconds");
    translate_defaults(t);
    if (!config_member(t->rule, STR("timeout")))
        translate_add_text(t, t->rule, "timeout", STR("3h"), NULL);
    if (config_member(t->rule, STR("batch")))
        return;
    batch = translate_add(t, t->rule, CONFIG_GROUP, "batch", NULL);
    translate_add_int(t, batch, "size", CHANGES_A_RUN, NULL);
}

void translate_replicator(struct translation *t)
{
    tr_str source = STR(""), target = STR("");
    bool has_source = translate_wanted_text(t, "source", "the URL of a database", &source);
    bool has_target = translate_wanted_text(t, "target", "the URL of a database", &target);
    int64_t delay_ms = read_delay(t);

    if (has_source)
        take_database(t, source);
    if (!has_source || !has_target)
        return;
    if (replicator_is_native(t, source, target))
        replicator_native(t, source, target, delay_ms);
    else
        for_server(t, source, target, delay_ms);
}
