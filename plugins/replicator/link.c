/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link: a stream of the rule and the database that it is copied to. They are found by the
 * stream, of which a rule may have ten thousand, and live as long as the instance. Which
 * incarnations both databases are is kept, so that a checkpoint is never written about another.
 * Worker.
 */
#include "native.h"

/* ---- finding ---- */

static char *copy(tr_str text)
{
    char *made = malloc(text.len + 1);

    if (!made)
        return NULL;
    if (text.len > 0)
        memcpy(made, text.ptr, text.len);
    made[text.len] = '\0';
    return made;
}

static void link_free(struct link *link)
{
    books_fini(link);
    tr_text_fini(&link->source);
    tr_text_fini(&link->target);
    tr_text_fini(&link->seq);
    tr_text_fini(&link->starts[SOURCE]);
    tr_text_fini(&link->starts[TARGET]);
    free(link->stream);
    free(link->db);
    free(link->rule);
    free(link);
}

void link_free_all(tr_self *self)
{
    for (uint32_t i = 0; i < self->links_room; i++) {
        struct link *link, *next;

        for (link = self->links[i]; link; link = next) {
            next = link->next;
            link_free(link);
        }
    }
    free(self->links);
    self->links = NULL;
    self->links_room = self->links_count = 0;
}

/* A power of two buckets. */
static struct link **bucket_of(struct link **links, uint32_t room, tr_str stream)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < stream.len; i++)
        hash = (hash ^ (unsigned char)stream.ptr[i]) * 16777619u;
    return &links[hash & (room - 1)];
}

struct link *link_find(tr_self *self, tr_str stream)
{
    struct link *link = self->links_room > 0 ? *bucket_of(self->links, self->links_room, stream)
                                             : NULL;

    while (link && !tr_str_eq(tr_str_c(link->stream), stream))
        link = link->next;
    return link;
}

/* One link more than there are buckets doubles them. */
static bool make_room(tr_self *self)
{
    uint32_t room = self->links_room > 0 ? 2 * self->links_room : 1;
    struct link **grown;

    if (self->links_count < self->links_room)
        return true;
    grown = calloc(room, sizeof(struct link *));
    if (!grown)
        return false;
    for (uint32_t i = 0; i < self->links_room; i++)
        while (self->links[i]) {
            struct link *link = self->links[i];
            struct link **bucket = bucket_of(grown, room, tr_str_c(link->stream));

            self->links[i] = link->next;
            link->next = *bucket;
            *bucket = link;
        }
    free(self->links);
    self->links = grown;
    self->links_room = room;
    return true;
}

struct link *link_of(tr_self *self, tr_str stream, tr_str db, tr_str rule)
{
    struct link *link = link_find(self, stream), **bucket;

    if (link)
        return link;
    link = make_room(self) ? calloc(1, sizeof(*link)) : NULL;
    if (!link)
        return NULL;
    link->self = self;
    link->stream = copy(stream);
    link->db = copy(db);
    link->rule = copy(rule);
    if (!link->stream || !link->db || !link->rule) {
        link_free(link);
        return NULL;
    }
    books_begin_session(link);
    bucket = bucket_of(self->links, self->links_room, stream);
    link->next = *bucket;
    *bucket = link;
    self->links_count++;
    return link;
}

/* ---- incarnations ---- */

/* instance_start_time, where it says when a database was made: seconds, as text or number. What
 * other servers have there is 0, or when they were started. */
static tr_str start_of(tr_str info)
{
    tr_str raw = tr_scan_find(info, "instance_start_time");
    tr_str text = raw;

    if (text.len > 2 && text.ptr[0] == '"')
        text = tr_str_n(text.ptr + 1, text.len - 2);
    return text.len == 10 ? text : tr_str_n(NULL, 0);
}

/* A server that does not say when a database was made has at least said that it was gone. */
bool link_is_same(const struct link *link, int end, tr_str info)
{
    tr_str before = tr_text_str(&link->starts[end]), now = start_of(info);

    if (before.len == 0 || now.len == 0)
        return end == SOURCE || !link->lost;
    return tr_str_eq(before, now);
}

bool link_misses_books(const struct link *link)
{
    return link->books.told && link->starts[TARGET].len == 0;
}

bool link_take_start(struct link *link, int end, tr_str info)
{
    if (!link_is_same(link, end, info)) {
        link_break(link, end);
        return false;
    }
    tr_text_clear(&link->starts[end]);
    tr_text_add(&link->starts[end], start_of(info));
    if (end == TARGET)
        link->lost = false;
    return true;
}

/* Its documents come by the stream of the new one, which the host reads from the beginning. */
static void lose_source(struct link *link)
{
    link->state = LINK_BROKEN;
    link->remade = false;
    snprintf(link->why, sizeof(link->why),
             "the source was deleted and made again: what it had before is settled");
    tr_logf(link->self->host, TR_LOG_WARNING, "database %s: %s", link->db, link->why);
}

/* False: the host has never heard of that, or the instance ends. */
static bool begin_again(const struct link *link)
{
    const tr_self *self = link->self;

    return self->position && TR_HAS(self->position, tr_position_host, again) &&
           self->position->again(self->host, tr_str_c(link->stream), TR_STR("0")) == TR_OK;
}

/* The beginning is the host's checkpoint at once; where it really begins is found out when it
 * asks, see begin.c. */
static void lose_target(struct link *link)
{
    bool again = begin_again(link);

    link->state = again ? LINK_NEW : LINK_BROKEN;
    snprintf(link->why, sizeof(link->why), "the target was deleted and made again: %s",
             again ? "it is filled again"
                   : "what was settled is not there any more; restart tailrace, and "
                     "everything is copied again");
    tr_logf(link->self->host, TR_LOG_WARNING, "database %s: %s", link->db, link->why);
    tr_text_clear(&link->starts[TARGET]);
    link->fresh = link->lost = link->judged = false;
    link->remade = true;
    link->lacking = link->undiffed = link->most = 0;
    checkpoint_forget(link);
}

void link_break(struct link *link, int end)
{
    if (link->state == LINK_BROKEN)
        return;
    if (end == SOURCE)
        lose_source(link);
    else
        lose_target(link);
}

void link_lose(struct link *link)
{
    link->lost = true;
    if (link->state == LINK_OPEN)
        link->state = LINK_NEW;
}
