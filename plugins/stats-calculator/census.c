/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many different values a field has in a total, and which are the most frequent. They are
 * read from the state of its groups and put together: exactly, as long as no group and not all
 * of them together have more than max_values.
 *
 * Beyond that the number is HyperLogLog's. Its registers hold the greatest rank that any hash
 * has in a cell; here the cells are counted for those values that are not counted one by one,
 * so that a register falls again when documents go. Worker.
 */
#include "stats.h"

#include <math.h>

struct entry {
    struct link link; /* by value                                                            */
    uint64_t count;
    uint8_t len;
    char bytes[];
};

struct census {
    tr_self *self;
    struct table entries;
    uint64_t uncounted; /* documents with other values                                       */
    bool failed;
    uint8_t ranks[CELLS];
};

void census_free(struct census *census)
{
    if (!census)
        return;
    for (uint32_t i = 0; i < census->entries.room; i++)
        while (census->entries.slots[i]) {
            struct link *link = census->entries.slots[i];

            table_remove(&census->entries, link);
            free(link);
        }
    table_fini(&census->entries);
    free(census);
}

static void take_cell(struct census *census, const char cell[3])
{
    uint8_t *rank = &census->ranks[bytes_get_ordered(cell, 2) % CELLS];

    if (*rank < (uint8_t)cell[2])
        *rank = (uint8_t)cell[2];
}

static void take_hash(struct census *census, tr_str value)
{
    char cell[3];

    entry_cell(value, cell);
    take_cell(census, cell);
}

static struct entry *find(const struct census *census, tr_str value, uint64_t hash)
{
    struct link *link = table_first(&census->entries, hash);

    for (; link; link = table_next(link)) {
        struct entry *entry = (struct entry *)(void *)link;

        if (tr_str_eq(tr_str_n(entry->bytes, entry->len), value))
            return entry;
    }
    return NULL;
}

static bool take_value(void *user, tr_str value, uint64_t count)
{
    struct census *census = user;
    uint64_t hash = value_hash(value);
    struct entry *entry = find(census, value, hash);

    if (!entry && census->entries.count >= (uint64_t)census->self->options.max_values) {
        census->uncounted += count;
        take_hash(census, value);
        return true;
    }
    if (!entry) {
        entry = malloc(sizeof(*entry) + value.len);
        if (!entry || value.len > VALUE_BYTES ||
            !table_add(&census->entries, &entry->link, hash)) {
            free(entry);
            census->failed = true;
            return false;
        }
        entry->count = 0;
        entry->len = (uint8_t)value.len;
        memcpy(entry->bytes, value.ptr, value.len);
    }
    entry->count += count;
    return true;
}

static bool take_counted_cell(void *user, tr_str cell, uint64_t count)
{
    (void)count;
    if (cell.len == 3)
        take_cell(user, cell.ptr);
    return true;
}

struct census *census_new(tr_self *self, const struct total *total, unsigned measure)
{
    struct census *census = calloc(1, sizeof(*census));
    const struct group *group = total ? total->groups : NULL;

    if (!census)
        return NULL;
    census->self = self;
    for (; group && !census->failed; group = group->next) {
        uint64_t others = group->tallies[measure].others;

        census->uncounted += others;
        if (!entry_each(self, group, measure, KIND_VALUE, false, take_value, census) ||
            (others > 0 &&
             !entry_each(self, group, measure, KIND_CELL, false, take_counted_cell, census)))
            census->failed = true;
    }
    if (census->failed) {
        census_free(census);
        return NULL;
    }
    /* A value may be counted in one database and be among the others of the next. */
    for (uint32_t i = 0; census->uncounted > 0 && i < census->entries.room; i++)
        for (struct link *link = census->entries.slots[i]; link; link = link->next) {
            const struct entry *entry = (const struct entry *)(const void *)link;

            take_hash(census, tr_str_n(entry->bytes, entry->len));
        }
    return census;
}

double census_distinct(const struct census *census, bool *ret_is_exact)
{
    const double cells = CELLS, alpha = 0.7213 / (1 + 1.079 / cells);
    double sum = 0, empty = 0, estimate;

    *ret_is_exact = census->uncounted == 0;
    if (*ret_is_exact)
        return census->entries.count;
    for (unsigned i = 0; i < CELLS; i++) {
        sum += ldexp(1, -census->ranks[i]);
        empty += census->ranks[i] == 0;
    }
    estimate = alpha * cells * cells / sum;
    if (estimate <= 2.5 * cells && empty > 0)
        estimate = cells * log(cells / empty);
    return round(fmax(estimate, census->entries.count));
}

/* ---- the most frequent ---- */

static int compare(const void *left, const void *right)
{
    const struct entry *a = *(const struct entry *const *)left;
    const struct entry *b = *(const struct entry *const *)right;
    int order;

    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

bool census_show_top(const struct census *census, tr_text *out, uint64_t *ret_uncounted)
{
    const tr_self *self = census->self;
    uint32_t count = 0;
    const struct entry **entries = calloc(census->entries.count + 1ul, sizeof(*entries));

    if (!entries)
        return false;
    for (uint32_t i = 0; i < census->entries.room; i++)
        for (struct link *link = census->entries.slots[i]; link; link = link->next)
            entries[count++] = (const struct entry *)(const void *)link;
    qsort(entries, count, sizeof(*entries), compare);
    tr_text_add_c(out, "[");
    for (uint32_t i = 0; i < count && i < (uint64_t)self->options.top; i++) {
        tr_text_add_c(out, i > 0 ? ",{\"value\":" : "{\"value\":");
        value_show(tr_str_n(entries[i]->bytes, entries[i]->len), self->json, out);
        tr_text_addf(out, ",\"count\":%llu}", (unsigned long long)entries[i]->count);
    }
    tr_text_add_c(out, "]");
    free(entries);
    *ret_uncounted = census->uncounted;
    return true;
}
