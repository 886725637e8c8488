/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets: the passwords files, and the references that stand for a secret in a config.
 *
 * A passwords file is JSON, {"host": {"user": "password"}}, with hosts without a port. A
 * secret leaves here as a copy in a struct secret that the caller wipes with secret_fini(). Any
 * thread: look-ups take a lock, a load swaps all entries at once.
 */
#ifndef HTTP_SECRETS_H
#define HTTP_SECRETS_H

#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

/* NUL-ended, on the heap. A zeroed one is empty. */
struct secret {
    char *ptr;
    size_t len;
};

/* Wipes and frees. */
void secret_fini(struct secret *secret);

struct secrets;

/* An empty set: no host has a password. */
struct secrets *secrets_new(void);
void secrets_free(struct secrets *secrets);

/*
 * Reads the passwords file and replaces all entries; when it fails the old ones stay. The same
 * call again is the reload. `path` is a path, or "cred:NAME" for a systemd credential; a file
 * that others than its owner may read is refused. ERR_NOINPUT, ERR_NOPERM, ERR_DATA, ERR_IO.
 */
int secrets_load(struct secrets *secrets, const char *path, struct error *error);

/* The same of several files, up to a NULL. The same user at the same host may stand in more
 * than one, but with one password only: ERR_DATA. */
int secrets_load_all(struct secrets *secrets, const char *const *paths, struct error *error);

/* The password of `user` at `host` (any case, no port). False: there is none, or NULL secrets.
 */
bool secrets_password(struct secrets *secrets, tr_str host, tr_str user,
                      struct secret *ret_secret);

/* Another number after every load: who keeps something made of a password looks here. */
uint64_t secrets_generation(struct secrets *secrets);

/* "file:/path", "env:NAME", "cred:NAME": is it a reference at all? */
bool secret_is_reference(tr_str text);

/*
 * What a reference stands for. file: must be private to its owner; cred: is NAME in
 * $CREDENTIALS_DIRECTORY; one line end at the end is cut off both. ERR_CONFIG: not a reference;
 * ERR_NOINPUT, ERR_NOPERM, ERR_DATA (over 64 KB, or a NUL in it), ERR_IO.
 */
int secret_resolve(tr_str reference, struct secret *ret_secret, struct error *error);

#endif
