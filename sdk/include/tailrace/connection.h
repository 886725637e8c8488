/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options by which users say how a plugin's HTTP connections are made, the same in every
 * plugin: rows for its table, the struct that tr_bind() fills from them, and what tr.http/1
 * makes a client of. In a header only, as sdk.h; C99 or C++11.
 *
 *     struct options {
 *         char *url;
 *         tr_connection connection;
 *     };
 *
 *     static const tr_option table[] = {
 *         {.name = "url", .type = TR_TYPE_URL, .offset = offsetof(struct options, url), …},
 *         TR_CONNECTION_LIMITS(offsetof(struct options, connection), "8", "requests at once"),
 *         TR_CONNECTION_TRUST(offsetof(struct options, connection)),
 *     };
 *
 *     static tr_status my_start(tr_self *self, tr_error *error)
 *     {
 *         tr_http_options http = tr_connection_http(&self->options.connection);
 *
 *         return self->http->client_new(self->host, &http, &self->client, error);
 *     }
 *
 * tr_bind() and tr_unbind() own what is in a tr_connection, as in the rest of the struct. In
 * C++ the rows go into an array of tr_option or of tailrace::option.
 */
#ifndef TAILRACE_CONNECTION_H
#define TAILRACE_CONNECTION_H

#include <tailrace/ext/http.h>
#include <tailrace/sdk.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Zeroed: what a tr_http_options has where it is zero. */
typedef struct tr_connection {
    int64_t max_connections;    /* requests at once                                        */
    int64_t connect_timeout_ms; /* for name look-up, TCP and TLS                           */
    int32_t deny_private;       /* 1: refuse private and loopback addresses                */
    int32_t insecure;           /* 1: do not verify certificates                           */
    char *ca_file, *proxy;      /* NULL: the system's certificates; no proxy               */
} tr_connection;

/* A row; an array of tailrace::option has to know what it is made of. */
#ifdef __cplusplus
#define TR_CONNECTION_ROW_(name_, type_, flags_, dflt_, min_, max_, help_, offset_)            \
    tr_option                                                                                  \
    {                                                                                          \
        name_, type_, flags_, dflt_, min_, max_, NULL, NULL, help_, offset_                    \
    }
#else
#define TR_CONNECTION_ROW_(name_, type_, flags_, dflt_, min_, max_, help_, offset_)            \
    {                                                                                          \
        name_, type_, flags_, dflt_, min_, max_, NULL, NULL, help_, offset_                    \
    }
#endif

/* The rows of max_connections and connect_timeout, for a tr_connection that stands `at_` bytes
 * into the plugin's struct. How many connections suit, and whose requests they are for, differs
 * from plugin to plugin: `most_` is the default, as text, and `help_` says for whom. */
#define TR_CONNECTION_LIMITS(at_, most_, help_)                                                \
    TR_CONNECTION_ROW_("max_connections", TR_TYPE_INT, 0, most_, 1, 4096, help_,               \
                       (at_) + offsetof(tr_connection, max_connections)),                      \
        TR_CONNECTION_ROW_("connect_timeout", TR_TYPE_DURATION, 0, "10s", 10, 600000,          \
                           "for name look-up, TCP and TLS",                                    \
                           (at_) + offsetof(tr_connection, connect_timeout_ms))

/* The rows of deny_private, ca_file, proxy and insecure: whom it may speak with, by which way,
 * and whom to believe. A rule that is a document of a database may set none of them. */
#define TR_CONNECTION_TRUST(at_)                                                               \
    TR_CONNECTION_ROW_("deny_private", TR_TYPE_BOOL, TR_OPTION_OPERATOR, "false", 0, 0,        \
                       "refuse private and loopback addresses",                                \
                       (at_) + offsetof(tr_connection, deny_private)),                         \
        TR_CONNECTION_ROW_("ca_file", TR_TYPE_PATH, 0, NULL, 0, 0,                             \
                           "certificates to trust, instead of the system's",                   \
                           (at_) + offsetof(tr_connection, ca_file)),                          \
        TR_CONNECTION_ROW_("proxy", TR_TYPE_URL, TR_OPTION_OPERATOR, NULL, 0, 0,               \
                           "an HTTP proxy", (at_) + offsetof(tr_connection, proxy)),           \
        TR_CONNECTION_ROW_("insecure", TR_TYPE_BOOL, TR_OPTION_OPERATOR, "false", 0, 0,        \
                           "do not verify certificates",                                       \
                           (at_) + offsetof(tr_connection, insecure))

/* What tr.http/1 makes a client of; set in it what is the plugin's own to say: max_redirects,
 * max_response, share. Its texts are those of `connection`, of which client_new() makes copies.
 *                                                                                    [any] */
TR_UNUSED_ static tr_http_options tr_connection_http(const tr_connection *connection)
{
    tr_http_options http;

    memset(&http, 0, sizeof(http));
    http.size = (uint32_t)sizeof(http);
    http.max_connections = (uint32_t)connection->max_connections;
    http.connect_timeout_ms = (uint32_t)connection->connect_timeout_ms;
    http.deny_private = connection->deny_private;
    http.insecure_tls = connection->insecure;
    http.ca_file = tr_str_c(connection->ca_file);
    http.proxy = tr_str_c(connection->proxy);
    return http;
}

#ifdef __cplusplus
}
#endif

#endif
