/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads pages without documents, one ahead of the one that is given. Called by changes.c on the
 * loop thread.
 */
#include "feed/apart.h"

#include "base/mem.h"
#include "feed/changes_request.h"
#include "feed/documents.h"

struct apart {
    struct feed_query query; /* of a page                                                  */
    struct http_pool *pool;
    const struct url *server;
    tr_str db;
    apart_ready_fn ready;
    void *ctx;
    struct changes_request request;
    struct http_call call;           /* of the page that is read                            */
    struct documents *given, *ahead; /* pages; NULL: none                                   */
    struct buf since;                /* of the page that is asked for next                  */
    bool more; /* behind the page ahead there is another one                                 */
    bool failed;
};

static void ask_for_page(struct apart *apart);

static void on_documents(void *ctx)
{
    struct apart *apart = ctx;

    apart->ready(apart->ctx);
}

/* The page ahead becomes the one that is given, and the next one is asked for. */
static void move_on(struct apart *apart)
{
    if (apart->given || !apart->ahead || http_is_active(&apart->call))
        return;
    apart->given = apart->ahead;
    apart->ahead = NULL;
    if (apart->more)
        ask_for_page(apart);
}

static int on_data(struct http_call *call, tr_str bytes)
{
    struct apart *apart = list_entry(call, struct apart, call);
    struct error error;
    enum frame_result result = documents_take(apart->ahead, bytes, &error);

    if (result == FRAME_JUNK || result == FRAME_ERROR) {
        apart->failed = true;
        http_cancel(call);
        apart->ready(apart->ctx);
    }
    return 0;
}

static void on_done(struct http_call *call, const struct http_result *result)
{
    struct apart *apart = list_entry(call, struct apart, call);

    if (result->status != 200 || !documents_ask(apart->ahead)) {
        apart->failed = true;
    } else {
        buf_clear(&apart->since);
        buf_add_str(&apart->since, documents_last_seq(apart->ahead));
        apart->more = !changes_is_last_page(&apart->query, documents_rows(apart->ahead),
                                            documents_pending(apart->ahead));
        move_on(apart);
    }
    apart->ready(apart->ctx);
}

static void ask_for_page(struct apart *apart)
{
    struct error error;

    apart->more = false;
    apart->ahead = documents_new(apart->pool, apart->server, apart->db, buf_str(&apart->since),
                                 on_documents, apart);
    changes_request_write(&apart->request, &apart->query, apart->server, apart->db,
                          buf_str(&apart->since), false);
    changes_request_call(&apart->request, &apart->query, false, &apart->call);
    apart->call.on_data = on_data;
    apart->call.on_done = on_done;
    if (http_start(apart->pool, &apart->call, &error) < 0)
        apart->failed = true;
}

enum apart_state apart_next(struct apart *apart, size_t most, tr_str *ret_bytes)
{
    if (apart->failed)
        return APART_FAILED;
    if (!apart->given)
        return APART_WAIT;
    switch (documents_next(apart->given, most, ret_bytes)) {
    case DOCUMENTS_BYTES: return APART_BYTES;
    case DOCUMENTS_WAIT: return APART_WAIT;
    case DOCUMENTS_FAILED: apart->failed = true; return APART_FAILED;
    case DOCUMENTS_END: break;
    }
    documents_free(apart->given);
    apart->given = NULL;
    move_on(apart);
    return APART_PAGE;
}

bool apart_has_more(const struct apart *apart)
{
    return apart->given || apart->ahead;
}

void apart_go_on(struct apart *apart)
{
    if (!apart_has_more(apart) && !apart->failed)
        ask_for_page(apart);
}

bool apart_suits(const struct feed_query *query)
{
    return query->include_docs && !query->all_leaves && !query->conflicts &&
           !query->attachments;
}

struct apart *apart_new(const struct feed_query *query, struct http_pool *pool,
                        const struct url *server, tr_str db, tr_str since, apart_ready_fn ready,
                        void *ctx)
{
    struct apart *apart = mem_new(struct apart);

    apart->query = *query;
    apart->query.include_docs = false;
    if (apart->query.page_rows > DOCUMENTS_PAGE_ROWS)
        apart->query.page_rows = DOCUMENTS_PAGE_ROWS;
    apart->pool = pool;
    apart->server = server;
    apart->db = db;
    apart->ready = ready;
    apart->ctx = ctx;
    buf_add_str(&apart->since, since);
    ask_for_page(apart);
    return apart;
}

void apart_free(struct apart *apart)
{
    if (!apart)
        return;
    http_cancel(&apart->call);
    documents_free(apart->given);
    documents_free(apart->ahead);
    changes_request_fini(&apart->request);
    buf_fini(&apart->since);
    free(apart);
}
