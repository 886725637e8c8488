/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The groups of `rule_documents`: where the documents are, and what they may say. Called while
 * a configuration is loaded, on the main or loop thread.
 */
#include "engine/settings_documents.h"

/* ---- the source ---- */

static int find_source(struct settings *settings, struct document_settings *group,
                       struct diags *diags)
{
    const struct config_node *node = config_member(group->node, STR("source"));

    group->source = settings_source(settings, group->source_name);
    if (!group->source)
        return diag_refuse(diags, node, "name one of the group \"sources\"",
                           "there is no source \"" STR_FMT "\"", STR_ARG(group->source_name));
    if (group->source->kind == SOURCE_COUCHDB)
        return 0;
    return diag_refuse(diags, node, "name a source that has a url",
                       "is a file, and documents are in a database");
}

/* ---- the plugins ---- */

static int check_plugin(struct settings *settings, const struct config_node *item,
                        struct diags *diags)
{
    const struct plugin *plugin;
    struct error error;

    if (str_find(item->text, '/') < item->text.len)
        return diag_refuse(diags, item,
                           "name the plugin as it is in plugin_dirs: documents name no paths",
                           "is a path");
    if (plugin_load(item->text, settings->plugin_dirs, &plugin, &error) == 0)
        return 0;
    return diag_refuse(diags, item, "", "%s", error.text);
}

static int take_plugins(struct settings *settings, struct document_settings *group,
                        struct diags *diags)
{
    const struct config_node *list = config_member(group->node, STR("plugins"));
    size_t n = 0;
    int rc = 0;

    group->plugins = arena_zero(&settings->arena, (list->count + 2) * sizeof(tr_str));
    if (list->type == CONFIG_STRING) {
        group->plugins[n++] = list->text;
        rc = check_plugin(settings, list, diags);
    }
    config_each (item, list) {
        group->plugins[n++] = item->text;
        if (check_plugin(settings, item, diags) < 0)
            rc = ERR_CONFIG;
    }
    group->plugins_count = n;
    if (n > 0)
        return rc;
    return diag_refuse(diags, list, "name a plugin, such as \"http-webhook\"",
                       "is empty: no document could be a rule");
}

/* ---- the defaults ---- */

/* What makes a rule this rule is its document's to say. */
static bool can_be_default(const char *name)
{
    static const char *const own[] = {"source", "databases", "if",      "where",
                                      "plugin", "options",   "enabled", NULL};

    for (size_t i = 0; own[i]; i++)
        if (strcmp(name, own[i]) == 0)
            return false;
    return true;
}

static int check_defaults(struct settings *settings, struct document_settings *group,
                          struct diags *diags)
{
    tr_option *table = arena_zero(&settings->arena,
                                  (settings_rule_count + 1) * sizeof(tr_option));
    struct config_values *values = NULL;
    uint32_t count = 0;
    int rc;

    group->defaults = config_member(group->node, STR("defaults"));
    if (!group->defaults)
        return 0;
    for (uint32_t i = 0; i < settings_rule_count; i++)
        if (can_be_default(settings_rule_options[i].name))
            table[count++] = settings_rule_options[i];
    rc = config_check(group->node, "defaults", table, count, 0, diags, &values);
    if (rc == 0)
        config_values_free(values);
    return rc;
}

/* ---- the whole ---- */

static int check_group(struct settings *settings, struct document_settings *group,
                       const struct config_node *node, struct diags *diags)
{
    struct config_values *values = NULL;
    int rc = config_check(node, NULL, settings_documents_options, settings_documents_count, 0,
                          diags, &values);

    group->name = node->name;
    group->node = node;
    if (check_defaults(settings, group, diags) < 0)
        rc = ERR_CONFIG;
    if (!values)
        return ERR_CONFIG;
    config_values_bind(values, "", settings_documents_options, settings_documents_count, group,
                       &settings->arena);
    config_values_free(values);
    if (find_source(settings, group, diags) < 0)
        rc = ERR_CONFIG;
    if (take_plugins(settings, group, diags) < 0)
        rc = ERR_CONFIG;
    return rc;
}

int settings_documents_check(struct settings *settings, struct diags *diags)
{
    const struct config_node *all = config_member(settings->config->root,
                                                  STR("rule_documents"));
    int rc = 0;

    if (!all || all->type != CONFIG_GROUP)
        return 0;
    settings->documents = arena_zero(&settings->arena,
                                     (all->count + 1) * sizeof(*settings->documents));
    config_each (node, all) {
        if (node->type != CONFIG_GROUP) {
            diag_at(diags, DIAG_ERROR, node,
                    "is not a group; a database of rules is NAME: { source = …; database = …; "
                    "plugins = [ … ]; };");
            rc = ERR_CONFIG;
        } else if (check_group(settings, &settings->documents[settings->documents_count++],
                               node, diags) < 0) {
            rc = ERR_CONFIG;
        }
    }
    return rc;
}

struct document_settings *settings_documents(struct settings *settings, tr_str name)
{
    for (size_t i = 0; i < settings->documents_count; i++)
        if (str_eq(settings->documents[i].name, name))
            return &settings->documents[i];
    return NULL;
}
