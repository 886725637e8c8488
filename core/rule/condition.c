/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Testing conditions: one look-up by path each, no tree, and no memory unless a string holds
 * escapes. Called on the loop thread for every change of a rule that has conditions.
 */
#include "rule/condition.h"

#include "rule/lookup.h"
#include "rule/regex.h"

static enum verdict verdict_of(bool holds)
{
    return holds ? VERDICT_MATCH : VERDICT_NO_MATCH;
}

static enum verdict malformed(tr_str raw, struct error *error)
{
    error_set(error, ERR_DATA, "the value %.*s is not well-formed JSON",
              (int)(raw.len < 60 ? raw.len : 60), raw.ptr);
    return VERDICT_ERROR;
}

static enum verdict test_regex(const struct regex *regex, tr_str raw, struct error *error)
{
    struct arena arena;
    enum json_type type = json_type_of(raw);
    enum verdict verdict;
    tr_str text = raw;

    if (type == JSON_NONE || type == JSON_NULL)
        return VERDICT_NO_MATCH;
    arena_init(&arena, 1024);
    if (type == JSON_STRING && !json_decode(raw, &arena, &text))
        verdict = malformed(raw, error);
    else
        verdict = regex_match(regex, text, error);
    arena_fini(&arena);
    return verdict;
}

/* Whether `raw` is an integer; then *ret_value is it, or the nearest that an int64_t can hold
 * and *ret_beyond is -1 or 1. */
static bool read_integer(tr_str raw, int64_t *ret_value, int *ret_beyond)
{
    bool negative = raw.len > 0 && raw.ptr[0] == '-';
    int64_t value = 0;

    *ret_beyond = 0;
    if (raw.len == negative)
        return false;
    for (size_t i = negative; i < raw.len; i++) {
        int digit = raw.ptr[i] - '0';
        if (digit < 0 || digit > 9)
            return false;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value)) {
            *ret_beyond = negative ? -1 : 1;
            value = 0;
        }
    }
    *ret_value = value;
    return true;
}

static int order_of(double a, double b)
{
    return a < b ? -1 : a > b;
}

/* Integers are compared as such: a double cannot tell 9007199254740993 from its neighbour. */
static enum verdict order_number(tr_str raw, const struct config_node *want, int *ret_order,
                                 struct error *error)
{
    double number;
    int64_t integer;
    int beyond;

    if (want->type == CONFIG_INT && read_integer(raw, &integer, &beyond)) {
        *ret_order = beyond ? beyond : (integer > want->number) - (integer < want->number);
        return VERDICT_MATCH;
    }
    if (!json_number(raw, &number))
        return malformed(raw, error);
    *ret_order = order_of(number, want->type == CONFIG_INT ? (double)want->number : want->real);
    return VERDICT_MATCH;
}

static enum verdict order_string(tr_str raw, tr_str want, int *ret_order, struct error *error)
{
    struct arena arena;
    enum verdict verdict = VERDICT_MATCH;
    tr_str text;

    arena_init(&arena, 1024);
    if (json_decode(raw, &arena, &text))
        *ret_order = str_cmp(text, want);
    else
        verdict = malformed(raw, error);
    arena_fini(&arena);
    return verdict;
}

/* How the value stands to the operand: MATCH and the order, NO_MATCH when they are of different
 * kinds. */
static enum verdict order_value(tr_str raw, const struct config_node *want, int *ret_order,
                                struct error *error)
{
    enum json_type type = json_type_of(raw);

    if (type == JSON_STRING && want->type == CONFIG_STRING)
        return order_string(raw, want->text, ret_order, error);
    if (type == JSON_NUMBER && (want->type == CONFIG_INT || want->type == CONFIG_FLOAT))
        return order_number(raw, want, ret_order, error);
    if ((type == JSON_TRUE || type == JSON_FALSE) && want->type == CONFIG_BOOL) {
        *ret_order = (type == JSON_TRUE) - (want->number != 0);
        return VERDICT_MATCH;
    }
    return VERDICT_NO_MATCH;
}

static enum verdict test_order(const struct condition *condition, tr_str raw,
                               struct error *error)
{
    int order = 0;
    enum verdict same_kind = order_value(raw, &condition->want, &order, error);
    bool both = same_kind == VERDICT_MATCH;

    if (same_kind == VERDICT_ERROR)
        return VERDICT_ERROR;
    switch (condition->op) {
    case CONDITION_EQUALS: return verdict_of(both && order == 0);
    case CONDITION_NOT_EQUALS: return verdict_of(!both || order != 0);
    case CONDITION_GT: return verdict_of(both && order > 0);
    case CONDITION_GE: return verdict_of(both && order >= 0);
    case CONDITION_LT: return verdict_of(both && order < 0);
    default: return verdict_of(both && order <= 0);
    }
}

/* `type` and `is`. The words were checked when the condition was compiled. */
static enum verdict test_kind(const struct condition *condition, tr_str raw, bool present)
{
    enum json_type type = present ? json_type_of(raw) : JSON_NONE;
    tr_str word = condition->want.text;

    if (condition->op == CONDITION_TYPE) {
        if (type == JSON_TRUE || type == JSON_FALSE)
            return verdict_of(str_eq(word, STR("boolean")));
        return verdict_of(type != JSON_NONE && str_eq(word, str_c(json_type_name(type))));
    }
    if (str_eq(word, STR("present")))
        return verdict_of(present);
    if (str_eq(word, STR("absent")))
        return verdict_of(!present);
    if (str_eq(word, STR("null")))
        return verdict_of(type == JSON_NULL);
    return verdict_of(!present || type == JSON_NULL);
}

enum verdict condition_test(const struct condition *condition, tr_str doc, tr_str *ret_found,
                            struct error *error)
{
    tr_str raw;
    enum lookup lookup = lookup_field(doc, &condition->path, &raw);

    if (ret_found)
        *ret_found = raw;
    if (lookup == LOOKUP_MALFORMED)
        return malformed(doc, error);
    switch (condition->op) {
    case CONDITION_MATCHES: return test_regex(condition->regex, raw, error);
    case CONDITION_TYPE:
    case CONDITION_IS: return test_kind(condition, raw, lookup == LOOKUP_FOUND);
    default: return test_order(condition, raw, error);
    }
}

enum verdict conditions_test(const struct conditions *conditions, tr_str doc,
                             struct error *error)
{
    enum verdict verdict = VERDICT_MATCH;

    for (size_t i = 0; i < conditions->count; i++) {
        const struct condition *condition = &conditions->items[i];
        struct error why;
        switch (condition_test(condition, doc, NULL, &why)) {
        case VERDICT_MATCH: break;
        case VERDICT_NO_MATCH: return VERDICT_NO_MATCH;
        case VERDICT_ERROR:
            verdict = VERDICT_ERROR;
            error_set(error, why.code, "%.*s: %s",
                      (int)(condition->text.len < 100 ? condition->text.len : 100),
                      condition->text.ptr, why.text);
        }
    }
    return verdict;
}
