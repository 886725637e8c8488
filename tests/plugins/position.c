/* SPDX-License-Identifier: Apache-2.0 */
/*
 * position: has a word in where a stream begins. A database whose name is a seq begins there,
 * "later" is answered by the first checkpoint, "never" not at all, "wrong" first by nonsense
 * and by numbers that are not asked for, "again" has the stream begin again; all others begin
 * where the host would. What it is told of checkpoints is the message of the next batch's
 * outcome.
 */
#include "common.h"

#include <tailrace/ext/position.h>

static char told[64];
static uint64_t later;

static const tr_position_host *host_table(const tr_self *self)
{
    return (const tr_position_host *)self->host->get_ext(self->host, TR_EXT_POSITION);
}

static void begin(tr_self *self, const tr_begin *it)
{
    const tr_position_host *host = host_table(self);

    if (tr_str_eq(it->db, TR_STR("never")))
        return;
    if (tr_str_eq(it->db, TR_STR("later"))) {
        later = it->question;
        return;
    }
    if (tr_str_eq(it->db, TR_STR("wrong"))) {
        if (host->answer(self->host, it->question, TR_STR("{")) != TR_EINVAL ||
            host->answer(self->host, it->question, TR_STR("null")) != TR_EINVAL ||
            host->answer(self->host, it->question + 100, TR_STR("1")) != TR_ESTALE ||
            host->answer(self->host, 0, TR_STR("1")) != TR_EINVAL ||
            host->answer(self->host, it->question, TR_STR("2")) != TR_OK ||
            host->answer(self->host, it->question, TR_STR("3")) != TR_ESTALE)
            abort();
        return;
    }
    if (tr_str_eq(it->db, TR_STR("again")) &&
        (host->again(self->host, it->stream, TR_STR("")) != TR_EINVAL ||
         host->again(self->host, it->stream, TR_STR("null")) != TR_EINVAL ||
         host->again(self->host, it->stream, TR_STR("\"3-a\"")) != TR_OK))
        abort();
    host->answer(self->host, it->question, it->db.ptr[0] == '"' ? it->db : TR_STR(""));
    /* Its strings live until begin() returns, whatever was answered. */
    if (it->stream.len == 0 || memchr(it->stream.ptr, '\0', it->stream.len))
        abort();
}

static void settled(tr_self *self, const tr_place *place)
{
    snprintf(told, sizeof(told), "%.*s %.*s", (int)place->stream.len, place->stream.ptr,
             (int)place->seq.len, place->seq.ptr);
    if (later)
        host_table(self)->answer(self->host, later, TR_STR("\"later\""));
    later = 0;
}

static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    (void)self, (void)batch;
    return tr_finish(outcome, TR_OK, told);
}

static const void *get_ext(const char *id)
{
    static const tr_position table = {sizeof(table), begin, settled};

    return strcmp(id, TR_EXT_POSITION) == 0 ? &table : NULL;
}

static const tr_plugin plugin = {COMMON("position", "has a word in where it begins"),
                                 .process = process, .get_ext = get_ext};

TR_PLUGIN(plugin)
