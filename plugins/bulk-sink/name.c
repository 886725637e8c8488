/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of the target, made of the source's: a text with $db_name and with what the groups
 * of a pattern matched. check() on [control], making on the worker. What costs too much to
 * match is an error and never a mismatch.
 */
#include "bulk.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { MATCH_LIMIT = 1000 * 1000 }; /* steps back before it gives up, as rules have it      */

struct name {
    char *text;
    pcre2_code *pattern; /* NULL: none                                                     */
    pcre2_match_context *context;
};

/* A piece of the text: bytes as they are, or a variable. */
struct piece {
    tr_str plain, variable;
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The next one, and behind it; false at the end. A lone `$` is an empty variable. */
static bool next_piece(const char **at, struct piece *ret_piece)
{
    const char *begin = *at;
    size_t len;

    *ret_piece = (struct piece){{NULL, 0}, {NULL, 0}};
    if (!begin[0])
        return false;
    len = strcspn(begin, "$");
    if (len > 0 || begin[1] == '$') {
        ret_piece->plain = tr_str_n(begin, len > 0 ? len : 1);
        *at = begin + (len > 0 ? len : 2);
        return true;
    }
    if (begin[1] == '{') {
        len = strcspn(begin + 2, "}");
        ret_piece->variable = tr_str_n(begin + 2, begin[2 + len] ? len : 0);
        *at = begin + 2 + len + (begin[2 + len] == '}');
        return true;
    }
    /* A group's number ends with its digits, so that "$1_copy" is what it looks like. */
    for (len = 1; is_word(begin[len]) && (!is_digit(begin[1]) || is_digit(begin[len])); len++)
        ;
    ret_piece->variable = tr_str_n(begin + 1, len - 1);
    *at = begin + len;
    return true;
}

/* The number of the group that a variable names, or -1. */
static int group_of(const struct name *name, tr_str variable)
{
    char word[64];
    uint32_t groups = 0;
    int number;

    if (!name->pattern || variable.len == 0 || variable.len >= sizeof(word))
        return -1;
    memcpy(word, variable.ptr, variable.len);
    word[variable.len] = '\0';
    (void)pcre2_pattern_info(name->pattern, PCRE2_INFO_CAPTURECOUNT, &groups);
    if (strspn(word, "0123456789") == variable.len && variable.len < 5)
        number = atoi(word);
    else
        number = pcre2_substring_number_from_name(name->pattern, (PCRE2_SPTR)word);
    return number >= 0 && (uint32_t)number <= groups ? number : -1;
}

static tr_status check_text(const struct name *name, tr_error *error)
{
    const char *at = name->text;
    struct piece piece;

    while (next_piece(&at, &piece)) {
        if (piece.plain.len > 0 || tr_str_eq(piece.variable, TR_STR("db_name")) ||
            group_of(name, piece.variable) >= 0)
            continue;
        return tr_fail(error, TR_EINVAL,
                       "database has $%.*s, which is no variable: only $db_name is known here, "
                       "and with database_pattern what its groups matched, as $1; $$ is a $",
                       (int)piece.variable.len, piece.variable.len ? piece.variable.ptr : "");
    }
    return TR_OK;
}

static tr_status compile(struct name *name, const char *pattern, tr_error *error)
{
    PCRE2_SIZE offset = 0;
    int number = 0;

    name->pattern = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                  PCRE2_UTF | PCRE2_MATCH_INVALID_UTF |
                                      PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY,
                                  &number, &offset, NULL);
    name->context = pcre2_match_context_create(NULL);
    if (!name->pattern || !name->context)
        return tr_fail(error, TR_EINVAL, "database_pattern is wrong at byte %zu",
                       (size_t)offset);
    pcre2_set_match_limit(name->context, MATCH_LIMIT);
    pcre2_set_depth_limit(name->context, MATCH_LIMIT);
    return TR_OK;
}

tr_status name_new(const char *text, const char *pattern, struct name **ret_name,
                   tr_error *error)
{
    struct name *name = calloc(1, sizeof(*name));
    tr_status status = TR_OK;

    if (!name || !(name->text = strdup(text)))
        status = tr_fail(error, TR_EAGAIN, "out of memory");
    else if (pattern)
        status = compile(name, pattern, error);
    if (status == TR_OK)
        status = check_text(name, error);
    if (status == TR_OK)
        *ret_name = name;
    else
        name_free(name);
    return status;
}

void name_free(struct name *name)
{
    if (!name)
        return;
    pcre2_code_free(name->pattern);
    pcre2_match_context_free(name->context);
    free(name->text);
    free(name);
}

/* A group that took no part is empty. */
static tr_str group_text(const pcre2_match_data *data, tr_str db, int group)
{
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer((pcre2_match_data *)(uintptr_t)data);

    if (ends[2 * group] == PCRE2_UNSET || ends[2 * group] > ends[2 * group + 1])
        return tr_str_n(NULL, 0);
    return tr_str_n(db.ptr + ends[2 * group], ends[2 * group + 1] - ends[2 * group]);
}

static void add_pieces(const struct name *name, tr_text *out, tr_str db,
                       const pcre2_match_data *data)
{
    const char *at = name->text;
    struct piece piece;

    while (next_piece(&at, &piece)) {
        tr_text_add(out, piece.plain);
        if (piece.variable.len == 0)
            continue;
        if (tr_str_eq(piece.variable, TR_STR("db_name")))
            tr_text_add(out, db);
        else
            tr_text_add(out, group_text(data, db, group_of(name, piece.variable)));
    }
}

tr_status name_make(const struct name *name, tr_str db, tr_text *out, char ret_why[MESSAGE_MAX])
{
    pcre2_match_data *data = NULL;
    int rc = 1;

    if (name->pattern) {
        data = pcre2_match_data_create_from_pattern(name->pattern, NULL);
        rc = data ? pcre2_match(name->pattern, (PCRE2_SPTR)db.ptr, db.len, 0, 0, data,
                                name->context)
                  : PCRE2_ERROR_NOMEMORY;
    }
    if (rc > 0)
        add_pieces(name, out, db, data);
    else if (rc == PCRE2_ERROR_NOMATCH)
        snprintf(ret_why, MESSAGE_MAX,
                 "database_pattern does not match \"%.*s\"; mend it, or the rule's databases",
                 (int)(db.len < 100 ? db.len : 100), db.ptr);
    else
        snprintf(ret_why, MESSAGE_MAX, "database_pattern gave up on \"%.*s\"; make it simpler",
                 (int)(db.len < 100 ? db.len : 100), db.ptr);
    pcre2_match_data_free(data);
    if (out->failed || rc == PCRE2_ERROR_NOMEMORY)
        return TR_RETRY;
    return rc > 0 ? TR_OK : TR_REJECT;
}
