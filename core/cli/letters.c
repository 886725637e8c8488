/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a command line to the dead letters that it means. Main thread.
 */
#include "cli/letters.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cli/print.h"

#include <errno.h>
#include <inttypes.h>
#include <sysexits.h>
#include <time.h>

bool letters_parse_time(tr_str text, int64_t now_ms, int64_t *ret_wall_ms)
{
    static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S",
                                        "%Y-%m-%dT%H:%M:%SZ"};
    int64_t age_ms;

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm parts = {0};
        const char *end = strptime(text.ptr, forms[i], &parts);
        if (end && *end == '\0') {
            *ret_wall_ms = (int64_t)timegm(&parts) * 1000;
            return true;
        }
    }
    if (!config_parse_duration(text, &age_ms))
        return false;
    *ret_wall_ms = now_ms - age_ms;
    return true;
}

int64_t letters_parse_id(const char *text)
{
    char *end;
    long long id;

    errno = 0;
    id = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && id > 0 ? id : 0;
}

static int take_ids(struct letters *letters, const struct args *args)
{
    letters->count = (size_t)args->operands_count;
    letters->filters = mem_new_array(struct store_filter, letters->count);
    for (size_t i = 0; i < letters->count; i++) {
        int64_t id = letters_parse_id(args->operands[i]);
        if (id == 0) {
            args_wrong(args, "\"%s\" is not the id of a dead letter, such as 17",
                       args->operands[i]);
            return ERR_USAGE;
        }
        letters->filters[i].id_from = letters->filters[i].id_to = id;
    }
    return 0;
}

static int take_filter(struct letters *letters, const struct args *args)
{
    const char *before = args_value(args, "before");

    letters->count = 1;
    letters->filters = mem_new(struct store_filter);
    letters->filters->binding = letters->rule = str_c(args_value(args, "rule"));
    letters->filters->db = str_c(args_value(args, "db"));
    if (before &&
        !letters_parse_time(str_c(before), clock_wall_ms(), &letters->filters->before_ms)) {
        args_wrong(args,
                   "--before %s: a time such as 2026-01-31T12:00:00Z or an age such as 7d "
                   "is wanted",
                   before);
        return ERR_USAGE;
    }
    return 0;
}

int letters_init(struct letters *letters, const struct args *args)
{
    bool named = args_has(args, "rule") || args_has(args, "db") || args_has(args, "before");
    bool all = args_has(args, "all"), ids = args->operands_count > 0;

    *letters = (struct letters){0};
    if (named + all + ids == 1)
        return ids ? take_ids(letters, args) : take_filter(letters, args);
    args_wrong(args, named + all + ids == 0 ? "which ones? name a rule, or ids, or --all"
                                            : "ids, --all and --rule exclude each other");
    return ERR_USAGE;
}

void letters_fini(struct letters *letters)
{
    free(letters->filters);
}

static bool count_one(void *context, const struct store_dead_letter *letter)
{
    (void)letter;
    ++*(size_t *)context;
    return true;
}

int letters_find(const struct letters *letters, struct store *store)
{
    for (size_t i = 0; i < letters->count; i++) {
        const struct store_filter *filter = &letters->filters[i];
        struct error error;
        size_t found = 0;

        if (filter->id_from == 0)
            continue;
        if (store_dead_letter_each(store, filter, count_one, &found, &error) < 0)
            return print_failure(&error);
        if (found == 0) {
            print_error("there is no dead letter %" PRId64, filter->id_from);
            return EX_NOINPUT;
        }
    }
    return EX_OK;
}
