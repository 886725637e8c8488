/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin stats-calculator on a state in memory: what becomes of documents that come, change
 * and go, in whatever order of failures, crashes and starts; bounds; databases.
 */
#include "test_stats_lib.h"

static void assert_page(struct bench *bench, const char *wanted)
{
    assert_string_equal(bench_page(bench), wanted);
}

static void send_one(struct bench *bench, const char *id, const char *rev, const char *doc)
{
    const struct update update = {id, rev, doc};

    assert_int_equal(bench_send(bench, "s1", "db", &update, 1, 0), TR_OK);
}

#define SUM                                                                                    \
    "stats = ( { name = \"v\"; figures = [ \"count\", \"sum\", \"min\", \"max\" ]; } "         \
    "); " FILE_ONLY
#define FIGURES(count_, missing_, invalid_, sum_, min_, max_)                                  \
    "\"figures\":{\"v\":{\"count\":" #count_ ",\"missing\":" #missing_                         \
    ",\"invalid\":" #invalid_ ",\"sum\":" #sum_ ",\"min\":" #min_ ",\"max\":" #max_ "}}"

/* ---- one document ---- */

static void a_document_counts_as_what_it_is_now(void **state)
{
    struct bench bench;

    (void)state;
    bench_open(&bench, SUM);
    assert_page(&bench,
                "{\"databases\":0,\"documents\":0," FIGURES(0, 0, 0, 0, null, null) "}");
    send_one(&bench, "a", "1-" REV, "{\"v\":2}");
    send_one(&bench, "b", "1-" REV, "{\"v\":0.5}");
    assert_page(&bench, "{\"databases\":1,\"documents\":2," FIGURES(2, 0, 0, 2.5, 0.5, 2) "}");
    send_one(&bench, "a", "2-" REV, "{\"v\":-7}");
    assert_page(&bench,
                "{\"databases\":1,\"documents\":2," FIGURES(2, 0, 0, -6.5, -7, 0.5) "}");
    send_one(&bench, "a", "3-" REV, NULL);
    assert_page(&bench,
                "{\"databases\":1,\"documents\":1," FIGURES(1, 0, 0, 0.5, 0.5, 0.5) "}");
    send_one(&bench, "b", "2-" REV, NULL);
    assert_page(&bench,
                "{\"databases\":1,\"documents\":0," FIGURES(0, 0, 0, 0, null, null) "}");
    assert_int_equal(places[0].now.count, 1); /* what the stream is, and nothing more         */
    bench_close(&bench);
    bench_forget();
}

static void values_of_the_wrong_kind_are_counted_and_left_out(void **state)
{
    static const char *const docs[] = {
        "{\"v\":1}",      "{}",         "{\"v\":null}", "{\"v\":\"1\"}", "{\"v\":1e999}",
        "{\"v\":[1]}",    "{\"v\":{}}", "{\"v\":true}", "{\"v\":-0}",    "{\"w\":{\"v\":1}}",
        "{\"v\":\"NaN\"}"};
    struct bench bench;
    char id[2] = "a";

    (void)state;
    bench_open(&bench, SUM);
    for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++, id[0]++)
        send_one(&bench, id, "1-" REV, docs[i]);
    assert_page(&bench, "{\"databases\":1,\"documents\":11," FIGURES(2, 3, 6, 1, 0, 1) "}");
    send_one(&bench, "d", "2-" REV, "{\"v\":3}");
    assert_page(&bench, "{\"databases\":1,\"documents\":11," FIGURES(3, 3, 5, 4, 0, 3) "}");
    bench_close(&bench);
    bench_forget();
}

static void what_comes_twice_counts_once(void **state)
{
    const struct update updates[] = {{"a", "1-" REV, "{\"v\":2}"},
                                     {"a", "1-" REV, "{\"v\":2}"},
                                     {"a", "2-x", "{\"v\":5}"},
                                     {"a", "2-x", "{\"v\":5}"}};
    struct bench bench;

    (void)state;
    bench_open(&bench, SUM);
    for (int i = 0; i < 3; i++)
        assert_int_equal(bench_send(&bench, "s1", "db", updates, 4, 0), TR_OK);
    assert_page(&bench, "{\"databases\":1,\"documents\":1," FIGURES(1, 0, 0, 5, 5, 5) "}");
    assert_int_equal(bench_send(&bench, "s1", "db", updates, 1, TR_BATCH_REPLAY), TR_OK);
    assert_page(&bench, "{\"databases\":1,\"documents\":1," FIGURES(1, 0, 0, 5, 5, 5) "}");
    bench_close(&bench);
    bench_forget();
}

/* What was kept of it went with its stream, with all (i = 0) or a part of it. */
static void what_was_rolled_back_and_comes_again_counts_once(void **state)
{
    const struct update updates[] = {
        {"a", "1-" REV, "{\"v\":2}"}, {"b", "1-" REV, "{\"v\":3}"}, {"a", "2-x", "{\"v\":5}"}};
    struct bench bench;

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        bench_open(&bench, SUM);
        if (i > 0)
            assert_int_equal(bench_send(&bench, "s1", "db", updates, i, 0), TR_OK);
        bench_commit();
        assert_int_equal(bench_send(&bench, "s1", "db", updates, 3, 0), TR_OK);
        bench_crash();
        assert_int_equal(
            bench_send(&bench, "s1", "db", &updates[i], 3 - i, TR_BATCH_ROLLED_BACK), TR_OK);
        assert_page(&bench, "{\"databases\":1,\"documents\":2," FIGURES(2, 0, 0, 8, 3, 5) "}");
        bench_close(&bench);
        bench_forget();
    }
}

static void long_ids_are_told_apart(void **state)
{
    struct bench bench;
    char one[1500], two[1500];

    (void)state;
    memset(one, 'i', sizeof(one));
    memset(two, 'i', sizeof(two));
    one[1499] = two[1499] = '\0';
    two[1498] = 'j';
    bench_open(&bench, SUM);
    send_one(&bench, one, "1-" REV, "{\"v\":1}");
    send_one(&bench, two, "1-" REV, "{\"v\":2}");
    send_one(&bench, one, "2-" REV, NULL);
    assert_page(&bench, "{\"databases\":1,\"documents\":1," FIGURES(1, 0, 0, 2, 2, 2) "}");
    bench_close(&bench);
    bench_forget();
}

static void only_what_is_meant_counts(void **state)
{
    struct bench bench;

    (void)state;
    bench_open(&bench, "where = ( { field = \"type\"; is = [ \"post\", \"7\" ]; }, "
                       "{ field = \"a.b\"; is = \"true\"; } ); " SUM);
    send_one(&bench, "a", "1-" REV, "{\"type\":\"p\\u006fst\",\"a\":{\"b\":true},\"v\":1}");
    send_one(&bench, "b", "1-" REV, "{\"type\":7,\"a\":{\"b\":true},\"v\":2}");
    send_one(&bench, "c", "1-" REV, "{\"type\":\"other\",\"a\":{\"b\":true},\"v\":4}");
    send_one(&bench, "d", "1-" REV, "{\"type\":\"post\",\"v\":8}");
    assert_page(&bench, "{\"databases\":1,\"documents\":2," FIGURES(2, 0, 0, 3, 1, 2) "}");
    send_one(&bench, "a", "2-" REV, "{\"type\":\"page\",\"a\":{\"b\":true},\"v\":1}");
    assert_page(&bench, "{\"databases\":1,\"documents\":1," FIGURES(1, 0, 0, 2, 2, 2) "}");
    bench_close(&bench);
    bench_forget();
}

/* ---- groups ---- */

static void documents_move_from_group_to_group(void **state)
{
    struct bench bench;

    (void)state;
    bench_open(&bench,
               "group_by = [ \"c.country\", \"n\" ]; time: { field = \"at\"; bucket = "
               "\"1d\"; }; stats = ( { name = \"v\"; figures = [ \"sum\" ]; } ); " FILE_ONLY);
    send_one(&bench, "a", "1-" REV,
             "{\"c\":{\"country\":\"DE\"},\"n\":1.0,\"at\":\"2026-11-26T12:00:00Z\",\"v\":1}");
    send_one(&bench, "b", "1-" REV,
             "{\"c\":{\"country\":\"AT\"},\"n\":1,\"at\":\"2026-11-26T13:00:00Z\",\"v\":2}");
    send_one(&bench, "c", "1-" REV, "{\"c\":{\"country\":[]},\"at\":\"soon\",\"v\":4}");
    assert_page(&bench,
                "{\"databases\":1,\"documents\":3,\"groups\":["
                "{\"group\":{\"c.country\":null,\"n\":null},\"time\":null,\"documents\":1,"
                "\"figures\":{\"v\":{\"count\":1,\"missing\":0,\"invalid\":0,\"sum\":4}}},"
                "{\"group\":{\"c.country\":\"AT\",\"n\":1},\"time\":\"2026-11-26T00:00:00Z\","
                "\"documents\":1,\"figures\":{\"v\":{\"count\":1,\"missing\":0,\"invalid\":0,"
                "\"sum\":2}}},"
                "{\"group\":{\"c.country\":\"DE\",\"n\":1},\"time\":\"2026-11-26T00:00:00Z\","
                "\"documents\":1,\"figures\":{\"v\":{\"count\":1,\"missing\":0,\"invalid\":0,"
                "\"sum\":1}}}]}");
    send_one(&bench, "a", "2-" REV,
             "{\"c\":{\"country\":\"AT\"},\"n\":1,\"at\":1795651200,\"v\":1}");
    send_one(&bench, "c", "2-" REV, NULL);
    assert_page(&bench,
                "{\"databases\":1,\"documents\":2,\"groups\":["
                "{\"group\":{\"c.country\":\"AT\",\"n\":1},\"time\":\"2026-11-26T00:00:00Z\","
                "\"documents\":2,\"figures\":{\"v\":{\"count\":2,\"missing\":0,\"invalid\":0,"
                "\"sum\":3}}}]}");
    bench_close(&bench);
    bench_forget();
}

#define BOUNDED                                                                                \
    "group_by = \"g\"; max_groups = 2; stats = ( { name = \"v\"; figures = "                   \
    "[ \"sum\" ]; } ); " FILE_ONLY
#define GROUP(name_, documents_, sum_)                                                         \
    "{\"group\":{\"g\":\"" name_ "\"},\"documents\":" #documents_                              \
    ",\"figures\":{\"v\":{\"count\":" #documents_                                              \
    ",\"missing\":0,\"invalid\":0,\"sum\":" #sum_ "}}}"
#define OTHER(documents_, sum_)                                                                \
    ",\"other\":{\"documents\":" #documents_ ",\"figures\":{\"v\":{\"count\":" #documents_     \
    ",\"missing\":0,\"invalid\":0,\"sum\":" #sum_ "}}}"

static void groups_that_are_too_many_are_other(void **state)
{
    struct bench bench;

    (void)state;
    bench_open(&bench, BOUNDED);
    send_one(&bench, "a", "1-" REV, "{\"g\":\"A\",\"v\":1}");
    send_one(&bench, "b", "1-" REV, "{\"g\":\"B\",\"v\":2}");
    send_one(&bench, "c", "1-" REV, "{\"g\":\"C\",\"v\":4}");
    send_one(&bench, "d", "1-" REV, "{\"g\":\"D\",\"v\":8}");
    send_one(&bench, "e", "1-" REV, "{\"g\":\"A\",\"v\":16}");
    assert_page(&bench, "{\"databases\":1,\"documents\":5,\"groups\":[" GROUP(
                            "A", 2, 17) "," GROUP("B", 1, 2) "]" OTHER(2, 12) "}");
    assert_non_null(strstr(bench_log, "max_groups = 2"));
    /* A group has all its documents, or there is none of it. */
    send_one(&bench, "b", "2-" REV, NULL);
    send_one(&bench, "f", "1-" REV, "{\"g\":\"C\",\"v\":32}");
    assert_page(&bench, "{\"databases\":1,\"documents\":5,\"groups\":[" GROUP(
                            "A", 2, 17) "]" OTHER(3, 44) "}");
    send_one(&bench, "c", "2-" REV, NULL);
    send_one(&bench, "d", "2-" REV, NULL);
    send_one(&bench, "f", "2-" REV, NULL);
    send_one(&bench, "f", "3-" REV, "{\"g\":\"C\",\"v\":32}");
    assert_page(&bench, "{\"databases\":1,\"documents\":3,\"groups\":[" GROUP(
                            "A", 2, 17) "," GROUP("C", 1, 32) "]}");
    bench_close(&bench);
    bench_forget();
}

/* ---- values ---- */

#define VALUES                                                                                 \
    "stats = ( { name = \"v\"; figures = [ \"distinct\", \"top\" ]; } ); top = 2; " FILE_ONLY

static void values_are_counted_one_by_one(void **state)
{
    struct bench bench;

    (void)state;
    bench_open(&bench, VALUES);
    send_one(&bench, "a", "1-" REV, "{\"v\":\"x\"}");
    send_one(&bench, "b", "1-" REV, "{\"v\":\"x\"}");
    send_one(&bench, "c", "1-" REV, "{\"v\":1}");
    send_one(&bench, "d", "1-" REV, "{\"v\":true}");
    send_one(&bench, "e", "1-" REV, "{\"v\":[]}");
    assert_page(&bench, "{\"databases\":1,\"documents\":5,\"figures\":{\"v\":{\"count\":4,"
                        "\"missing\":0,\"invalid\":1,\"distinct\":3,\"top\":["
                        "{\"value\":\"x\",\"count\":2},{\"value\":true,\"count\":1}]}}}");
    send_one(&bench, "a", "2-" REV, "{\"v\":1.0}");
    send_one(&bench, "b", "2-" REV, NULL);
    assert_page(&bench, "{\"databases\":1,\"documents\":4,\"figures\":{\"v\":{\"count\":3,"
                        "\"missing\":0,\"invalid\":1,\"distinct\":2,\"top\":["
                        "{\"value\":1,\"count\":2},{\"value\":true,\"count\":1}]}}}");
    bench_close(&bench);
    bench_forget();
}

/* Put together from two databases, and known of one. */
static void values_of_several_databases_are_counted_once(void **state)
{
    const struct update one[] = {{"a", "1-" REV, "{\"v\":1}"}, {"b", "1-" REV, "{\"v\":2}"}};
    const struct update two[] = {{"a", "1-" REV, "{\"v\":2}"}, {"b", "1-" REV, "{\"v\":3}"}};
    const struct update gone[] = {{"a", "2-" REV, NULL}, {"b", "2-" REV, NULL}};
    struct bench bench;

    (void)state;
    bench_open(&bench, "stats = ( { name = \"v\"; figures = [ \"distinct\" ]; } ); " FILE_ONLY);
    assert_int_equal(bench_send(&bench, "s1", "db", one, 2, 0), TR_OK);
    assert_non_null(strstr(bench_page(&bench), "\"distinct\":2}"));
    assert_int_equal(bench_send(&bench, "s2", "other", two, 2, 0), TR_OK);
    assert_non_null(strstr(bench_page(&bench), "\"distinct\":3}"));
    assert_int_equal(bench_send(&bench, "s1", "db", gone, 2, 0), TR_OK);
    assert_non_null(strstr(bench_page(&bench), "\"distinct\":2}"));
    bench_close(&bench);
    bench_forget();
}

static void texts_that_are_long_are_told_apart(void **state)
{
    struct bench bench;
    char doc[400];

    (void)state;
    bench_open(&bench, VALUES);
    for (char c = 'a'; c < 'd'; c++) {
        const char id[2] = {c, '\0'};

        snprintf(doc, sizeof(doc), "{\"v\":\"%0300d%c\"}", 7, c == 'a' ? 'x' : 'y');
        send_one(&bench, id, "1-" REV, doc);
    }
    assert_non_null(strstr(bench_page(&bench), "\"distinct\":2,\"top\":[{\"value\":\"000"));
    assert_non_null(strstr(bench_page(&bench), "…\",\"count\":2}"));
    bench_close(&bench);
    bench_forget();
}

enum { MANY_VALUES = 2000 };

/* Documents `from` and up in one batch: each with a value of its own, or deleted. */
static void send_many(struct bench *bench, int from, bool is_deletion)
{
    static char texts[MANY_VALUES][2][24];
    static struct update updates[MANY_VALUES];

    for (int i = from; i < MANY_VALUES; i++) {
        snprintf(texts[i][0], sizeof(texts[i][0]), "d%d", i);
        snprintf(texts[i][1], sizeof(texts[i][1]), "{\"v\":%d}", i);
        updates[i] = (struct update){texts[i][0], is_deletion ? "2-" REV : "1-" REV,
                                     is_deletion ? NULL : texts[i][1]};
    }
    assert_int_equal(
        bench_send(bench, "s1", "db", updates + from, (uint32_t)(MANY_VALUES - from), 0),
        TR_OK);
}

/* Values beyond the bound come and go; the estimate follows, and in the end it is exact. */
static void values_that_are_too_many_are_estimated(void **state)
{
    struct bench bench;
    double distinct = 0;
    const char *page;

    (void)state;
    bench_open(&bench, "max_values = 100; " VALUES);
    send_many(&bench, 0, false);
    page = bench_page(&bench);
    assert_int_equal(sscanf(strstr(page, "\"distinct\":"), "\"distinct\":%lf", &distinct), 1);
    assert_true(distinct > 0.9 * MANY_VALUES && distinct < 1.1 * MANY_VALUES);
    assert_non_null(strstr(page, "\"approximate\":{\"distinct\":0.023,\"top\":1900}"));
    assert_non_null(strstr(bench_log, "v has more than max_values = 100 different values"));
    send_many(&bench, 50, true);
    assert_non_null(strstr(bench_page(&bench), "\"distinct\":50,"));
    assert_null(strstr(bench_page(&bench), "approximate"));
    bench_close(&bench);
    bench_forget();
}

/* ---- databases ---- */

static void totals_are_of_all_databases(void **state)
{
    const struct update one = {"a", "1-" REV, "{\"v\":1}"}, two = {"a", "1-" REV, "{\"v\":2}"};
    struct bench bench;

    (void)state;
    bench_open(&bench, SUM);
    assert_int_equal(bench_send(&bench, "s1", "db", &one, 1, 0), TR_OK);
    assert_int_equal(bench_send(&bench, "s2", "other", &two, 1, 0), TR_OK);
    assert_page(&bench, "{\"databases\":2,\"documents\":2," FIGURES(2, 0, 0, 3, 1, 2) "}");
    /* One is deleted and made again. */
    assert_int_equal(bench_send(&bench, "s3", "db", &two, 1, 0), TR_OK);
    assert_page(&bench, "{\"databases\":2,\"documents\":2," FIGURES(2, 0, 0, 4, 2, 2) "}");
    assert_int_equal(places[0].now.count, 0);
    bench_close(&bench);
    bench_open(&bench, SUM);
    assert_page(&bench, "{\"databases\":2,\"documents\":2," FIGURES(2, 0, 0, 4, 2, 2) "}");
    bench_close(&bench);
    bench_forget();
}

static void ask_begin(struct bench *bench, const char *stream, bool has_checkpoint)
{
    const tr_begin question = {.size = sizeof(question),
                               .has_checkpoint = has_checkpoint,
                               .question = 1,
                               .source = TR_STR("main"),
                               .db = TR_STR("db"),
                               .stream = tr_str_c(stream),
                               .seq = has_checkpoint ? TR_STR("\"9-x\"") : TR_STR("\"3-x\"")};
    const tr_position *position = tr_plugin_v1()->get_ext(TR_EXT_POSITION);

    position->begin(bench->self, &question);
}

static void other_options_count_anew_from_where_it_began(void **state)
{
    struct bench bench;

    (void)state;
    bench_open(&bench, VALUES);
    ask_begin(&bench, "s1", false);
    assert_int_equal(bench_answer.len, 0);
    send_one(&bench, "a", "1-" REV, "{\"v\":1}");
    send_one(&bench, "b", "1-" REV, "{\"v\":2}");
    bench_close(&bench);

    bench_open(&bench, SUM);
    assert_page(&bench,
                "{\"databases\":0,\"documents\":0," FIGURES(0, 0, 0, 0, null, null) "}");
    ask_begin(&bench, "s1", true);
    assert_true(tr_str_eq(bench_answer, TR_STR("\"3-x\"")));
    send_one(&bench, "a", "1-" REV, "{\"v\":1}");
    ask_begin(&bench, "s1", true);
    assert_int_equal(bench_answer.len, 0);
    assert_page(&bench, "{\"databases\":1,\"documents\":1," FIGURES(1, 0, 0, 1, 1, 1) "}");
    send_one(&bench, "b", "1-" REV, "{\"v\":2}");
    assert_page(&bench, "{\"databases\":1,\"documents\":2," FIGURES(2, 0, 0, 3, 1, 2) "}");
    /* The stream, two documents, a group, two numbers: nothing of before. */
    assert_int_equal(places[0].now.count, 6);
    bench_close(&bench);

    /* What is only shown otherwise is counted already. */
    bench_open(&bench, "max_groups = 5; " SUM);
    ask_begin(&bench, "s1", true);
    assert_int_equal(bench_answer.len, 0);
    assert_page(&bench, "{\"databases\":1,\"documents\":2," FIGURES(2, 0, 0, 3, 1, 2) "}");
    bench_close(&bench);
    bench_forget();
}

static void state_of_a_later_version_is_refused(void **state)
{
    const tr_plugin *plugin = tr_plugin_v1();
    struct bench bench;
    tr_error error = {sizeof(error), sizeof(bench.error), bench.error};

    (void)state;
    bench_open(&bench, SUM);
    send_one(&bench, "a", "1-" REV, "{\"v\":1}");
    bench_close(&bench);
    for (size_t i = 0; i < places[0].now.count; i++)
        if (places[0].now.pairs[i].key[0] == 'm')
            places[0].now.pairs[i].value[0] = 2;
    assert_int_equal(bench_check(&bench, SUM), TR_OK);
    assert_int_equal(plugin->open(&bench_host, &bench.self, &error), TR_OK);
    assert_int_equal(plugin->configure(bench.self, &bench.options, &error), TR_OK);
    assert_int_equal(plugin->start(bench.self, &error), TR_EINVAL);
    assert_non_null(strstr(bench.error, "of a later version, or damaged; start again"));
    bench_close(&bench);
    bench_forget();
}

/* ---- whatever happens ---- */

enum { DOCS = 60, ROUNDS = 400, GROUPS = 4, BATCH = 12 };

struct model {
    int generation, group, value; /* group < 0: it is not there                              */
};

static unsigned random_state = 12345;

static int random_below(int limit)
{
    random_state = random_state * 1103515245u + 12345u;
    return (int)(random_state >> 8) % limit;
}

/* The figures of the model, as a page. */
static void recount(const struct model *docs, char *page, size_t cap)
{
    struct buf out = {0};
    const char *comma = "";
    int all = 0;

    for (int i = 0; i < DOCS; i++)
        all += docs[i].group >= 0;
    buf_addf(&out, "{\"databases\":1,\"documents\":%d,\"groups\":[", all);
    for (int group = 0; group < GROUPS; group++) {
        int count = 0, sum = 0, min = 0, max = 0, distinct = 0, seen[100] = {0};
        long squares = 0;

        for (int i = 0; i < DOCS; i++) {
            int value = docs[i].value;

            if (docs[i].group != group)
                continue;
            min = count == 0 || value < min ? value : min;
            max = count == 0 || value > max ? value : max;
            count++;
            sum += value;
            squares += value * value;
            distinct += seen[value + 50]++ == 0;
        }
        if (count == 0)
            continue;
        buf_addf(&out,
                 "%s{\"group\":{\"g\":\"g%d\"},\"documents\":%d,\"figures\":{\"v\":{"
                 "\"count\":%d,\"missing\":0,\"invalid\":0,\"sum\":%d,\"sumsqr\":%ld,"
                 "\"min\":%d,\"max\":%d,\"distinct\":%d}}}",
                 comma, group, count, count, sum, squares, min, max, distinct);
        comma = ",";
    }
    buf_addf(&out, "]}");
    assert_true(out.len < cap);
    memcpy(page, out.ptr, out.len);
    page[out.len] = '\0';
    buf_fini(&out);
}

static void change_some(struct model *docs, struct update *updates, char texts[BATCH][3][80])
{
    for (int k = 0; k < BATCH; k++) {
        int i = random_below(DOCS);

        docs[i].generation++;
        docs[i].group = random_below(GROUPS + 1) - 1;
        docs[i].value = random_below(100) - 50;
        snprintf(texts[k][0], 80, "doc%d", i);
        snprintf(texts[k][1], 80, "%d-%032x", docs[i].generation, docs[i].generation);
        snprintf(texts[k][2], 80, "{\"g\":\"g%d\",\"v\":%d}", docs[i].group, docs[i].value);
        updates[k] = (struct update){texts[k][0], texts[k][1],
                                     docs[i].group >= 0 ? texts[k][2] : NULL};
    }
}

static void figures_are_those_of_a_recount_whatever_fails(void **state)
{
    static const char options[] =
        "group_by = \"g\"; stats = ( { name = \"v\"; figures = [ \"count\", \"sum\", "
        "\"sumsqr\", \"min\", \"max\", \"distinct\" ]; } ); " FILE_ONLY;
    static struct model docs[DOCS], durable[DOCS];
    static char texts[BATCH][3][80], wanted[4096];
    struct update updates[BATCH];
    struct bench bench;

    (void)state;
    for (int i = 0; i < DOCS; i++)
        docs[i] = durable[i] = (struct model){0, -1, 0};
    bench_open(&bench, options);
    for (int round = 0; round < ROUNDS; round++) {
        change_some(docs, updates, texts);
        calls_until_trouble = random_below(2) ? random_below(120) : -1;
        while (bench_send(&bench, "s1", "db", updates, BATCH, 0) != TR_OK)
            calls_until_trouble = random_below(3) ? random_below(200) : -1;
        calls_until_trouble = -1;
        recount(docs, wanted, sizeof(wanted));
        assert_page(&bench, wanted);
        if (random_below(4) == 0) {
            bench_commit();
            memcpy(durable, docs, sizeof(docs));
        }
        if (random_below(5) == 0) { /* killed, started, and what was not durable comes again  */
            bench_close(&bench);
            bench_crash();
            memcpy(docs, durable, sizeof(docs));
            bench_open(&bench, options);
        }
    }
    bench_close(&bench);
    bench_forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_counts_as_what_it_is_now),
        cmocka_unit_test(values_of_the_wrong_kind_are_counted_and_left_out),
        cmocka_unit_test(what_comes_twice_counts_once),
        cmocka_unit_test(what_was_rolled_back_and_comes_again_counts_once),
        cmocka_unit_test(long_ids_are_told_apart),
        cmocka_unit_test(only_what_is_meant_counts),
        cmocka_unit_test(documents_move_from_group_to_group),
        cmocka_unit_test(groups_that_are_too_many_are_other),
        cmocka_unit_test(values_are_counted_one_by_one),
        cmocka_unit_test(values_of_several_databases_are_counted_once),
        cmocka_unit_test(texts_that_are_long_are_told_apart),
        cmocka_unit_test(values_that_are_too_many_are_estimated),
        cmocka_unit_test(totals_are_of_all_databases),
        cmocka_unit_test(other_options_count_anew_from_where_it_began),
        cmocka_unit_test(state_of_a_later_version_is_refused),
        cmocka_unit_test(figures_are_those_of_a_recount_whatever_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
