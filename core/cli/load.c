/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a configuration to the settings of a command. Main thread.
 */
#include "cli/load.h"

#include "cli/print.h"

#include <sysexits.h>

static void print_named(const struct diag *diag, const struct load_name *names)
{
    tr_str path = str_c(diag->path);

    while (names->path && !str_starts(path, str_c(names->path)))
        names++;
    if (names->path)
        path = str_from(path, strlen(names->path));
    print_error("%s" STR_FMT "%s%s%s%s", names->path ? names->option : "",
                STR_ARG(names->path ? path : STR("")), names->path ? ": " : "", diag->message,
                *diag->remedy ? "; " : "", diag->remedy);
}

int load_settings(const struct settings_overrides *overrides, unsigned flags,
                  const struct load_name *names, struct settings **ret_settings)
{
    struct settings *settings = NULL;
    struct diags diags;
    int rc;

    diags_init(&diags);
    rc = settings_load(overrides, &diags, &settings);
    if (rc == 0 && (flags & LOAD_SECRETS))
        rc = settings_resolve(settings, &diags);
    if (!names)
        print_diags(&diags);
    for (const struct diag *it = names ? diags.first : NULL; it; it = it->next)
        print_named(it, names);
    diags_fini(&diags);
    if (rc < 0) {
        settings_unref(settings);
        return error_exit_code(rc);
    }
    *ret_settings = settings;
    return EX_OK;
}
