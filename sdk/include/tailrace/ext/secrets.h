/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.secrets/1: passwords that do not stand in configuration files.
 *
 * Options of type SECRET arrive resolved already. This is for the rest: the password of a user
 * at a host, as the passwords file has it.
 */
#ifndef TAILRACE_EXT_SECRETS_H
#define TAILRACE_EXT_SECRETS_H

#include <tailrace/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_EXT_SECRETS "tr.secrets/1"

typedef struct tr_secrets {
    uint32_t size;

    /* The password of `user` at `hostname` (without port) into `buf`; *ret_len as in
     * tr.json/1 decode(). TR_ENOENT: the passwords file has none. Wipe the buffer after use.
     *                                                                              [any] */
    tr_status (*password)(const tr_host *host, tr_str hostname, tr_str user, char *buf,
                          size_t cap, size_t *ret_len);

    /* What a reference "file:/path", "env:NAME" or "cred:NAME" stands for.         [control] */
    tr_status (*resolve)(const tr_host *host, tr_str reference, char *buf, size_t cap,
                         size_t *ret_len, tr_error *error);
} tr_secrets;

#ifdef __cplusplus
}
#endif

#endif
