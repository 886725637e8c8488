/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rule: its own table, its source, what the server shall send, its matcher, its plugin and
 * the plugin's options. Called while a configuration is loaded, on the main or loop thread.
 */
#include "engine/settings_rule.h"

#include "engine/settings_transforms.h"
#include "json/tree.h"
#include "json/value.h"

#include <stdio.h>

static bool get(const struct rule_settings *rule, const char *path, uint32_t idx,
                tr_value *ret_value)
{
    *ret_value = (tr_value){.size = sizeof(*ret_value)};
    return config_values_get(rule->values, path, idx, ret_value) == TR_OK;
}

static int64_t number(const struct rule_settings *rule, const char *path)
{
    tr_value value;

    return get(rule, path, 0, &value) ? value.i : 0;
}

static tr_str text(const struct rule_settings *rule, const char *path)
{
    tr_value value;

    return get(rule, path, 0, &value) ? value.s : STR("");
}

/* A text as the file has it: also of a rule in which something else is wrong. NULL when there
 * is none. */
static const struct config_node *raw_text(const struct rule_settings *rule, tr_str name)
{
    const struct config_node *node = config_member(rule->node, name);

    return node && node->type == CONFIG_STRING ? node : NULL;
}

/* ---- the source ---- */

static int find_source(struct settings *settings, struct rule_settings *rule,
                       struct diags *diags)
{
    const struct config_node *node = raw_text(rule, STR("source"));
    struct diag *diag;

    if (!node)
        return ERR_CONFIG; /* the schema says so */
    rule->source = settings_source(settings, node->text);
    if (rule->source)
        return 0;
    diag = diag_at(diags, DIAG_ERROR, node, "there is no source \"" STR_FMT "\"",
                   STR_ARG(node->text));
    diag_remedy(diags, diag,
                settings->sources_count > 0
                    ? "name one of the group \"sources\", such as \"%s\""
                    : "add it to the group \"sources\"",
                settings->sources_count > 0 ? settings->sources[0].name.ptr : "");
    return ERR_CONFIG;
}

/* ---- what the server shall send ---- */

static void take_filter_params(struct rule_settings *rule, struct buf *out)
{
    const struct config_node *group = config_values_node(rule->values, "filter_params");

    config_each (node, group) {
        struct buf value = {0};
        if (out->len > 0)
            buf_add_char(out, '&');
        url_encode(out, node->name);
        buf_add_char(out, '=');
        if (node->type == CONFIG_STRING)
            buf_add_str(&value, node->text);
        else
            config_json(node, &value);
        url_encode(out, buf_str(&value));
        buf_fini(&value);
    }
}

static void take_doc_ids(struct rule_settings *rule, struct buf *out)
{
    tr_value value;

    for (uint32_t i = 0; get(rule, "doc_ids", i, &value); i++) {
        buf_add_char(out, i == 0 ? '[' : ',');
        json_write_string(out, value.s);
    }
    if (out->len > 0)
        buf_add_char(out, ']');
}

static int check_selector(const struct rule_settings *rule, tr_str selector,
                          struct diags *diags)
{
    char why[160];
    tr_error error = {.size = sizeof(error), .cap = sizeof(why), .buf = why};
    tr_json_value *tree;

    if (selector.len == 0)
        return 0;
    snprintf(why, sizeof(why), "it is not an object");
    if (json_tree_parse(selector, &tree, &error) == TR_OK) {
        bool is_object = json_tree_type(tree) == TR_JSON_OBJECT;
        json_tree_free(tree);
        if (is_object)
            return 0;
    }
    return diag_refuse(diags, config_member(rule->node, STR("selector")),
                       "write it as JSON text, such as \"{\\\"type\\\":\\\"post\\\"}\"",
                       "is not a Mango selector: %s", why);
}

static int take_query(struct settings *settings, struct rule_settings *rule,
                      struct diags *diags)
{
    struct feed_query *query = &rule->query;
    const struct source_settings *source = rule->source;
    struct buf params = {0}, ids = {0};
    int rc;

    take_filter_params(rule, &params);
    take_doc_ids(rule, &ids);
    *query = (struct feed_query){
        .include_docs = number(rule, "include_docs") != 0,
        .all_leaves = number(rule, "all_leaves") != 0,
        .conflicts = number(rule, "conflicts") != 0,
        .attachments = number(rule, "attachments") != 0,
        .filter = text(rule, "filter"),
        .filter_params = arena_str(&settings->arena, buf_str(&params)),
        .doc_ids = arena_str(&settings->arena, buf_str(&ids)),
        .selector = text(rule, "selector"),
        .seq_interval = (uint32_t)source->seq_interval,
        .page_rows = (uint32_t)source->page_rows,
        .heartbeat_ms = (uint32_t)source->heartbeat_ms,
        .read_size = (uint32_t)source->read_size,
        .max_row = (size_t)source->max_row,
    };
    buf_fini(&params);
    buf_fini(&ids);
    if ((query->filter.len > 0) + (query->doc_ids.len > 0) + (query->selector.len > 0) > 1)
        return diag_refuse(diags, rule->node,
                           "the server takes one; express the rest by `if` and `where`",
                           "has more than one of filter, doc_ids and selector");
    rc = check_selector(rule, query->selector, diags);
    if (rule->plugin && (rule->plugin->descriptor.caps & TR_CAP_NEEDS_ALL_LEAVES))
        query->all_leaves = true;
    buf_addf(&rule->query_key, "%d%d%d%d|" STR_FMT "|" STR_FMT "|" STR_FMT "|" STR_FMT,
             query->include_docs, query->all_leaves, query->conflicts, query->attachments,
             STR_ARG(query->filter), STR_ARG(query->filter_params), STR_ARG(query->doc_ids),
             STR_ARG(query->selector));
    return rc;
}

static int check_docs(const struct rule_settings *rule, struct diags *diags)
{
    bool plugin_needs = rule->plugin && (rule->plugin->descriptor.caps & TR_CAP_NEEDS_DOC);

    if (rule->query.include_docs || rule->source->kind == SOURCE_FILE)
        return 0;
    for (uint32_t i = 0; i < rule->transforms_count; i++)
        plugin_needs |= rule->transforms[i].plugin &&
                        (rule->transforms[i].plugin->descriptor.caps & TR_CAP_NEEDS_DOC);
    if (!plugin_needs && !(rule->matcher && matcher_needs_doc(rule->matcher)))
        return 0;
    return diag_refuse(diags, config_member(rule->node, STR("include_docs")),
                       "take it out: true is the default", "is false, but the %s documents",
                       plugin_needs ? "plugin needs" : "conditions look into");
}

static void take_since(struct settings *settings, struct rule_settings *rule)
{
    tr_str since = text(rule, "since");
    struct buf raw = {0};

    if (str_eq(since, STR("beginning")) || str_eq(since, STR("0"))) {
        rule->since_kind = SINCE_BEGINNING;
    } else if (str_eq(since, STR("now"))) {
        rule->since_kind = SINCE_NOW;
    } else {
        rule->since_kind = SINCE_SEQ;
        json_write_string(&raw, since);
        rule->since = arena_str(&settings->arena, buf_str(&raw));
        buf_fini(&raw);
    }
}

/* ---- dispatch ---- */

static bool is_said(const struct rule_settings *rule, const char *path)
{
    const struct config_node *node = rule->node;

    for (tr_str rest = str_c(path); node && rest.len > 0;)
        node = config_member(node, str_cut(rest, '.', &rest));
    return node != NULL;
}

/* What the rule says, else what suits its plugin, else the default. */
static int64_t suited(const struct rule_settings *rule, const char *path, uint64_t suits)
{
    return suits > 0 && !is_said(rule, path) ? (int64_t)suits : number(rule, path);
}

/* Room for as many batches as suit the plugin. */
static int64_t window_bytes(const struct rule_settings *rule, const tr_plugin *plugin)
{
    int64_t lanes = plugin->concurrency > 0 ? plugin->concurrency : 1;
    int64_t suits = lanes * (int64_t)plugin->batch_bytes;
    int64_t usual = number(rule, "window.bytes");

    return is_said(rule, "window.bytes") || suits < usual ? usual : suits;
}

/* What a plugin keeps is written page by page: many rows share one. And rows that come again
 * after a crash find it as it was before them. */
enum { COMMIT_ROWS_KEPT = 100000 };

static void take_binding(struct rule_settings *rule)
{
    static const tr_plugin none;
    const tr_plugin *plugin = rule->plugin ? &rule->plugin->descriptor : &none;

    rule->binding = (struct binding_options){
        .batch_size = (uint32_t)suited(rule, "batch.size", plugin->batch_changes),
        .batch_bytes = (size_t)suited(rule, "batch.bytes", plugin->batch_bytes),
        .batch_wait_ms = number(rule, "batch.wait"),
        .concurrency = (uint32_t)suited(rule, "concurrency", plugin->concurrency),
        .window_rows = (uint32_t)number(rule, "window.rows"),
        .window_bytes = (size_t)window_bytes(rule, plugin),
        .max_attempts = (uint32_t)number(rule, "max_attempts"),
        .on_reject = (enum on_reject)number(rule, "on_reject"),
        .on_repeat = (enum on_repeat)number(rule, "on_repeat"),
        .retry_min_ms = number(rule, "retry.min"),
        .retry_max_ms = number(rule, "retry.max"),
        .commit_ms = number(rule, "commit.interval"),
        .commit_rows = (uint32_t)number(rule, "commit.rows"),
        .commit_rows_kept = is_said(rule, "commit.rows") ? 0 : COMMIT_ROWS_KEPT,
    };
}

/* ---- the plugin ---- */

static int load_plugin(struct settings *settings, struct rule_settings *rule,
                       struct diags *diags)
{
    const struct config_node *node = raw_text(rule, STR("plugin"));
    struct error error;

    if (!node)
        return ERR_CONFIG; /* the schema says so */
    if (plugin_load(node->text, settings->plugin_dirs, &rule->plugin, &error) < 0)
        return diag_refuse(diags, node, "", "%s", error.text);
    if (rule->plugin->descriptor.process)
        return 0;
    return diag_refuse(diags, node,
                       "put it into `transforms`, and name here a plugin that takes them",
                       "only transforms documents");
}

static int check_options(struct rule_settings *rule, struct diags *diags)
{
    const struct config_node *node = config_member(rule->node, STR("options"));
    struct instance_setup setup = {.plugin = rule->plugin, .rule = rule->name.ptr};
    int rc = config_check(rule->node, "options", rule->plugin->options,
                          rule->plugin->options_count, 0, diags, &rule->options);

    if (rc < 0)
        return rc;
    setup.options = rule->options;
    return settings_ask_plugin(&setup, node ? node : rule->node, diags);
}

static bool is_live(const struct plugin *plugin, tr_str name)
{
    for (uint32_t i = 0; i < plugin->options_count; i++)
        if (str_eq(str_c(plugin->options[i].name), name))
            return (plugin->options[i].flags & TR_OPTION_LIVE) != 0;
    return false;
}

/* The rule without the options that its plugin can change in flight. */
static void take_canonical(struct rule_settings *rule)
{
    config_canonical(rule->node, &rule->canonical);
    config_each (member, rule->node) {
        if (!str_eq(member->name, STR("options"))) {
            config_canonical(member, &rule->canonical_base);
            continue;
        }
        config_each (option, member) {
            if (!is_live(rule->plugin, option->name))
                config_canonical(option, &rule->canonical_base);
        }
    }
}

/* ---- the whole ---- */

int settings_rule_check(struct settings *settings, struct rule_settings *rule,
                        const struct config_node *node, struct diags *diags)
{
    int rc = config_check(node, NULL, settings_rule_options, settings_rule_count, 0, diags,
                          &rule->values);
    bool ok = rc == 0;

    rule->name = node->name;
    rule->node = node;
    /* The parts are judged each by itself, so that all that is wrong is said at once. */
    ok = matcher_new(node, diags, &rule->matcher) == 0 && ok;
    ok = find_source(settings, rule, diags) == 0 && ok;
    ok = load_plugin(settings, rule, diags) == 0 && ok;
    if (rule->plugin)
        ok = check_options(rule, diags) == 0 && ok;
    ok = settings_transforms_check(settings, rule, diags) == 0 && ok;
    if (rc < 0)
        return ERR_CONFIG;
    config_values_bind(rule->values, "", settings_rule_options, settings_rule_count, rule,
                       &settings->arena);
    if (rule->source)
        ok = take_query(settings, rule, diags) == 0 && check_docs(rule, diags) == 0 && ok;
    take_since(settings, rule);
    take_binding(rule);
    rule->state_bytes = number(rule, "state.max_bytes");
    if (rule->plugin)
        take_canonical(rule);
    return ok ? 0 : ERR_CONFIG;
}

void settings_rule_fini(struct rule_settings *rule)
{
    matcher_free(rule->matcher);
    settings_transforms_fini(rule);
    config_values_free(rule->options);
    config_values_free(rule->values);
    buf_fini(&rule->canonical);
    buf_fini(&rule->canonical_base);
    buf_fini(&rule->query_key);
}
