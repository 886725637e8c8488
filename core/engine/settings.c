/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings: from the files to a checked and compiled generation. `check` and `explain` stop
 * here, the engine goes on with it. What concerns a single rule is in settings_rule.c.
 */
#include "engine/settings.h"

#include "base/mem.h"
#include "engine/settings_documents.h"
#include "engine/settings_rule.h"
#include "http/secrets.h"
#include "observe/address.h"

#include <stdio.h>

/* ---- the main file ---- */

static int64_t get_number(const struct config_values *values, const char *path)
{
    tr_value value = {.size = sizeof(value)};

    return config_values_get(values, path, 0, &value) == TR_OK ? value.i : 0;
}

/* As the file has them: rules are judged with their plugins also when something else is wrong.
 */
static void take_plugin_dirs(struct settings *settings, const char *first)
{
    const struct config_node *list = config_member(settings->config->root, STR("plugin_dirs"));
    size_t room = list ? list->count + 4 : 3, n = 0;

    settings->plugin_dirs = arena_zero(&settings->arena, room * sizeof(*settings->plugin_dirs));
    if (first)
        settings->plugin_dirs[n++] = arena_cstr(&settings->arena, str_c(first));
    if (list && list->type == CONFIG_STRING)
        settings->plugin_dirs[n++] = list->text.ptr;
    config_each (item, list) {
        if (item->type == CONFIG_STRING)
            settings->plugin_dirs[n++] = item->text.ptr;
    }
    settings->plugin_dirs[n] = TAILRACE_PLUGIN_DIR;
}

/* A list of texts, ended by NULL. */
static const char **get_texts(struct settings *settings, const char *path)
{
    tr_value value = {.size = sizeof(value)};
    const char **texts;
    uint32_t count = 0;

    while (config_values_get(settings->values, path, count, &value) == TR_OK)
        count++;
    texts = arena_zero(&settings->arena, (count + 1) * sizeof(*texts));
    for (uint32_t i = 0; i < count; i++)
        if (config_values_get(settings->values, path, i, &value) == TR_OK)
            texts[i] = arena_cstr(&settings->arena, value.s);
    return texts;
}

static int check_admin(struct settings *settings, struct diags *diags)
{
    const struct config_node *node = config_values_node(settings->values, "admin.listen");
    tr_value value = {.size = sizeof(value)};
    struct admin_address address;
    struct error error;

    settings->admin_hosts = get_texts(settings, "admin.hosts");
    if (config_values_get(settings->values, "admin.listen", 0, &value) != TR_OK)
        return 0;
    settings->admin_listen = arena_str(&settings->arena, value.s);
    if (admin_address_parse(value.s, &address, &error) < 0)
        return diag_refuse(diags, node, "", "%s", error.text);
    if (address.is_loopback || get_number(settings->values, "admin.remote") != 0)
        return 0;
    return diag_refuse(
        diags, node,
        "listen on 127.0.0.1 or a socket behind a proxy that has them, or say "
        "remote = true if all who reach it may see names, addresses and errors",
        "other machines reach this address, and there is neither TLS nor a login");
}

static int check_main(struct settings *settings, const struct settings_overrides *overrides,
                      struct diags *diags)
{
    tr_value value = {.size = sizeof(value)};
    int rc = config_check(settings->config->root, NULL, settings_main_options,
                          settings_main_count, 0, diags, &settings->values);

    take_plugin_dirs(settings, overrides->plugin_dir);
    if (rc < 0)
        return rc;
    config_values_bind(settings->values, "", settings_main_options, settings_main_count,
                       settings, &settings->arena);
    settings->passwords_files = get_texts(settings, "passwords_file");
    if (overrides->state_dir)
        settings->state_dir = arena_str(&settings->arena, str_c(overrides->state_dir));
    settings->letters_count = get_number(settings->values, "dead_letters.max_count");
    settings->letters_bytes = get_number(settings->values, "dead_letters.max_bytes");
    if (config_values_get(settings->values, "log.level", 0, &value) == TR_OK)
        settings->log_level = (int32_t)value.i + 3; /* "error" is 3, as in syslog */
    if (config_values_get(settings->values, "log.format", 0, &value) == TR_OK)
        settings->log_format = (int32_t)value.i;
    return check_admin(settings, diags);
}

/* ---- sources ---- */

static int lacks(const struct config_node *node, const char *key, const char *remedy,
                 struct diags *diags)
{
    return diag_refuse(diags, node, remedy, "%s is missing and must be set", key);
}

static int check_couchdb(struct source_settings *source, struct diags *diags)
{
    struct error error;

    if (source->url_text.len == 0)
        return lacks(source->node, "url", "such as url = \"https://tailrace@host:6984\"",
                     diags);
    if (url_parse(source->url_text, &source->url, &error) < 0)
        return diag_refuse(diags, config_member(source->node, STR("url")), "", "%s",
                           error.text);
    if (source->auth == AUTH_COOKIE && !source->url.user)
        return lacks(source->node, "a user in url",
                     "auth = \"cookie\" logs in as the user that the URL names", diags);
    if (source->max_feeds >= source->max_connections)
        return diag_refuse(diags, source->node, "make max_connections larger than max_feeds",
                           "max_feeds (%jd) leaves no connection of max_connections (%jd)",
                           (intmax_t)source->max_feeds, (intmax_t)source->max_connections);
    return 0;
}

static int check_file(struct source_settings *source, struct diags *diags)
{
    tr_str rest = source->path;

    if (source->path.len == 0)
        return lacks(source->node, "path", "name the file, or \"-\" for standard input", diags);
    if (source->database.ptr)
        return 0;
    for (size_t at; (at = str_find(rest, '/')) < rest.len;)
        rest = str_from(rest, at + 1);
    source->database = str_eq(rest, STR("-")) ? STR("stdin") : rest;
    return 0;
}

static int check_source(struct settings *settings, struct source_settings *source,
                        const struct config_node *node, struct diags *diags)
{
    struct config_values *values;
    int rc = config_check(node, NULL, settings_source_options, settings_source_count, 0, diags,
                          &values);

    source->name = node->name;
    source->node = node;
    config_canonical(node, &source->canonical);
    if (rc < 0)
        return rc;
    config_values_bind(values, "", settings_source_options, settings_source_count, source,
                       &settings->arena);
    config_values_free(values);
    return source->kind == SOURCE_FILE ? check_file(source, diags)
                                       : check_couchdb(source, diags);
}

static int check_sources(struct settings *settings, struct diags *diags)
{
    const struct config_node *group = config_member(settings->config->root, STR("sources"));
    int rc = 0;

    if (!group || group->type != CONFIG_GROUP)
        return 0;
    settings->sources = arena_zero(&settings->arena,
                                   (group->count + 1) * sizeof(*settings->sources));
    config_each (node, group) {
        if (node->type != CONFIG_GROUP) {
            diag_at(diags, DIAG_ERROR, node, "is not a group; a source is NAME: { … };");
            rc = ERR_CONFIG;
        } else if (check_source(settings, &settings->sources[settings->sources_count++], node,
                                diags) < 0) {
            rc = ERR_CONFIG;
        }
    }
    return rc;
}

static int check_rules(struct settings *settings, struct diags *diags)
{
    const struct config_node *group = config_member(settings->config->root, STR("rules"));
    int rc = 0;

    if (!group || group->type != CONFIG_GROUP)
        return 0;
    settings->rules = arena_zero(&settings->arena,
                                 (group->count + 1) * sizeof(*settings->rules));
    config_each (node, group) {
        if (node->type != CONFIG_GROUP) {
            diag_at(diags, DIAG_ERROR, node, "is not a group; a rule is NAME: { … };");
            rc = ERR_CONFIG;
        } else if (settings_rule_check(settings, &settings->rules[settings->rules_count++],
                                       node, diags) < 0) {
            rc = ERR_CONFIG;
        }
    }
    return rc;
}

/* ---- the whole ---- */

static int worse(int a, int b)
{
    return a < 0 ? a : b;
}

int settings_load(const struct settings_overrides *overrides, struct diags *diags,
                  struct settings **ret_settings)
{
    struct settings *settings = mem_new(struct settings);
    int rc;

    settings->refs = 1;
    arena_init(&settings->arena, 16384);
    rc = config_load(overrides->path, diags, &settings->config);
    if (!settings->config)
        goto out;
    /* On, although something is wrong already: all mistakes are reported in one go. */
    rc = worse(rc, check_main(settings, overrides, diags));
    rc = worse(rc, check_sources(settings, diags));
    rc = worse(rc, check_rules(settings, diags));
    rc = worse(rc, settings_documents_check(settings, diags));
out:
    if (rc < 0) {
        settings_unref(settings);
        return rc;
    }
    *ret_settings = settings;
    return 0;
}

static int resolve(void *user, tr_str reference, struct buf *ret_secret, struct error *error)
{
    struct secret secret = {0};
    int rc = secret_resolve(reference, &secret, error);

    (void)user;
    if (rc == 0)
        buf_add(ret_secret, secret.ptr, secret.len);
    secret_fini(&secret);
    return rc;
}

int settings_resolve(struct settings *settings, struct diags *diags)
{
    int rc = 0;

    for (size_t i = 0; i < settings->rules_count; i++) {
        struct rule_settings *rule = &settings->rules[i];

        if (!rule->enabled)
            continue;
        rc = worse(rc, config_values_resolve(rule->options, resolve, NULL, diags));
        for (uint32_t k = 0; k < rule->transforms_count; k++)
            rc = worse(
                rc, config_values_resolve(rule->transforms[k].options, resolve, NULL, diags));
    }
    return rc;
}

void settings_ref(struct settings *settings)
{
    settings->refs++;
}

void settings_unref(struct settings *settings)
{
    if (!settings || --settings->refs > 0)
        return;
    for (size_t i = 0; i < settings->rules_count; i++)
        settings_rule_fini(&settings->rules[i]);
    for (size_t i = 0; !settings->base && i < settings->sources_count; i++) {
        url_fini(&settings->sources[i].url);
        buf_fini(&settings->sources[i].canonical);
    }
    config_values_free(settings->values);
    config_free(settings->config);
    settings_unref(settings->base);
    arena_fini(&settings->arena);
    free(settings);
}

struct rule_settings *settings_rule(struct settings *settings, tr_str name)
{
    for (size_t i = 0; i < settings->rules_count; i++)
        if (str_eq(settings->rules[i].name, name))
            return &settings->rules[i];
    return NULL;
}

struct source_settings *settings_source(struct settings *settings, tr_str name)
{
    for (size_t i = 0; i < settings->sources_count; i++)
        if (str_eq(settings->sources[i].name, name))
            return &settings->sources[i];
    return NULL;
}
