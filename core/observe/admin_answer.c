/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients of the admin endpoint are answered: which documents there are, who may read
 * them, and the headers that keep a browser from doing more with them than is meant. On the
 * thread of libmicrohttpd.
 */
#include "observe/admin_private.h"
#include "observe/process.h"

static const char TEXT[] = "text/plain; charset=utf-8";
static const char PROMETHEUS[] = "text/plain; version=0.0.4; charset=utf-8";
static const char JSON[] = "application/json";

static const struct {
    const char *path, *type;
    enum admin_document document;
} documents[] = {
    {"/metrics", PROMETHEUS, ADMIN_METRICS},
    {"/status", JSON, ADMIN_STATUS},
    {"/healthz", TEXT, ADMIN_HEALTH},
    {"/readyz", TEXT, ADMIN_READY},
};

/* The page loads its own files, asks its own server, and stands in no other page's frame. */
static const char *const headers[][2] = {
    {"Cache-Control", "no-store"},
    {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; "
                                "img-src 'self'; connect-src 'self'; base-uri 'none'; "
                                "form-action 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
};

/* ---- sending ---- */

static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned status,
                                     const char *type, struct MHD_Response *response)
{
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        MHD_add_response_header(response, headers[i][0], headers[i][1]);
    MHD_add_response_header(response, "Content-Type", type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, "Retry-After", "1");
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_line(struct MHD_Connection *connection, unsigned status,
                                 const char *line)
{
    return send_response(connection, status, TEXT,
                         MHD_create_response_from_buffer(strlen(line), (void *)(uintptr_t)line,
                                                         MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result send_file(struct MHD_Connection *connection,
                                 const struct admin_file *file)
{
    return send_response(connection, MHD_HTTP_OK, file->type,
                         MHD_create_response_from_buffer(file->size,
                                                         (void *)(uintptr_t)file->bytes,
                                                         MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result send_document(struct admin *admin, struct MHD_Connection *connection,
                                     enum admin_document document, const char *type)
{
    struct buf text = {0};
    bool is_good = false;

    if (!admin_ask(admin, document, &text, &is_good))
        return send_line(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                         "the loop does not turn: no answer in time\n");
    if (document == ADMIN_METRICS)
        process_write_metrics(&text);
    return send_response(
        connection, is_good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, type,
        MHD_create_response_from_buffer(text.len, text.ptr, MHD_RESPMEM_MUST_FREE));
}

/* ---- who and what ---- */

/* Through a path comes only who may open it, and no browser by itself. */
static bool is_meant(const struct admin *admin, struct MHD_Connection *connection)
{
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");

    return admin->options.address.at.any.sa_family == AF_UNIX ||
           admin_address_is_host(str_c(host), admin->options.hosts);
}

enum MHD_Result admin_answer(void *ctx, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *body,
                             size_t *body_size, void **request)
{
    static char seen;
    struct admin *admin = ctx;
    const bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

    (void)version;
    (void)body;
    (void)body_size;
    /* It comes twice. An answer to the first call, before a body is read, ends the connection:
     * that is for those who send one. */
    if (reads && !*request) {
        *request = &seen;
        return MHD_YES;
    }
    if (!is_meant(admin, connection))
        return send_line(connection, MHD_HTTP_MISDIRECTED_REQUEST,
                         "the Host header names another server; see admin.hosts in "
                         "tailrace.conf(5)\n");
    if (!reads)
        return send_line(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                         "nothing can be changed here: GET or HEAD\n");
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++)
        if (strcmp(url, documents[i].path) == 0)
            return send_document(admin, connection, documents[i].document, documents[i].type);
    for (const struct admin_file *file = admin_files; file->path; file++)
        if (strcmp(url, file->path) == 0)
            return send_file(connection, file);
    return send_line(connection, MHD_HTTP_NOT_FOUND,
                     "there are /, /metrics, /status, /healthz and /readyz\n");
}
