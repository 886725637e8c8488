/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spiegel's replicator documents that the plugin itself can do, without a server's help: those
 * whose source and target are URLs and of which every field has a name in a rule.
 *
 *     filter, query_params, doc_ids, selector     filter, filter_params, doc_ids, selector
 *     since_seq                                   since
 *     create_target, create_target_params,
 *     winning_revs_only, checkpoint_interval      options of the same name; q and n
 *     dirty_after_milliseconds                    batch.wait
 *
 * Fields that say how CouchDB goes about it (how many connections, processes and retries) are
 * not for this plugin. Any other field is for a server to know. Any thread.
 */
#include "document/translate.h"

enum { CHANGES_A_BATCH = 1000, BATCHES_AT_ONCE = 2 };

/* ---- whether ---- */

static bool is_flag(tr_str raw)
{
    return json_type_of(raw) == JSON_TRUE || json_type_of(raw) == JSON_FALSE;
}

static bool is_text(tr_str raw)
{
    return json_type_of(raw) == JSON_STRING && raw.len > 2;
}

static bool is_object(tr_str raw)
{
    return json_type_of(raw) == JSON_OBJECT;
}

/* Whole, of the size of an option. */
static bool is_count(tr_str raw)
{
    double number;

    return json_type_of(raw) == JSON_NUMBER && json_number(raw, &number) && number >= 0 &&
           number <= 1e6 && number == (double)(int64_t)number;
}

/* Texts, and at least one: an empty list of ids is none at all for a feed. */
static bool are_texts(tr_str raw)
{
    size_t cursor = 0, count = 0;
    tr_str key, value;

    while (json_next(raw, &cursor, &key, &value)) {
        if (!is_text(value))
            return false;
        count++;
    }
    return count > 0;
}

static bool is_list(tr_str raw)
{
    return json_type_of(raw) == JSON_ARRAY && are_texts(raw);
}

static bool is_params(tr_str raw)
{
    return is_object(raw) && are_texts(raw);
}

static bool is_target_params(tr_str raw)
{
    size_t cursor = 0;
    tr_str key, value;

    if (!is_object(raw))
        return false;
    while (json_next(raw, &cursor, &key, &value))
        if (!(str_eq(key, STR("q")) || str_eq(key, STR("n"))) || !is_count(value))
            return false;
    return true;
}

static bool is_any(tr_str raw)
{
    (void)raw;
    return true;
}

static bool is_true(tr_str raw)
{
    return json_type_of(raw) == JSON_TRUE;
}

/* Whether a rule can say it. */
static bool has_name(tr_str name, tr_str raw)
{
    static const struct {
        const char *name;
        bool (*fits)(tr_str raw);
    } known[] = {
        {"filter", is_text},
        {"query_params", is_params},
        {"doc_ids", is_list},
        {"selector", is_object},
        {"since_seq", is_text},
        {"create_target", is_flag},
        {"create_target_params", is_target_params},
        {"winning_revs_only", is_flag},
        {"checkpoint_interval", is_count},
        {"use_checkpoints", is_true},
        {"worker_processes", is_any},
        {"worker_batch_size", is_any},
        {"http_connections", is_any},
        {"connection_timeout", is_any},
        {"retries_per_request", is_any},
        {"socket_options", is_any},
        {"use_bulk_get", is_any},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_eq(name, str_c(known[i].name)))
            return known[i].fits(raw);
    return false;
}

static bool is_url(tr_str text)
{
    return str_starts(text, STR("http://")) || str_starts(text, STR("https://"));
}

bool replicator_is_native(struct translation *t, tr_str source, tr_str target)
{
    size_t cursor = 0, choices = 0;
    tr_str key, raw;

    if (!is_url(source) || !is_url(target))
        return false;
    while (json_next(t->doc, &cursor, &key, &raw)) {
        tr_str name = translate_name(key, t->arena);

        if (!replicator_is_for_server(name))
            continue;
        if (!has_name(name, raw))
            return false;
        choices += str_eq(name, STR("filter")) || str_eq(name, STR("doc_ids")) ||
                   str_eq(name, STR("selector"));
    }
    return choices <= 1;
}

/* ---- how ---- */

static void take_node(struct translation *t, const char *key, const char *name)
{
    struct config_node *node, *last = t->rule->first;
    tr_str raw;

    if (!translate_raw(t, key, &raw))
        return;
    if (config_json_node(raw, str_c(name), t->file,
                         config_json_pointer("", str_c(key), t->arena), t->arena, t->diags,
                         &node) < 0) {
        t->failed = true;
        return;
    }
    while (last && last->next)
        last = last->next;
    config_node_link(t->rule, last, node);
}

static void take_choice(struct translation *t)
{
    tr_str text;

    take_node(t, "filter", "filter");
    take_node(t, "query_params", "filter_params");
    take_node(t, "doc_ids", "doc_ids");
    if (translate_object(t, "selector", &text))
        translate_add_text(t, t->rule, "selector", text, "/selector");
}

static void take_flag(struct translation *t, struct config_node *options, const char *name)
{
    if (translate_flag(t, name))
        translate_add_flag(t, options, name, true,
                           config_json_pointer("", str_c(name), t->arena));
}

static void take_count(struct translation *t, struct config_node *options, tr_str object,
                       const char *name, const char *pointer)
{
    double number;
    tr_str raw;

    if (json_get(object, str_c(name), &raw) && json_number(raw, &number) && number >= 1)
        translate_add_int(t, options, name, (int64_t)number, pointer);
}

/* A `$` of a database's name is no variable. */
static void take_url(struct translation *t, struct config_node *options, const char *name,
                     tr_str url, const char *pointer)
{
    struct buf text = {0};

    for (size_t i = 0; i < url.len; i++) {
        buf_add_char(&text, url.ptr[i]);
        if (url.ptr[i] == '$')
            buf_add_char(&text, '$');
    }
    translate_add_text(t, options, name, buf_str(&text), pointer);
    buf_fini(&text);
}

static void take_options(struct translation *t, tr_str source, tr_str target)
{
    struct config_node *options = translate_add(t, t->rule, CONFIG_GROUP, "options", NULL);
    tr_str params;

    take_url(t, options, "source", source, "/source");
    take_url(t, options, "target", target, "/target");
    take_flag(t, options, "create_target");
    if (translate_flag(t, "create_target") &&
        translate_object(t, "create_target_params", &params)) {
        take_count(t, options, params, "q", "/create_target_params/q");
        take_count(t, options, params, "n", "/create_target_params/n");
    }
    take_flag(t, options, "winning_revs_only");
    take_count(t, options, t->doc, "checkpoint_interval", "/checkpoint_interval");
}

void replicator_native(struct translation *t, tr_str source, tr_str target, int64_t delay_ms)
{
    tr_str since = STR("beginning");
    struct config_node *batch;

    (void)translate_text(t, "since_seq", &since);
    translate_add_text(t, t->rule, "design_documents", STR("include"), NULL);
    translate_add_text(t, t->rule, "since", since, NULL);
    take_choice(t);
    translate_add_text(t, t->rule, "plugin", STR("replicator"), "/type");
    take_options(t, source, target);
    translate_defaults(t);
    if (!config_member(t->rule, STR("concurrency")))
        translate_add_int(t, t->rule, "concurrency", BATCHES_AT_ONCE, NULL);
    if (config_member(t->rule, STR("batch")))
        return;
    batch = translate_add(t, t->rule, CONFIG_GROUP, "batch", NULL);
    translate_add_int(t, batch, "size", CHANGES_A_BATCH, NULL);
    if (delay_ms > 0)
        translate_add_int(t, batch, "wait", delay_ms, "/dirty_after_milliseconds");
}
