/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group of changes as one statement, which is what makes all of it happen or nothing; see
 * pg.h for why. Worker.
 *
 *     mine      this connection owns the stream's position: else all that follows is empty
 *     given     the changes; `kind` is put, delete, or passed: another of the same document and
 *               batch came after it
 *     past      what of the stream is known to have been replaced; asked for only as long as
 *               this connection's changes may be some that an earlier one has written
 *     fresh     those of `given` that are not among it
 *     gone      what of rows that are there, and of the given, nobody will see any more
 *
 * How long: the host sends at most R changes again, those that were in its hands or settled
 * since its last commit (the option `remember`). They come first but for what waits in a lane,
 * which others may overtake by as many as the host holds at once, less than R. So the first 2 R
 * changes of a connection are compared, and what is remembered is that of the last 2 R writes.
 *
 * A document with another revision or another content is written, so that rules whose
 * transforms were changed can be filled in again (`tailrace backfill`).
 */
#include "pg.h"

const char *const write_tables[] = {
    "CREATE TABLE IF NOT EXISTS {table} ({db} text COLLATE \"C\", {id} text COLLATE \"C\", "
    "{rev} text NOT NULL, {deleted} boolean NOT NULL DEFAULT false, {doc} jsonb, "
    "{change} uuid, PRIMARY KEY ({db}, {id}))",
    "CREATE TABLE IF NOT EXISTS {position} (rule text, stream text, target text, owner uuid "
    "NOT NULL, "
    "changes bigint NOT NULL, since bigint NOT NULL, written timestamptz, PRIMARY KEY (rule, "
    "stream, target))",
    "CREATE TABLE IF NOT EXISTS {replaced} (rule text, stream text, target text, n bigint, "
    "events uuid[] NOT NULL, PRIMARY KEY (rule, stream, target, n))",
    NULL,
};

/* $1 ids, $2 revisions, $3 documents, $4 seqs, $5 kinds, $6 database, $7 rule, $8 stream,
 * $9 owner, $10 how many changes are remembered, $11 the table. */
#define GIVEN                                                                                  \
    "WITH mine AS (UPDATE {position} SET changes = changes + cardinality($1::text[]), "        \
    "written = now() WHERE rule = $7 AND stream = $8 AND target = $11 AND owner = $9 "         \
    "RETURNING changes, changes - since AS lately), "                                          \
    "given AS (SELECT g.id, g.rev, g.doc::jsonb AS doc, g.kind, "                              \
    "CASE WHEN g.seq <> 'null' THEN md5(concat_ws(' ', g.id, g.rev, g.seq))::uuid END "        \
    "AS event FROM mine, unnest($1::text[], $2::text[], $3::text[], $4::text[], "              \
    "$5::text[]) AS g (id, rev, doc, seq, kind)), "                                            \
    "past AS MATERIALIZED (SELECT unnest(r.events) AS event FROM mine JOIN {replaced} r "      \
    "ON mine.lately <= 2 * $10::bigint + cardinality($1::text[]) "                             \
    "WHERE r.rule = $7 AND r.stream = $8 AND r.target = $11), "                                \
    "fresh AS MATERIALIZED (SELECT * FROM given WHERE NOT EXISTS "                             \
    "(SELECT FROM past WHERE past.event = given.event)), "                                     \
    "gone AS (SELECT t.{change} AS event FROM {table} t JOIN fresh ON t.{id} = fresh.id "      \
    "WHERE t.{db} = $6 AND fresh.kind <> 'passed' AND t.{rev} <> fresh.rev "                   \
    "UNION ALL SELECT event FROM fresh WHERE kind = 'passed'"

#define PUT                                                                                    \
    "), put AS (INSERT INTO {table} AS t ({db}, {id}, {rev}, {doc}, {deleted}, {change}) "     \
    "SELECT $6, id, rev, doc, false, event FROM fresh WHERE kind = 'put' "                     \
    "ON CONFLICT ({db}, {id}) DO UPDATE SET {rev} = excluded.{rev}, {doc} = excluded.{doc}, "  \
    "{deleted} = false, {change} = excluded.{change} WHERE t.{deleted} OR "                    \
    "(t.{rev}, t.{doc}) IS DISTINCT FROM (excluded.{rev}, excluded.{doc})), "

/* A deletion leaves no row to know it by; md5(id) tells that there was one. */
#define DELETE                                                                                 \
    " UNION ALL SELECT event FROM fresh WHERE kind = 'delete'"                                 \
    " UNION ALL SELECT md5(id)::uuid FROM fresh WHERE kind = 'delete'" PUT                     \
    "cut AS (DELETE FROM {table} t USING fresh WHERE t.{db} = $6 AND t.{id} = fresh.id "       \
    "AND fresh.kind = 'delete'), "

/* The document stays as it was. */
#define MARK                                                                                   \
    PUT "marked AS (INSERT INTO {table} AS t ({db}, {id}, {rev}, {doc}, {deleted}, {change}) " \
        "SELECT $6, id, rev, doc, true, event FROM fresh WHERE kind = 'delete' "               \
        "ON CONFLICT ({db}, {id}) DO UPDATE SET {rev} = excluded.{rev}, {deleted} = true, "    \
        "{change} = excluded.{change} WHERE NOT t.{deleted} OR t.{rev} <> excluded.{rev}), "

/* `n` counts events. A change makes three at most. */
#define KEEP                                                                                   \
    "so_far AS (SELECT coalesce(max(r.n), 0) AS n FROM mine, {replaced} r "                    \
    "WHERE r.rule = $7 AND r.stream = $8 AND r.target = $11), "                                \
    "kept AS (INSERT INTO {replaced} (rule, stream, target, n, events) "                       \
    "SELECT $7, $8, $11, so_far.n + count(*), array_agg(gone.event) FROM so_far, gone "        \
    "WHERE gone.event IS NOT NULL GROUP BY so_far.n), "                                        \
    "forgotten AS (DELETE FROM {replaced} r USING mine, so_far WHERE r.rule = $7 "             \
    "AND r.stream = $8 AND r.target = $11 AND r.n <= so_far.n - 6 * $10::bigint) "             \
    "SELECT FROM mine"

static const char own[] =
    "INSERT INTO {position} AS p (rule, stream, owner, target, changes, since) "
    "VALUES ($1, $2, $3, $4, 0, 0) ON CONFLICT (rule, stream, target) "
    "DO UPDATE SET owner = excluded.owner, since = p.changes";

const char *write_statement(const tr_self *self)
{
    return self->options.deletes == DELETES_MARK ? GIVEN MARK KEEP : GIVEN DELETE KEEP;
}

/* ---- parameters ---- */

struct arrays {
    tr_text ids, revs, docs, seqs, kinds;
};

static void arrays_fini(struct arrays *arrays)
{
    tr_text_fini(&arrays->ids);
    tr_text_fini(&arrays->revs);
    tr_text_fini(&arrays->docs);
    tr_text_fini(&arrays->seqs);
    tr_text_fini(&arrays->kinds);
}

/* An empty text, where NULL would be another thing. */
static tr_str not_null(tr_str text)
{
    return text.ptr ? text : TR_STR("");
}

static void add_change(struct arrays *arrays, const tr_change *change, bool passed)
{
    bool deleted = change->flags & TR_CHANGE_DELETED;
    bool with_doc = (change->flags & TR_CHANGE_HAS_DOC) && !passed;

    array_add(&arrays->ids, not_null(change->id));
    array_add(&arrays->revs, not_null(change->rev));
    array_add(&arrays->docs, with_doc ? change->doc : tr_str_n(NULL, 0));
    array_add(&arrays->seqs, not_null(change->seq));
    array_add(&arrays->kinds, passed    ? TR_STR("passed")
                              : deleted ? TR_STR("delete")
                                        : TR_STR("put"));
}

/* Those that it settles, and itself. */
static void add_with_passed(const tr_bulk *bulk, struct arrays *arrays, uint32_t i)
{
    const tr_change *change = tr_batch_at(bulk->batch, i);
    uint32_t count;
    const tr_bulk_key *key = tr_bulk_find(bulk, change->id, &count);

    for (; key && count > 0 && key->i < i; key++, count--)
        if (tr_bulk_is_open(bulk, key->i))
            add_change(arrays, tr_batch_at(bulk->batch, key->i), true);
    add_change(arrays, change, false);
}

static bool arrays_make(const tr_bulk *bulk, struct arrays *arrays)
{
    tr_text *each[] = {&arrays->ids, &arrays->revs, &arrays->docs, &arrays->seqs,
                       &arrays->kinds};
    bool failed = false;

    for (int i = 0; i < 5; i++)
        array_begin(each[i]);
    for (uint32_t k = 0; k < bulk->group_count; k++)
        add_with_passed(bulk, arrays, bulk->group[k]);
    for (int i = 0; i < 5; i++) {
        array_end(each[i]);
        failed |= each[i]->failed;
    }
    return !failed;
}

/* ---- the statement ---- */

struct labels {
    char *db, *rule, *stream, *target, remember[24];
};

static bool labels_make(const tr_self *self, struct labels *labels)
{
    const tr_batch *batch = self->bulk.batch;

    labels->db = strndup(batch->db.ptr, batch->db.len);
    labels->rule = strndup(batch->rule.ptr, batch->rule.len);
    labels->stream = strndup(batch->stream.ptr, batch->stream.len);
    labels->target = strndup(self->names.table.ptr, self->names.table.len);
    snprintf(labels->remember, sizeof(labels->remember), "%lld",
             (long long)self->options.remember);
    return labels->db && labels->rule && labels->stream && labels->target;
}

static void labels_fini(struct labels *labels)
{
    free(labels->db);
    free(labels->rule);
    free(labels->stream);
    free(labels->target);
}

static enum verdict run(tr_self *self, const char *pattern, const struct params *params,
                        int64_t deadline_ms, bool *ret_none)
{
    PGresult *result;

    if (!session_open(self, deadline_ms))
        return VERDICT_LATER;
    tr_text_clear(&self->sql);
    names_add_sql(self, &self->sql, pattern);
    result = session_run(self, params, deadline_ms);
    *ret_none = PQntuples(result) == 0;
    return verdict_of(self, result);
}

/* Takes the stream's position for this connection. */
static enum verdict take_position(tr_self *self, const struct labels *labels,
                                  int64_t deadline_ms)
{
    struct params params = {.count = 0};
    bool none;

    params_add_text(&params, labels->rule);
    params_add_text(&params, labels->stream);
    params_add_text(&params, self->owner);
    params_add_text(&params, labels->target);
    return run(self, own, &params, deadline_ms, &none);
}

/* Two that make the same table at once get into each other's way: then it is there. */
static enum verdict make_tables(tr_self *self, int64_t deadline_ms)
{
    enum verdict verdict = VERDICT_DONE;

    if (!self->options.create_table) {
        tr_text_clear(&self->sql);
        snprintf(self->words + strlen(self->words), sizeof(self->words) - strlen(self->words),
                 "; make it, or set create_table = true");
        return VERDICT_LATER;
    }
    for (int i = 0; write_tables[i] && (verdict == VERDICT_DONE || verdict == VERDICT_REFUSED);
         i++) {
        bool none;
        verdict = run(self, write_tables[i], &(struct params){.count = 0}, deadline_ms, &none);
    }
    return verdict == VERDICT_REFUSED ? VERDICT_DONE : verdict;
}

/* Until it is done with the tables there and the position taken. */
static enum verdict write_all(tr_self *self, const struct arrays *arrays,
                              const struct labels *labels, int64_t deadline_ms)
{
    enum verdict verdict = VERDICT_LATER;
    bool made = false;

    for (int tries = 0; tries < 4; tries++) {
        struct params params = {.count = 0};
        bool none = false;

        if (!session_open(self, deadline_ms))
            return VERDICT_LATER;
        params_add_array(&params, &arrays->ids);
        params_add_array(&params, &arrays->revs);
        params_add_array(&params, &arrays->docs);
        params_add_array(&params, &arrays->seqs);
        params_add_array(&params, &arrays->kinds);
        params_add_text(&params, labels->db);
        params_add_text(&params, labels->rule);
        params_add_text(&params, labels->stream);
        params_add_text(&params, self->owner);
        params_add_text(&params, labels->remember);
        params_add_text(&params, labels->target);
        verdict = run(self, write_statement(self), &params, deadline_ms, &none);
        if (verdict == VERDICT_DONE && none)
            verdict = take_position(self, labels, deadline_ms);
        else if (verdict == VERDICT_MISSING && !made) {
            verdict = make_tables(self, deadline_ms);
            made = true;
        } else
            return verdict;
        if (verdict != VERDICT_DONE)
            return verdict == VERDICT_MISSING ? VERDICT_LATER : verdict;
    }
    snprintf(
        self->words, sizeof(self->words),
        "another process writes as the same rule to the same tables; give one of the rules "
        "another name");
    return VERDICT_LATER;
}

/* Additive increase, multiplicative decrease. */
static void adapt(tr_self *self, bool good)
{
    if (!good && self->late)
        self->most = self->bulk.group_count > 1 ? self->bulk.group_count / 2 : 1;
    else if (good && self->most > 0 && (self->most += 16) > 100000)
        self->most = 0;
}

void write_group(tr_self *self, int64_t deadline_ms)
{
    struct arrays arrays = {0};
    struct labels labels = {0};
    tr_bulk *bulk = &self->bulk;
    enum verdict verdict = VERDICT_LATER;

    self->late = false;
    if (labels_make(self, &labels) && arrays_make(bulk, &arrays))
        verdict = write_all(self, &arrays, &labels, deadline_ms);
    else
        snprintf(self->words, sizeof(self->words), "out of memory");
    adapt(self, verdict == VERDICT_DONE);
    if (verdict == VERDICT_DONE)
        tr_bulk_accept_group(bulk);
    else if (verdict == VERDICT_REFUSED)
        tr_bulk_refuse_group(bulk, "%s", self->words);
    else
        tr_bulk_fail(bulk, 0, "%s", self->words);
    arrays_fini(&arrays);
    labels_fini(&labels);
}
