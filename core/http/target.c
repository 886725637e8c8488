/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a URL up to its path: where to, as whom, and is it allowed. Loop thread.
 */
#include "http/pool.h"

#include "base/mem.h"
#include "http/address.h"

void http_target_fini(struct http_target *target)
{
    if (target->authority)
        explicit_bzero(target->authority, target->authority_len);
    free(target->authority);
    free(target->origin);
    secret_fini(&target->basic);
    for (size_t i = 0; i < HTTP_OWN_LINES; i++)
        secret_fini(&target->lines[i]);
    *target = (struct http_target){0};
}

static void add_base64(struct buf *out, tr_str text)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < text.len; i += 3) {
        size_t left = text.len - i;
        unsigned a = (unsigned char)text.ptr[i];
        unsigned b = left > 1 ? (unsigned char)text.ptr[i + 1] : 0;
        unsigned c = left > 2 ? (unsigned char)text.ptr[i + 2] : 0;
        buf_add_char(out, digits[a >> 2]);
        buf_add_char(out, digits[(a & 3) << 4 | b >> 4]);
        buf_add_char(out, left > 1 ? digits[(b & 15) << 2 | c >> 6] : '=');
        buf_add_char(out, left > 2 ? digits[c & 63] : '=');
    }
}

static struct secret make_basic(const char *user, tr_str password)
{
    struct buf plain = {0}, out = {0};
    struct secret basic;

    buf_reserve(&plain, strlen(user) + password.len + 1);
    buf_addf(&plain, "%s:", user);
    buf_add_str(&plain, password);
    buf_reserve(&out, plain.len * 4 / 3 + 16);
    buf_add_c(&out, "Basic ");
    add_base64(&out, buf_str(&plain));
    explicit_bzero(plain.ptr, plain.cap);
    buf_fini(&plain);
    basic = (struct secret){.ptr = out.ptr, .len = out.len};
    return basic;
}

static int find_basic(struct http_pool *pool, const struct url *url, struct secret *ret_basic,
                      struct error *error)
{
    struct secret password = {0};

    if (!url->user && !url->password)
        return 0;
    if (url->password)
        *ret_basic = make_basic(url->user ? url->user : "", str_c(url->password));
    else if (secrets_password(pool->secrets, str_c(url->host), str_c(url->user), &password))
        *ret_basic = make_basic(url->user, str_n(password.ptr, password.len));
    else
        return error_set(
            error, ERR_NOPERM,
            "no password is known for user \"%s\" at \"%s\"; add it to the passwords "
            "file",
            url->user, url->host);
    secret_fini(&password);
    return 0;
}

static struct secret make_line(const char *name, tr_str value)
{
    struct buf line = {0};

    if (value.len == 0)
        return (struct secret){0};
    buf_reserve(&line, strlen(name) + value.len + 4); /* it may be a secret: one copy       */
    buf_addf(&line, "%s: ", name);
    buf_add_str(&line, value);
    buf_add(&line, "\r\n", 2);
    return (struct secret){.ptr = line.ptr, .len = line.len};
}

static void make_lines(const struct http_pool *pool, struct http_target *target)
{
    tr_str basic = str_n(target->basic.ptr, target->basic.len);

    target->lines[HTTP_HOST] = make_line("Host", str_c(strstr(target->origin, "://") + 3));
    target->lines[HTTP_USER_AGENT] = make_line("User-Agent", str_c(pool->http->user_agent));
    target->lines[HTTP_ACCEPT] = make_line("Accept", STR("*/*"));
    target->lines[HTTP_AUTHORIZATION] = make_line("Authorization", basic);
}

bool http_host_is_refused(const struct http_pool *pool, const char *host)
{
    enum address_kind kind;

    return address_judge_text(host, &kind) &&
           (kind == ADDRESS_LOCAL || (kind == ADDRESS_PRIVATE && pool->deny_private));
}

size_t http_authority_len(const char *url)
{
    const char *at = strstr(url, "://");

    return at ? (size_t)(at - url) + 3 + strcspn(at + 3, "/?#") : strlen(url);
}

/* Of the authority. */
static bool is_end(char c)
{
    return c == '\0' || c == '/' || c == '?' || c == '#';
}

static int make_target(struct http_pool *pool, const char *text, uint64_t generation,
                       struct error *error)
{
    struct http_target fresh = {0};
    struct url url = {0};
    int rc;

    rc = url_parse(str_c(text), &url, error);
    if (rc == 0)
        rc = find_basic(pool, &url, &fresh.basic, error);
    if (rc < 0)
        goto out;
    fresh.authority_len = http_authority_len(text);
    fresh.authority = str_dup(str_n(text, fresh.authority_len));
    fresh.generation = generation;
    fresh.origin = str_dup(str_c(url.origin));
    fresh.origin_len = strlen(url.origin);
    fresh.refused = http_host_is_refused(pool, url.host);
    make_lines(pool, &fresh);
    http_target_fini(&pool->target);
    pool->target = fresh;
out:
    url_fini(&url);
    return rc;
}

int http_target_find(struct http_pool *pool, const char *text, struct error *error)
{
    const struct http_target *target = &pool->target;
    uint64_t generation = secrets_generation(pool->secrets);

    if (target->authority && target->generation == generation &&
        strncmp(text, target->authority, target->authority_len) == 0 &&
        is_end(text[target->authority_len]))
        return 0;
    return make_target(pool, text, generation, error);
}
