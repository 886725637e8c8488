/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client and its pools: making and ending them. Loop thread.
 */
#include "http/pool.h"

#include "base/mem.h"
#include "http/wire.h"

#include <openssl/crypto.h>
#include <unistd.h>

enum {
    DEFAULT_CONNECTIONS = 8,
    DEFAULT_CONNECT_MS = 10000,
    MOST_REDIRECTS = 3,
};

int http_new(struct loop *loop, const char *user_agent, struct http **ret_http,
             struct error *error)
{
    struct http *http;

    /* OpenSSL 3.0 goes on without this when there was no memory for it, and crashes later. */
    if (!OSSL_LIB_CTX_get0_global_default())
        return error_set(error, ERR_OS, "OpenSSL cannot be initialised: out of memory");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(error, ERR_SOFTWARE, "libcurl cannot be initialised");
    http = mem_new(struct http);
    http->loop = loop;
    http->user_agent = str_dup(str_c(user_agent));
    *ret_http = http;
    return 0;
}

void http_watch_writes(struct http *http,
                       void (*wrote)(void *ctx, tr_str origin, const char *method, tr_str path),
                       void *ctx)
{
    http->wrote = wrote;
    http->wrote_ctx = ctx;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    http_sockets_fini(http);
    free(http->user_agent);
    free(http);
    curl_global_cleanup();
}

static int take_ca_file(struct http_pool *pool, tr_str path, struct error *error)
{
    if (path.len == 0)
        return 0;
    pool->ca_file = str_dup(path);
    if (access(pool->ca_file, R_OK) == 0)
        return 0;
    return error_set(error, ERR_NOINPUT,
                     "ca_file %s cannot be read; name a file of PEM certificates",
                     pool->ca_file);
}

static int take_proxy(struct http_pool *pool, tr_str text, struct error *error)
{
    struct url url = {0};
    int rc;

    /* An empty string, which keeps libcurl from asking the environment. */
    pool->proxy = str_dup(text);
    if (text.len == 0)
        return 0;
    rc = url_parse(text, &url, error);
    url_fini(&url);
    return rc < 0 ? error_prefix(error, "proxy") : 0;
}

static void take_limits(struct http_pool *pool, const struct http_options *options)
{
    pool->secrets = options->secrets;
    pool->insecure = options->insecure;
    pool->deny_private = options->deny_private;
    pool->direct = options->direct;
    pool->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms
                                                           : DEFAULT_CONNECT_MS;
    pool->max_connections = options->max_connections ? options->max_connections
                                                     : DEFAULT_CONNECTIONS;
    pool->max_redirects = options->max_redirects < MOST_REDIRECTS ? options->max_redirects
                                                                  : MOST_REDIRECTS;
}

bool http_multi_open(struct http_pool *pool)
{
    if (pool->multi)
        return true;
    pool->multi = curl_multi_init();
    if (!pool->multi)
        return false;
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)pool->max_connections);
    curl_multi_setopt(pool->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    http_sockets_attach(pool);
    return true;
}

void http_multi_close(struct http_pool *pool)
{
    curl_multi_cleanup(pool->multi);
    pool->multi = NULL;
    loop_clear_timer(pool->http->loop, &pool->timer);
    http_sockets_forget(pool);
}

int http_pool_new(struct http *http, const struct http_options *options,
                  struct http_pool **ret_pool, struct error *error)
{
    struct http_pool *pool = mem_new(struct http_pool);
    int rc;

    pool->http = http;
    pool->later.fire = http_pool_later;
    list_init(&pool->waiting);
    list_init(&pool->busy);
    list_init(&pool->idle);
    list_init(&pool->ended);
    list_init(&pool->resumed);
    list_init(&pool->wires);
    take_limits(pool, options);
    rc = take_ca_file(pool, options->ca_file, error);
    if (rc == 0)
        rc = take_proxy(pool, options->proxy, error);
    if (rc < 0)
        goto fail;
    pool->share = curl_share_init();
    if (!pool->share || !http_multi_open(pool)) {
        rc = error_set(error, ERR_OS,
                       "no HTTP pool: out of descriptors; raise the limit of open "
                       "files");
        goto fail;
    }
    curl_share_setopt(pool->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    *ret_pool = pool;
    return 0;
fail:
    http_pool_free(pool);
    return rc;
}

void http_pool_free(struct http_pool *pool)
{
    struct list *link;

    if (!pool)
        return;
    while ((link = list_pop(&pool->waiting)))
        list_entry(link, struct http_call, link)->pool = NULL;
    /* All are over before a source hears of it and cancels those that it started itself. */
    list_each (it, &pool->busy) {
        struct http_slot *slot = list_entry(it, struct http_slot, link);
        if (slot->call)
            slot->call->pool = NULL;
    }
    list_each_safe (it, &pool->busy) {
        struct http_slot *slot = list_entry(it, struct http_slot, link);
        http_slot_rewind(slot);
        http_slot_drop(slot);
    }
    while ((link = list_pop(&pool->idle)))
        http_slot_free(list_entry(link, struct http_slot, link));
    http_wires_fini(pool);
    http_framing_memory_fini(&pool->heads);
    http_multi_close(pool);
    curl_share_cleanup(pool->share);
    loop_clear_timer(pool->http->loop, &pool->later);
    http_target_fini(&pool->target);
    buf_fini(&pool->judged.names);
    free(pool->ca_file);
    free(pool->proxy);
    free(pool);
}

uint32_t http_pool_running(const struct http_pool *pool)
{
    return pool->running;
}

uint32_t http_pool_waiting(const struct http_pool *pool)
{
    return pool->queued;
}

const struct http_stats *http_pool_stats(const struct http_pool *pool)
{
    return &pool->stats;
}
