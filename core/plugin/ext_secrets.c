/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.secrets/1: passwords for plugins, out of the daemon's passwords file. Any thread calls.
 */
#include "http/secrets.h"
#include "plugin/private.h"

#include <tailrace/ext/secrets.h>

#include <stdio.h>

static tr_status secrets_ext_password(const tr_host *host, tr_str hostname, tr_str user,
                                      char *buf, size_t cap, size_t *ret_len)
{
    struct secret secret = {0};
    tr_status status = TR_ENOENT;

    *ret_len = 0;
    if (secrets_password(instance_of(host)->setup.secrets, hostname, user, &secret))
        status = str_copy_out(str_n(secret.ptr, secret.len), buf, cap, ret_len);
    secret_fini(&secret);
    return status;
}

static tr_status secrets_ext_resolve(const tr_host *host, tr_str reference, char *buf,
                                     size_t cap, size_t *ret_len, tr_error *error)
{
    struct secret secret = {0};
    struct error why = {0};
    tr_status status = TR_EINVAL;

    (void)host;
    *ret_len = 0;
    if (secret_resolve(reference, &secret, &why) == 0)
        status = str_copy_out(str_n(secret.ptr, secret.len), buf, cap, ret_len);
    else if (error && error->cap > 0)
        snprintf(error->buf, error->cap, "%s", why.text);
    secret_fini(&secret);
    return status;
}

const void *ext_secrets_table(void)
{
    static const tr_secrets table = {
        .size = sizeof(table),
        .password = secrets_ext_password,
        .resolve = secrets_ext_resolve,
    };

    return &table;
}
