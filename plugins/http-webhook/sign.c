/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests and signatures. Contexts are made once for an instance: fetching an algorithm costs
 * more than hashing a document does.
 */
#include "sign.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

enum { HASH_SIZE = 64, MAC_SIZE = 32 };

struct hasher {
    EVP_MD *algorithm;
    EVP_MD_CTX *context;
    bool failed;
    size_t len; /* of what is collected: many small updates cost more than hashing          */
    unsigned char bytes[512];
};

struct signer {
    EVP_MAC_CTX *context;
};

static void write_hex(const unsigned char *bytes, size_t size, char *hex)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        *hex++ = digits[bytes[i] >> 4];
        *hex++ = digits[bytes[i] & 15];
    }
    *hex = '\0';
}

struct hasher *hasher_new(void)
{
    struct hasher *hasher = calloc(1, sizeof(*hasher));

    if (!hasher)
        return NULL;
    /* Most of what is hashed is one block, for which SHA-512 takes more than twice the time. */
    hasher->algorithm = EVP_MD_fetch(NULL, "BLAKE2B-512", NULL);
    hasher->context = EVP_MD_CTX_new();
    if (hasher->algorithm && hasher->context &&
        EVP_DigestInit_ex2(hasher->context, hasher->algorithm, NULL))
        return hasher;
    hasher_free(hasher);
    return NULL;
}

void hasher_free(struct hasher *hasher)
{
    if (!hasher)
        return;
    EVP_MD_CTX_free(hasher->context);
    EVP_MD_free(hasher->algorithm);
    free(hasher);
}

void hasher_begin(struct hasher *hasher)
{
    /* Of the algorithm that it has; takes memory all the same, without which nothing works. */
    if (!EVP_DigestInit_ex2(hasher->context, NULL, NULL))
        hasher->failed = true;
    hasher->len = 0;
}

static void hash_much(struct hasher *hasher, const void *bytes, size_t len)
{
    if (!hasher->failed && (!EVP_DigestUpdate(hasher->context, hasher->bytes, hasher->len) ||
                            !EVP_DigestUpdate(hasher->context, bytes, len)))
        hasher->failed = true;
    hasher->len = 0;
}

static inline void hash(struct hasher *hasher, const void *bytes, size_t len)
{
    if (len > sizeof(hasher->bytes) - hasher->len) {
        hash_much(hasher, bytes, len);
        return;
    }
    if (len > 0)
        memcpy(hasher->bytes + hasher->len, bytes, len);
    hasher->len += len;
}

void hasher_add(struct hasher *hasher, tr_str text)
{
    unsigned char prefix[10]; /* seven bits a byte: mostly one byte, on every machine       */
    uint64_t len = text.len;
    size_t size = 0;

    for (; len >= 0x80; len >>= 7)
        prefix[size++] = (unsigned char)(len | 0x80);
    prefix[size++] = (unsigned char)len;
    hash(hasher, prefix, size);
    hash(hasher, text.ptr, text.len);
}

void hasher_end(struct hasher *hasher, struct digest *ret_digest)
{
    unsigned char whole[HASH_SIZE] = {0};

    if (!hasher->failed && (!EVP_DigestUpdate(hasher->context, hasher->bytes, hasher->len) ||
                            !EVP_DigestFinal_ex(hasher->context, whole, NULL)))
        hasher->failed = true;
    memcpy(ret_digest->bytes, whole, DIGEST_SIZE);
}

bool hasher_has_failed(struct hasher *hasher)
{
    bool failed = hasher->failed;

    hasher->failed = false;
    return failed;
}

void digest_hex(const struct digest *digest, char *hex)
{
    write_hex(digest->bytes, DIGEST_SIZE, hex);
}

struct signer *signer_new(tr_str key)
{
    char name[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    struct signer *signer = calloc(1, sizeof(*signer));
    EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);

    if (signer && algorithm)
        signer->context = EVP_MAC_CTX_new(algorithm);
    EVP_MAC_free(algorithm); /* the context holds it */
    if (signer && signer->context &&
        EVP_MAC_init(signer->context, (const unsigned char *)key.ptr, key.len, params))
        return signer;
    signer_free(signer);
    return NULL;
}

void signer_free(struct signer *signer)
{
    if (!signer)
        return;
    EVP_MAC_CTX_free(signer->context); /* wipes the key */
    free(signer);
}

bool signer_sign(struct signer *signer, const char *timestamp, tr_str payload,
                 char ret_signature[SIGNATURE_MAX])
{
    unsigned char mac[MAC_SIZE];
    size_t size = 0;
    int at;

    /* Without a key the one that it has is used again. */
    if (!EVP_MAC_init(signer->context, NULL, 0, NULL) ||
        !EVP_MAC_update(signer->context, (const unsigned char *)timestamp, strlen(timestamp)) ||
        !EVP_MAC_update(signer->context, (const unsigned char *)".", 1) ||
        !EVP_MAC_update(signer->context, (const unsigned char *)payload.ptr, payload.len) ||
        !EVP_MAC_final(signer->context, mac, &size, sizeof(mac)))
        return false;
    at = snprintf(ret_signature, SIGNATURE_MAX, "t=%s,v1=", timestamp);
    write_hex(mac, size, ret_signature + at);
    return true;
}
