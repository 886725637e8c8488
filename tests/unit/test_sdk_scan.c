/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace/scan.h and tailrace/text.h: JSON walked as text, and texts that grow.
 */
#include <tailrace/scan.h>
#include <tailrace/text.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

/* Text in memory of its very length, so that a step beyond is seen. */
static tr_str exact(const char *text)
{
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    memcpy(copy, text, len);
    return tr_str_n(copy, len);
}

static void release(tr_str text)
{
    free((char *)(uintptr_t)text.ptr);
}

/* "key=value|key=value", and how it ended. */
static int walk(const char *text, char open, char *out, size_t cap)
{
    tr_str json = exact(text), key, value;
    tr_scan scan;
    int rc = -2;

    out[0] = '\0';
    if (tr_scan_open(&scan, json, open))
        while ((rc = tr_scan_next(&scan, &key, &value)) == 1) {
            size_t len = strlen(out);
            snprintf(out + len, cap - len, "%s%.*s=%.*s", len ? "|" : "", (int)key.len,
                     key.len ? key.ptr : "", (int)value.len, value.ptr);
        }
    release(json);
    return rc;
}

static void members_are_slices_of_the_text(void **state)
{
    char out[512];

    (void)state;
    assert_int_equal(walk(" { \"a\" : 1.5e3 ,\"b\":\"x\\\"},{\", \"c\":{\"d\":[\"]\",{}]},"
                          "\"\":null } \r\n",
                          '{', out, sizeof(out)),
                     0);
    assert_string_equal(out, "a=1.5e3|b=\"x\\\"},{\"|c={\"d\":[\"]\",{}]}|=null");
}

static void elements_are_slices_of_the_text(void **state)
{
    char out[512];

    (void)state;
    assert_int_equal(walk("[{\"ok\":true},\r\n[1,2],\"x\",-3 ]", '[', out, sizeof(out)), 0);
    assert_string_equal(out, "={\"ok\":true}|=[1,2]|=\"x\"|=-3");
    assert_int_equal(walk("[]", '[', out, sizeof(out)), 0);
    assert_int_equal(walk(" [ \n ] ", '[', out, sizeof(out)), 0);
}

static void a_text_that_is_cut_is_never_whole(void **state)
{
    static const char whole[] =
        "[{\"id\":\"a\\\\\",\"rev\":\"1-b\"},{\"c\":[1,{\"d\":\"\\\"\"}]}]";
    char cut[sizeof(whole)], out[512];

    (void)state;
    assert_int_equal(walk(whole, '[', out, sizeof(out)), 0);
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        memcpy(cut, whole, len);
        cut[len] = '\0';
        assert_true(walk(cut, '[', out, sizeof(out)) < 0);
    }
}

static void what_is_no_json_is_broken_and_never_read_beyond(void **state)
{
    static const char *const texts[] = {
        "",        " ",           "{",         "{}x",         "{]",
        "{\"a\"}", "{\"a\":}",    "{a:1}",     "{\"a\":1,}",  "{,}",
        "{\"a\"",  "{\"a\":\"\\", "{\"a\" 1}", "{\"a\":1 2}", "{\"a\":1}{",
        "null",    "[1]",         "{\"a\":[}", "{\"a\":]}",
    };
    char out[512];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_true(walk(texts[i], '{', out, sizeof(out)) < 0);
}

static void the_last_of_equal_keys_is_found(void **state)
{
    tr_str found = tr_scan_find(TR_STR("{\"a\":1,\"b\":{\"a\":2},\"a\":3}"), "a");

    (void)state;
    assert_true(tr_str_eq(found, TR_STR("3")));
    assert_int_equal(tr_scan_find(TR_STR("{\"b\":{\"a\":2}}"), "a").len, 0);
    assert_int_equal(tr_scan_find(TR_STR("[1]"), "a").len, 0);
    assert_int_equal(tr_scan_find(tr_str_n(NULL, 0), "a").len, 0);
}

/* ---- splicing ---- */

/* ---- texts ---- */

static void a_text_grows_and_keeps_its_memory_when_it_is_cleared(void **state)
{
    tr_text text = {0};
    size_t cap;

    (void)state;
    for (int i = 0; i < 1000; i++)
        tr_text_addf(&text, "%d,", i);
    assert_int_equal(text.len, 3890);
    cap = text.cap;
    tr_text_clear(&text);
    assert_int_equal(text.len, 0);
    assert_int_equal(text.cap, cap);
    tr_text_fini(&text);
    assert_null(text.ptr);
}

static void what_no_url_may_hold_is_percent_encoded(void **state)
{
    tr_text text = {0};

    (void)state;
    tr_text_add_percent(&text, TR_STR("a-._~/\x00\xc3\xa4 Z"));
    assert_int_equal(text.len, strlen("a-._~%2F%00%C3%A4%20Z"));
    assert_memory_equal(text.ptr, "a-._~%2F%00%C3%A4%20Z", text.len);
    tr_text_fini(&text);
}

static void a_line_is_cut_between_characters_and_has_no_control_bytes(void **state)
{
    char shown[6];

    (void)state;
    tr_text_show(TR_STR("ab\ncd\xc3\xa4"), shown, sizeof(shown));
    assert_string_equal(shown, "ab cd");
    tr_text_show(TR_STR("abcd\xc3\xa4"), shown, sizeof(shown));
    assert_string_equal(shown, "abcd");
    tr_text_show(TR_STR(""), shown, sizeof(shown));
    assert_string_equal(shown, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_slices_of_the_text),
        cmocka_unit_test(elements_are_slices_of_the_text),
        cmocka_unit_test(a_text_that_is_cut_is_never_whole),
        cmocka_unit_test(what_is_no_json_is_broken_and_never_read_beyond),
        cmocka_unit_test(the_last_of_equal_keys_is_found),
        cmocka_unit_test(a_text_grows_and_keeps_its_memory_when_it_is_cleared),
        cmocka_unit_test(what_no_url_may_hold_is_percent_encoded),
        cmocka_unit_test(a_line_is_cut_between_characters_and_has_no_control_bytes),
    };

    return cmocka_run_group_tests_name("sdk/scan", tests, NULL, NULL);
}
