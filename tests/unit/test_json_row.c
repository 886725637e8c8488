/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The row scanner: what servers send, what they could send, every cut of it, and the agreement
 * with a parser that makes a tree.
 */
#include "json/row.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#define REV "2-d0df861eb528e79690cd2ff3c4d394f3"

static struct arena arena;
static tr_change change;
static struct json_closing closing;
static size_t used;

static enum json_row_result scan_n(const char *text, size_t len)
{
    return json_row_scan(str_n(text, len), &arena, &change, &closing, &used);
}

static enum json_row_result scan(const char *text)
{
    return scan_n(text, strlen(text));
}

static void assert_str(tr_str seen, const char *expected)
{
    assert_int_equal(seen.len, strlen(expected));
    if (seen.len > 0)
        assert_memory_equal(seen.ptr, expected, seen.len);
}

static void a_row_is_sliced_without_a_copy(void **state)
{
    static const char text[] = "{\"seq\":\"2-g1AA\",\"id\":\"b\",\"changes\":[{\"rev\":\"" REV
                               "\"}],"
                               "\"doc\":{\"_id\":\"b\",\"v\":[1,{}]}},\r\n{\"seq\"";

    (void)state;
    assert_int_equal(scan(text), JSON_ROW);
    assert_int_equal(used, strlen(text) - 9);
    assert_ptr_equal(change.raw.ptr, text);
    assert_int_equal(change.raw.len, used);
    assert_str(change.id, "b");
    assert_true(change.id.ptr > text && change.id.ptr < text + used);
    assert_str(change.rev, REV);
    assert_true(change.rev.ptr > text && change.rev.ptr < text + used);
    assert_str(change.seq, "\"2-g1AA\"");
    assert_str(change.revs, "[{\"rev\":\"" REV "\"}]");
    assert_str(change.doc, "{\"_id\":\"b\",\"v\":[1,{}]}");
    assert_int_equal(change.flags, TR_CHANGE_HAS_DOC);
    assert_int_equal(change.attempt, 0);
}

static void flags_say_deleted_and_design(void **state)
{
    (void)state;
    assert_int_equal(scan("{\"seq\":1,\"id\":\"_design/x\",\"changes\":[],\"deleted\":true}"),
                     JSON_ROW);
    assert_int_equal(change.flags, TR_CHANGE_DELETED | TR_CHANGE_DESIGN);
    assert_int_equal(scan("{\"id\":\"_design\",\"deleted\":false}"), JSON_ROW);
    assert_int_equal(change.flags, 0);
    assert_int_equal(scan("{\"id\":\"\\u005fdesign\\/x\",\"deleted\":\"true\"}"), JSON_ROW);
    assert_int_equal(change.flags, TR_CHANGE_DESIGN);
}

static void the_first_of_all_leaves_is_the_winner(void **state)
{
    (void)state;
    assert_int_equal(scan("{\"id\":\"f\",\"changes\":[ {\"rev\":\"2-b\"},{\"rev\":\"2-c\"}]}"),
                     JSON_ROW);
    assert_str(change.rev, "2-b");
    assert_str(change.revs, "[ {\"rev\":\"2-b\"},{\"rev\":\"2-c\"}]");
    assert_int_equal(scan("{\"id\":\"f\",\"changes\":[{\"rev\":\"2-\\u0062\"}]}"), JSON_ROW);
    assert_str(change.rev, "2-b");
}

static void missing_members_are_empty(void **state)
{
    static const char *const rows[] = {
        "{\"id\":\"x\"}",
        "{\"id\":\"x\",\"changes\":null,\"doc\":null}",
        "{\"id\":\"x\",\"changes\":7,\"doc\":\"text\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(scan(rows[i]), JSON_ROW);
        assert_int_equal(change.seq.len + change.rev.len + change.revs.len + change.doc.len, 0);
        assert_int_equal(change.flags, 0);
    }
    assert_int_equal(scan("{\"id\":\"\",\"changes\":[{\"rev\":1}]}"), JSON_ROW);
    assert_int_equal(change.id.len + change.rev.len, 0);
    assert_str(change.revs, "[{\"rev\":1}]");
}

static void ids_are_decoded(void **state)
{
    static const struct {
        const char *raw, *id;
        size_t len;
    } ids[] = {
        {"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t", "a\"b\\c/d\b\f\n\r\t", 12},
        {"\\u0041\\u00e9\\u20AC", "A\xc3\xa9\xe2\x82\xac", 6},
        {"\\ud83d\\ude00!", "\xf0\x9f\x98\x80!", 5},
        {"nul\\u0000nul", "nul\0nul", 7},
        {"\xe2\x80\xa8|\x7f", "\xe2\x80\xa8|\x7f", 5},
        {"lone \\ud83d, \\ude00", "lone \xef\xbf\xbd, \xef\xbf\xbd", 13},
        {"\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7},
    };
    char row[200];

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        snprintf(row, sizeof(row), "{\"seq\":\"1\",\"id\":\"%s\",\"changes\":[]}", ids[i].raw);
        assert_int_equal(scan(row), JSON_ROW);
        assert_int_equal(change.id.len, ids[i].len);
        assert_memory_equal(change.id.ptr, ids[i].id, ids[i].len);
    }
}

static void keys_may_be_written_with_escapes(void **state)
{
    (void)state;
    assert_int_equal(
        scan("{\"\\u0069d\":\"x\",\"s\\u0065\\u0071\":5,\"ch\\u0061nges\":[{\"\\u0072ev\":"
             "\"1-a\"}],\"do\\u0063\":{},\"\\u0064eleted\":true}"),
        JSON_ROW);
    assert_str(change.id, "x");
    assert_str(change.seq, "5");
    assert_str(change.rev, "1-a");
    assert_str(change.doc, "{}");
    assert_int_equal(change.flags, TR_CHANGE_DELETED | TR_CHANGE_HAS_DOC);
    assert_int_equal(scan("{\"\\u0069e\":\"x\",\"id\\u0000\":\"y\",\"i\\\\d\":\"z\"}"),
                     JSON_OTHER);
}

static void seq_is_kept_as_it_is(void **state)
{
    static const char *const seqs[] = {
        "null",         "true",      "17",         "-0.5e+10", "123456789012345678901234567890",
        "\"a\\u0062\"", "[1,\"]\"]", "{\"a\":{}}",
    };
    char row[200];

    (void)state;
    for (size_t i = 0; i < sizeof(seqs) / sizeof(seqs[0]); i++) {
        snprintf(row, sizeof(row), "{\"seq\":%s,\"id\":\"x\"}", seqs[i]);
        assert_int_equal(scan(row), JSON_ROW);
        assert_str(change.seq, seqs[i]);
        snprintf(row, sizeof(row), "{\"id\":\"x\",\"seq\" : %s }", seqs[i]);
        assert_int_equal(scan(row), JSON_ROW);
        assert_str(change.seq, seqs[i]);
    }
}

static void the_last_of_duplicate_keys_wins(void **state)
{
    (void)state;
    assert_int_equal(
        scan("{\"id\":\"a\",\"seq\":1,\"deleted\":true,\"doc\":{\"v\":1},\"i\\u0064\":\"b\","
             "\"seq\":2,\"deleted\":false,\"doc\":{\"v\":2},"
             "\"changes\":[{\"rev\":\"1-a\",\"rev\":\"1-b\"}]}"),
        JSON_ROW);
    assert_str(change.id, "b");
    assert_str(change.seq, "2");
    assert_str(change.doc, "{\"v\":2}");
    assert_str(change.rev, "1-b");
    assert_int_equal(change.flags, TR_CHANGE_HAS_DOC);
    assert_int_equal(scan("{\"id\":\"a\",\"id\":1}"), JSON_OTHER);
}

static void white_space_may_stand_between_all_tokens(void **state)
{
    (void)state;
    assert_int_equal(
        scan("{\r\n \"id\"\t:\n\"x\" , \"seq\" :\r1\n,\"changes\":[ { \"rev\" : \"1-a\" } ] "
             "\r\n}"),
        JSON_ROW);
    assert_str(change.id, "x");
    assert_str(change.seq, "1");
    assert_str(change.rev, "1-a");
}

static void the_closing_line_is_told_from_rows(void **state)
{
    (void)state;
    assert_int_equal(scan("{\"last_seq\":\"4-g1AA\",\"pending\":9}\n\n"), JSON_CLOSING);
    assert_str(closing.last_seq, "\"4-g1AA\"");
    assert_str(closing.pending, "9");
    assert_int_equal(closing.error.len + closing.reason.len, 0);
    assert_int_equal(used, 33);
    assert_int_equal(scan("{\"last_seq\":null}"), JSON_CLOSING);
    assert_str(closing.last_seq, "null");
    assert_int_equal(closing.pending.len, 0);
}

static void an_error_is_told_with_its_reason(void **state)
{
    (void)state;
    assert_int_equal(
        scan("{\"error\":\"not_found\",\"reason\":\"Database does not exist.\"}\n"),
        JSON_ERROR);
    assert_str(closing.error, "\"not_found\"");
    assert_str(closing.reason, "\"Database does not exist.\"");
    assert_int_equal(closing.last_seq.len, 0);
}

static void other_objects_are_other(void **state)
{
    (void)state;
    assert_int_equal(scan("{}"), JSON_OTHER);
    assert_int_equal(used, 2);
    assert_int_equal(scan("{ }"), JSON_OTHER);
    assert_int_equal(scan("{\"db_name\":\"s4\",\"type\":\"created\",\"seq\":\"528-g1AA\"}"),
                     JSON_OTHER);
    assert_int_equal(scan("{\"id\":5,\"seq\":1}"), JSON_OTHER);
}

static void junk_is_junk_and_touches_nothing(void **state)
{
    static const char *const junk[] = {
        "x",
        "[1]",
        "\"id\"",
        " {}",
        "{,",
        "{1",
        "{\"id\",",
        "{\"id\":,",
        "{\"id\":x",
        "{\"id\":\"a\" \"b\"",
        "{\"a\":1,}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":-}",
        "{\"a\":1e}",
        "{\"a\":tru}",
        "{\"a\":nulL}",
        "{\"a\":\"\n\"",
        "{\"a\":\"\\q\"",
        "{\"a\":\"\\u00g0\"",
        "{\"a\":+1}",
        "{\"a\":1]",
        "{\"id\":\"x\";",
        "{\"id\":\"x\"]",
        "{\"id\":\"\\u12\"}",
        "{\"a\":{}x",
        "{a:1}",
        "{'a':1}",
        "{\"a\":.5}",
    };

    (void)state;
    memset(&change, 0x55, sizeof(change));
    memset(&closing, 0x55, sizeof(closing));
    used = 4711;
    for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
        if (scan(junk[i]) != JSON_JUNK)
            fail_msg("not junk: %s", junk[i]);
    }
    assert_int_equal(scan(""), JSON_MORE);
    assert_int_equal(scan("{\"id\":\"x\",\"seq\":1"), JSON_MORE);
    assert_int_equal(used, 4711);
    assert_int_equal(change.attempt, 0x55555555);
    assert_int_equal(closing.reason.len, (size_t)0x5555555555555555);
}

/* Rows of which every cut is tried, and which both readers must see alike. */
static const char *const fixtures[] = {
    "{\"seq\":\"2-g1AAAACLeJzLYWBgYMpgTmHgzcvPy09JdcjLz8gvLskBCScyJNX___8_"
    "K4M5kTEXKMBuYplqYJJoia4Yh_"
    "Y8FiDJ0ACk_qOYYpBmamFsbIxuShYAyS8s-w\",\"id\":\"b\",\"changes\":[{\"rev\":\"" REV "\"}]}",
    "{\"seq\":\"7-g1AA\",\"id\":\"d\",\"changes\":[{\"rev\":\"2-"
    "77d4ba9b26f268aafc6d18cbe9596a0e\"}],"
    "\"deleted\":true,\"doc\":{\"_id\":\"d\",\"_rev\":\"2-77d4ba9b26f268aafc6d18cbe9596a0e\","
    "\"reason\":\"spam\",\"_deleted\":true}}",
    "{\"seq\":\"9-\",\"id\":\"e\",\"changes\":[{\"rev\":\"1-bbbb\"},{\"rev\":\"1-aaaa\"}],"
    "\"doc\":{\"_id\":\"e\","
    "\"_rev\":\"1-bbbb\",\"v\":\"B\",\"_conflicts\":[\"1-aaaa\"]}}",
    "{\"seq\":\"10-\",\"id\":\"g\",\"changes\":[{\"rev\":\"1-d74a\"}],\"doc\":{\"_id\":\"g\","
    "\"v\":1,"
    "\"_attachments\":{\"hi.txt\":{\"content_type\":\"text/plain\",\"revpos\":1,"
    "\"digest\":\"md5-7mkg+nM0HN26sZkLN8KVSA==\",\"length\":11,\"stub\":true}}}}",
    "{\"seq\":null,\"id\":\"\\u0000\\\\\\\"\xe2\x80\xa8\x7f\\ud83d\\ude00\",\"changes\":[]}",
    "{ \"\\u0069d\" : \"x\" "
    ",\r\n\"seq\":[17,{\"a\":\"]}\"}],\"deleted\":false,\"doc\":null,\"n\":-1.5E+3 }",
    "{\"id\":\"a\",\"id\":\"b\",\"doc\":{\"x\":\"\\\\\\\"}{\",\"y\":[[[]]]},\"doc\":{},\"t\":"
    "true,\"f\":false}",
    "{\"last_seq\":\"4-g1AA\",\"pending\":9}",
    "{\"error\":\"bad_request\",\"reason\":\"Malformed sequence\"}",
    "{\"big\":123456789012345678,\"id\":\"\",\"seq\":9007199254740993}",
};
enum { FIXTURES = sizeof(fixtures) / sizeof(fixtures[0]) };

static void every_cut_of_a_row_needs_more(void **state)
{
    (void)state;
    for (int i = 0; i < FIXTURES; i++) {
        size_t len = strlen(fixtures[i]);

        for (size_t cut = 0; cut < len; cut++) {
            char *text = malloc(cut); /* an own block: a read behind it is seen by ASan */

            if (cut > 0)
                memcpy(text, fixtures[i], cut);
            assert_int_equal(scan_n(text, cut), JSON_MORE);
            free(text);
        }
        assert_true(scan(fixtures[i]) < JSON_OTHER);
        assert_int_equal(used, len);
    }
}

static void assert_same_text(tr_str raw, const json_t *tree)
{
    json_t *seen;

    if (!tree) {
        assert_int_equal(raw.len, 0);
        return;
    }
    seen = json_loadb(raw.ptr, raw.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(seen);
    assert_true(json_equal(seen, tree));
    json_decref(seen);
}

/* What jansson takes for an object is scanned, and what it says is said. Whether it took it. */
static bool compare(const char *text, size_t len)
{
    json_error_t error;
    json_t *tree = json_loadb(text, len, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &error);
    const json_t *id = json_object_get(tree, "id"), *doc = json_object_get(tree, "doc");
    enum json_row_result result = scan_n(text, len);

    if (!json_is_object(tree)) {
        json_decref(tree);
        return false;
    }
    assert_int_equal(result == JSON_ROW, json_is_string(id));
    assert_true(result < JSON_MORE);
    assert_int_equal(used, error.position);
    if (result == JSON_ROW) {
        assert_int_equal(change.id.len, json_string_length(id));
        if (change.id.len > 0)
            assert_memory_equal(change.id.ptr, json_string_value(id), change.id.len);
        assert_int_equal((change.flags & TR_CHANGE_DELETED) != 0,
                         json_is_true(json_object_get(tree, "deleted")));
        assert_same_text(change.seq, json_object_get(tree, "seq"));
        assert_same_text(change.doc, json_is_object(doc) ? doc : NULL);
    }
    json_decref(tree);
    return true;
}

static void a_tree_says_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < FIXTURES; i++)
        assert_true(compare(fixtures[i], strlen(fixtures[i])));
}

static void a_tree_says_the_same_of_damaged_rows(void **state)
{
    static const char damage[] = "\"\\{}[],: 0-.eutx\n\x01\xc3";
    char text[1024];
    int taken = 0;

    (void)state;
    for (int i = 0; i < FIXTURES; i++) {
        size_t len = strlen(fixtures[i]);

        for (size_t at = 1; at < len; at++) {
            for (size_t d = 0; d < sizeof(damage) - 1; d++) {
                memcpy(text, fixtures[i], len);
                text[at] = damage[d];
                taken += compare(text, len);
            }
            memmove(text, fixtures[i], at); /* and once without the byte */
            memmove(text + at, fixtures[i] + at + 1, len - at - 1);
            taken += compare(text, len - 1);
        }
        arena_reset(&arena);
    }
    assert_true(taken > 1000);
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 4096);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_sliced_without_a_copy),
        cmocka_unit_test(flags_say_deleted_and_design),
        cmocka_unit_test(the_first_of_all_leaves_is_the_winner),
        cmocka_unit_test(missing_members_are_empty),
        cmocka_unit_test(ids_are_decoded),
        cmocka_unit_test(keys_may_be_written_with_escapes),
        cmocka_unit_test(seq_is_kept_as_it_is),
        cmocka_unit_test(the_last_of_duplicate_keys_wins),
        cmocka_unit_test(white_space_may_stand_between_all_tokens),
        cmocka_unit_test(the_closing_line_is_told_from_rows),
        cmocka_unit_test(an_error_is_told_with_its_reason),
        cmocka_unit_test(other_objects_are_other),
        cmocka_unit_test(junk_is_junk_and_touches_nothing),
        cmocka_unit_test(every_cut_of_a_row_needs_more),
        cmocka_unit_test(a_tree_says_the_same),
        cmocka_unit_test(a_tree_says_the_same_of_damaged_rows),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
