/* SPDX-License-Identifier: Apache-2.0 */
/*
 * my-plugin: counts the changes of each database and logs them now and then.
 *
 * All callbacks of an instance run on its own thread, one at a time, so nothing here needs a
 * lock.
 */
#include <tailrace/sdk.h>

struct tally {
    struct tally *next;
    uint64_t changes;
    tr_str db; /* its bytes stand behind the struct                                        */
};

struct tr_self {
    const tr_host *host;
    int64_t every; /* filled by tr_bind(), as the table says                               */
    struct tally *tallies;
};

static const tr_option options[] = {
    {.name = "every",
     .type = TR_TYPE_INT,
     .flags = TR_OPTION_LIVE,
     .dflt = "1000",
     .min = 1,
     .max = 1000000000,
     .offset = offsetof(struct tr_self, every),
     .help = "log each time a database has had so many more changes"},
};
enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

static tr_status my_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    tr_self *self = calloc(1, sizeof(*self));

    if (!self)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    self->host = host;
    *ret_self = self;
    return TR_OK;
}

static tr_status my_configure(tr_self *self, const tr_config *config, tr_error *error)
{
    return tr_bind(self->host, config, options, OPTIONS, self, error);
}

static struct tally *tally_of(tr_self *self, tr_str db)
{
    struct tally *tally = self->tallies;

    while (tally && !tr_str_eq(tally->db, db))
        tally = tally->next;
    if (tally || !(tally = calloc(1, sizeof(*tally) + db.len)))
        return tally;
    /* A batch's memory goes away with the batch: what is kept is copied. */
    tally->db = tr_str_n(memcpy(tally + 1, db.ptr, db.len), db.len);
    tally->next = self->tallies;
    self->tallies = tally;
    return tally;
}

static tr_status my_process(tr_self *self, const tr_batch *batch, tr_outcome *outcome)
{
    struct tally *tally = tally_of(self, batch->db);

    if (!tally)
        return tr_finish(outcome, TR_RETRY, "out of memory");
    for (uint32_t i = 0; i < batch->count; i++)
        if (++tally->changes % (uint64_t)self->every == 0)
            tr_logf(self->host, TR_LOG_INFO, "%.*s: %llu changes, the last of them %.*s",
                    (int)batch->db.len, batch->db.ptr, (unsigned long long)tally->changes,
                    (int)tr_batch_at(batch, i)->id.len, tr_batch_at(batch, i)->id.ptr);
    return tr_finish(outcome, TR_OK, NULL);
}

static void my_close(tr_self *self)
{
    while (self->tallies) {
        struct tally *next = self->tallies->next;
        free(self->tallies);
        self->tallies = next;
    }
    tr_unbind(options, OPTIONS, self);
    free(self);
}

static const tr_plugin my_plugin = {
    TR_DESCRIPTOR("my-plugin", "0.1.0", "counts the changes of each database"),
    TR_OPTIONS(options),
    .open = my_open,
    .configure = my_configure,
    .process = my_process,
    .close = my_close,
};

TR_PLUGIN(my_plugin)
