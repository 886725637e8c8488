/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One document as a generation of its own: a rule that stands on the sources and plugins of the
 * files' generation. A document is not trusted as a file is: only plugins that its group names,
 * no path, no secret of the host. Called for each document that is read, on the loop thread,
 * and by the cli.
 */
#include "engine/settings_rule.h"

#include "base/mem.h"
#include "document/document.h"
#include "http/secrets.h"

/* ---- what no document may say ---- */

static bool is_enabled(const struct document_settings *group, tr_str name)
{
    for (size_t i = 0; i < group->plugins_count; i++)
        if (str_eq(group->plugins[i], name))
            return true;
    return false;
}

static const tr_option *find_option(const tr_option *table, uint32_t count, tr_str name)
{
    for (uint32_t i = 0; i < count && table[i].name; i++)
        if (str_eq(str_c(table[i].name), name))
            return &table[i];
    return NULL;
}

/* A reference may stand wherever a plugin takes texts, as in a group of headers. */
static void vet_texts(const struct config_node *node, struct diags *diags)
{
    if (node->type == CONFIG_STRING && secret_is_reference(node->text))
        diag_refuse(
            diags, node, "set what needs a secret in the configuration file",
            "refers to a secret of this machine (file:, env:, cred:), which no document may");
    config_each (child, node)
        vet_texts(child, diags);
}

static void vet_options(const struct config_node *group, const tr_option *table, uint32_t count,
                        struct diags *diags)
{
    config_each (node, group) {
        const tr_option *option = find_option(table, count, node->name);
        uint32_t type = option ? option->type : 0;

        if (type == TR_TYPE_PATH)
            diag_refuse(diags, node,
                        "leave it out, or write the rule in the configuration file",
                        "is a path on this machine, which no document may name");
        else if (type == TR_TYPE_SECRET)
            diag_refuse(diags, node,
                        "leave it out, or write the rule in the configuration file",
                        "is a secret, which no document may name");
        else if (option && (option->flags & TR_OPTION_OPERATOR))
            diag_refuse(diags, node,
                        "leave it out, or write the rule in the configuration file",
                        "is for the operator to set, and no document may");
        else if (type == TR_TYPE_GROUP && option->group)
            vet_options(node, option->group, UINT32_MAX, diags);
        else
            vet_texts(node, diags);
    }
}

/* `owner` names a plugin and its options: a rule, or one of its transforms. */
static void vet_plugin(const struct settings *settings, const struct document_settings *group,
                       const struct config_node *owner, struct diags *diags)
{
    const struct config_node *node = config_member(owner, STR("plugin"));
    const struct plugin *plugin = NULL;
    struct error error;

    if (!node) {
        diag_refuse(diags, owner, "name one, as \"plugin\": \"http-webhook\"",
                    "plugin is missing and must be set");
    } else if (node->type != CONFIG_STRING) {
        diag_refuse(diags, node, "write its name", "is not a string");
    } else if (!is_enabled(group, node->text)) {
        diag_refuse(diags, node, "add it to \"plugins\" of the group, or name another",
                    "\"%.60s\" is not among the plugins that rule_documents." STR_FMT " allows",
                    node->text.ptr, STR_ARG(group->name));
    } else if (plugin_load(node->text, settings->plugin_dirs, &plugin, &error) < 0) {
        diag_refuse(diags, node, "", "%s", error.text);
    } else {
        vet_options(config_member(owner, STR("options")), plugin->options,
                    plugin->options_count, diags);
    }
}

/* Before anything is loaded or asked that the document names. */
static int vet(const struct settings *settings, const struct document_settings *group,
               const struct config_node *rule, struct diags *diags)
{
    size_t errors = diags->errors;

    vet_plugin(settings, group, rule, diags);
    config_each (entry, config_member(rule, STR("transforms")))
        vet_plugin(settings, group, entry, diags);
    return diags->errors > errors ? ERR_CONFIG : 0;
}

/* ---- the generation ---- */

static struct settings *generation_new(struct settings *base)
{
    struct settings *settings = mem_new(struct settings);

    settings->refs = 1;
    arena_init(&settings->arena, 1024);
    settings_ref(base);
    settings->base = base;
    settings->sources = base->sources;
    settings->sources_count = base->sources_count;
    settings->plugin_dirs = base->plugin_dirs;
    settings->rules = arena_zero(&settings->arena, sizeof(*settings->rules));
    return settings;
}

static void shrink(struct buf *buf)
{
    buf->ptr = mem_resize(buf->ptr, buf->len + 1);
    buf->cap = buf->len + 1;
}

static int check_rule(struct settings *settings, const struct document_settings *group,
                      const struct config_node *node, struct diags *diags)
{
    struct rule_settings *rule = &settings->rules[settings->rules_count++];

    if (vet(settings, group, node, diags) < 0 ||
        settings_rule_check(settings, rule, node, diags) < 0)
        return ERR_CONFIG;
    /* There may be ten thousand of them, so what was read out of goes, and no room is left. */
    config_values_free(rule->values);
    rule->values = NULL;
    shrink(&rule->canonical);
    shrink(&rule->canonical_base);
    shrink(&rule->query_key);
    return settings_resolve(settings, diags);
}

enum document_kind settings_from_document(struct settings *base,
                                          const struct document_settings *group, tr_str id,
                                          tr_str doc, struct diags *diags,
                                          struct settings **ret_settings)
{
    struct document_options options = {
        .group = group->name,
        .source = group->source->name,
        .database = group->database,
        .server = group->source->url_text,
        .since = group->since == DOCUMENTS_SINCE_NOW ? STR("now") : STR("beginning"),
        .defaults = group->defaults,
    };
    struct settings *settings = generation_new(base);
    struct config_node *node = NULL;
    enum document_kind kind = document_rule(&options, id, doc, &settings->arena, diags, &node);

    if (kind == DOCUMENT_RULE && check_rule(settings, group, node, diags) < 0)
        kind = DOCUMENT_INVALID;
    if (kind == DOCUMENT_RULE)
        *ret_settings = settings;
    else
        settings_unref(settings);
    return kind;
}
