/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a JSON value, 64 bytes at a time.
 *
 * A block becomes bit masks of its quotes, backslashes and brackets. Quotes that a backslash
 * escapes are dropped; then the running xor of the quotes says of each byte whether it lies in
 * a string; brackets in strings are dropped. As long as a block closes fewer brackets than are
 * open, counting them is enough; their order matters only in a block where the value may end.
 * Any thread; called by json/lex.c and by the framing of feeds.
 */
#include "json/skip.h"

#include "json/block.h"

/* Each way to look at a block gets code of its own. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Counted in pairs, nibbles and bytes: the instruction for it is not in every x86-64. */
static int count_bits(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (int)(x * UINT64_C(0x0101010101010101) >> 56);
}

/* Bit i: the xor of the bits 0 to i. */
static uint64_t running_xor(uint64_t x)
{
    x ^= x << 1;
    x ^= x << 2;
    x ^= x << 4;
    x ^= x << 8;
    x ^= x << 16;
    return x ^ x << 32;
}

/* The bytes that stand behind a backslash which escapes. Backslashes are rare, so that taking
 * them one by one costs nothing where there are none. */
static uint64_t find_escaped(uint64_t slashes, unsigned carried, unsigned *ret_carry)
{
    uint64_t escaped = carried;

    *ret_carry = 0;
    slashes &= ~escaped;
    while (slashes) {
        uint64_t first = slashes & -slashes;

        escaped |= first << 1;
        *ret_carry = (unsigned)(first >> 63);
        slashes &= ~(first | first << 1);
    }
    return escaped;
}

/* Goes through the brackets in order. How many bytes lie up to the one that brings the depth to
 * zero, that one included; 0: none does. */
static int find_end(uint64_t opens, uint64_t closes, int64_t *depth)
{
    uint64_t brackets = opens | closes;

    for (; brackets; brackets &= brackets - 1) {
        *depth += opens & brackets & -brackets ? 1 : -1;
        if (*depth <= 0)
            return __builtin_ctzll(brackets) + 1;
    }
    return 0;
}

typedef struct json_block block_at_fn(const char *at);

/* Takes the `n` bytes of a block that has zeros behind them. Returns what find_end() does. */
static ALWAYS_INLINE int take_block(struct json_skip *skip, const char *at, size_t n,
                                    block_at_fn *block_at)
{
    struct json_block block = block_at(at);
    unsigned carry;
    uint64_t escaped, strings;

    escaped = find_escaped(block.slashes, skip->escaped, &carry);
    strings = running_xor(block.quotes & ~escaped) ^ -(uint64_t)skip->in_string;
    block.opens &= ~strings;
    block.closes &= ~strings;

    skip->escaped = (uint8_t)(n < JSON_BLOCK_SIZE ? escaped >> n & 1 : carry);
    skip->in_string = (uint8_t)(strings >> 63); /* zeros end no string: as at byte n - 1 */
    if (block.closes) {
        int closes = count_bits(block.closes);

        if (skip->depth <= closes)
            return find_end(block.opens, block.closes, &skip->depth);
        skip->depth -= closes;
    }
    if (block.opens)
        skip->depth += count_bits(block.opens);
    return 0;
}

static ALWAYS_INLINE const char *skip_by(struct json_skip *skip, const char *at,
                                         const char *end, block_at_fn *block_at)
{
    struct json_skip now = *skip; /* a local one can stay in registers */
    char rest[JSON_BLOCK_SIZE];
    int place = 0;

    while (at < end) {
        const char *block = at;
        size_t n = (size_t)(end - at);

        if (n < JSON_BLOCK_SIZE) {
            memset(rest, 0, sizeof(rest));
            block = memcpy(rest, at, n);
        } else {
            n = JSON_BLOCK_SIZE;
        }
        place = take_block(&now, block, n, block_at);
        if (place)
            break;
        at += n;
    }
    *skip = place ? (struct json_skip){0} : now;
    return place ? at + place : NULL;
}

#ifdef JSON_AVX2
JSON_AVX2 static const char *skip_avx2(struct json_skip *skip, const char *at, const char *end)
{
    return skip_by(skip, at, end, json_block_avx2);
}
#endif

const char *json_skip_more(struct json_skip *skip, const char *at, const char *end)
{
#ifdef JSON_AVX2
    if (__builtin_cpu_supports("avx2"))
        return skip_avx2(skip, at, end);
#endif
    return skip_by(skip, at, end, json_block_at);
}
