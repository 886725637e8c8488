/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a stream is read from (tr.position/1): where the host would, unless it was counted by
 * other options. Then it is read again from where it began, so that the figures are those of
 * the options that there are now, and nobody has to remember to ask for it. Worker.
 */
#include "stats.h"

/* The rule may have been told to begin again: then the state is empty, and memory must be. */
static void compare(tr_self *self, struct stream *stream)
{
    tr_str meta;

    if (!stream->is_written ||
        self->state->get(self->host, tr_str_c(stream->name), TR_STR("m"), &meta) != TR_ENOENT)
        return;
    (void)stream_reload(self, stream);
    publish_want(self);
}

/* From where it would have to be read if it were to be read once more. */
static void remember(struct stream *stream, tr_str seq)
{
    char *began = malloc(seq.len + 1);

    if (!began)
        return;
    if (seq.len > 0)
        memcpy(began, seq.ptr, seq.len);
    began[seq.len] = '\0';
    free(stream->began);
    stream->began = began;
}

static void begin(tr_self *self, const tr_begin *it)
{
    struct stream *stream = stream_of(self, it->source, it->db, it->stream);
    tr_str seq = tr_str_n(NULL, 0);

    if (stream)
        compare(self, stream);
    if (stream && stream->is_stale) {
        stream->is_again = true;
        seq = stream->began ? tr_str_c(stream->began) : TR_STR("0");
    } else if (stream && !stream->is_written && !it->has_checkpoint) {
        remember(stream, it->seq);
    }
    if (self->position)
        (void)self->position->answer(self->host, it->question, seq);
}

const void *begin_table(void)
{
    static const tr_position table = {.size = sizeof(table), .begin = begin};

    return &table;
}
