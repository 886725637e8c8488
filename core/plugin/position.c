/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.position/1: durable checkpoints, told to the plugins that keep books of their own. From
 * the loop to the worker, in the order in which they became durable.
 */
#include "base/mem.h"
#include "base/str.h"
#include "plugin/private.h"

#include <tailrace/ext/position.h>

struct news {
    struct work work;
    struct instance *instance;
    tr_place place;
    char text[]; /* its strings */
};

const tr_position *position_table(const struct plugin *plugin)
{
    const tr_plugin *calls = &plugin->descriptor;
    const tr_position *table = calls->get_ext ? calls->get_ext(TR_EXT_POSITION) : NULL;

    return table && TR_HAS(table, tr_position, settled) ? table : NULL;
}

static void tell(struct work *work)
{
    struct news *news = list_entry(work, struct news, work);
    struct instance *instance = news->instance;

    if (instance->opened)
        instance->position->settled(instance->self, &news->place);
    free(news);
}

static tr_str put(char **at, tr_str text)
{
    tr_str copy = str_n(*at, text.len);

    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return copy;
}

void instance_settled(struct instance *instance, const tr_place *place)
{
    size_t len = place->source.len + place->db.len + place->stream.len + place->seq.len;
    struct news *news;
    char *at;

    if (!instance->position)
        return;
    news = mem_zero(1, sizeof(*news) + len);
    at = news->text;
    news->instance = instance;
    news->place = (tr_place){.size = sizeof(news->place)};
    news->place.source = put(&at, place->source);
    news->place.db = put(&at, place->db);
    news->place.stream = put(&at, place->stream);
    news->place.seq = put(&at, place->seq);
    news->work.run = tell;
    instance_post(instance, &news->work);
}
