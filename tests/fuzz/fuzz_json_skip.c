/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a value to be passed over, cut at any two places: the end is where a look at
 * every byte finds it. The first two bytes of the input say where the cuts are.
 */
#include "json/skip.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What json/skip.h says, a byte at a time. */
static const char *by_bytes(struct json_skip *skip, const char *at, const char *end)
{
    for (; at < end; at++) {
        uint8_t escaped = skip->escaped;

        skip->escaped = !escaped && *at == '\\';
        if (*at == '"' && !escaped)
            skip->in_string = !skip->in_string;
        if (skip->in_string)
            continue;
        if (*at == '{' || *at == '[')
            skip->depth++;
        if ((*at == '}' || *at == ']') && --skip->depth <= 0)
            return at + 1;
    }
    return NULL;
}

static void must_agree(const struct json_skip *a, const struct json_skip *b)
{
    if (a->depth != b->depth || a->in_string != b->in_string || a->escaped != b->escaped)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_skip expected = {0}, whole = {0}, cut = {0};
    const char *text = (const char *)data + 2, *end, *first, *second, *seen;

    if (size < 3 || (text[0] != '{' && text[0] != '['))
        return 0;
    size -= 2;
    first = text + data[0] % size;
    second = first + data[1] % (size - (size_t)(first - text));

    end = by_bytes(&expected, text, text + size);
    if (json_skip_more(&whole, text, text + size) != end)
        abort();
    seen = json_skip_more(&cut, text, first);
    if (!seen)
        seen = json_skip_more(&cut, first, second);
    if (!seen)
        seen = json_skip_more(&cut, second, text + size);
    if (seen != end)
        abort();
    must_agree(&whole, &cut);
    if (!end)
        must_agree(&whole, &expected);
    return 0;
}
