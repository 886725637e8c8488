/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace plugins: which plugins there are, and which options one has. The tables of
 * tailrace's own options are printed by the same means (--core), and so are man pages (--man).
 */
#include "base/map.h"
#include "base/mem.h"
#include "cli/listing.h"
#include "cli/option_table.h"
#include "cli/site.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sysexits.h>

/* ---- the list ---- */

struct finds {
    struct listing listing;
    struct map seen;    /* names, since the first directory that has one wins             */
    struct buf refused; /* lines, that follow the table                                   */
};

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* What a rule can make of it. */
static const char *kind_of(const tr_plugin *d)
{
    if (d->process && d->transform)
        return "sink, transform";
    return d->process ? "sink" : "transform";
}

static void add_plugin(struct listing *listing, tr_str name, const struct plugin *plugin)
{
    const tr_plugin *d = &plugin->descriptor;

    if (!listing->as_json) {
        table_add(&listing->table, name);
        table_add(&listing->table, str_c(kind_of(d)));
        table_add(&listing->table, str_c(d->version));
        table_add(&listing->table, str_c(or_empty(d->summary)));
        table_add(&listing->table, str_c(plugin->path));
        return;
    }
    json_begin(&listing->json, NULL, '{');
    json_str(&listing->json, "name", name);
    json_bool(&listing->json, "usable", true);
    json_str(&listing->json, "kind", str_c(kind_of(d)));
    json_str(&listing->json, "version", str_c(d->version));
    json_str(&listing->json, "summary", str_c(or_empty(d->summary)));
    json_str(&listing->json, "path", str_c(plugin->path));
    json_end(&listing->json, '}');
}

static void add_refused(struct finds *finds, tr_str name, const char *path,
                        const struct error *error)
{
    struct listing *listing = &finds->listing;

    if (!listing->as_json) {
        buf_addf(&finds->refused, "refused: " STR_FMT ": %s\n", STR_ARG(name), error->text);
        return;
    }
    json_begin(&listing->json, NULL, '{');
    json_str(&listing->json, "name", name);
    json_bool(&listing->json, "usable", false);
    json_str(&listing->json, "path", str_c(path));
    json_str(&listing->json, "reason", str_c(error->text));
    json_end(&listing->json, '}');
}

static int is_plugin_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && str_ends(str_c(entry->d_name), STR(".so"));
}

static void add_dir(struct finds *finds, const char *dir)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, is_plugin_file, alphasort);

    for (int i = 0; i < count; i++) {
        tr_str name = str_n(entries[i]->d_name, strlen(entries[i]->d_name) - 3);
        const struct plugin *plugin;
        char path[PATH_MAX], real[PATH_MAX];
        struct error error;

        snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
        if (!map_get(&finds->seen, name)) {
            map_set(&finds->seen, name, finds);
            if (plugin_load(str_c(realpath(path, real) ? real : path), NULL, &plugin, &error) <
                0)
                add_refused(finds, name, path, &error);
            else
                add_plugin(&finds->listing, name, plugin);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

static int list_all(const struct args *args, const struct site *site)
{
    struct finds finds = {
        .listing = {.as_json = args->json,
                    .table = {.columns = 5,
                              .heads = {"NAME", "KIND", "VERSION", "SUMMARY", "PATH"},
                              .most = {[3] = 60}}},
    };

    listing_begin(&finds.listing, "plugins");
    for (size_t i = 0; site->plugin_dirs[i]; i++)
        add_dir(&finds, site->plugin_dirs[i]);
    listing_end(&finds.listing, EX_OK);
    for (tr_str rest = buf_str(&finds.refused); rest.len > 0;) {
        print_clean(str_cut(rest, '\n', &rest));
        putchar('\n');
    }
    if (finds.seen.count == 0 && !args->json) {
        fputs("there are no plugins in", stdout);
        for (size_t i = 0; site->plugin_dirs[i]; i++)
            printf("%s %s", i > 0 ? "," : "", site->plugin_dirs[i]);
        putchar('\n');
    }
    map_fini(&finds.seen);
    buf_fini(&finds.refused);
    return EX_OK;
}

/* ---- one plugin ---- */

static void add_caps(struct buf *out, uint32_t caps)
{
    static const char *const words[] = {"concurrent", "ordered", "needs documents",
                                        "needs all leaves", "never blocks"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (caps & (1u << i))
            buf_addf(out, "%s%s", out->len > 0 ? ", " : "", words[i]);
}

/* What a rule of this plugin has when it says nothing; empty: what all have. */
static void add_suits(struct buf *out, const tr_plugin *d)
{
    if (d->batch_changes > 0)
        buf_addf(out, "batch.size = %u", d->batch_changes);
    if (d->batch_bytes > 0)
        buf_addf(out, "%sbatch.bytes = %llu", out->len > 0 ? ", " : "",
                 (unsigned long long)d->batch_bytes);
    if (d->concurrency > 0)
        buf_addf(out, "%sconcurrency = %u", out->len > 0 ? ", " : "", d->concurrency);
}

static void print_plugin_json(const struct plugin *plugin)
{
    const tr_plugin *d = &plugin->descriptor;
    struct buf out = {0}, caps = {0}, suits = {0};

    add_caps(&caps, d->caps);
    add_suits(&suits, d);
    json_begin(&out, NULL, '{');
    json_str(&out, "name", str_c(d->name));
    json_str(&out, "kind", str_c(kind_of(d)));
    json_str(&out, "version", str_c(d->version));
    json_str(&out, "summary", str_c(or_empty(d->summary)));
    json_str(&out, "license", str_c(or_empty(d->license)));
    json_str(&out, "url", str_c(or_empty(d->url)));
    json_str(&out, "path", str_c(plugin->path));
    json_str(&out, "capabilities", buf_str(&caps));
    json_str(&out, "rule_defaults", buf_str(&suits));
    option_table_json(&out, "options", plugin->options, plugin->options_count);
    json_end(&out, '}');
    print_json(&out);
    buf_fini(&suits);
    buf_fini(&caps);
    buf_fini(&out);
}

static void print_plugin(const struct plugin *plugin)
{
    const tr_plugin *d = &plugin->descriptor;
    struct buf caps = {0}, suits = {0};

    add_caps(&caps, d->caps);
    add_suits(&suits, d);
    printf("%s %s: %s\n", d->name, d->version, or_empty(d->summary));
    printf("%s\n%s\n", plugin->path, kind_of(d));
    if (caps.len > 0)
        printf("%s\n", caps.ptr);
    if (suits.len > 0)
        printf("rules have %s, unless they say otherwise\n", suits.ptr);
    putchar('\n');
    if (plugin->options_count > 0)
        option_table_print(plugin->options, plugin->options_count);
    else
        puts("it has no options");
    buf_fini(&suits);
    buf_fini(&caps);
}

static int show_one(const struct args *args, const struct site *site, const char *name)
{
    const struct plugin *plugin;
    char real[PATH_MAX];
    struct error error;

    if (strchr(name, '/') && realpath(name, real))
        name = real;
    if (plugin_load(str_c(name), site->plugin_dirs, &plugin, &error) < 0)
        return print_failure(&error);
    if (args_has(args, "man"))
        option_table_man(plugin->options, plugin->options_count);
    else if (args->json)
        print_plugin_json(plugin);
    else
        print_plugin(plugin);
    return EX_OK;
}

/* ---- tailrace's own tables ---- */

struct core_table {
    const char *name;
    const tr_option *options;
    const uint32_t *count;
};

static const struct core_table core_tables[] = {
    {"main", settings_main_options, &settings_main_count},
    {"source", settings_source_options, &settings_source_count},
    {"rule", settings_rule_options, &settings_rule_count},
    {"transform", settings_transform_options, &settings_transform_count},
    {"documents", settings_documents_options, &settings_documents_count},
};

static int show_core(const struct args *args, const char *wanted)
{
    struct buf out = {0};
    bool found = false;

    json_begin(&out, NULL, '{');
    for (size_t i = 0; i < sizeof(core_tables) / sizeof(core_tables[0]); i++) {
        const struct core_table *it = &core_tables[i];
        if (wanted && strcmp(wanted, it->name) != 0)
            continue;
        if (args_has(args, "man"))
            option_table_man(it->options, *it->count);
        else if (args->json)
            option_table_json(&out, it->name, it->options, *it->count);
        else if (printf("%s%s\n", found ? "\n" : "", it->name) > 0)
            option_table_print(it->options, *it->count);
        found = true;
    }
    json_end(&out, '}');
    if (args->json && found)
        print_json(&out);
    buf_fini(&out);
    return found
               ? EX_OK
               : args_wrong(
                     args, "--core has the tables main, source, rule, transform and documents");
}

static int run(struct args *args)
{
    const char *name = args->operands_count > 0 ? args->operands[0] : NULL;
    struct site site;
    int code;

    args_set_up_log(args, NULL);
    if (args_has(args, "core"))
        return show_core(args, name);
    code = site_init(&site, args);
    if (code == EX_OK)
        code = name ? show_one(args, &site, name) : list_all(args, &site);
    site_fini(&site);
    return code;
}

const struct command command_plugins = {
    .name = "plugins",
    .operands = "[NAME]",
    .operands_max = 1,
    .summary = "List the plugins, or the options of one",
    .text = "A plugin that is there and cannot be used is listed with the reason. An option "
            "that is\n"
            "marked [live] is changed by a reload without a new start of its rule, and one "
            "that is\n"
            "marked [file] cannot be set by a document of a database.",
    .options =
        (const struct args_option[]){
            {"core", 0, NULL,
             "tailrace's own: NAME is main, source, rule, transform, documents"},
            {"man", 0, NULL, "the options of NAME as paragraphs of a man page"},
            {.name = NULL},
        },
    .examples = "tailrace plugins http-webhook",
    .run = run,
};
