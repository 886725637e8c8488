/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine can tell about many bytes of JSON at a time. For the files of this folder;
 * any thread.
 *
 * Each function is here for SSE2, which every x86-64 has, and in plain C; the one that does
 * most of the work also for AVX2, for which skip.c asks the machine. All give the same answers,
 * and the tests compare them. JSON_PORTABLE chooses the plain ones everywhere.
 */
#ifndef JSON_BLOCK_H
#define JSON_BLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { JSON_BLOCK_SIZE = 64 };

/* Where in a block of 64 bytes these stand: bit i is byte i. */
struct json_block {
    uint64_t quotes, slashes; /* " and \ */
    uint64_t opens, closes;   /* { or [, } or ] */
};

/* '[' and '{', and ']' and '}', differ in this bit alone, and no other byte becomes one of them
 * by it: two comparisons find four brackets. */
#define JSON_BRACKET_BIT 0x20

/* 0x80 in each byte of `word` that is `c`, brought together to 8 bits. */
static inline uint64_t json_word_find(uint64_t word, unsigned char c)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), low = ones * 0x7f;
    uint64_t differs = word ^ (ones * c);
    uint64_t same = ~(((differs & low) + low) | differs | low);

    return (same >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

static inline struct json_block json_block_portable(const char *at)
{
    const uint64_t fold = UINT64_C(0x0101010101010101) * JSON_BRACKET_BIT;
    struct json_block block = {0};

    for (int i = 0; i < JSON_BLOCK_SIZE; i += 8) {
        uint64_t word;

        memcpy(&word, at + i, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        block.quotes |= json_word_find(word, '"') << i;
        block.slashes |= json_word_find(word, '\\') << i;
        block.opens |= json_word_find(word | fold, '{') << i;
        block.closes |= json_word_find(word | fold, '}') << i;
    }
    return block;
}

/* The first byte that a JSON string cannot hold as it is (a quote, a backslash, a control
 * byte), or `end`. */
static inline const char *json_plain_portable(const char *at, const char *end)
{
    while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    return at;
}

#if defined(__SSE2__) && !defined(JSON_PORTABLE)
#include <emmintrin.h>

#define json_block_at json_block_sse2
#define json_plain    json_plain_sse2

/* The four vectors of a block by name: at -O2 a loop over an array of them stays a loop, at
 * half the speed. */
static inline uint64_t json_vec_find(__m128i a, __m128i b, __m128i c, __m128i d, char wanted)
{
    const __m128i w = _mm_set1_epi8(wanted);
    uint64_t low = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(a, w)) |
                   (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(b, w)) << 16;
    uint64_t high = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(c, w)) |
                    (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(d, w)) << 16;

    return low | high << 32;
}

static inline struct json_block json_block_sse2(const char *at)
{
    const __m128i *from = (const __m128i *)(const void *)at;
    const __m128i bit = _mm_set1_epi8(JSON_BRACKET_BIT);
    __m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
    __m128i c = _mm_loadu_si128(from + 2), d = _mm_loadu_si128(from + 3);
    struct json_block block;

    block.quotes = json_vec_find(a, b, c, d, '"');
    block.slashes = json_vec_find(a, b, c, d, '\\');
    a = _mm_or_si128(a, bit);
    b = _mm_or_si128(b, bit);
    c = _mm_or_si128(c, bit);
    d = _mm_or_si128(d, bit);
    block.opens = json_vec_find(a, b, c, d, '{');
    block.closes = json_vec_find(a, b, c, d, '}');
    return block;
}

static inline const char *json_plain_sse2(const char *at, const char *end)
{
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i last_control = _mm_set1_epi8(0x1f);

    for (; end - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i found = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash));
        int bits;

        found = _mm_or_si128(found, _mm_cmpeq_epi8(_mm_min_epu8(v, last_control), v));
        bits = _mm_movemask_epi8(found);
        if (bits)
            return at + __builtin_ctz((unsigned)bits);
    }
    return json_plain_portable(at, end);
}
#else
#define json_block_at json_block_portable
#define json_plain    json_plain_portable
#endif

/* Half the instructions of json_block_sse2(). Only where __builtin_cpu_supports("avx2"). */
#if defined(__x86_64__) && !defined(JSON_PORTABLE)
#include <immintrin.h>

#define JSON_AVX2 __attribute__((target("avx2")))

JSON_AVX2 static inline uint64_t json_wide_find(__m256i a, __m256i b, char wanted)
{
    const __m256i w = _mm256_set1_epi8(wanted);

    return (unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, w)) |
           (uint64_t)(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, w)) << 32;
}

JSON_AVX2 static inline struct json_block json_block_avx2(const char *at)
{
    const __m256i *from = (const __m256i *)(const void *)at;
    const __m256i bit = _mm256_set1_epi8(JSON_BRACKET_BIT);
    __m256i a = _mm256_loadu_si256(from), b = _mm256_loadu_si256(from + 1);
    struct json_block block;

    block.quotes = json_wide_find(a, b, '"');
    block.slashes = json_wide_find(a, b, '\\');
    a = _mm256_or_si256(a, bit);
    b = _mm256_or_si256(b, bit);
    block.opens = json_wide_find(a, b, '{');
    block.closes = json_wide_find(a, b, '}');
    return block;
}
#endif

#endif
