/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools of plugins' HTTP clients, shared or not, made late and given up early. Called by
 * ext_http.c on the loop thread.
 */
#include "plugin/pools.h"

#include "base/map.h"
#include "base/mem.h"

enum { IDLE_MS = 60000 };

struct plugin_pool {
    struct buf key; /* empty: not shared                                                    */
    struct loop *loop;
    struct http *http;
    struct http_options options; /* its strings are copies                                 */
    char *ca_file, *proxy;
    uint32_t users;
    struct http_pool *pool; /* NULL: no call for a while                                   */
    struct timer idle;
    int64_t used_ms; /* when the last call began                                           */
};

static struct map shared; /* by key                                                        */

/* All that has to be alike. */
static void write_key(struct buf *out, const struct http *http, const struct plugin *plugin,
                      const struct http_options *options, tr_str share)
{
    buf_addf(out, "%p %p %p %d %d %u %u %u ", (const void *)http, (const void *)plugin,
             (const void *)options->secrets, options->insecure, options->deny_private,
             options->connect_timeout_ms, options->max_connections, options->max_redirects);
    buf_addf(out, "%zu " STR_FMT " %zu " STR_FMT " " STR_FMT, options->ca_file.len,
             STR_ARG(options->ca_file), options->proxy.len, STR_ARG(options->proxy),
             STR_ARG(share));
}

static void give_up(struct timer *timer)
{
    struct plugin_pool *pool = list_entry(timer, struct plugin_pool, idle);
    int64_t left = pool->used_ms + IDLE_MS - loop_now(pool->loop);

    if (http_pool_running(pool->pool) + http_pool_waiting(pool->pool) > 0)
        left = IDLE_MS;
    if (left > 0) {
        loop_set_timer(pool->loop, timer, left);
        return;
    }
    http_pool_free(pool->pool);
    pool->pool = NULL;
}

struct plugin_pool *plugin_pool_join(struct loop *loop, struct http *http,
                                     const struct plugin *plugin,
                                     const struct http_options *options, tr_str share)
{
    struct plugin_pool *pool;
    struct buf key = {0};

    if (share.len > 0)
        write_key(&key, http, plugin, options, share);
    pool = key.len > 0 ? map_get(&shared, buf_str(&key)) : NULL;
    if (pool) {
        buf_fini(&key);
    } else {
        pool = mem_new(struct plugin_pool);
        pool->key = key;
        pool->loop = loop;
        pool->http = http;
        pool->options = *options;
        pool->ca_file = str_dup(options->ca_file);
        pool->proxy = str_dup(options->proxy);
        pool->options.ca_file = str_c(pool->ca_file);
        pool->options.proxy = str_c(pool->proxy);
        pool->idle.fire = give_up;
        if (key.len > 0)
            map_set(&shared, buf_str(&key), pool);
    }
    pool->users++;
    return pool;
}

void plugin_pool_leave(struct plugin_pool *pool)
{
    if (!pool || --pool->users > 0)
        return;
    if (pool->key.len > 0)
        map_remove(&shared, buf_str(&pool->key));
    if (shared.count == 0)
        map_fini(&shared);
    loop_clear_timer(pool->loop, &pool->idle);
    http_pool_free(pool->pool);
    buf_fini(&pool->key);
    free(pool->ca_file);
    free(pool->proxy);
    free(pool);
}

int plugin_pool_start(struct plugin_pool *pool, struct http_call *call, struct error *error)
{
    if (!pool->pool) {
        int rc = http_pool_new(pool->http, &pool->options, &pool->pool, error);
        if (rc < 0)
            return rc;
        loop_set_timer(pool->loop, &pool->idle, IDLE_MS);
    }
    pool->used_ms = loop_now(pool->loop);
    return http_start(pool->pool, call, error);
}
