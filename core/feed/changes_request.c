/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the requests of a changes feed together. Called by changes.c on the loop thread.
 */
#include "feed/changes_request.h"

#include "base/arena.h"
#include "json/value.h"

#include <inttypes.h>

enum {
    PAGE_FIRST_BYTE_MS = 300000, /* a filter that lets nothing pass can be slow            */
    LIVE_FIRST_BYTE_MS = 60000,
    PAGE_IDLE_MS = 60000,
    PAGE_GATHER_MS = 25, /* a backlog is in no hurry                                      */
    LIVE_GATHER_MS = 5   /* adds to the latency of rows that follow others closely only   */
};

struct feed_query changes_query_complete(const struct feed_query *query)
{
    struct feed_query full = *query;

    if (full.page_rows == 0)
        full.page_rows = CHANGES_PAGE_ROWS;
    if (full.heartbeat_ms == 0)
        full.heartbeat_ms = CHANGES_HEARTBEAT_MS;
    if (full.max_row == 0)
        full.max_row = (size_t)64 << 20;
    return full;
}

void changes_write_since(struct buf *out, tr_str since)
{
    struct arena arena;
    tr_str text;

    arena_init(&arena, 512);
    if (json_type_of(since) != JSON_STRING || !json_decode(since, &arena, &text))
        text = since;
    url_encode(out, text);
    arena_fini(&arena);
}

static void write_filter(struct buf *out, const struct feed_query *query)
{
    if (query->doc_ids.len > 0) {
        buf_add_c(out, "&filter=_doc_ids");
    } else if (query->selector.len > 0) {
        buf_add_c(out, "&filter=_selector");
    } else if (query->filter.len > 0) {
        buf_add_c(out, "&filter=");
        url_encode(out, query->filter);
    }
    if (query->filter_params.len > 0) {
        buf_add_char(out, '&');
        buf_add_str(out, query->filter_params);
    }
}

static void write_query(struct buf *out, const struct feed_query *query, tr_str since,
                        bool live)
{
    if (live) {
        buf_add_c(out, "feed=continuous");
    } else {
        buf_addf(out, "feed=normal&limit=%" PRIu32, query->page_rows);
        if (query->seq_interval > 1)
            buf_addf(out, "&seq_interval=%" PRIu32, query->seq_interval);
    }
    /* Pages have heartbeats too: a filter may look at many rows before it lets one pass. */
    buf_addf(out, "&heartbeat=%" PRIu32, query->heartbeat_ms);
    if (query->include_docs)
        buf_add_c(out, "&include_docs=true");
    if (query->all_leaves)
        buf_add_c(out, "&style=all_docs");
    if (query->include_docs && query->conflicts)
        buf_add_c(out, "&conflicts=true");
    if (query->include_docs && query->attachments)
        buf_add_c(out, "&attachments=true");
    write_filter(out, query);
    buf_add_c(out, "&since=");
    changes_write_since(out, since);
}

static void write_body(struct buf *out, const struct feed_query *query)
{
    bool ids = query->doc_ids.len > 0;

    if (!ids && query->selector.len == 0)
        return;
    buf_addf(out, "{\"%s\":", ids ? "doc_ids" : "selector");
    buf_add_str(out, ids ? query->doc_ids : query->selector);
    buf_add_char(out, '}');
}

void changes_request_write(struct changes_request *request, const struct feed_query *query,
                           const struct url *server, tr_str db, tr_str since, bool live)
{
    struct buf text = {0};

    buf_clear(&request->url);
    buf_clear(&request->body);
    write_query(&text, query, since, live);
    url_join(server, db, STR("_changes"), buf_str(&text), &request->url);
    write_body(&request->body, query);
    buf_fini(&text);
}

void changes_request_call(struct changes_request *request, const struct feed_query *query,
                          bool live, struct http_call *ret_call)
{
    uint32_t silence = query->heartbeat_ms < UINT32_MAX / 3 ? query->heartbeat_ms * 3 : 0;

    *ret_call = (struct http_call){
        .url = request->url.ptr,
        .body = buf_str(&request->body),
        .read_size = query->read_size,
        .gather_ms = live ? LIVE_GATHER_MS : PAGE_GATHER_MS,
        .first_byte_ms = live ? LIVE_FIRST_BYTE_MS : PAGE_FIRST_BYTE_MS,
        .idle_ms = silence,
    };
    if (live && silence > LIVE_FIRST_BYTE_MS)
        ret_call->first_byte_ms = silence;
    if (!live && silence > 0 && silence < PAGE_IDLE_MS)
        ret_call->idle_ms = PAGE_IDLE_MS;
    if (ret_call->body.len > 0) {
        request->header = (struct http_header){STR("Content-Type"), STR("application/json")};
        ret_call->headers = &request->header;
        ret_call->headers_count = 1;
        ret_call->method = "POST";
    }
}

int64_t changes_pending(const struct feed_query *query, int64_t said)
{
    bool filtered = query->filter.len > 0 || query->doc_ids.len > 0 || query->selector.len > 0;

    return filtered ? -1 : said;
}

bool changes_is_last_page(const struct feed_query *query, uint64_t rows, int64_t said)
{
    int64_t pending = changes_pending(query, said);

    return rows == 0 || pending == 0 || (rows < query->page_rows && pending < 0);
}

void changes_request_fini(struct changes_request *request)
{
    buf_fini(&request->url);
    buf_fini(&request->body);
}
