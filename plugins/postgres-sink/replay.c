/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead letters that are sent again: states that are old by now, of which the table may have
 * something newer. That is not written over. There is no order of states but the generation of
 * a revision, the number before its dash: good enough here, where nothing is lost by a doubt:
 * the letter stays one, and says why. Worker.
 */
#include "pg.h"

enum { VALUES = 5 };

static const char sql[] =
    "SELECT t.{rev}, EXISTS (SELECT FROM {replaced} r WHERE r.rule = $3 AND r.stream = $4 "
    "AND r.target = $5 "
    "AND md5($2::text)::uuid = ANY (r.events)) "
    "FROM (SELECT) one LEFT JOIN {table} t ON t.{db} = $1 AND t.{id} = $2::text";

static unsigned long generation(const char *rev)
{
    return strtoul(rev, NULL, 10);
}

static void judge(tr_self *self, uint32_t i, const PGresult *there)
{
    tr_str rev = tr_batch_at(self->bulk.batch, i)->rev;
    char ours[24];

    if (PQntuples(there) != 1)
        return;
    if (PQgetisnull(there, 0, 0)) {
        if (PQgetvalue(there, 0, 1)[0] == 't')
            tr_bulk_reject(&self->bulk, i,
                           "not written: the document was deleted meanwhile; purge the letter");
        return;
    }
    snprintf(ours, sizeof(ours), "%.*s", (int)(rev.len < 20 ? rev.len : 20),
             rev.len > 0 ? rev.ptr : "");
    if (!tr_str_eq(tr_str_c(PQgetvalue(there, 0, 0)), rev) &&
        generation(PQgetvalue(there, 0, 0)) >= generation(ours))
        tr_bulk_reject(&self->bulk, i,
                       "not written: the table has revision %s, which is not older; purge the "
                       "letter",
                       PQgetvalue(there, 0, 0));
}

/* One after the other: there are few, and they are sent by hand. */
static bool sift(tr_self *self, uint32_t i, int64_t deadline_ms)
{
    const tr_batch *batch = self->bulk.batch;
    tr_str given[VALUES] = {batch->db, tr_batch_at(batch, i)->id, batch->rule, batch->stream,
                            tr_str_n(self->names.table.ptr, self->names.table.len)};
    char *values[VALUES] = {0};
    struct params params = {.count = 0};
    PGresult *result = NULL;
    enum verdict verdict;

    for (int k = 0; k < VALUES; k++) {
        values[k] = strndup(given[k].len > 0 ? given[k].ptr : "", given[k].len);
        params_add_text(&params, values[k]);
    }
    tr_text_clear(&self->sql);
    names_add_sql(self, &self->sql, sql);
    if (session_open(self, deadline_ms))
        result = session_run(self, &params, deadline_ms);
    for (int k = 0; k < VALUES; k++)
        free(values[k]);
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        judge(self, i, result);
    verdict = verdict_of(self, result);
    /* What is wrong with this one change, or with the tables, comes out when it is written. */
    return verdict != VERDICT_LATER;
}

void replay_sift(tr_self *self, int64_t deadline_ms)
{
    tr_bulk *bulk = &self->bulk;

    for (uint32_t i = 0; i < bulk->batch->count && !bulk->failed; i++)
        if (tr_bulk_is_open(bulk, i) && !sift(self, i, deadline_ms))
            tr_bulk_fail(bulk, 0, "%s", self->words);
}
