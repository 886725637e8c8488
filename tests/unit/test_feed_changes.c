/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The changes feed against a scripted server: pages, then live; what it does when a connection
 * ends, when the database is another one, and with every kind of refusal.
 */
#include "test_feed_ends.h"
#include "test_feed_record.h"

#include "feed/identity.h"

/* A small CouchDB of one database "db" with rows 1 to `rows`. */
struct couch {
    int rows;
    const char *start_time;
    int info_status; /* of GET /db; 0: 200                          */
    int refuse;      /* this many _changes requests, with …         */
    int status;
    const char *headers, *body;
    int cut_after; /* bytes of the next _changes answers; -1: none */
    enum then cut_then;
    bool ignore_limit;
};

struct fixture {
    struct ends ends;
    struct couch couch;
    struct record record;
    struct feed_query query;
};

static void write_rows(const struct couch *couch, int from, int to, bool live, struct buf *out)
{
    for (int i = from; i <= to; i++)
        buf_addf(out, "{\"seq\":%d,\"id\":\"r%d\",\"changes\":[{\"rev\":\"1-a\"}]}%s", i, i,
                 live     ? "\n"
                 : i < to ? ",\r\n"
                          : "");
    (void)couch;
}

static enum then answer_changes(struct server *server, const char *path, struct buf *out)
{
    struct couch *couch = server->ctx;
    bool live = strstr(path, "feed=continuous") != NULL;
    int since = number_behind(path, "since="), limit = number_behind(path, "limit=");
    int last = live || couch->ignore_limit || since + limit > couch->rows ? couch->rows
                                                                          : since + limit;
    struct buf text = {0};
    enum then then = live ? THEN_STAY : THEN_KEEP;

    if (couch->refuse > 0) {
        couch->refuse--;
        return answer(out, couch->status, couch->headers ? couch->headers : "", couch->body);
    }
    buf_add_c(&text, live ? "" : "{\"results\":[\n");
    write_rows(couch, since + 1, last, live, &text);
    if (!live)
        buf_addf(&text, "\n],\n\"last_seq\":%d,\"pending\":%d}\n\n", last, couch->rows - last);
    if (couch->cut_after >= 0 && (size_t)couch->cut_after < text.len) {
        text.ptr[couch->cut_after] = '\0';
        then = couch->cut_then;
    }
    couch->cut_after = -1;
    begin_chunks(out);
    if (text.len > 0 && text.ptr[0] != '\0')
        add_chunk(out, text.ptr);
    if (then == THEN_KEEP)
        end_chunks(out);
    buf_fini(&text);
    return then;
}

static enum then serve(struct server *server, const char *method, const char *path,
                       struct buf *out)
{
    struct couch *couch = server->ctx;
    char info[128];

    (void)method;
    if (strncmp(path, "/db/_changes", 12) == 0)
        return answer_changes(server, path, out);
    if (strcmp(path, "/db") == 0 && couch->info_status == 0) {
        snprintf(info, sizeof(info), "{\"db_name\":\"db\",\"instance_start_time\":\"%s\"}",
                 couch->start_time);
        return answer(out, 200, "", info);
    }
    return answer(out, couch->info_status ? couch->info_status : 404, "",
                  "{\"error\":\"not_found\",\"reason\":\"Database does not exist.\"}");
}

static int set_up(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    ends_open(&f->ends, serve, &f->couch);
    f->couch = (struct couch){.rows = 5, .start_time = "1700000000", .cut_after = -1};
    f->query = (struct feed_query){.page_rows = 2, .heartbeat_ms = 60000};
    record_init(&f->record, f->ends.loop);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    record_fini(&f->record);
    ends_close(&f->ends);
    free(f);
    return 0;
}

static struct record *open_feed(struct fixture *f, enum feed_mode mode)
{
    struct feed_options options = {
        .loop = f->ends.loop,
        .mode = mode,
        .since = STR("0"),
        .retry_min_ms = 5,
        .retry_max_ms = 20,
        .events = &record_events,
        .ctx = &f->record,
    };

    f->record.feed = feed_changes_new(&options, &f->query, f->ends.pool, &f->ends.url,
                                      STR("db"), STR("1700000000"));
    feed_start(f->record.feed);
    return &f->record;
}

static void expect_end(struct record *record, enum feed_end end)
{
    record_until(record, record->end >= 0);
    assert_int_equal(record->end, end);
}

/* ---- the way ahead ---- */

static void once_reads_pages_until_one_is_short(void **state)
{
    struct fixture *f = *state;
    struct record *record = open_feed(f, FEED_ONCE);

    expect_end(record, FEED_COMPLETE);
    assert_string_equal(record->ids.ptr, "r1 r2 r3 r4 r5 ");
    assert_string_equal(record->log.ptr,
                        "state 0; state 1; rows 2; position 2; rows 2; position 4; rows 1; "
                        "position 5; end 0; ");
    assert_false(asked(&f->ends, "continuous"));
}

static void a_server_that_ignores_the_limit_is_read_to_the_end(void **state)
{
    struct fixture *f = *state;
    struct record *record;

    f->couch.ignore_limit = true;
    record = open_feed(f, FEED_ONCE);
    expect_end(record, FEED_COMPLETE);
    assert_string_equal(record->ids.ptr, "r1 r2 r3 r4 r5 ");
}

static void following_goes_live_behind_the_last_page(void **state)
{
    struct fixture *f = *state;
    struct record *record = open_feed(f, FEED_FOLLOW);

    record_until(record, record->states & 1u << FEED_LIVE);
    assert_true(asked(&f->ends, "feed=continuous&heartbeat=60000&since=5"));
    server_push(&f->ends.server, "\n");
    server_push(&f->ends.server, "{\"seq\":6,\"id\":\"r6\",\"changes\":[]}\n");
    record_until(record, record->rows == 6);
    assert_string_equal(record->last.ptr, "6");
}

static void the_query_says_what_was_asked_for(void **state)
{
    struct fixture *f = *state;

    f->query.include_docs = f->query.all_leaves = f->query.conflicts = true;
    f->query.seq_interval = 100;
    f->query.selector = STR("{\"a\":1}");
    open_feed(f, FEED_ONCE);
    expect_end(&f->record, FEED_COMPLETE);
    assert_true(asked(&f->ends,
                      "POST /db/_changes?feed=normal&limit=2&seq_interval=100&heartbeat=60000&"
                      "include_docs=true&style=all_docs&conflicts=true&filter=_selector&"
                      "since=0"));
    assert_string_equal(f->ends.server.body.ptr, "{\"selector\":{\"a\":1}}");
}

/* ---- ends of a live feed ---- */

static void go_live(struct fixture *f)
{
    struct record *record = open_feed(f, FEED_FOLLOW);

    record_until(record, f->ends.server.live != NULL && record->states & 1u << FEED_LIVE);
    buf_clear(&f->ends.server.log);
}

static void note_pending(struct record *record, const tr_change *row)
{
    (void)row;
    buf_addf(&record->log, "pending %d; ", (int)feed_pending(record->feed));
}

static void what_the_server_says_is_left_is_known_until_it_was_read(void **state)
{
    struct fixture *f = *state;

    f->record.on_row = note_pending;
    go_live(f);
    assert_string_equal(
        f->record.log.ptr,
        "state 0; state 1; pending 0; pending 0; rows 2; position 2; pending 1; "
        "pending 1; rows 2; position 4; pending 0; rows 1; position 5; state 2; ");
    assert_int_equal(feed_pending(f->record.feed), 0);
}

static void a_clean_end_asks_for_identity_and_goes_on(void **state)
{
    struct fixture *f = *state;

    go_live(f);
    server_push(&f->ends.server,
                "{\"seq\":6,\"id\":\"r6\",\"changes\":[]}\n{\"last_seq\":7}\n");
    server_end_live(&f->ends.server, THEN_KEEP);
    record_until(&f->record, f->ends.server.live != NULL);
    assert_string_equal(f->ends.server.log.ptr,
                        "GET /db\nGET /db/_changes?feed=continuous&heartbeat=60000&since=7\n");
    assert_null(strstr(f->record.log.ptr, "state 3"));
}

static void a_flood_is_read_by_pages_until_it_is_over(void **state)
{
    struct fixture *f = *state;
    struct buf flood = {0};

    f->query.page_rows = 5000;
    go_live(f);
    f->couch.rows = 2600;
    write_rows(&f->couch, 6, 2500, true, &flood);
    server_push(&f->ends.server, flood.ptr);
    record_until(&f->record, asked(&f->ends, "feed=normal") && asked(&f->ends, "since=2600") &&
                                 asked(&f->ends, "continuous") && f->ends.server.live);
    server_push(&f->ends.server, "{\"seq\":2601,\"id\":\"r2601\",\"changes\":[]}\n");
    record_until(&f->record, f->record.rows == 2601);
    assert_non_null(strstr(f->record.ids.ptr, "r999 r1000 r1001 "));
    assert_null(strstr(f->record.log.ptr, "state 3"));
    assert_null(strstr(strstr(f->record.log.ptr, "state 2"), "state 1"));
    buf_fini(&flood);
}

static void a_lost_connection_is_made_up_for(void **state)
{
    static const enum then ends[] = {THEN_CLOSE, THEN_RESET, THEN_KEEP};
    struct fixture *f = *state;

    go_live(f);
    for (int i = 0; i < 3; i++) {
        f->couch.rows = 6 + i;
        server_push(&f->ends.server, "{\"seq\":6,\"id\":\"r6\",\"chan");
        record_idle(&f->record);
        server_end_live(&f->ends.server, ends[i]);
        record_until(&f->record, f->record.rows == 6 + (uint32_t)i && f->ends.server.live);
    }
    assert_string_equal(f->record.ids.ptr, "r1 r2 r3 r4 r5 r6 r7 r8 ");
    assert_true(f->record.states & 1u << FEED_WAITING);
    assert_true(asked(&f->ends, "GET /db\n"));
}

static void a_page_cut_at_any_byte_loses_and_repeats_nothing(void **state)
{
    struct fixture *f = *state;

    f->query.page_rows = 100;
    for (int at = 0; at < 330; at += 3) {
        struct record *record;
        f->couch.cut_after = at;
        f->couch.cut_then = at % 2 ? THEN_CLOSE : THEN_RESET;
        record = open_feed(f, FEED_ONCE);
        expect_end(record, FEED_COMPLETE);
        assert_string_equal(record->ids.ptr, "r1 r2 r3 r4 r5 ");
        record_fini(record);
        record_init(record, f->ends.loop);
    }
}

static void heartbeats_that_do_not_come_end_a_connection(void **state)
{
    struct fixture *f = *state;

    f->query.heartbeat_ms = 30;
    go_live(f);
    record_until(&f->record, f->record.states & 1u << FEED_WAITING);
    record_until(&f->record, asked(&f->ends, "GET /db\n") && asked(&f->ends, "continuous"));
    assert_string_equal(f->record.ids.ptr, "r1 r2 r3 r4 r5 ");
}

static void another_incarnation_ends_it(void **state)
{
    struct fixture *f = *state;

    go_live(f);
    f->couch.start_time = "1700000001";
    server_push(&f->ends.server,
                "{\"seq\":6,\"id\":\"r6\",\"changes\":[]}\n{\"last_seq\":6}\n");
    server_end_live(&f->ends.server, THEN_KEEP);
    expect_end(&f->record, FEED_REPLACED);
    assert_int_equal(f->record.rows, 6);
    assert_false(asked(&f->ends, "since=6"));
}

static void a_deleted_database_is_gone_when_404_came_twice(void **state)
{
    struct fixture *f = *state;

    go_live(f);
    f->couch.info_status = 404;
    server_push(&f->ends.server,
                "{\"seq\":6,\"id\":\"r6\",\"changes\":[]}\n{\"last_seq\":6}\n");
    server_end_live(&f->ends.server, THEN_KEEP);
    expect_end(&f->record, FEED_GONE);
    assert_string_equal(f->ends.server.log.ptr, "GET /db\nGET /db\n");
    assert_non_null(strstr(f->record.error.text, "404"));
}

/* ---- refusals ---- */

static struct record *refuse(struct fixture *f, int times, int status, const char *body)
{
    f->couch.refuse = times;
    f->couch.status = status;
    f->couch.body = body;
    return open_feed(f, FEED_ONCE);
}

static void one_404_is_no_deletion(void **state)
{
    struct fixture *f = *state;
    struct record *record = refuse(f, 1, 404,
                                   "{\"error\":\"not_found\",\"reason\":\"missing\"}");

    expect_end(record, FEED_COMPLETE);
    assert_int_equal(record->rows, 5);
}

static void a_missing_filter_is_refused(void **state)
{
    struct fixture *f = *state;
    struct record *record;

    f->query.filter = STR("app/nosuch");
    record = refuse(f, 9, 404, "{\"error\":\"not_found\",\"reason\":\"missing\"}");
    expect_end(record, FEED_REFUSED);
    assert_non_null(strstr(record->error.text, "app/nosuch"));
}

static void a_bad_request_is_refused_with_the_reason(void **state)
{
    struct record *record = refuse(
        *state, 1, 400, "{\"error\":\"bad_request\",\"reason\":\"Malformed sequence\"}");

    expect_end(record, FEED_REFUSED);
    assert_non_null(strstr(record->error.text, "Malformed sequence"));
    assert_non_null(strstr(record->error.text, "400"));
}

static void who_is_not_let_in_waits_as_denied(void **state)
{
    static const int statuses[] = {401, 403};
    struct fixture *f = *state;

    for (int i = 0; i < 2; i++) {
        struct record *record = refuse(f, 3, statuses[i],
                                       "{\"error\":\"unauthorized\",\"reason\":\"no\"}");
        expect_end(record, FEED_COMPLETE);
        assert_int_equal(record->rows, 5);
        assert_non_null(strstr(record->log.ptr, "state 4; "));
        assert_null(strstr(record->log.ptr, "state 3; "));
        record_fini(record);
        record_init(record, f->ends.loop);
    }
}

static void a_denied_identity_is_denied_too(void **state)
{
    struct fixture *f = *state;

    go_live(f);
    f->couch.info_status = 401;
    server_end_live(&f->ends.server, THEN_CLOSE);
    record_until(&f->record, f->record.states & 1u << FEED_DENIED);
    f->couch.info_status = 0;
    record_until(&f->record, f->ends.server.live != NULL);
}

static void passing_failures_are_waited_out(void **state)
{
    static const int statuses[] = {408, 500, 502, 503, 302};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct record *record = refuse(f, 2, statuses[i], "<html>");
        expect_end(record, FEED_COMPLETE);
        assert_int_equal(record->rows, 5);
        assert_non_null(strstr(record->log.ptr, "state 3; "));
        record_fini(record);
        record_init(record, f->ends.loop);
    }
}

static void retry_after_is_obeyed(void **state)
{
    struct fixture *f = *state;
    struct record *record;

    f->couch.headers = "Retry-After: 3600\r\n";
    record = refuse(f, 1, 429, "{}");
    record_until(record, record->states & 1u << FEED_WAITING);
    buf_clear(&f->ends.server.log);
    record_idle(record);
    assert_string_equal(f->ends.server.log.ptr, "");
}

static void junk_with_status_200_is_waited_out(void **state)
{
    static const char *const junk[] = {
        "<html>login</html>", "{\"error\":\"x\",\"reason\":\"y\"}", "", "{\"results\":["};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
        struct record *record = refuse(f, 2, 200, junk[i]);
        expect_end(record, FEED_COMPLETE);
        assert_string_equal(record->ids.ptr, "r1 r2 r3 r4 r5 ");
        assert_non_null(strstr(record->log.ptr, "state 3; "));
        assert_non_null(strstr(record->error.text, "\"db\""));
        record_fini(record);
        record_init(record, f->ends.loop);
    }
}

static void a_server_that_is_away_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct record *record;
    struct url here = f->ends.url;

    assert_int_equal(url_parse(STR("http://127.0.0.1:1"), &f->ends.url, NULL), 0);
    record = open_feed(f, FEED_ONCE);
    record_until(record, record->states & 1u << FEED_WAITING);
    url_fini(&f->ends.url);
    f->ends.url = here;
    expect_end(record, FEED_COMPLETE);
}

/* ---- pausing and freeing ---- */

static void a_paused_feed_is_silent_and_goes_on_in_order(void **state)
{
    struct fixture *f = *state;
    struct record *record = &f->record;
    struct buf ids = {0};

    f->couch.rows = 30000;
    f->query.page_rows = 7000;
    record->pause_in_rows = true;
    open_feed(f, FEED_ONCE);
    for (int i = 1; i <= f->couch.rows; i++)
        buf_addf(&ids, "r%d ", i);
    while (record->end < 0) {
        uint32_t before = record->segments;
        record_until(record, record->segments > before || record->end >= 0);
        before = record->segments;
        for (int i = 0; i < 3 && record->end < 0; i++)
            loop_turn(record->loop, 1);
        assert_int_equal(record->segments, before);
        feed_resume(record->feed);
    }
    assert_int_equal(record->end, FEED_COMPLETE);
    assert_string_equal(record->ids.ptr, ids.ptr);
    buf_fini(&ids);
}

static void a_paused_live_feed_does_not_time_out(void **state)
{
    struct fixture *f = *state;

    f->query.heartbeat_ms = 20;
    f->record.pause_in_rows = false;
    open_feed(f, FEED_FOLLOW);
    record_until(&f->record, f->ends.server.live != NULL && f->record.states & 1u << FEED_LIVE);
    feed_pause(f->record.feed);
    record_idle(&f->record);
    record_idle(&f->record);
    assert_non_null(f->ends.server.live);
    assert_false(f->record.states & 1u << FEED_WAITING);
    server_push(&f->ends.server, "{\"seq\":6,\"id\":\"r6\",\"changes\":[]}\n");
    feed_resume(f->record.feed);
    record_until(&f->record, f->record.rows == 6);
}

static void a_feed_that_starts_paused_asks_nothing(void **state)
{
    struct fixture *f = *state;

    open_feed(f, FEED_ONCE);
    feed_pause(f->record.feed);
    record_idle(&f->record);
    assert_string_equal(f->ends.server.log.ptr, "");
    feed_resume(f->record.feed);
    expect_end(&f->record, FEED_COMPLETE);
}

static void the_owner_may_free_it_in_any_callback(void **state)
{
    struct fixture *f = *state;
    struct record *record = &f->record;

    for (int i = 0; i < 3; i++) {
        record->free_in_rows = i == 0;
        record->free_in_end = i == 1;
        record->free_in_state = i == 2;
        open_feed(f, FEED_ONCE);
        record_until(record, !record->feed);
        record_idle(record);
        assert_int_equal(record->end, i == 1 ? FEED_COMPLETE : -1);
        record_fini(record);
        record_init(record, f->ends.loop);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_the_server_says_is_left_is_known_until_it_was_read),
        TEST(once_reads_pages_until_one_is_short),
        TEST(a_server_that_ignores_the_limit_is_read_to_the_end),
        TEST(following_goes_live_behind_the_last_page),
        TEST(the_query_says_what_was_asked_for),
        TEST(a_clean_end_asks_for_identity_and_goes_on),
        TEST(a_flood_is_read_by_pages_until_it_is_over),
        TEST(a_lost_connection_is_made_up_for),
        TEST(a_page_cut_at_any_byte_loses_and_repeats_nothing),
        TEST(heartbeats_that_do_not_come_end_a_connection),
        TEST(another_incarnation_ends_it),
        TEST(a_deleted_database_is_gone_when_404_came_twice),
        TEST(one_404_is_no_deletion),
        TEST(a_missing_filter_is_refused),
        TEST(a_bad_request_is_refused_with_the_reason),
        TEST(who_is_not_let_in_waits_as_denied),
        TEST(a_denied_identity_is_denied_too),
        TEST(passing_failures_are_waited_out),
        TEST(retry_after_is_obeyed),
        TEST(junk_with_status_200_is_waited_out),
        TEST(a_server_that_is_away_is_waited_for),
        TEST(a_paused_feed_is_silent_and_goes_on_in_order),
        TEST(a_paused_live_feed_does_not_time_out),
        TEST(a_feed_that_starts_paused_asks_nothing),
        TEST(the_owner_may_free_it_in_any_callback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
