/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as few bytes, for what is kept in the state, and back again. Whoever reads may be
 * handed anything: a reader that meets the end, or a number that is too long, has failed, gives
 * zeros from there on, and is asked once. Any thread.
 */
#ifndef STATS_BYTES_H
#define STATS_BYTES_H

#include <tailrace/text.h>

#include <endian.h>
#include <stdbool.h>

enum { COUNT_BYTES = 10 }; /* of a count at most                                            */

/* To where there is room for it; returns what is behind it. */
static inline char *bytes_put_count(char *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (char)(value | 0x80);
    *to++ = (char)value;
    return to;
}

/* Small ones of either sign are short. */
static inline char *bytes_put_signed(char *to, int64_t value)
{
    return bytes_put_count(to, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

static inline void bytes_add_count(tr_text *out, uint64_t value)
{
    if (tr_text_reserve(out, COUNT_BYTES))
        out->len = (size_t)(bytes_put_count(out->ptr + out->len, value) - out->ptr);
}

static inline void bytes_add_signed(tr_text *out, int64_t value)
{
    if (tr_text_reserve(out, COUNT_BYTES))
        out->len = (size_t)(bytes_put_signed(out->ptr + out->len, value) - out->ptr);
}

static inline void bytes_add_text(tr_text *out, tr_str value)
{
    bytes_add_count(out, value.len);
    tr_text_add(out, value);
}

/* 1 to 8 bytes, big-endian: the order of the bytes is that of the numbers. */
static inline void bytes_put_ordered(char *to, uint64_t value, size_t len)
{
    value = htobe64(value << (64 - 8 * len));
    memcpy(to, &value, len);
}

static inline uint64_t bytes_get_ordered(const char *from, size_t len)
{
    uint64_t value = 0;

    memcpy(&value, from, len);
    return be64toh(value) >> (64 - 8 * len);
}

struct reader {
    const char *at, *end;
    bool failed;
};

static inline struct reader reader_of(tr_str bytes)
{
    static const char nothing[1];

    if (bytes.len == 0)
        return (struct reader){.at = nothing, .end = nothing};
    return (struct reader){.at = bytes.ptr, .end = bytes.ptr + bytes.len};
}

static inline uint64_t read_count(struct reader *reader)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned char byte;

        if (reader->at == reader->end)
            break;
        byte = (unsigned char)*reader->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    reader->failed = true;
    reader->at = reader->end;
    return 0;
}

/* One of at most `most`. */
static inline uint64_t read_count_to(struct reader *reader, uint64_t most)
{
    uint64_t value = read_count(reader);

    if (value <= most)
        return value;
    reader->failed = true;
    reader->at = reader->end;
    return 0;
}

static inline int64_t read_signed(struct reader *reader)
{
    uint64_t value = read_count(reader);

    return (int64_t)(value >> 1 ^ (value & 1 ? UINT64_MAX : 0));
}

static inline tr_str read_bytes(struct reader *reader, size_t len)
{
    tr_str bytes = tr_str_n(reader->at, len);

    if ((size_t)(reader->end - reader->at) < len) {
        reader->failed = true;
        reader->at = reader->end;
        return tr_str_n(reader->at, 0);
    }
    reader->at += len;
    return bytes;
}

static inline tr_str read_text(struct reader *reader)
{
    return read_bytes(reader, (size_t)read_count_to(reader, SIZE_MAX / 2));
}

#endif
