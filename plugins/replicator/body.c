/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of POST /_replicate. A user in a URL becomes an Authorization header beside the URL:
 * every CouchDB takes it, leaves it out of its logs and of what names the replication, so that
 * checkpoints of replications that were asked for with the password in the URL go on to count.
 * Worker.
 */
#include "replicator.h"

enum { SECRET_MAX = 1024 };

/* ---- text ---- */

void out_add(struct out *out, tr_str text)
{
    if (text.len > 0 && out->len + text.len <= out->cap)
        memcpy(out->ptr + out->len, text.ptr, text.len);
    out->len += text.len;
}

void out_add_c(struct out *out, const char *text)
{
    out_add(out, tr_str_c(text));
}

static void add_string(const tr_self *self, struct out *out, tr_str text)
{
    size_t room = out->len < out->cap ? out->cap - out->len : 0, len = 0;
    char none[1];

    (void)self->json->encode(text, room ? out->ptr + out->len : none, room, &len);
    out->len += len;
}

static void add_base64(struct out *out, tr_str text)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < text.len; i += 3) {
        const unsigned char *at = (const unsigned char *)text.ptr + i;
        size_t left = text.len - i;
        unsigned bits = (unsigned)at[0] << 16 | (left > 1 ? at[1] << 8 : 0) |
                        (left > 2 ? at[2] : 0);
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        left > 1 ? digits[bits >> 6 & 63] : '=',
                        left > 2 ? digits[bits & 63] : '='};

        out_add(out, tr_str_n(four, 4));
    }
}

/* ---- users ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static void add_decoded(struct out *out, tr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '%' && i + 2 < text.len && hex(text.ptr[i + 1]) >= 0 &&
            hex(text.ptr[i + 2]) >= 0) {
            c = (char)(hex(text.ptr[i + 1]) << 4 | hex(text.ptr[i + 2]));
            i += 2;
        }
        out_add(out, tr_str_n(&c, 1));
    }
}

/* "user:password", decoded. */
static tr_status add_login(const tr_self *self, const struct endpoint *endpoint,
                           struct out *login)
{
    size_t len = 0;
    tr_str user;

    add_decoded(login, endpoint->user);
    user = tr_str_n(login->ptr, login->len);
    out_add_c(login, ":");
    if (endpoint->password.ptr) {
        add_decoded(login, endpoint->password);
        return login->len <= login->cap ? TR_OK : TR_ENOENT;
    }
    if (login->len > login->cap ||
        self->secrets->password(self->host, endpoint->hostname, user, login->ptr + login->len,
                                login->cap - login->len, &len) != TR_OK)
        return TR_ENOENT;
    login->len += len;
    return TR_OK;
}

/* ---- the body ---- */

static tr_status add_endpoint(const tr_self *self, struct out *out, const char *text,
                              char message[MESSAGE_MAX])
{
    char secret[SECRET_MAX];
    struct out login = {.ptr = secret, .cap = sizeof(secret)};
    struct endpoint endpoint;
    struct out url = {0};
    tr_status status;

    (void)endpoint_parse(text, &endpoint, NULL); /* it passed options_judge() */
    if (!endpoint.user.ptr) {
        add_string(self, out, tr_str_c(text));
        return TR_OK;
    }
    status = add_login(self, &endpoint, &login);
    if (status == TR_OK) {
        /* Scheme and the rest are slices of one text, with the user between them. */
        url.cap = endpoint.scheme.len + endpoint.rest.len;
        url.ptr = malloc(url.cap);
        status = url.ptr ? TR_OK : TR_EAGAIN;
    }
    if (status == TR_OK) {
        out_add(&url, endpoint.scheme);
        out_add(&url, endpoint.rest);
        out_add_c(out, "{\"url\":");
        add_string(self, out, tr_str_n(url.ptr, url.len));
        out_add_c(out, ",\"headers\":{\"Authorization\":\"Basic ");
        add_base64(out, tr_str_n(login.ptr, login.len));
        out_add_c(out, "\"}}");
    } else {
        snprintf(message, MESSAGE_MAX,
                 "no password is known for user \"%.*s\" at \"%.*s\"; add it to the passwords "
                 "file",
                 (int)endpoint.user.len, endpoint.user.ptr, (int)endpoint.hostname.len,
                 endpoint.hostname.ptr);
    }
    free(url.ptr);
    explicit_bzero(secret, sizeof(secret));
    return status;
}

tr_str body_fields(const struct options *options)
{
    static const char space[] = " \t\r\n";
    tr_str fields = tr_str_c(options->body ? options->body : "{}");

    while (strchr(space, fields.ptr[0]))
        fields = tr_str_n(fields.ptr + 1, fields.len - 1);
    fields = tr_str_n(fields.ptr + 1, fields.len - 1);
    while (fields.ptr[fields.len - 1] != '}')
        fields.len--;
    fields.len--;
    while (fields.len > 0 && strchr(space, fields.ptr[0]))
        fields = tr_str_n(fields.ptr + 1, fields.len - 1);
    return fields;
}

static tr_status add_body(const tr_self *self, struct out *out, char message[MESSAGE_MAX])
{
    tr_str fields = body_fields(&self->options);
    tr_status status;

    out_add_c(out, "{\"source\":");
    status = add_endpoint(self, out, self->options.source, message);
    out_add_c(out, ",\"target\":");
    if (status == TR_OK)
        status = add_endpoint(self, out, self->options.target, message);
    if (fields.len > 0)
        out_add_c(out, ",");
    out_add(out, fields);
    out_add_c(out, "}");
    return status;
}

tr_status body_make(const tr_self *self, tr_str *ret_body, char message[MESSAGE_MAX])
{
    struct out out = {0};
    size_t len;
    tr_status status = add_body(self, &out, message);

    if (status != TR_OK)
        return status;
    len = out.cap = out.len;
    out.ptr = malloc(len);
    out.len = 0;
    if (!out.ptr)
        return TR_EAGAIN;
    status = add_body(self, &out, message);
    if (status == TR_OK && out.len != len)
        status = TR_EAGAIN; /* the passwords were loaded anew in between */
    if (status != TR_OK) {
        body_free(tr_str_n(out.ptr, len));
        return status;
    }
    *ret_body = tr_str_n(out.ptr, out.len);
    return TR_OK;
}

void body_free(tr_str body)
{
    explicit_bzero((char *)(uintptr_t)body.ptr, body.len);
    free((char *)(uintptr_t)body.ptr);
}
