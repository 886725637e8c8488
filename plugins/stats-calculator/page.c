/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All figures as one JSON text, the same for every place that they go to:
 *
 *     {"databases":2,"documents":7,"figures":{…}}                          without groups
 *     {"databases":2,"documents":7,"groups":[{"group":{…},"time":"…","documents":3,
 *      "figures":{…}},…],"other":{"documents":1,"figures":{…}}}            with them
 *
 * What of it has not changed is taken as it was. The same figures are the same text. Worker.
 */
#include "stats.h"

static bool is_grouped(const tr_self *self)
{
    return self->options.group_by_count > 0 || self->options.time_field;
}

/* ---- order ---- */

static int compare_bytes(tr_str a, tr_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* By one field after the other. */
static int compare(const void *left, const void *right)
{
    const struct total *a = *(const struct total *const *)left;
    const struct total *b = *(const struct total *const *)right;
    struct reader a_fields = reader_of(tr_str_n(a->key, a->key_len));
    struct reader b_fields = reader_of(tr_str_n(b->key, b->key_len));
    int order = 0;

    while (order == 0 && a_fields.at < a_fields.end && b_fields.at < b_fields.end)
        order = compare_bytes(read_text(&a_fields), read_text(&b_fields));
    return order;
}

/* ---- one total ---- */

static void show_key(const tr_self *self, const struct total *total, tr_text *out)
{
    const struct options *options = &self->options;
    struct reader fields = reader_of(tr_str_n(total->key, total->key_len));
    tr_str time;

    if (options->group_by_count > 0)
        tr_text_add_c(out, "\"group\":{");
    for (uint32_t i = 0; i < options->group_by_count; i++) {
        tr_text_add_c(out, i > 0 ? "," : "");
        tr_text_add_string(out, self->json, tr_str_c(options->group_by[i]));
        tr_text_add_c(out, ":");
        value_show(read_text(&fields), self->json, out);
    }
    if (options->group_by_count > 0)
        tr_text_add_c(out, "},");
    if (!options->time_field)
        return;
    time = read_text(&fields);
    tr_text_add_c(out, time.len == 8 ? "\"time\":\"" : "\"time\":null,");
    if (time.len == 8) {
        bucket_show(bucket_get(time.ptr), out);
        tr_text_add_c(out, "\",");
    }
}

static bool show_total(tr_self *self, struct total *total)
{
    tr_text *out = &total->shown;

    if (total->is_fresh)
        return true;
    tr_text_clear(out);
    tr_text_add_c(out, "{");
    if (total != self->other)
        show_key(self, total, out);
    total->is_fresh = figures_show(self, total, out);
    tr_text_add_c(out, "}");
    if (out->failed)
        total->is_fresh = false;
    return total->is_fresh;
}

/* ---- all ---- */

static struct total **sort_totals(const tr_self *self, uint32_t *ret_count)
{
    struct total **totals = calloc(self->totals.count + 1ul, sizeof(struct total *));
    uint32_t count = 0;

    if (!totals)
        return NULL;
    for (uint32_t i = 0; i < self->totals.room; i++)
        for (struct link *link = self->totals.slots[i]; link; link = link->next)
            if ((struct total *)(void *)link != self->other)
                totals[count++] = (struct total *)(void *)link;
    qsort(totals, count, sizeof(struct total *), compare);
    *ret_count = count;
    return totals;
}

static bool show_groups(tr_self *self, tr_text *page)
{
    uint32_t count = 0;
    struct total **totals = sort_totals(self, &count);
    bool is_well = totals != NULL;

    tr_text_add_c(page, ",\"groups\":[");
    for (uint32_t i = 0; i < count && is_well; i++) {
        is_well = show_total(self, totals[i]);
        tr_text_add_c(page, i > 0 ? "," : "");
        tr_text_add(page, tr_text_str(&totals[i]->shown));
    }
    tr_text_add_c(page, "]");
    if (is_well && self->other) {
        is_well = show_total(self, self->other);
        tr_text_add_c(page, ",\"other\":");
        tr_text_add(page, tr_text_str(&self->other->shown));
    }
    free(totals);
    return is_well;
}

static void add_up(const tr_self *self, uint64_t *ret_databases, uint64_t *ret_documents)
{
    for (uint32_t i = 0; i < self->streams.room; i++)
        for (struct link *link = self->streams.slots[i]; link; link = link->next) {
            const struct stream *stream = (const struct stream *)(const void *)link;

            *ret_databases += stream->is_written && !stream->is_stale;
            for (uint32_t id = 0; id < stream->groups_room; id++)
                *ret_documents += stream->groups[id] ? stream->groups[id]->documents : 0;
        }
}

bool page_make(tr_self *self)
{
    tr_text *page = &self->publisher.page;
    uint64_t databases = 0, documents = 0;
    bool is_well;

    add_up(self, &databases, &documents);
    tr_text_clear(page);
    tr_text_addf(page, "{\"databases\":%llu,", (unsigned long long)databases);
    if (is_grouped(self)) {
        tr_text_addf(page, "\"documents\":%llu", (unsigned long long)documents);
        is_well = show_groups(self, page);
    } else {
        struct link *only = table_first(&self->totals, value_hash(tr_str_n("", 0)));

        is_well = figures_show(self, (struct total *)(void *)only, page);
    }
    tr_text_add_c(page, "}");
    return is_well && !page->failed;
}
