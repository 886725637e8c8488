/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace check: judges a configuration without starting anything. All that is wrong is said
 * at once, each with file and line.
 */
#include "cli/args.h"
#include "cli/print.h"

#include <stdio.h>
#include <sysexits.h>

static size_t count_disabled(const struct settings *settings)
{
    size_t n = 0;

    for (size_t i = 0; i < settings->rules_count; i++)
        n += !settings->rules[i].enabled;
    return n;
}

static void print_fine(const struct settings *settings)
{
    char sources[PRINT_COUNT], rules[PRINT_COUNT];
    size_t disabled = count_disabled(settings);

    printf("configuration is fine: %s, %s",
           print_count(sources, (int64_t)settings->sources_count, "source"),
           print_count(rules, (int64_t)settings->rules_count, "rule"));
    if (disabled > 0)
        printf(" (%zu disabled)", disabled);
    putchar('\n');
}

static void print_as_json(const struct settings *settings, const struct diags *diags)
{
    struct buf out = {0}, list = {0};

    diags_json(diags, &list);
    json_begin(&out, NULL, '{');
    json_bool(&out, "ok", settings != NULL);
    if (settings) {
        json_num(&out, "sources", (int64_t)settings->sources_count);
        json_num(&out, "rules", (int64_t)settings->rules_count);
        json_num(&out, "disabled", (int64_t)count_disabled(settings));
    }
    json_raw(&out, "diagnostics", buf_str(&list));
    json_end(&out, '}');
    print_json(&out);
    buf_fini(&list);
    buf_fini(&out);
}

static int run(struct args *args)
{
    struct settings *settings = NULL;
    struct diags diags;
    int rc;

    args_set_up_log(args, NULL);
    diags_init(&diags);
    rc = settings_load(&args->overrides, &diags, &settings);
    if (args->json)
        print_as_json(settings, &diags);
    else
        print_diags(&diags);
    if (settings && !args->json)
        print_fine(settings);
    settings_unref(settings);
    diags_fini(&diags);
    return error_exit_code(rc);
}

const struct command command_check = {
    .name = "check",
    .summary = "Judge the configuration without starting anything",
    .text =
        "Every mistake is printed with its file and line. Plugins are loaded to ask for their\n"
        "options; nothing is connected to, and no secret is read.",
    .examples = "tailrace check -c ./tailrace.conf",
    .run = run,
};
