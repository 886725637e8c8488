/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.explain/1: the request that a batch would lead to, without passwords. [control], on an
 * instance that is configured and not started.
 */
#include "replicator.h"

#include <tailrace/ext/explain.h>

/* Writes all that explain() shows, one line a part; twice, see struct out. */
static void add_request(struct out *out, const struct options *options, size_t ends[2])
{
    char url[2048];
    struct out server = {.ptr = url, .cap = sizeof(url) - 1};
    tr_str fields = body_fields(options);

    endpoint_add_server(&server, options);
    url[server.len <= server.cap ? server.len : 0] = '\0';
    out_add_c(out, "POST ");
    endpoint_add_shown(out, url);
    ends[0] = out->len;
    out_add_c(out, "{\"source\":\"");
    endpoint_add_shown(out, options->source);
    out_add_c(out, "\",\"target\":\"");
    endpoint_add_shown(out, options->target);
    out_add_c(out, "\"");
    if (fields.len > 0) {
        out_add_c(out, ",");
        endpoint_add_shown(out, fields.ptr); /* up to the brace that ends the text */
    } else {
        out_add_c(out, "}");
    }
    ends[1] = out->len;
}

static tr_status explain_server(tr_self *self, void (*line)(void *user, tr_str text),
                                void *user)
{
    const struct options *options = &self->options;
    struct out out = {0};
    char words[80];
    size_t ends[2];

    add_request(&out, options, ends);
    out.cap = out.len;
    out.ptr = malloc(out.cap);
    if (!out.ptr)
        return TR_EAGAIN;
    out.len = 0;
    add_request(&out, options, ends);
    line(user, tr_str_n(out.ptr, ends[0]));
    line(user, tr_str_n(out.ptr + ends[0], ends[1] - ends[0]));
    free(out.ptr);
    snprintf(words, sizeof(words), "%lld ms later, for all that has come until then",
             (long long)options->delay_ms);
    if (options->delay_ms > 0)
        line(user, tr_str_c(words));
    return TR_OK;
}

static tr_status explain(tr_self *self, const tr_batch *batch,
                         void (*line)(void *user, tr_str text), void *user)
{
    /* For a server the documents do not matter. */
    return self->options.mode == MODE_SERVER ? explain_server(self, line, user)
                                             : native_explain(self, batch, line, user);
}

const void *explain_table(void)
{
    static const tr_explain table = {.size = sizeof(table), .explain = explain};

    return &table;
}
