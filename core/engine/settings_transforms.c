/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rule's transforms = ( { plugin = …; options: { … }; }, … ). Called while a configuration is
 * loaded, on the main or loop thread.
 */
#include "engine/settings_transforms.h"

int settings_ask_plugin(const struct instance_setup *setup, const struct config_node *node,
                        struct diags *diags)
{
    struct instance *instance = instance_new(setup);
    struct error error;
    int rc = instance_check(instance, &error);

    if (rc < 0)
        diag_at(diags, DIAG_ERROR, node, "%s", error.text);
    instance_free(instance);
    return rc;
}

/* ---- one entry ---- */

static int load_plugin(const struct settings *settings, struct transform_settings *transform,
                       const struct config_node *entry, struct diags *diags)
{
    const struct config_node *node = config_member(entry, STR("plugin"));
    struct error error;

    if (!node || node->type != CONFIG_STRING)
        return ERR_CONFIG; /* the schema says so */
    if (plugin_load(node->text, settings->plugin_dirs, &transform->plugin, &error) < 0)
        return diag_refuse(diags, node, "", "%s", error.text);
    if (transform->plugin->descriptor.transform)
        return 0;
    return diag_refuse(diags, node,
                       "make it the rule's `plugin`; `tailrace plugins` says what each does",
                       "does not transform documents");
}

static int check_options(const struct rule_settings *rule, struct transform_settings *transform,
                         const struct config_node *entry, struct diags *diags)
{
    const struct config_node *node = config_member(entry, STR("options"));
    struct instance_setup setup = {.plugin = transform->plugin, .rule = rule->name.ptr};
    int rc = config_check(entry, "options", transform->plugin->options,
                          transform->plugin->options_count, 0, diags, &transform->options);

    if (rc < 0)
        return rc;
    setup.options = transform->options;
    return settings_ask_plugin(&setup, node ? node : entry, diags);
}

static int check_entry(const struct settings *settings, const struct rule_settings *rule,
                       struct transform_settings *transform, const struct config_node *entry,
                       struct diags *diags)
{
    bool ok;

    if (entry->type != CONFIG_GROUP)
        return ERR_CONFIG; /* the schema says so */
    ok = config_check(entry, NULL, settings_transform_options, settings_transform_count, 0,
                      diags, &transform->values) == 0;
    ok = load_plugin(settings, transform, entry, diags) == 0 && ok;
    if (transform->plugin)
        ok = check_options(rule, transform, entry, diags) == 0 && ok;
    return ok ? 0 : ERR_CONFIG;
}

/* ---- all of them ---- */

int settings_transforms_check(struct settings *settings, struct rule_settings *rule,
                              struct diags *diags)
{
    const struct config_node *list = config_member(rule->node, STR("transforms"));
    struct transform_settings *transforms;
    bool ok = true;

    if (!list || list->type != CONFIG_LIST || list->count == 0)
        return 0;
    transforms = arena_zero(&settings->arena, list->count * sizeof(*transforms));
    rule->transforms = transforms;
    rule->chain = arena_zero(&settings->arena, list->count * sizeof(*rule->chain));
    config_each (entry, list) {
        struct transform_settings *transform = &transforms[rule->transforms_count];

        ok = check_entry(settings, rule, transform, entry, diags) == 0 && ok;
        rule->chain[rule->transforms_count++] = (struct transform_setup){
            .plugin = transform->plugin, .options = transform->options};
    }
    return ok ? 0 : ERR_CONFIG;
}

void settings_transforms_fini(struct rule_settings *rule)
{
    for (uint32_t i = 0; i < rule->transforms_count; i++) {
        config_values_free(rule->transforms[i].values);
        config_values_free(rule->transforms[i].options);
    }
}

struct instance_setup settings_instance(const struct rule_settings *rule)
{
    return (struct instance_setup){
        .plugin = rule->plugin,
        .rule = rule->name.ptr,
        .options = rule->options,
        .transforms = rule->chain,
        .transforms_count = rule->transforms_count,
        .timeout_ms = rule->timeout_ms,
        .grace_ms = rule->grace_ms,
    };
}
