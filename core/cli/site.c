/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads of the main file what concerns the site as a whole. Main thread.
 */
#include "cli/site.h"

#include "cli/print.h"

#include <sysexits.h>
#include <unistd.h>

static bool list_dir(const struct settings *main, uint32_t idx, tr_value *ret_value)
{
    *ret_value = (tr_value){.size = sizeof(*ret_value)};
    return main->values &&
           config_values_get(main->values, "plugin_dirs", idx, ret_value) == TR_OK;
}

static void take_plugin_dirs(struct site *site, const struct args *args)
{
    tr_value value;
    uint32_t count = 0, n = 0;
    const char **dirs;

    while (list_dir(&site->main, count, &value))
        count++;
    dirs = arena_zero(&site->main.arena, (count + 3) * sizeof(*dirs));
    if (args->overrides.plugin_dir)
        dirs[n++] = args->overrides.plugin_dir;
    for (uint32_t i = 0; list_dir(&site->main, i, &value); i++)
        dirs[n++] = value.s.ptr;
    dirs[n] = TAILRACE_PLUGIN_DIR;
    site->plugin_dirs = dirs;
}

static int load(struct site *site, const struct args *args, struct diags *diags)
{
    struct settings *main = &site->main;
    int rc = config_load(args->overrides.path, diags, &main->config);

    if (rc < 0)
        return rc;
    rc = config_check(main->config->root, NULL, settings_main_options, settings_main_count, 0,
                      diags, &main->values);
    if (rc == 0)
        config_values_bind(main->values, "", settings_main_options, settings_main_count, main,
                           &main->arena);
    return rc;
}

int site_init(struct site *site, const struct args *args)
{
    bool is_there = args->config_given || access(args->overrides.path, F_OK) == 0;
    struct diags diags;
    int rc = 0;

    *site = (struct site){.state_dir = args->overrides.state_dir};
    arena_init(&site->main.arena, 1024);
    diags_init(&diags);
    if (is_there)
        rc = load(site, args, &diags);
    print_diags(&diags);
    diags_fini(&diags);
    if (rc < 0)
        return error_exit_code(rc);
    take_plugin_dirs(site, args);
    if (!site->state_dir)
        site->state_dir = site->main.state_dir.ptr ? site->main.state_dir.ptr
                                                   : "/var/lib/tailrace";
    return EX_OK;
}

void site_fini(struct site *site)
{
    config_values_free(site->main.values);
    config_free(site->main.config);
    arena_fini(&site->main.arena);
}

int site_with_dir(const struct args *args,
                  int (*use)(const struct args *args, const char *dir, void *ctx), void *ctx)
{
    struct site site;
    int code;

    /* Whoever names the directory needs no configuration at all. */
    if (args->overrides.state_dir && !args->config_given)
        return use(args, args->overrides.state_dir, ctx);
    code = site_init(&site, args);
    if (code == EX_OK)
        code = use(args, site.state_dir, ctx);
    site_fini(&site);
    return code;
}

struct opening {
    unsigned flags;
    struct store **ret_store;
};

static int open_store(const struct args *args, const char *dir, void *ctx)
{
    const struct opening *opening = ctx;
    struct store *probe;
    struct error error;
    int rc = 0;

    (void)args;
    /* With the lock the store would be made where there is none: a mistyped directory must not
     * become an empty store. */
    if (!(opening->flags & (STORE_READ_ONLY | STORE_BESIDE))) {
        rc = store_open(dir, STORE_READ_ONLY, &probe, &error);
        if (rc == 0)
            store_close(probe);
    }
    if (rc == 0)
        rc = store_open(dir, opening->flags, opening->ret_store, &error);
    return rc < 0 ? print_failure(&error) : EX_OK;
}

int site_open_store(const struct args *args, unsigned flags, struct store **ret_store)
{
    struct opening opening = {.flags = flags, .ret_store = ret_store};

    return site_with_dir(args, open_store, &opening);
}
