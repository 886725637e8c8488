/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A value of a document against the option `match`: numbers with numbers, texts with texts,
 * true and false with themselves. Values of different kinds are not equal, and none of them is
 * greater. init and fini [control], the rest on the worker.
 */
#include "skip.h"

#include <errno.h>

/* ---- what is wanted ---- */

static tr_status judge(int32_t op, uint32_t type, tr_error *error)
{
    if (type == TR_TYPE_GROUP)
        return tr_fail(error, TR_EINVAL,
                       "match is a list or a group; give a text, a number, true or false");
    if (op == OP_MATCH && type != TR_TYPE_STRING)
        return tr_fail(
            error, TR_EINVAL,
            "with the operator =~ match is a regular expression; put it into quotes");
    if (op > OP_MATCH && type == TR_TYPE_BOOL)
        return tr_fail(error, TR_EINVAL,
                       "true and false have no order; with this operator match is a number or "
                       "a text");
    return TR_OK;
}

tr_status test_init(struct test *test, const tr_json *json, int32_t op, const tr_value *value,
                    tr_error *error)
{
    tr_status status = judge(op, value->type, error);

    if (status != TR_OK)
        return status;
    *test = (struct test){.json = json,
                          .op = op,
                          .type = value->type,
                          .integer = value->i,
                          .real = value->type == TR_TYPE_INT ? (double)value->i : value->f};
    if (op == OP_MATCH)
        return pattern_new(value->s, &test->pattern, error);
    if (value->type == TR_TYPE_STRING) {
        test->text = strndup(value->s.ptr, value->s.len);
        test->text_len = value->s.len;
        if (!test->text)
            return tr_fail(error, TR_EAGAIN, "out of memory");
    }
    return TR_OK;
}

void test_fini(struct test *test)
{
    pattern_free(test->pattern);
    free(test->text);
    free(test->decoded);
    *test = (struct test){0};
}

/* ---- what is there ---- */

/* A text of a document without its escapes. TR_EINVAL: it is none. */
static tr_status decode(struct test *test, tr_str raw, tr_str *ret_text)
{
    size_t len;
    tr_status status = test->json->decode(raw, test->decoded, test->decoded_cap, &len);

    if (status == TR_EINVAL && len > test->decoded_cap) {
        char *grown = realloc(test->decoded, len);

        if (!grown)
            return TR_RETRY;
        test->decoded = grown;
        test->decoded_cap = len;
        status = test->json->decode(raw, grown, len, &len);
    }
    *ret_text = tr_str_n(len > 0 ? test->decoded : "", len);
    return status;
}

static tr_status order_text(struct test *test, tr_str raw, int *ret_order)
{
    tr_str text;
    tr_status status = decode(test, raw, &text);
    size_t common = text.len < test->text_len ? text.len : test->text_len;
    int order;

    if (status != TR_OK)
        return status;
    order = memcmp(text.ptr, test->text, common);
    *ret_order = order != 0 ? order : (text.len > test->text_len) - (text.len < test->text_len);
    return TR_OK;
}

/* False: it has a fraction or an exponent, or more than 64 bits. */
static int read_integer(tr_str raw, int64_t *ret_integer)
{
    char digits[32], *end;

    if (raw.len >= sizeof(digits))
        return 0;
    memcpy(digits, raw.ptr, raw.len);
    digits[raw.len] = '\0';
    errno = 0;
    *ret_integer = strtoll(digits, &end, 10);
    return *end == '\0' && errno == 0;
}

/* Whole numbers as such: a double cannot tell 9007199254740993 from its neighbour. */
static tr_status order_number(const struct test *test, tr_str raw, int *ret_order)
{
    tr_json_value *root = NULL;
    int64_t integer;
    double real;
    tr_status status;

    if (test->type == TR_TYPE_INT && read_integer(raw, &integer)) {
        *ret_order = (integer > test->integer) - (integer < test->integer);
        return TR_OK;
    }
    status = test->json->parse(raw, &root, NULL);
    real = test->json->number(root);
    test->json->free(root);
    *ret_order = (real > test->real) - (real < test->real);
    return status;
}

/* How the value stands to the one that is wanted. TR_SKIP: they are of different kinds. */
static tr_status order_value(struct test *test, tr_str raw, int *ret_order)
{
    int32_t type = test->json->type_of(raw);

    if (type == TR_JSON_STRING && test->type == TR_TYPE_STRING)
        return order_text(test, raw, ret_order);
    if (type == TR_JSON_NUMBER && (test->type == TR_TYPE_INT || test->type == TR_TYPE_FLOAT))
        return order_number(test, raw, ret_order);
    if (test->type != TR_TYPE_BOOL || (type != TR_JSON_TRUE && type != TR_JSON_FALSE))
        return TR_SKIP;
    *ret_order = (type == TR_JSON_TRUE) - (test->integer != 0);
    return TR_OK;
}

static int holds(int32_t op, int order)
{
    switch (op) {
    case OP_EQUAL: return order == 0;
    case OP_GREATER: return order > 0;
    case OP_GREATER_EQUAL: return order >= 0;
    case OP_LESS: return order < 0;
    default: return order <= 0;
    }
}

static tr_status match(struct test *test, tr_str raw, tr_error *error)
{
    int32_t type = test->json->type_of(raw);
    tr_status status = TR_OK;
    tr_str text = raw;

    if (type == TR_JSON_NULL)
        return TR_SKIP;
    if (type == TR_JSON_STRING)
        status = decode(test, raw, &text);
    return status == TR_OK ? pattern_find(test->pattern, text, error) : status;
}

tr_status test_value(struct test *test, tr_str raw, tr_error *error)
{
    int order = 0;
    tr_status status = test->op == OP_MATCH ? match(test, raw, error)
                                            : order_value(test, raw, &order);

    if (status == TR_RETRY)
        return tr_fail(error, TR_RETRY, "out of memory");
    if (status == TR_EINVAL)
        return tr_fail(error, TR_REJECT, "the value cannot be read: it is no JSON");
    if (status != TR_OK || test->op == OP_MATCH)
        return status;
    return holds(test->op, order) ? TR_OK : TR_SKIP;
}
