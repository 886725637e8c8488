/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arenas and buffers.
 */
#include "base/arena.h"
#include "base/buf.h"

#include <stdalign.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- arenas ---- */

static void pieces_are_aligned_and_apart(void **state)
{
    struct arena arena;
    char *last = NULL;

    (void)state;
    arena_init(&arena, 256);
    for (size_t size = 0; size < 600; size++) {
        char *piece = arena_alloc(&arena, size);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % alignof(max_align_t), 0);
        assert_ptr_not_equal(piece, last);
        memset(piece, 0xaa, size);
        last = piece;
    }
    arena_fini(&arena);
}

static void a_piece_may_be_larger_than_a_block(void **state)
{
    struct arena arena;
    char *zeroed;

    (void)state;
    arena_init(&arena, 64);
    memset(arena_alloc(&arena, 60), 0xaa, 60);
    zeroed = arena_zero(&arena, 100000);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(zeroed[i], 0);
    arena_fini(&arena);
}

static void a_reset_arena_hands_out_the_same_room_again(void **state)
{
    struct arena arena;
    void *first;

    (void)state;
    arena_init(&arena, 1024);
    arena_reset(&arena);
    first = arena_alloc(&arena, 100);
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 100), first);
    for (int i = 0; i < 100; i++)
        arena_alloc(&arena, 100);
    arena_reset(&arena);
    arena_alloc(&arena, 100);
    arena_fini(&arena);
    arena_fini(&arena);
}

static void strings_are_copied_with_a_nul_behind(void **state)
{
    struct arena arena;
    char text[] = "abc";
    tr_str copy;

    (void)state;
    arena_init(&arena, 64);
    copy = arena_str(&arena, str_n(text, 2));
    text[0] = 'x';
    assert_int_equal(copy.len, 2);
    assert_string_equal(copy.ptr, "ab");
    assert_string_equal(arena_cstr(&arena, str_c(NULL)), "");
    arena_fini(&arena);
}

/* ---- buffers ---- */

static void a_zeroed_buffer_is_an_empty_text(void **state)
{
    struct buf buf = {0};

    (void)state;
    assert_string_equal(buf_str(&buf).ptr, "");
    buf_clear(&buf);
    buf_add_str(&buf, str_c(NULL));
    assert_int_equal(buf.len, 0);
    assert_string_equal(buf.ptr, "");
    buf_fini(&buf);
    buf_fini(&buf);
}

static void what_is_appended_stands_in_order(void **state)
{
    struct buf buf = {0};

    (void)state;
    buf_add(&buf, "a\0b", 3);
    buf_clear(&buf);
    buf_add_c(&buf, "one");
    buf_add_char(&buf, ' ');
    buf_add_str(&buf, STR("two"));
    buf_addf(&buf, " %d%%", 3);
    assert_string_equal(buf.ptr, "one two 3%");
    assert_int_equal(buf.len, 10);
    buf_fini(&buf);
}

static void a_formatted_text_of_any_length_is_whole(void **state)
{
    char text[2000];

    (void)state;
    for (int n = 250; n < 262; n++) {
        struct buf buf = {0};
        memset(text, 'x', (size_t)n);
        text[n] = '\0';
        buf_addf(&buf, "<%s>", text);
        assert_int_equal(buf.len, n + 2);
        assert_int_equal(strlen(buf.ptr), buf.len);
        assert_int_equal(buf.ptr[n + 1], '>');
        buf_fini(&buf);
    }
}

static void reserved_room_can_be_written_to(void **state)
{
    struct buf buf = {0};

    (void)state;
    for (size_t more = 0; more < 5000; more += 499) {
        memset(buf_reserve(&buf, more), 'y', more);
        buf.len += more;
    }
    for (size_t i = 0; i < buf.len; i++)
        assert_int_equal(buf.ptr[i], 'y');
    buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(a_piece_may_be_larger_than_a_block),
        cmocka_unit_test(a_reset_arena_hands_out_the_same_room_again),
        cmocka_unit_test(strings_are_copied_with_a_nul_behind),
        cmocka_unit_test(a_zeroed_buffer_is_an_empty_text),
        cmocka_unit_test(what_is_appended_stands_in_order),
        cmocka_unit_test(a_formatted_text_of_any_length_is_whole),
        cmocka_unit_test(reserved_room_can_be_written_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
