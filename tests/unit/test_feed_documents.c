/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A feed that is flooded: pages whose documents are asked for apart bring what pages with
 * documents would, and where they cannot, those are read instead.
 */
#include "test_feed_ends.h"
#include "test_feed_record.h"

#include <stdbool.h>

enum manner {
    WELL,
    NO_BULK_GET, /* 404                                                                    */
    MISSING,     /* one document is gone                                                   */
    OTHER_REV,   /* of one                                                                 */
    TURNED,      /* two in the wrong order                                                 */
    SHORT,       /* the last one is not there                                              */
    LARGE,       /* more than is taken                                                     */
    CUT,         /* the connection ends in the middle                                      */
    MANNERS
};

enum { FIRST = 5, FLOOD = 1500, ALL = 6000, WAITS_AT = 2500 };

/* A CouchDB of one database "db" with rows 1 to `rows`. */
struct couch {
    int rows;
    enum manner manner; /* of the answer that has row WAITS_AT in it                      */
    int asked;          /* _bulk_get                                                      */
};

struct fixture {
    struct ends ends;
    struct couch couch;
    struct record record;
    struct feed_query query;
};

static void write_doc(int i, const char *rev, struct buf *out)
{
    buf_addf(out, "{\"_id\":\"r\\u00e9%d\",\"_rev\":\"%s\",\"n\":%d}", i, rev, i);
}

static void write_row(int i, bool docs, struct buf *out)
{
    buf_addf(out, "{\"seq\":%d,\"id\":\"ré%d\",\"changes\":[{\"rev\":\"1-a\"}]", i, i);
    if (docs) {
        buf_add_c(out, ",\"doc\":");
        write_doc(i, "1-a", out);
    }
    buf_add_c(out, " }");
}

static enum then answer_changes(const struct couch *couch, const char *path, struct buf *out)
{
    bool live = strstr(path, "feed=continuous") != NULL;
    bool docs = strstr(path, "include_docs=true") != NULL;
    int since = number_behind(path, "since="), limit = number_behind(path, "limit=");
    int last = live || since + limit > couch->rows ? couch->rows : since + limit;
    struct buf text = {0};

    buf_add_c(&text, live ? "" : "{\"results\":[\n");
    for (int i = since + 1; i <= last; i++) {
        write_row(i, docs, &text);
        buf_add_c(&text, live ? "\n" : i < last ? ",\n" : "");
    }
    if (!live)
        buf_addf(&text, "\n],\n\"last_seq\":%d,\"pending\":%d}\n", last, couch->rows - last);
    begin_chunks(out);
    if (text.len > 0)
        add_chunk(out, text.ptr);
    if (!live)
        end_chunks(out);
    buf_fini(&text);
    return live ? THEN_STAY : THEN_KEEP;
}

static void write_found(int i, enum manner manner, struct buf *out)
{
    buf_addf(out, "{\"id\":\"ré%d\",\"docs\":[{\"", i);
    if (manner == MISSING) {
        buf_add_c(out, "error\":{\"error\":\"not_found\",\"reason\":\"missing\"}}]}");
        return;
    }
    buf_add_c(out, "ok\":");
    write_doc(i, manner == OTHER_REV ? "2-b" : "1-a", out);
    buf_add_c(out, "}]}");
}

/* All that was asked for, which is one row behind the other. */
static void write_all_found(int from, int to, enum manner manner, struct buf *out)
{
    buf_add_c(out, "{\"results\":[");
    for (int i = from; i <= to - (manner == SHORT); i++) {
        int at = manner == TURNED && i == from       ? from + 1
                 : manner == TURNED && i == from + 1 ? from
                                                     : i;
        buf_add_c(out, i > from ? "," : "");
        write_found(at, i == to ? manner : WELL, out);
    }
    for (int i = 0; manner == LARGE && i < 3 << 20; i++)
        buf_add_char(out, ' ');
    buf_add_c(out, "]}");
}

static enum then answer_bulk_get(struct server *server, struct buf *out)
{
    static const char id[] = "{\"id\":\"ré";
    struct couch *couch = server->ctx;
    struct buf text = {0};
    enum manner manner;
    int from, to;

    couch->asked++;
    buf_add_char(&server->body, '\0');
    from = number_behind(server->body.ptr, id);
    to = from - 1;
    for (const char *at = server->body.ptr; (at = strstr(at, id)); at++)
        assert_int_equal(number_behind(at, id), ++to);
    manner = from <= WAITS_AT && WAITS_AT <= to ? couch->manner : WELL;
    if (manner == NO_BULK_GET)
        return answer(out, 404, "", "{\"error\":\"not_found\",\"reason\":\"missing\"}");
    write_all_found(from, to, manner, &text);
    (void)answer(out, 200, "", text.ptr);
    if (manner == CUT)
        out->len -= 100;
    buf_fini(&text);
    return manner == CUT ? THEN_CLOSE : THEN_KEEP;
}

static enum then serve(struct server *server, const char *method, const char *path,
                       struct buf *out)
{
    if (strncmp(path, "/db/_changes", 12) == 0)
        return answer_changes(server->ctx, path, out);
    if (strcmp(path, "/db/_bulk_get") == 0) {
        assert_string_equal(method, "POST");
        return answer_bulk_get(server, out);
    }
    assert_string_equal(path, "/db");
    return answer(out, 200, "", "{\"db_name\":\"db\",\"instance_start_time\":\"1700000000\"}");
}

/* It has its own document, also where the row is looked at as text. */
static void check_row(struct record *record, const tr_change *row)
{
    static const char doc[] = "\"doc\":{\"_id\":\"r\\u00e9", n[] = "\"n\":";
    const char *number;

    (void)record;
    assert_true(row->flags & TR_CHANGE_HAS_DOC);
    assert_non_null(memmem(row->raw.ptr, row->raw.len, doc, sizeof(doc) - 1));
    number = memmem(row->doc.ptr, row->doc.len, n, sizeof(n) - 1);
    assert_non_null(number);
    assert_int_equal(atoi(number + sizeof(n) - 1), atoi(row->id.ptr + strlen("ré")));
}

static int set_up(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    ends_open(&f->ends, serve, &f->couch);
    f->couch = (struct couch){.rows = FIRST};
    f->query = (struct feed_query){
        .page_rows = 5000, .heartbeat_ms = 60000, .read_size = 16384, .include_docs = true};
    record_init(&f->record, f->ends.loop);
    f->record.on_row = check_row;
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

/* Live, and then flooded: ALL rows are there. */
static void flood(struct fixture *f)
{
    struct feed_options options = {.loop = f->ends.loop,
                                   .mode = FEED_FOLLOW,
                                   .retry_min_ms = 1,
                                   .retry_max_ms = 2,
                                   .events = &record_events,
                                   .ctx = &f->record};
    struct buf rows = {0};

    f->record.feed = feed_changes_new(&options, &f->query, f->ends.pool, &f->ends.url,
                                      STR("db"), (tr_str){0});
    feed_start(f->record.feed);
    record_until(&f->record, f->record.rows == FIRST && f->ends.server.live);
    f->couch.rows = ALL;
    buf_clear(&f->ends.server.log);
    for (int i = FIRST + 1; i <= FLOOD; i++) {
        write_row(i, true, &rows);
        buf_add_char(&rows, '\n');
    }
    server_push(&f->ends.server, rows.ptr);
    buf_fini(&rows);
}

/* Each once and in order. */
static void assert_all(const struct fixture *f)
{
    struct buf want = {0};

    for (int i = 1; i <= ALL; i++)
        buf_addf(&want, "ré%d ", i);
    assert_string_equal(f->record.ids.ptr, want.ptr);
    buf_fini(&want);
}

static void pages_of_a_flood_have_their_documents_asked_for_apart(void **state)
{
    struct fixture *f = *state;

    flood(f);
    record_until(&f->record,
                 asked(&f->ends, "feed=continuous&heartbeat=60000&include_docs=true"));
    assert_all(f);
    assert_true(f->couch.asked >= (ALL - FLOOD) / 250);
    assert_true(asked(&f->ends, "feed=normal&limit=2000&heartbeat=60000&since="));
    assert_null(strstr(f->record.log.ptr, "state 3"));
}

/* What comes behind the last of them. */
static const char *behind_last(const char *text, const char *what)
{
    const char *at = text, *next;

    while ((next = strstr(at, what)) != NULL)
        at = next + strlen(what);
    return at;
}

static void where_they_cannot_be_had_the_page_is_read_with_its_documents(void **state)
{
    static const char with_documents[] =
        "feed=normal&limit=5000&heartbeat=60000&include_docs=true";
    struct fixture *f = *state;

    for (enum manner manner = NO_BULK_GET; manner < MANNERS; manner++) {
        tear_down(state);
        set_up(state);
        f = *state;
        f->couch.manner = manner;
        flood(f);
        record_until(&f->record, f->record.rows == ALL && f->ends.server.live);
        assert_all(f);
        assert_true(asked(&f->ends, with_documents));
        /* But not for good. */
        assert_non_null(
            strstr(behind_last(f->ends.server.log.ptr, with_documents), "limit=2000"));
    }
}

static void a_query_that_asks_for_more_is_not_taken_apart(void **state)
{
    struct fixture *f = *state;

    f->query.conflicts = true;
    flood(f);
    record_until(&f->record, f->record.rows == ALL && f->ends.server.live);
    assert_all(f);
    assert_int_equal(f->couch.asked, 0);
}

/* A read at a time. */
static void a_pause_stops_them_and_they_go_on(void **state)
{
    struct fixture *f = *state;
    uint32_t before;

    flood(f);
    f->record.pause_in_rows = true;
    while (f->record.rows < ALL) {
        before = f->record.rows;
        record_until(&f->record, f->record.rows > before);
        if (f->record.rows > 2000 && f->record.rows < 2400) {
            before = f->record.rows;
            record_idle(&f->record);
            assert_int_equal(f->record.rows, before);
        }
        feed_resume(f->record.feed);
    }
    assert_all(f);
    assert_true(f->couch.asked >= (ALL - FLOOD) / 250);
}

static void a_feed_may_go_in_the_middle(void **state)
{
    struct fixture *f = *state;

    for (int rows = FLOOD + 1; rows < ALL; rows += 700) {
        tear_down(state);
        set_up(state);
        f = *state;
        flood(f);
        record_until(&f->record,
                     f->record.rows >= (uint32_t)rows || f->couch.asked > rows / 500);
        f->record.free_in_rows = rows % 2;
        if (f->record.free_in_rows)
            record_until(&f->record, !f->record.feed || f->record.rows == ALL);
        record_free_feed(&f->record);
        record_idle(&f->record);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(pages_of_a_flood_have_their_documents_asked_for_apart),
        TEST(where_they_cannot_be_had_the_page_is_read_with_its_documents),
        TEST(a_query_that_asks_for_more_is_not_taken_apart),
        TEST(a_pause_stops_them_and_they_go_on),
        TEST(a_feed_may_go_in_the_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
