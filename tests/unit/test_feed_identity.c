/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about databases: real and unreal start times, the marker in _local, the ends of the
 * feeds, the names, what is known of many at once, and the facts beside the incarnation.
 */
#include "base/clock.h"
#include "base/map.h"
#include "feed/identity.h"

#include "test_feed_ends.h"

struct fixture {
    struct ends ends;
    const char *info; /* body of GET /db                                               */
    int info_status;
    const char *marker; /* body of GET _local/…; NULL: 404                               */
    int put_status;
    const char *late; /* becomes the marker with the next PUT                          */
    const char *page, *names, *infos;
    int server_status; /* of questions to the server itself; 0: 200                        */

    int result; /* enum identity_result, or -1                                             */
    struct buf text;
    struct error error;
    struct question *question;
    bool informed;
    struct identity_facts facts;
};

static enum then serve(struct server *server, const char *method, const char *path,
                       struct buf *out)
{
    struct fixture *f = server->ctx;
    static const char none[] = "{\"error\":\"not_found\",\"reason\":\"missing\"}";

    if (strcmp(path, "/db") == 0)
        return answer(out, f->info_status, "", f->info);
    if (strncmp(path, "/db/_changes?", 13) == 0)
        return answer(out, 200, "", f->page);
    if (strcmp(path, "/_all_dbs") == 0)
        return answer(out, 200, "", f->names);
    if (strcmp(path, "/_dbs_info") == 0 || strncmp(path, "/_db_updates?", 13) == 0) {
        bool infos = path[4] == 's';
        assert_string_equal(method, infos ? "POST" : "GET");
        return f->server_status ? answer(out, f->server_status, "", none)
                                : answer(out, 200, "", infos ? f->infos : f->page);
    }
    assert_string_equal(path, "/db/_local/tailrace-incarnation");
    if (strcmp(method, "PUT") == 0) {
        f->marker = f->late ? f->late : f->marker;
        return answer(out, f->put_status, "", "{\"ok\":true}");
    }
    return f->marker ? answer(out, 200, "", f->marker) : answer(out, 404, "", none);
}

static int set_up(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    ends_open(&f->ends, serve, f);
    f->info = "{\"instance_start_time\":\"0\"}";
    f->info_status = 200;
    f->put_status = 201;
    f->result = -1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    ends_close(&f->ends);
    buf_fini(&f->text);
    free(f);
    return 0;
}

static void on_answer(void *ctx, enum identity_result result, tr_str text,
                      const struct error *error)
{
    struct fixture *f = ctx;

    const struct identity_facts *facts = f->question ? question_facts(f->question) : NULL;

    assert_int_equal(f->result, -1);
    f->question = NULL;
    f->informed = facts != NULL;
    if (facts)
        f->facts = *facts;
    f->result = (int)result;
    buf_clear(&f->text);
    buf_add_str(&f->text, text);
    if (result != IDENTITY_KNOWN)
        f->error = *error;
}

static void wait_for_answer(struct fixture *f, enum identity_result result)
{
    int64_t until = clock_ms() + 20000;

    assert_int_equal(f->result, -1);
    while (f->result < 0) {
        assert_true(clock_ms() < until);
        loop_turn(f->ends.loop, 20);
    }
    assert_int_equal(f->result, result);
    f->result = -1;
}

static void ask(struct fixture *f, enum identity_result result)
{
    f->question = identity_ask(f->ends.loop, f->ends.pool, &f->ends.url, STR("db"), on_answer,
                               f);
    wait_for_answer(f, result);
}

static void a_start_time_in_seconds_is_the_incarnation(void **state)
{
    struct fixture *f = *state;

    f->info = "{\"db_name\":\"db\",\"instance_start_time\":\"1763777777\"}\n";
    ask(f, IDENTITY_KNOWN);
    assert_string_equal(f->text.ptr, "1763777777");
}

static void an_unreal_start_time_asks_for_the_marker(void **state)
{
    static const char *const infos[] = {
        "{\"instance_start_time\":\"0\"}", "{\"instance_start_time\":\"1763777777123\"}",
        "{\"instance_start_time\":\"a b\"}", "{\"instance_start_time\":null}", "{}"};
    struct fixture *f = *state;

    f->marker = "{\"_id\":\"_local/tailrace-incarnation\",\"incarnation\":\"0a1b\"}";
    for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
        f->info = infos[i];
        ask(f, IDENTITY_KNOWN);
        assert_string_equal(f->text.ptr, "0a1b");
    }
}

static void a_missing_marker_is_written(void **state)
{
    struct fixture *f = *state;

    ask(f, IDENTITY_KNOWN);
    assert_int_equal(f->text.len, 32);
    assert_non_null(strstr(f->ends.server.body.ptr, f->text.ptr));
}

static void a_marker_that_another_wrote_meanwhile_holds(void **state)
{
    struct fixture *f = *state;

    f->put_status = 409;
    f->late = "{\"incarnation\":\"theirs\"}";
    ask(f, IDENTITY_KNOWN);
    assert_string_equal(f->text.ptr, "theirs");
}

static void who_may_not_write_a_marker_knows_nothing(void **state)
{
    struct fixture *f = *state;

    f->put_status = 403;
    ask(f, IDENTITY_KNOWN);
    assert_int_equal(f->text.len, 0);
}

static void a_marker_that_cannot_be_written_now_is_asked_for_later(void **state)
{
    struct fixture *f = *state;

    f->put_status = 503;
    ask(f, IDENTITY_LATER);
}

static void gone_denied_and_later_are_told_apart(void **state)
{
    struct fixture *f = *state;

    f->info = "{\"error\":\"x\",\"reason\":\"because\"}";
    f->info_status = 404;
    ask(f, IDENTITY_GONE);
    assert_string_equal(f->ends.server.log.ptr, "GET /db\nGET /db\n");
    f->info_status = 401;
    ask(f, IDENTITY_DENIED);
    assert_non_null(strstr(f->error.text, "because"));
    f->info_status = 403;
    ask(f, IDENTITY_DENIED);
    f->info_status = 500;
    ask(f, IDENTITY_LATER);
    f->info_status = 200;
    f->info = "{\"instance_start_time\":\"17637";
    ask(f, IDENTITY_LATER);
    f->info = "<html>";
    ask(f, IDENTITY_LATER);
}

static void what_cannot_be_sent_is_answered_later_too(void **state)
{
    struct fixture *f = *state;

    server_url(&f->ends.server, "nobody@", &f->ends.url);
    ask(f, IDENTITY_DENIED);
}

static void the_end_of_a_feed_is_its_last_seq(void **state)
{
    struct fixture *f = *state;

    f->page = "{\"results\":[\n\n],\n\"last_seq\":\"12-g1AA\",\"pending\":0}\n\n";
    (void)identity_ask_now(f->ends.loop, f->ends.pool, &f->ends.url, STR("db"), on_answer, f);
    wait_for_answer(f, IDENTITY_KNOWN);
    assert_string_equal(f->text.ptr, "\"12-g1AA\"");
    f->page = "{\"results\":[\n\n],\n\"last_seq\":\"12-g1AA\",";
    (void)identity_ask_now(f->ends.loop, f->ends.pool, &f->ends.url, STR("db"), on_answer, f);
    wait_for_answer(f, IDENTITY_LATER);
}

static void names_come_as_they_are_and_whole(void **state)
{
    struct fixture *f = *state;

    f->names = "[\"a\",\"b/c\"]\n";
    (void)identity_ask_names(f->ends.loop, f->ends.pool, &f->ends.url, on_answer, f);
    wait_for_answer(f, IDENTITY_KNOWN);
    assert_string_equal(f->text.ptr, "[\"a\",\"b/c\"]");
    f->names = "[\"a\",\"b/";
    (void)identity_ask_names(f->ends.loop, f->ends.pool, &f->ends.url, on_answer, f);
    wait_for_answer(f, IDENTITY_LATER);
}

#define INFO                                                                                   \
    "{\"instance_start_time\":\"1763777777\",\"update_seq\":\"12-g1AA\",\"doc_del_count\":0,"  \
    "\"doc_count\":0,\"cluster\":{\"q\":2,\"n\":1,\"w\":1,\"r\":1}}"

static void facts_come_beside_the_incarnation(void **state)
{
    struct fixture *f = *state;

    f->info = INFO "\n";
    ask(f, IDENTITY_KNOWN);
    assert_true(f->informed);
    assert_true(f->facts.token == hash_stable("\"12-g1AA\"", 9));
    assert_true(f->facts.one_copy);
    assert_true(f->facts.empty);
    f->info = "{\"instance_start_time\":\"0\",\"update_seq\":7,\"doc_count\":1}";
    ask(f, IDENTITY_KNOWN);
    assert_int_equal(f->text.len, 32);
    assert_true(f->informed);
    assert_true(f->facts.token == hash_stable("7", 1));
    assert_false(f->facts.one_copy);
    assert_false(f->facts.empty);
    f->info_status = 500;
    ask(f, IDENTITY_LATER);
    assert_false(f->informed);
}

static void information_is_read_for_what_it_says(void **state)
{
    static const char *const others[] = {
        "", "null", "[]", "\"\"", "{\"error\":\"not_found\"}", "{\"update_seq\":\"1", "{} {}"};
    struct identity_facts facts = {.token = 5, .empty = true};
    tr_str incarnation = STR("x"), seq = STR("y");

    (void)state;
    assert_true(identity_read_info(STR(INFO), &facts, &incarnation, &seq));
    assert_true(str_eq(incarnation, STR("1763777777")));
    assert_true(str_eq(seq, STR("\"12-g1AA\"")));
    assert_true(facts.one_copy && facts.empty && facts.token != 0);
    assert_true(identity_read_info(STR(INFO), NULL, NULL, NULL));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(identity_read_info(str_c(others[i]), &facts, &incarnation, &seq));
    assert_true(str_eq(incarnation, STR("1763777777")) && facts.token != 0);
    assert_true(identity_read_info(STR("{\"instance_start_time\":\"0\",\"update_seq\":null,"
                                       "\"cluster\":{\"n\":3},\"doc_count\":0,"
                                       "\"doc_del_count\":1}"),
                                   &facts, &incarnation, &seq));
    assert_int_equal(incarnation.len, 0);
    assert_int_equal(seq.len, 0);
    assert_false(facts.token || facts.one_copy || facts.empty);
    assert_true(identity_read_info(STR("{\"cluster\":1,\"doc_count\":0}"), &facts, NULL, NULL));
    assert_false(facts.one_copy || facts.empty);
}

static void many_databases_are_asked_for_at_once(void **state)
{
    struct fixture *f = *state;

    f->infos = "[{\"key\":\"a\",\"info\":{}},{\"key\":\"b/c\",\"error\":\"not_found\"}]\n";
    (void)identity_ask_infos(f->ends.loop, f->ends.pool, &f->ends.url, STR("[\"a\",\"b/c\"]"),
                             on_answer, f);
    wait_for_answer(f, IDENTITY_KNOWN);
    assert_string_equal(f->ends.server.log.ptr, "POST /_dbs_info\n");
    assert_string_equal(f->ends.server.body.ptr, "{\"keys\":[\"a\",\"b/c\"]}");
    assert_int_equal(f->text.len, strlen(f->infos) - 1);
    assert_memory_equal(f->text.ptr, f->infos, f->text.len);
    f->infos = "[{\"key\":\"a\",\"info\":{}},{\"key\"";
    (void)identity_ask_infos(f->ends.loop, f->ends.pool, &f->ends.url, STR("[\"a\"]"),
                             on_answer, f);
    wait_for_answer(f, IDENTITY_LATER);
}

static void the_end_of_the_updates_is_their_last_seq(void **state)
{
    struct fixture *f = *state;

    f->page = "{\"results\":[\n\n],\n\"last_seq\":\"12-g1AA\"}\n\n";
    (void)identity_ask_updates_now(f->ends.loop, f->ends.pool, &f->ends.url, on_answer, f);
    wait_for_answer(f, IDENTITY_KNOWN);
    assert_string_equal(f->text.ptr, "\"12-g1AA\"");
}

static void what_a_server_does_not_have_is_asked_for_once(void **state)
{
    static const struct {
        int status;
        enum identity_result result;
    } cases[] = {
        {400, IDENTITY_GONE},  {404, IDENTITY_GONE},   {405, IDENTITY_GONE},
        {410, IDENTITY_GONE},  {501, IDENTITY_GONE},   {401, IDENTITY_DENIED},
        {429, IDENTITY_LATER}, {403, IDENTITY_DENIED}, {500, IDENTITY_LATER},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f->server_status = cases[i].status;
        buf_clear(&f->ends.server.log);
        (void)identity_ask_infos(f->ends.loop, f->ends.pool, &f->ends.url, STR("[]"), on_answer,
                                 f);
        wait_for_answer(f, cases[i].result);
        (void)identity_ask_updates_now(f->ends.loop, f->ends.pool, &f->ends.url, on_answer, f);
        wait_for_answer(f, cases[i].result);
        assert_string_equal(f->ends.server.log.ptr,
                            "POST /_dbs_info\nGET /_db_updates?since=now&limit=0\n");
    }
}

static void a_cancelled_question_is_not_answered(void **state)
{
    struct fixture *f = *state;

    for (int turns = 0; turns < 4; turns++) {
        struct question *question = identity_ask(f->ends.loop, f->ends.pool, &f->ends.url,
                                                 STR("db"), on_answer, f);
        for (int i = 0; i < turns; i++)
            loop_turn(f->ends.loop, 1);
        if (f->result < 0)
            question_cancel(question);
        f->result = -1;
    }
    for (int i = 0; i < 10; i++)
        loop_turn(f->ends.loop, 5);
    assert_int_equal(f->result, -1);
    question_cancel(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_start_time_in_seconds_is_the_incarnation),
        TEST(an_unreal_start_time_asks_for_the_marker),
        TEST(a_missing_marker_is_written),
        TEST(a_marker_that_another_wrote_meanwhile_holds),
        TEST(who_may_not_write_a_marker_knows_nothing),
        TEST(a_marker_that_cannot_be_written_now_is_asked_for_later),
        TEST(gone_denied_and_later_are_told_apart),
        TEST(what_cannot_be_sent_is_answered_later_too),
        TEST(the_end_of_a_feed_is_its_last_seq),
        TEST(names_come_as_they_are_and_whole),
        TEST(facts_come_beside_the_incarnation),
        TEST(information_is_read_for_what_it_says),
        TEST(many_databases_are_asked_for_at_once),
        TEST(the_end_of_the_updates_is_their_last_seq),
        TEST(what_a_server_does_not_have_is_asked_for_once),
        TEST(a_cancelled_question_is_not_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
