/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine tells about 64 bytes at once is what a byte by byte look tells, by SSE2, by
 * AVX2 where there is one, and in plain C alike.
 */
#include "json/block.h"

#include <stdarg.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

static const char alphabet[] = "\"\\{}[]:,a \x1f\x20\x7b\x5b\x7f\xdb\xfd\x80\x00\xff\x02\x22";

static void fill(char *bytes, size_t n, unsigned *seed)
{
    for (size_t i = 0; i < n; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        bytes[i] = *seed & 1 << 20 ? alphabet[(*seed >> 24) % (sizeof(alphabet) - 1)]
                                   : (char)(*seed >> 24);
    }
}

static struct json_block byte_by_byte(const char *at)
{
    struct json_block block = {0};

    for (int i = 0; i < JSON_BLOCK_SIZE; i++) {
        block.quotes |= (uint64_t)(at[i] == '"') << i;
        block.slashes |= (uint64_t)(at[i] == '\\') << i;
        block.opens |= (uint64_t)(at[i] == '{' || at[i] == '[') << i;
        block.closes |= (uint64_t)(at[i] == '}' || at[i] == ']') << i;
    }
    return block;
}

static void assert_block(struct json_block a, struct json_block b)
{
    assert_int_equal(a.quotes, b.quotes);
    assert_int_equal(a.slashes, b.slashes);
    assert_int_equal(a.opens, b.opens);
    assert_int_equal(a.closes, b.closes);
}

static void assert_all_agree(const char *bytes)
{
    assert_block(json_block_portable(bytes), byte_by_byte(bytes));
    assert_block(json_block_at(bytes), byte_by_byte(bytes));
#ifdef JSON_AVX2
    if (__builtin_cpu_supports("avx2"))
        assert_block(json_block_avx2(bytes), byte_by_byte(bytes));
#endif
}

static void masks_are_those_of_a_look_at_every_byte(void **state)
{
    char bytes[JSON_BLOCK_SIZE];
    unsigned seed = 7;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        fill(bytes, sizeof(bytes), &seed);
        assert_all_agree(bytes);
    }
}

static void every_byte_value_is_told_apart_at_every_place(void **state)
{
    char bytes[JSON_BLOCK_SIZE];

    (void)state;
    for (int place = 0; place < JSON_BLOCK_SIZE; place++) {
        for (int c = 0; c < 256; c++) {
            memset(bytes, 'x', sizeof(bytes));
            bytes[place] = (char)c;
            assert_all_agree(bytes);
        }
    }
}

static void plain_text_ends_at_the_first_byte_that_is_not_plain(void **state)
{
    char *bytes = malloc(80);

    (void)state;
    for (size_t len = 0; len < 80; len++) {
        for (int c = 0; c < 256; c++) {
            int stops = c < 0x20 || c == '"' || c == '\\';
            const char *at = bytes + (80 - len); /* the heap ends where the text ends */

            memset(bytes, 0xc3, 80);
            if (len > 0)
                bytes[80 - len + len / 2] = (char)c;
            assert_ptr_equal(json_plain(at, bytes + 80),
                             stops && len > 0 ? at + len / 2 : bytes + 80);
            assert_ptr_equal(json_plain_portable(at, bytes + 80), json_plain(at, bytes + 80));
        }
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_are_those_of_a_look_at_every_byte),
        cmocka_unit_test(every_byte_value_is_told_apart_at_every_place),
        cmocka_unit_test(plain_text_ends_at_the_first_byte_that_is_not_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
