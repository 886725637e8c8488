/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin stats-calculator: what it keeps of a document is what it reads again, whatever it
 * is handed is read or refused, and options that mean nothing are.
 */
#include "test_stats_lib.h"

enum { ROUNDS = 20000 };

static unsigned random_state = 12345;

static int random_below(int limit)
{
    random_state = random_state * 1103515245u + 12345u;
    return (int)(random_state >> 8) % limit;
}

/* ---- what is kept of a document ---- */

#define KINDS                                                                                  \
    "stats = ( { name = \"n\"; figures = [ \"sum\" ]; }, { name = \"v\"; figures = [ \"top\" " \
    "]; }, "                                                                                   \
    "{ name = \"c\"; figures = [ \"count\" ]; } ); " FILE_ONLY

static void assert_kept(tr_self *self, const char *rev, const char *doc)
{
    const tr_change change = {.id = TR_STR("a"),
                              .rev = tr_str_c(rev),
                              .doc = tr_str_c(doc),
                              .flags = TR_CHANGE_HAS_DOC};
    const tr_batch batch = {.size = sizeof(batch), .db = TR_STR("db")};
    struct contribution *after = &self->after, *before = &self->before;
    tr_text kept = {0};

    assert_true(part_make(self, &batch, &change));
    part_write(self, after, 7, 123456, &kept);
    assert_true(part_read(self, before, tr_text_str(&kept), 7) && before->is_there);
    assert_true(tr_str_eq(before->rev, after->rev));
    assert_int_equal(before->group_id, 123456);
    for (uint32_t i = 0; i < self->options.measures_count; i++) {
        const struct part *a = &before->parts[i], *b = &after->parts[i];

        assert_int_equal(a->kind, b->kind);
        assert_true(a->number == b->number);
        assert_true(tr_str_eq(a->value, b->value));
    }
    /* Another generation's is none; one that was cut is refused. */
    assert_true(part_read(self, before, tr_text_str(&kept), 8) && !before->is_there);
    for (size_t len = 0; len < kept.len; len++) {
        char *cut = bytes_copy(kept.ptr, len);

        assert_false(part_read(self, before, tr_str_n(cut, len), 7) && before->is_there);
        free(cut);
    }
    tr_text_fini(&kept);
}

static void what_a_document_adds_is_kept_as_it_is(void **state)
{
    static const char *const revs[] = {"1-" REV,
                                       "123456-" REV,
                                       "01-" REV,
                                       "x",
                                       "1-",
                                       "7-" REV "0",
                                       "1-1111111111111111111111111111111G"};
    static const char *const docs[] = {
        "{\"n\":0,\"v\":\"\",\"c\":[]}",
        "{\"n\":-4503599627370495,\"v\":1e-320,\"c\":1}",
        "{\"n\":4503599627370497,\"v\":false,\"c\":{}}",
        "{\"n\":0.1,\"v\":\"\\u00e4\\u0000\"}",
        "{\"n\":\"\",\"v\":{}}",
        "{}",
    };
    struct bench bench;

    (void)state;
    bench_open(&bench, KINDS);
    for (size_t i = 0; i < sizeof(revs) / sizeof(revs[0]); i++)
        for (size_t k = 0; k < sizeof(docs) / sizeof(docs[0]); k++)
            assert_kept(bench.self, revs[i], docs[k]);
    bench_close(&bench);
}

static void whatever_was_kept_is_read_or_refused(void **state)
{
    static char bytes[200];
    struct bench bench;

    (void)state;
    bench_open(&bench, KINDS);
    for (int i = 0; i < ROUNDS; i++) {
        size_t len = (size_t)random_below(sizeof(bytes));
        struct value value;
        tr_text out = {0};

        for (size_t k = 0; k < len; k++)
            bytes[k] = (char)random_below(i % 2 ? 256 : 8);
        if (len > 0)
            bytes[0] = 7;
        (void)part_read(bench.self, &bench.self->before, tr_str_n(bytes, len), 7);
        value_read(&value, ext_json_table(), tr_str_n(bytes, len), &out);
        value_show(tr_str_n(bytes, len), ext_json_table(), &out);
        tr_text_fini(&out);
    }
    bench_close(&bench);
}

/* ---- options ---- */

#define SUM "stats = ( { name = \"v\"; figures = [ \"sum\" ]; } ); " FILE_ONLY

static void assert_mistake(const char *options, const char *part)
{
    struct bench bench;

    assert_int_not_equal(bench_check(&bench, options), TR_OK);
    if (!strstr(bench.error, part))
        fail_msg("\"%s\" is not in \"%s\"", part, bench.error);
    bench_close(&bench);
}

static void options_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    assert_mistake("stats = (); " FILE_ONLY, "must have 1 to 64");
    assert_mistake("stats = ( { name = \"v\"; figures = []; } ); " FILE_ONLY, "has no figures");
    assert_mistake("stats = ( { name = \"v\"; figures = [\"avg\"]; } ); " FILE_ONLY, "avg");
    assert_mistake(
        "stats = ( { name = \"v\"; figures = [\"sum\"]; }, { name = \"v\"; figures = "
        "[\"min\"]; } ); " FILE_ONLY,
        "there twice");
    assert_mistake(
        "stats = ( { name = \"v\"; field = \"a..b\"; figures = [\"sum\"]; } ); " FILE_ONLY,
        "is no path");
    assert_mistake("group_by = [ \"a\", \"a\" ]; " SUM, "there twice");
    assert_mistake("time: { field = \"at\"; bucket = \"1 hour\"; }; " SUM, "is no width");
    assert_mistake("time: { field = \"at\"; }; " SUM, "bucket");
    assert_mistake("quantiles = [ 0.5, 1.5 ]; " SUM, "1.5");
    assert_mistake("stats = ( { name = \"v\"; figures = [\"sum\"]; } ); publish: { };",
                   "go nowhere");
    assert_mistake("stats = ( { name = \"v\"; figures = [\"sum\"]; } ); publish: { url = "
                   "\"http://couch.example.com\"; };",
                   "is not the URL of a database");
    assert_mistake("stats = ( { name = \"v\"; figures = [\"sum\"]; } ); publish: { url = "
                   "\"http://couch.example.com/db\"; document = \"_design/x\"; };",
                   "no id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_document_adds_is_kept_as_it_is),
        cmocka_unit_test(whatever_was_kept_is_read_or_refused),
        cmocka_unit_test(options_that_mean_nothing_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
