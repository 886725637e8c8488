/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pure parts of the plugin replicator: checkpoints and where two of them part, the fast
 * road of a change, attachments, and URLs.
 */
#include "../../plugins/replicator/address.c"
#include "../../plugins/replicator/attach.c"
#include "../../plugins/replicator/body.c"
#include "../../plugins/replicator/endpoint.c"
#include "../../plugins/replicator/history.c"
#include "../../plugins/replicator/leaf.c"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

static void assert_text(tr_str text, const char *wanted)
{
    assert_int_equal(text.len, strlen(wanted));
    if (text.len > 0)
        assert_memory_equal(text.ptr, wanted, text.len);
}

/* ---- checkpoints ---- */

static void a_name_depends_on_each_part_and_where_it_ends(void **state)
{
    char one[REPLICATION_ID_HEX + 1], other[REPLICATION_ID_HEX + 1];

    (void)state;
    history_name((const tr_str[]){TR_STR("ab"), TR_STR("c")}, 2, one);
    assert_int_equal(strlen(one), REPLICATION_ID_HEX);
    history_name((const tr_str[]){TR_STR("ab"), TR_STR("c")}, 2, other);
    assert_string_equal(one, other);
    history_name((const tr_str[]){TR_STR("a"), TR_STR("bc")}, 2, other);
    assert_string_not_equal(one, other);
    history_name((const tr_str[]){TR_STR("ab"), TR_STR("c"), TR_STR("")}, 3, other);
    assert_string_not_equal(one, other);
}

static void times_are_those_of_http(void **state)
{
    char text[32];

    (void)state;
    history_time(1795704551, text);
    assert_string_equal(text, "Thu, 26 Nov 2026 14:49:11 GMT");
}

static void a_checkpoint_has_the_form_of_the_protocol(void **state)
{
    struct session session = {
        .id = "s1",
        .start_time = "then",
        .end_time = "now",
        .read = 1,
        .written = 2,
        .failures = 3,
        .checked = 4,
        .found = 5,
    };
    tr_text out = {0};

    (void)state;
    tr_text_add_c(&session.start_seq, "0");
    history_write(&out, &session, tr_str_n(NULL, 0), TR_STR("\"7-a\""), tr_str_n(NULL, 0));
    assert_text(tr_text_str(&out),
                "{\"replication_id_version\":1,\"session_id\":\"s1\",\"source_last_seq\":"
                "\"7-a\",\"history\":[{\"session_id\":\"s1\",\"start_time\":\"then\","
                "\"end_time\":\"now\",\"start_last_seq\":0,\"end_last_seq\":\"7-a\","
                "\"recorded_seq\":\"7-a\",\"missing_checked\":4,\"missing_found\":5,"
                "\"docs_read\":1,\"docs_written\":2,\"doc_write_failures\":3}]}");
    tr_text_clear(&out);
    history_write(&out, &session, TR_STR("\"0-3\""), TR_STR("8"), TR_STR("{\"x\":1}"));
    assert_memory_equal(out.ptr, "{\"_rev\":\"0-3\",", 14);
    assert_memory_equal(out.ptr + out.len - 11, "},{\"x\":1}]}", 11);
    tr_text_fini(&out);
    tr_text_fini(&session.start_seq);
}

#define ENTRY(id_, seq_) "{\"session_id\":\"" id_ "\",\"recorded_seq\":" seq_ "}"
#define BOOKS(id_, seq_, entries_)                                                             \
    "{\"session_id\":\"" id_ "\",\"source_last_seq\":" seq_ ",\"history\":[" entries_ "]}"

static void assert_common(const char *source, const char *target, const char *seq,
                          const char *older)
{
    tr_str found, entries;

    assert_true(history_common(tr_str_c(source), tr_str_c(target), &found, &entries));
    assert_text(found, seq);
    assert_text(entries, older);
}

static void the_same_session_is_where_the_target_says(void **state)
{
    (void)state;
    assert_common(BOOKS("b", "\"9\"", ENTRY("b", "\"9\"") "," ENTRY("a", "\"5\"")),
                  BOOKS("b", "\"9\"", ENTRY("b", "\"9\"")), "\"9\"",
                  ENTRY("b", "\"9\"") "," ENTRY("a", "\"5\""));
    assert_common(BOOKS("b", "\"9\"", ENTRY("b", "\"9\"")),
                  BOOKS("b", "\"7\"", ENTRY("b", "\"7\"")), "\"7\"", ENTRY("b", "\"9\""));
}

static void else_the_newest_session_that_both_know_of_counts(void **state)
{
    (void)state;
    assert_common(BOOKS("c", "9", ENTRY("c", "9") "," ENTRY("b", "7") "," ENTRY("a", "5")),
                  BOOKS("d", "8", ENTRY("d", "8") "," ENTRY("b", "6") "," ENTRY("a", "5")), "6",
                  ENTRY("b", "7") "," ENTRY("a", "5"));
}

static void what_has_nothing_in_common_begins_anew(void **state)
{
    static const char *const others[] = {
        "{}",
        "",
        "[]",
        "{\"session_id\":\"b\"}",
        BOOKS("d", "8", ENTRY("d", "8")),
        BOOKS("d", "8", ENTRY("b", "null")),
        BOOKS("b", "null", ""),
    };
    tr_str seq, older;

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(history_common(TR_STR(BOOKS("b", "9", ENTRY("b", "9"))),
                                    tr_str_c(others[i]), &seq, &older));
        assert_false(
            history_common(tr_str_c(others[i]), TR_STR(BOOKS("b", "9", "")), &seq, &older));
    }
}

static void a_history_does_not_grow_beyond_its_limit(void **state)
{
    tr_text source = {0}, list = {0};
    tr_str seq, older, key, entry;
    tr_scan scan;
    int count = 0;

    (void)state;
    tr_text_add_c(&source, "{\"session_id\":\"s0\",\"source_last_seq\":1,\"history\":[");
    for (int i = 0; i < 80; i++)
        tr_text_addf(&source, "%s{\"session_id\":\"s%d\",\"recorded_seq\":1}", i ? "," : "", i);
    tr_text_add_c(&source, "]}");
    assert_true(history_common(tr_text_str(&source), tr_text_str(&source), &seq, &older));
    tr_text_add_c(&list, "[");
    tr_text_add(&list, older);
    tr_text_add_c(&list, "]");
    assert_true(tr_scan_open(&scan, tr_text_str(&list), '['));
    while (tr_scan_next(&scan, &key, &entry) == 1)
        count++;
    assert_int_equal(count, HISTORY_MAX - 1);
    tr_text_fini(&list);
    tr_text_fini(&source);
}

static void where_to_begin_is_where_nothing_can_be_missing(void **state)
{
    const tr_str ours = TR_STR(BOOKS("b", "9", ENTRY("b", "9"))), none = TR_STR("{}");
    const tr_str behind = TR_STR(BOOKS("b", "7", ENTRY("b", "7")));
    tr_str seq = tr_str_n(NULL, 0);

    (void)state;
    /* The host's own position is at or behind that of the books. */
    assert_int_equal(history_judge(ours, ours, true, false, &seq), HISTORY_HOST);
    assert_int_equal(history_judge(ours, ours, true, true, &seq), HISTORY_HOST);
    assert_int_equal(history_judge(ours, behind, true, false, &seq), HISTORY_COMMON);
    assert_text(seq, "7");
    assert_int_equal(history_judge(ours, ours, false, false, &seq), HISTORY_COMMON);
    assert_text(seq, "9");
    /* Nobody ever wrote books, or not this end. */
    assert_int_equal(history_judge(none, none, true, false, &seq), HISTORY_HOST);
    assert_int_equal(history_judge(none, none, false, true, &seq), HISTORY_HOST);
    assert_int_equal(history_judge(none, ours, true, false, &seq), HISTORY_HOST);
    /* The target is another one. */
    assert_int_equal(history_judge(none, none, true, true, &seq), HISTORY_AGAIN);
    assert_int_equal(history_judge(ours, none, true, false, &seq), HISTORY_AGAIN);
    assert_int_equal(history_judge(ours, none, false, false, &seq), HISTORY_HOST);
}

/* ---- the fast road ---- */

struct fixture {
    tr_self self;
    struct job job;
    tr_batch batch;
    tr_change change;
    uint32_t first[2];
};

/* A change of one leaf. */
static void set_change(struct fixture *f, const char *rev, const char *doc)
{
    *f = (struct fixture){.first = {0, 1}};
    f->job.self = &f->self;
    f->job.batch = &f->batch;
    f->job.first = f->first;
    f->batch = (tr_batch){.changes = &f->change, .count = 1, .stride = sizeof(tr_change)};
    f->change.rev = tr_str_c(rev);
    f->change.doc = tr_str_c(doc);
    f->change.flags = doc[0] ? TR_CHANGE_HAS_DOC : 0;
}

static void a_first_revision_is_written_as_the_feed_has_it(void **state)
{
    struct fixture f;
    tr_text out = {0};

    (void)state;
    set_change(&f, "1-abc", "{\"_id\":\"a\",\"_rev\":\"1-abc\",\"v\":{\"_x\":[]}}");
    assert_true(leaf_is_fast(&f.job, 0));
    leaf_add_from_feed(&f.self, &out, &f.change);
    assert_text(tr_text_str(&out), "{\"_revisions\":{\"start\":1,\"ids\":[\"abc\"]},"
                                   "\"_id\":\"a\",\"_rev\":\"1-abc\",\"v\":{\"_x\":[]}}");
    tr_text_fini(&out);
    set_change(&f, "1-abc", "{\"_id\":\"a\",\"_rev\":\"1-abc\",\"_deleted\":true}");
    assert_true(leaf_is_fast(&f.job, 0));
}

static void all_else_is_fetched(void **state)
{
    static const struct {
        const char *rev, *doc;
    } slow[] = {
        {"2-abc", "{\"_id\":\"a\",\"_rev\":\"2-abc\"}"},
        {"12-abc", "{\"_id\":\"a\",\"_rev\":\"12-abc\"}"},
        {"1-abc", ""},
        {"1-abc", "{\"_id\":\"a\",\"_rev\":\"1-abd\"}"},
        {"1-abc", "{\"_id\":\"a\",\"_rev\":\"2-abc\"}"},
        {"1-abc", "{\"_id\":\"a\"}"},
        {"1-abc", "{\"_id\":\"a\",\"_rev\":\"1-abc\",\"_attachments\":{}}"},
        {"1-abc", "{\"_id\":\"a\",\"_rev\":\"1-abc\",\"_conflicts\":[]}"},
        {"1-abc", "{\"_id\":\"a\",\"_rev\":\"1-abc\""},
        {"1-", "{\"_id\":\"a\",\"_rev\":\"1-\"}"},
    };
    struct fixture f;

    (void)state;
    for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
        set_change(&f, slow[i].rev, slow[i].doc);
        assert_false(leaf_is_fast(&f.job, 0));
    }
    set_change(&f, "1-abc", "{\"_id\":\"a\",\"_rev\":\"1-abc\"}");
    f.first[1] = 2;
    assert_false(leaf_is_fast(&f.job, 0));
}

static void attachments_are_copied_dropped_or_refused(void **state)
{
    static const char doc[] = "{\"_id\":\"a\",\"_attachments\":{\"x\":{}} ,\"v\":1}";
    struct fixture f;
    tr_text out = {0};
    const char *why = "";

    (void)state;
    set_change(&f, "1-abc", "{\"_id\":\"a\",\"_rev\":\"1-abc\",\"_attachments\":{}}");
    assert_true(attach_add_members(&f.self, &out, tr_str_c(doc), &why));
    assert_text(tr_text_str(&out), doc + 1);
    tr_text_clear(&out);
    f.self.options.attachments = ATTACHMENTS_DROP;
    assert_true(leaf_is_fast(&f.job, 0));
    assert_true(attach_add_members(&f.self, &out, tr_str_c(doc), &why));
    assert_text(tr_text_str(&out), "\"_id\":\"a\",\"v\":1}");
    f.self.options.attachments = ATTACHMENTS_REJECT;
    assert_false(leaf_is_fast(&f.job, 0));
    assert_false(attach_add_members(&f.self, &out, tr_str_c(doc), &why));
    assert_non_null(strstr(why, "attachments"));
    tr_text_fini(&out);
}

/* ---- URLs ---- */

static void a_url_is_taken_apart(void **state)
{
    tr_text bare = {0};

    (void)state;
    assert_text(address_name(TR_STR("http://u@h:1/p/a%2Fb")), "a%2Fb");
    assert_text(address_server(TR_STR("http://u@h:1/p/a%2Fb")), "http://u@h:1/p");
    address_add_bare(&bare, TR_STR("https://u:p@h:1/a@b"));
    assert_text(tr_text_str(&bare), "https://h:1/a@b");
    tr_text_clear(&bare);
    address_add_bare(&bare, TR_STR("http://h/a"));
    assert_text(tr_text_str(&bare), "http://h/a");
    tr_text_fini(&bare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_depends_on_each_part_and_where_it_ends),
        cmocka_unit_test(times_are_those_of_http),
        cmocka_unit_test(a_checkpoint_has_the_form_of_the_protocol),
        cmocka_unit_test(the_same_session_is_where_the_target_says),
        cmocka_unit_test(else_the_newest_session_that_both_know_of_counts),
        cmocka_unit_test(what_has_nothing_in_common_begins_anew),
        cmocka_unit_test(a_history_does_not_grow_beyond_its_limit),
        cmocka_unit_test(where_to_begin_is_where_nothing_can_be_missing),
        cmocka_unit_test(a_first_revision_is_written_as_the_feed_has_it),
        cmocka_unit_test(all_else_is_fetched),
        cmocka_unit_test(attachments_are_copied_dropped_or_refused),
        cmocka_unit_test(a_url_is_taken_apart),
    };

    return cmocka_run_group_tests_name("replicator", tests, NULL, NULL);
}
