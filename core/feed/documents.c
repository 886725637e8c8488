/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks for the documents of a page and puts it together. Called by apart.c on the loop
 * thread.
 */
#include "feed/documents.h"

#include "base/mem.h"
#include "feed/join.h"

#include <inttypes.h>

enum {
    GROUP_ROWS = 250,
    GROUPS_MAX = DOCUMENTS_PAGE_ROWS / GROUP_ROWS,
    GROUP_BYTES_MAX = 2 << 20, /* of an answer: so much times GROUPS_MAX may be in memory     */
    FIRST_BYTE_MS = 60000,
    IDLE_MS = 60000
};

#define OPENING "{\"results\":["

struct group {
    struct documents *documents;
    uint32_t from, count; /* its rows                                                       */
    struct http_call call;
    struct buf question;
    struct buf text; /* the rows with their documents, from `given` on to be given           */
    bool done;
};

struct documents {
    struct http_pool *pool;
    documents_ready_fn ready;
    void *ctx;
    struct buf url;
    struct http_header headers[2];
    struct frame frame;   /* of the page without documents                                  */
    struct segment *rows; /* its rows; NULL: there are none                                 */
    struct group groups[GROUPS_MAX];
    uint32_t groups_count;
    uint32_t at; /* the group that is given; groups_count: the closing                      */
    size_t given;
    struct buf closing;
    bool failed;
};

static const tr_change *rows_of(const struct group *group)
{
    return group->documents->rows->rows + group->from;
}

static void on_done(struct http_call *call, const struct http_result *result)
{
    struct group *group = list_entry(call, struct group, call);
    struct documents *documents = group->documents;

    group->done = true;
    buf_add_c(&group->text, group->from > 0 ? "," : OPENING);
    if (result->end != HTTP_ANSWERED || result->status != 200 ||
        !join_documents(rows_of(group), group->count, result->body, &group->text))
        documents->failed = true;
    documents->ready(documents->ctx);
}

static bool ask(struct documents *documents, struct group *group)
{
    struct error error;

    if (!join_ask(rows_of(group), group->count, &group->question))
        return false;
    group->call = (struct http_call){.url = documents->url.ptr,
                                     .method = "POST",
                                     .headers = documents->headers,
                                     .headers_count = 2,
                                     .body = buf_str(&group->question),
                                     .first_byte_ms = FIRST_BYTE_MS,
                                     .idle_ms = IDLE_MS,
                                     .keep_max = GROUP_BYTES_MAX,
                                     .keep_strict = true,
                                     .on_done = on_done};
    return http_start(documents->pool, &group->call, &error) == 0;
}

static void write_closing(struct documents *documents)
{
    buf_add_c(&documents->closing,
              documents->groups_count > 0 ? "],\"last_seq\":" : OPENING "],\"last_seq\":");
    buf_add_str(&documents->closing, buf_str(&documents->frame.last_seq));
    if (documents->frame.pending >= 0)
        buf_addf(&documents->closing, ",\"pending\":%" PRId64, documents->frame.pending);
    buf_add_char(&documents->closing, '}');
}

bool documents_ask(struct documents *documents)
{
    uint32_t count;

    if (documents->frame.last_seq.len == 0)
        return false;
    documents->rows = frame_cut(&documents->frame);
    count = documents->rows ? documents->rows->count : 0;
    documents->failed = count > DOCUMENTS_PAGE_ROWS || count != documents->frame.rows;
    for (uint32_t from = 0; from < count && !documents->failed; from += GROUP_ROWS) {
        struct group *group = &documents->groups[documents->groups_count++];
        group->documents = documents;
        group->from = from;
        group->count = count - from < GROUP_ROWS ? count - from : GROUP_ROWS;
        documents->failed = !ask(documents, group);
    }
    write_closing(documents);
    return true;
}

tr_str documents_last_seq(const struct documents *documents)
{
    return buf_str(&documents->frame.last_seq);
}

int64_t documents_pending(const struct documents *documents)
{
    return documents->frame.pending;
}

uint64_t documents_rows(const struct documents *documents)
{
    return documents->frame.rows;
}

/* ---- as a page ---- */

enum frame_result documents_take(struct documents *documents, tr_str bytes, struct error *error)
{
    return frame_take(&documents->frame, bytes, error);
}

/* The text of a group, or the closing; false: it is not there yet. */
static bool get_text(const struct documents *documents, uint32_t at, tr_str *ret_text)
{
    bool closing = at == documents->groups_count;

    *ret_text = buf_str(closing ? &documents->closing : &documents->groups[at].text);
    return closing || documents->groups[at].done;
}

enum documents_state documents_next(struct documents *documents, size_t most, tr_str *ret_bytes)
{
    tr_str text;

    for (; documents->at <= documents->groups_count; documents->at++, documents->given = 0) {
        if (documents->failed)
            return DOCUMENTS_FAILED;
        if (documents->closing.len == 0 || !get_text(documents, documents->at, &text))
            return DOCUMENTS_WAIT;
        text = str_from(text, documents->given);
        if (text.len == 0)
            continue;
        *ret_bytes = str_n(text.ptr, text.len < most ? text.len : most);
        documents->given += ret_bytes->len;
        return DOCUMENTS_BYTES;
    }
    return DOCUMENTS_END;
}

struct documents *documents_new(struct http_pool *pool, const struct url *server, tr_str db,
                                tr_str since, documents_ready_fn ready, void *ctx)
{
    struct documents *documents = mem_new(struct documents);

    documents->pool = pool;
    documents->ready = ready;
    documents->ctx = ctx;
    documents->headers[0] = (struct http_header){STR("Content-Type"), STR("application/json")};
    documents->headers[1] = (struct http_header){STR("Accept"), STR("application/json")};
    url_join(server, db, STR("_bulk_get"), (tr_str){0}, &documents->url);
    frame_init(&documents->frame, since, JOIN_ROW_MAX);
    frame_begin(&documents->frame, true);
    return documents;
}

void documents_free(struct documents *documents)
{
    if (!documents)
        return;
    for (uint32_t i = 0; i < documents->groups_count; i++) {
        http_cancel(&documents->groups[i].call);
        buf_fini(&documents->groups[i].question);
        buf_fini(&documents->groups[i].text);
    }
    segment_unref(documents->rows);
    frame_fini(&documents->frame);
    buf_fini(&documents->url);
    buf_fini(&documents->closing);
    free(documents);
}
