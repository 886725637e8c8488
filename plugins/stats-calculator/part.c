/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a document adds to the figures: which group it belongs to, and the value of each field
 * that is looked at. It is kept beside the document's revision, so that the next change of the
 * document can take it away again. Called for each change, on the worker.
 *
 *     generation, revision, group, then for each field a byte of its kind, and its value
 */
#include "stats.h"

enum { HEAD_KIND = 7, HEAD_OTHER = 1 << 3, HEAD_WHOLE = 1 << 4, REV_HEX = 32 };

/* Whole numbers in here are kept as such. */
#define WHOLE_MAX 4503599627370496.0

/* ---- revisions ---- */

/* -1: it is none. No branch: which digit comes is pure chance. */
static int hex_of(char c)
{
    static const char one_more[256] = {
        ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
        ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
        ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    };

    return one_more[(unsigned char)c] - 1;
}

/* Twice the number in front, then 16 bytes for 32 digits; or twice and one more, then whatever
 * the revision is. */
static void pack_rev(tr_text *out, tr_str rev)
{
    size_t digits = 0;
    uint64_t generation = 0;
    char bytes[REV_HEX / 2];
    bool is_plain;

    while (digits < rev.len && digits < 9 && rev.ptr[digits] >= '0' && rev.ptr[digits] <= '9')
        generation = 10 * generation + (uint64_t)(rev.ptr[digits++] - '0');
    is_plain = rev.len == digits + 1 + REV_HEX && rev.ptr[digits] == '-' &&
               rev.ptr[0] != '0'; /* or else two would look the same                          */
    for (size_t i = 0; i < sizeof(bytes) && is_plain; i++) {
        const char *pair = rev.ptr + digits + 1 + 2 * i;
        int high = hex_of(pair[0]), low = hex_of(pair[1]);

        is_plain = (high | low) >= 0;
        bytes[i] = (char)((unsigned)high << 4 | (unsigned)low);
    }
    bytes_add_count(out, 2 * generation + !is_plain);
    tr_text_add(out, is_plain ? tr_str_n(bytes, sizeof(bytes)) : rev);
}

static bool take_rev(struct contribution *it, tr_str rev)
{
    tr_text_clear(&it->bytes);
    /* And room for what else comes, so that slices stay where they are. */
    if (!tr_text_reserve(&it->bytes, rev.len + 16 + MEASURES_MAX * VALUE_BYTES))
        return false;
    pack_rev(&it->bytes, rev);
    it->rev = tr_text_str(&it->bytes);
    return true;
}

/* By their numbers, then by their hashes, as CouchDB does it. */
bool part_is_older(tr_str rev, tr_str counted)
{
    struct reader a = reader_of(rev), b = reader_of(counted);
    uint64_t a_generation = read_count(&a) / 2, b_generation = read_count(&b) / 2;
    size_t len = (size_t)(a.end - a.at);

    if (a_generation != b_generation)
        return a_generation < b_generation;
    return len == (size_t)(b.end - b.at) && memcmp(a.at, b.at, len) < 0;
}

/* ---- of a document ---- */

static bool holds(tr_self *self, const struct condition *condition, tr_str raw)
{
    if (raw.len > 0 && raw.ptr[0] == '"') {
        tr_text_clear(&self->scratch);
        raw = tr_text_at(&self->scratch, tr_text_add_decoded(&self->scratch, self->json, raw));
    } else if (raw.len == 0) {
        return false;
    }
    for (uint32_t i = 0; i < condition->values_count; i++)
        if (tr_str_eq(raw, tr_str_c(condition->values[i])))
            return true;
    return false;
}

/* Finds its fields, if it may count. */
static bool counts(tr_self *self, const tr_batch *batch, const tr_change *change)
{
    const struct options *options = &self->options;

    if (change->flags & TR_CHANGE_DELETED || change->doc.len == 0 ||
        change->flags & TR_CHANGE_DESIGN || couch_is_own(self, batch->db, change->id))
        return false;
    self->json->find_all(change->doc, options->fields, options->fields_count, options->found);
    for (uint32_t i = 0; i < options->where_count; i++)
        if (!holds(self, &options->where[i], options->found[i]))
            return false;
    return true;
}

/* `found`: of the fields of group_by, and of time. */
static bool make_key(tr_self *self, tr_text *key, const tr_str *found)
{
    const struct options *options = &self->options;
    struct value value;
    int64_t time;
    char bytes[8];

    tr_text_clear(key);
    for (uint32_t i = 0; i < options->group_by_count; i++) {
        value_read(&value, self->json, *found++, &self->scratch);
        bytes_add_text(key, tr_str_n(value.bytes, value.len));
    }
    if (!options->time_field)
        return !key->failed;
    value_read(&value, self->json, *found, &self->scratch);
    if (bucket_read_time(&value, &time)) {
        bucket_put(bytes, bucket_begin(&options->bucket, time));
        bytes_add_text(key, tr_str_n(bytes, sizeof(bytes)));
    } else {
        bytes_add_count(key, 0);
    }
    return !key->failed;
}

static void make_part(tr_self *self, struct contribution *it, uint32_t i, tr_str raw)
{
    const struct measure *measure = &self->options.measures[i];
    struct part *part = &it->parts[i];
    struct value value;

    *part = (struct part){0};
    value_read(&value, self->json, raw, &self->scratch);
    if (value.kind == VALUE_MISSING) {
        part->kind = PART_MISSING;
    } else if (value.kind == VALUE_BAD ||
               (value.kind != VALUE_NUMBER && (measure->keeps & KEEP_NUMBERS))) {
        part->kind = PART_INVALID;
    } else if (measure->keeps == 0) {
        part->kind = PART_PRESENT;
    } else if (value.kind == VALUE_NUMBER) {
        part->kind = PART_NUMBER;
        part->number = value.number;
    } else {
        part->kind = PART_VALUE;
        part->value = tr_str_n(it->bytes.ptr + it->bytes.len, value.len);
        tr_text_add(&it->bytes, tr_str_n(value.bytes, value.len));
    }
}

bool part_make(tr_self *self, const tr_batch *batch, const tr_change *change)
{
    const struct options *options = &self->options;
    struct contribution *it = &self->after;
    const tr_str *found = options->found + options->where_count;

    it->is_there = false;
    if (!take_rev(it, change->rev))
        return false;
    if (!counts(self, batch, change))
        return true;
    if (!make_key(self, &it->group_key, found))
        return false;
    found += options->group_by_count + (options->time_field ? 1 : 0);
    for (uint32_t i = 0; i < options->measures_count; i++)
        make_part(self, it, i, found[i]);
    it->is_there = true;
    return true;
}

/* ---- kept ---- */

static void write_part(const struct part *part, tr_text *out)
{
    int64_t whole = 0;
    unsigned head = part->kind | (part->is_other ? HEAD_OTHER : 0u);
    char bytes[9];

    if (part->kind == PART_NUMBER && part->number > -WHOLE_MAX && part->number < WHOLE_MAX &&
        (double)(whole = (int64_t)part->number) == part->number)
        head |= HEAD_WHOLE;
    bytes[0] = (char)head;
    tr_text_add(out, tr_str_n(bytes, 1));
    if (head & HEAD_WHOLE) {
        bytes_add_signed(out, whole);
    } else if (part->kind == PART_NUMBER) {
        uint64_t bits;

        memcpy(&bits, &part->number, sizeof(bits));
        bytes_put_ordered(bytes, bits, 8);
        tr_text_add(out, tr_str_n(bytes, 8));
    } else if (part->kind == PART_VALUE) {
        bytes_add_text(out, part->value);
    }
}

void part_write(const tr_self *self, const struct contribution *it, uint16_t generation,
                uint32_t group_id, tr_text *out)
{
    tr_text_clear(out);
    bytes_add_count(out, generation);
    bytes_add_text(out, it->rev);
    bytes_add_count(out, group_id);
    for (uint32_t i = 0; i < self->options.measures_count; i++)
        write_part(&it->parts[i], out);
}

static void read_part(struct part *part, struct reader *reader)
{
    tr_str byte = read_bytes(reader, 1);
    unsigned head = byte.len > 0 ? (unsigned char)byte.ptr[0] : 0;

    *part = (struct part){.kind = head & HEAD_KIND, .is_other = (head & HEAD_OTHER) != 0};
    if (head & HEAD_WHOLE) {
        part->number = (double)read_signed(reader);
    } else if (part->kind == PART_NUMBER) {
        tr_str bytes = read_bytes(reader, 8);
        uint64_t bits = bytes.len == 8 ? bytes_get_ordered(bytes.ptr, 8) : 0;

        memcpy(&part->number, &bits, sizeof(bits));
    } else if (part->kind == PART_VALUE) {
        part->value = read_bytes(reader, (size_t)read_count_to(reader, VALUE_BYTES));
    }
}

bool part_read(const tr_self *self, struct contribution *it, tr_str bytes, uint16_t generation)
{
    struct reader reader;

    it->is_there = false;
    tr_text_clear(&it->bytes);
    tr_text_add(&it->bytes, bytes);
    if (it->bytes.failed)
        return false;
    reader = reader_of(tr_text_str(&it->bytes));
    if (read_count(&reader) != generation && !reader.failed)
        return true;
    it->rev = read_text(&reader);
    it->group_id = (uint32_t)read_count_to(&reader, UINT32_MAX);
    for (uint32_t i = 0; i < self->options.measures_count; i++)
        read_part(&it->parts[i], &reader);
    it->is_there = !reader.failed;
    return !reader.failed;
}
