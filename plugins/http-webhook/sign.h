/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests and signatures, by OpenSSL's libcrypto: the one file that knows of it is sign.c. Made
 * on [control], used on the worker.
 */
#ifndef WEBHOOK_SIGN_H
#define WEBHOOK_SIGN_H

#include <tailrace/sdk.h>

#include <stdbool.h>

enum {
    DIGEST_SIZE = 16, /* of 64 bytes                                                       */
    DIGEST_HEX = 2 * DIGEST_SIZE,
    SIGNATURE_MAX = 2 + 20 + 4 + 64 + 1 /* "t=…,v1=…"                                      */
};

struct digest {
    unsigned char bytes[DIGEST_SIZE];
};

/* BLAKE2b of texts, each with its length: no two lists of texts are taken for one. */
struct hasher;
struct hasher *hasher_new(void); /* NULL: no memory                                        */
void hasher_free(struct hasher *hasher);
void hasher_begin(struct hasher *hasher);
void hasher_add(struct hasher *hasher, tr_str text);
void hasher_end(struct hasher *hasher, struct digest *ret_digest);
/* Since this was asked last, for want of memory: what it gave is worth nothing. */
bool hasher_has_failed(struct hasher *hasher);

/* `hex` takes DIGEST_HEX bytes and a NUL. */
void digest_hex(const struct digest *digest, char *hex);

/* HMAC-SHA256 with a key that is prepared once and wiped at the end. */
struct signer;
struct signer *signer_new(tr_str key); /* NULL: no memory                                  */
void signer_free(struct signer *signer);

/* Writes "t=TIMESTAMP,v1=HEX", the HMAC being of TIMESTAMP "." `payload`. */
bool signer_sign(struct signer *signer, const char *timestamp, tr_str payload,
                 char ret_signature[SIGNATURE_MAX]);

#endif
