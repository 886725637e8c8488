/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bins of numbers. Called for each change, and where figures are shown, on the worker.
 */
#include "sketch.h"

#include <float.h>
#include <math.h>

/* A double's exponent and the first 6 bits behind it. */
enum { BIN_SHIFT = 52 - 6, PLACE_MAX = 0x7ff << 6 };

void sketch_fini(struct sketch *sketch)
{
    free(sketch->bins);
    *sketch = (struct sketch){0};
}

static int32_t place_of(double value)
{
    double size = fabs(value);
    uint64_t bits;

    if (size < DBL_MIN)
        return 0;
    memcpy(&bits, &size, sizeof(bits));
    return value < 0 ? -(int32_t)(bits >> BIN_SHIFT) : (int32_t)(bits >> BIN_SHIFT);
}

/* The value that is off by the same part of either end. */
static double value_of(int32_t place)
{
    uint64_t bits = (uint64_t)(place < 0 ? -place : place) << BIN_SHIFT;
    uint64_t width = (bits >> 52 << 52);
    double low, octave, high;

    if (place == 0)
        return 0;
    memcpy(&low, &bits, sizeof(low));
    memcpy(&octave, &width, sizeof(octave));
    high = low + octave / 64;
    low = isinf(high) ? low : low * (2 / (1 + low / high));
    return place < 0 ? -low : low;
}

/* Where the bin is, or would be. Where most numbers are no bin is missing, and the way from one
 * to another is what their places are apart. */
static uint32_t find(struct sketch *sketch, int32_t place)
{
    uint32_t at = 0, left = sketch->count;

    if (sketch->last < left) {
        int64_t near = (int64_t)sketch->last + place - sketch->bins[sketch->last].place;

        if (near >= 0 && near < left && sketch->bins[near].place == place)
            return sketch->last = (uint32_t)near;
    }
    /* No branch: which half it is nobody can foretell. */
    for (; left > 1; left -= left / 2)
        at += sketch->bins[at + left / 2 - 1].place < place ? left / 2 : 0;
    at += left == 1 && sketch->bins[at].place < place;
    sketch->last = at;
    return at;
}

static bool reserve(struct sketch *sketch, uint32_t count)
{
    uint32_t room = sketch->room > 0 ? sketch->room : 8;
    struct bin *bins;

    if (count <= sketch->room)
        return true;
    while (room < count)
        room += room / 2;
    bins = realloc(sketch->bins, room * sizeof(*bins));
    if (!bins)
        return false;
    sketch->bins = bins;
    sketch->room = room;
    return true;
}

static bool add_many(struct sketch *sketch, int32_t place, uint64_t count)
{
    uint32_t at = find(sketch, place);

    if (at == sketch->count || sketch->bins[at].place != place) {
        if (!reserve(sketch, sketch->count + 1))
            return false;
        memmove(sketch->bins + at + 1, sketch->bins + at,
                (sketch->count - at) * sizeof(*sketch->bins));
        sketch->bins[at] = (struct bin){.place = place};
        sketch->count++;
    }
    sketch->bins[at].count += count;
    return true;
}

bool sketch_add(struct sketch *sketch, double value)
{
    return add_many(sketch, place_of(value), 1);
}

bool sketch_merge(struct sketch *sketch, const struct sketch *more)
{
    for (uint32_t i = 0; i < more->count; i++)
        if (!add_many(sketch, more->bins[i].place, more->bins[i].count))
            return false;
    return true;
}

void sketch_take(struct sketch *sketch, double value)
{
    int32_t place = place_of(value);
    uint32_t at = find(sketch, place);

    if (at == sketch->count || sketch->bins[at].place != place || --sketch->bins[at].count > 0)
        return;
    sketch->count--;
    memmove(sketch->bins + at, sketch->bins + at + 1,
            (sketch->count - at) * sizeof(*sketch->bins));
}

double sketch_quantile(const struct sketch *sketch, double q)
{
    uint64_t count = 0, rank;

    for (uint32_t i = 0; i < sketch->count; i++)
        count += sketch->bins[i].count;
    if (count == 0)
        return 0;
    rank = (uint64_t)(q * (double)(count - 1));
    for (uint32_t i = 0; i < sketch->count; i++) {
        if (rank < sketch->bins[i].count)
            return value_of(sketch->bins[i].place);
        rank -= sketch->bins[i].count;
    }
    return value_of(sketch->bins[sketch->count - 1].place);
}

/* ---- kept ---- */

void sketch_write(const struct sketch *sketch, tr_text *out)
{
    int32_t before = 0;
    char *at;

    bytes_add_count(out, sketch->count);
    if (!tr_text_reserve(out, sketch->count * 2ul * COUNT_BYTES))
        return;
    at = out->ptr + out->len;
    for (uint32_t i = 0; i < sketch->count; i++) {
        at = bytes_put_signed(at, (int64_t)sketch->bins[i].place - before);
        at = bytes_put_count(at, sketch->bins[i].count);
        before = sketch->bins[i].place;
    }
    out->len = (size_t)(at - out->ptr);
}

bool sketch_read(struct sketch *sketch, struct reader *reader)
{
    uint32_t count = (uint32_t)read_count_to(reader, 2 * PLACE_MAX);
    int64_t before = 0;

    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        int64_t place = before + read_signed(reader);
        uint64_t many = read_count(reader);

        if (place < -PLACE_MAX || place > PLACE_MAX || (i > 0 && place <= before) || many == 0)
            reader->failed = true;
        else if (!add_many(sketch, (int32_t)place, many))
            return false;
        before = place;
    }
    return !reader->failed;
}
