/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions (PCRE2), bounded in time and memory: a pattern is an operator's, a value
 * is of whoever writes to a database. As in the conditions of rules a pattern is not anchored,
 * `$` is the very end, and a value that is not UTF-8 is matched in its parts that are.
 */
#include "skip.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { STEPS_MAX = 1000 * 1000, HEAP_MAX_KB = 64 * 1024 };

struct pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
};

tr_status pattern_new(tr_str text, struct pattern **ret_pattern, tr_error *error)
{
    struct pattern *pattern = calloc(1, sizeof(*pattern));
    char why[128] = "";
    PCRE2_SIZE at = 0;
    int number = 0;

    if (!pattern)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    pattern->code = pcre2_compile((PCRE2_SPTR)text.ptr, text.len,
                                  PCRE2_UTF | PCRE2_MATCH_INVALID_UTF |
                                      PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY,
                                  &number, &at, NULL);
    pattern->limits = pcre2_match_context_create(NULL);
    if (!pattern->code || !pattern->limits) {
        (void)pcre2_get_error_message(number, (PCRE2_UCHAR *)why, sizeof(why));
        pattern_free(pattern);
        return tr_fail(error, TR_EINVAL,
                       "match is no regular expression: %s at byte %zu; a configuration file "
                       "wants each backslash twice",
                       why, (size_t)at);
    }
    pcre2_set_match_limit(pattern->limits, STEPS_MAX);
    pcre2_set_depth_limit(pattern->limits, STEPS_MAX);
    pcre2_set_heap_limit(pattern->limits, HEAP_MAX_KB);
    *ret_pattern = pattern;
    return TR_OK;
}

void pattern_free(struct pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_match_context_free(pattern->limits);
    pcre2_code_free(pattern->code);
    free(pattern);
}

tr_status pattern_find(const struct pattern *pattern, tr_str text, tr_error *error)
{
    /* It keeps the memory of the deepest match, so it does not outlive this one. */
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    char why[128] = "";
    int result = PCRE2_ERROR_NOMEMORY;

    if (data)
        result = pcre2_match(pattern->code, (PCRE2_SPTR)text.ptr, text.len, 0, 0, data,
                             pattern->limits);
    pcre2_match_data_free(data);
    if (result >= 0)
        return TR_OK;
    if (result == PCRE2_ERROR_NOMATCH)
        return TR_SKIP;
    (void)pcre2_get_error_message(result, (PCRE2_UCHAR *)why, sizeof(why));
    return tr_fail(error, TR_REJECT,
                   "the regular expression gave up on a value of %zu bytes: %s; make it "
                   "simpler, without repeats within repeats",
                   text.len, why);
}
