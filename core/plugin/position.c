/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.position/1:
 *
 *     loop: instance_ask_position() ──inbox──▶ begin() … answer() ──▶ loop: answered()
 *
 * A question is in the instance's list from when it is asked until its answer is on the way to
 * the loop. The list is behind a lock, since any thread may answer; who takes a question out of
 * it has it. The end of an instance answers what the plugin has not.
 */
#include "plugin/position.h"

#include "base/mem.h"
#include "plugin/private.h"
#include "json/doc.h"

#include <tailrace/ext/position.h>

struct position_ask {
    struct list link; /* instance->asks                                                    */
    atomic_uint refs; /* of begin(), which reads it, and of the answer, which may overtake  */
    struct instance *instance;
    uint64_t id;
    struct position_question question; /* its strings are behind it; answered NULL: cancelled */
    char *seq;                         /* the answer                                         */
    struct work work;
    struct task task;
};

static const tr_position *table_of(const struct instance *instance)
{
    const tr_plugin *plugin = &instance->setup.plugin->descriptor;
    const tr_position *table = plugin->get_ext ? plugin->get_ext(TR_EXT_POSITION) : NULL;

    return table && TR_HAS(table, tr_position, begin) ? table : NULL;
}

bool instance_has_position(const struct instance *instance)
{
    return table_of(instance) != NULL;
}

/* ---- answers ---- */

static void release(struct position_ask *ask)
{
    if (atomic_fetch_sub(&ask->refs, 1) > 1)
        return;
    free(ask->seq);
    free(ask);
}

static void ask_done(struct task *task)
{
    struct position_ask *ask = list_entry(task, struct position_ask, task);

    if (ask->question.answered)
        ask->question.answered(ask->question.ctx, str_c(ask->seq));
    release(ask);
}

/* Takes one out of the list: that of the number, or the first for number 0. */
static struct position_ask *take(struct instance *instance, uint64_t id)
{
    struct position_ask *found = NULL;

    pthread_mutex_lock(&instance->asks_lock);
    list_each (it, &instance->asks) {
        struct position_ask *ask = list_entry(it, struct position_ask, link);
        if (id != 0 && ask->id != id)
            continue;
        found = ask;
        list_remove(&ask->link);
        break;
    }
    pthread_mutex_unlock(&instance->asks_lock);
    return found;
}

static void give(struct position_ask *ask, tr_str seq)
{
    ask->seq = str_dup(seq);
    ask->task.run = ask_done;
    instance_tell_loop(ask->instance, &ask->task);
}

static tr_status position_answer(const tr_host *host, uint64_t question, tr_str seq)
{
    struct position_ask *ask;

    if (question == 0 ||
        (seq.len > 0 && (!json_doc_is_value(seq) || json_type_of(seq) == JSON_NULL)))
        return TR_EINVAL;
    ask = take(instance_of(host), question);
    if (!ask)
        return TR_ESTALE;
    give(ask, seq);
    return TR_OK;
}

void position_end(struct instance *instance)
{
    struct position_ask *ask;

    while ((ask = take(instance, 0)) != NULL)
        give(ask, STR(""));
}

/* ---- questions ---- */

static void ask_work(struct work *work)
{
    struct position_ask *ask = list_entry(work, struct position_ask, work);
    const struct position_question *question = &ask->question;
    struct instance *instance = ask->instance;
    tr_begin begin = {
        .size = sizeof(begin),
        .has_checkpoint = question->has_checkpoint,
        .question = ask->id,
        .source = question->source,
        .db = question->db,
        .stream = question->stream,
        .seq = question->seq,
    };

    if (instance->opened)
        table_of(instance)->begin(instance->self, &begin);
    else if (take(instance, ask->id)) /* it did not start, or has ended                      */
        give(ask, STR(""));
    release(ask);
}

static tr_str put(char **at, tr_str text)
{
    tr_str copy = str_n(*at, text.len);

    memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return copy;
}

struct position_ask *instance_ask_position(struct instance *instance,
                                           const struct position_question *question)
{
    size_t room = question->source.len + question->db.len + question->stream.len +
                  question->seq.len;
    struct position_ask *ask;
    char *at;

    if (!instance->worker || !table_of(instance))
        return NULL;
    ask = mem_zero(1, sizeof(*ask) + room);
    at = (char *)(ask + 1);
    atomic_init(&ask->refs, 2);
    ask->instance = instance;
    ask->question = *question;
    ask->question.source = put(&at, question->source);
    ask->question.db = put(&at, question->db);
    ask->question.stream = put(&at, question->stream);
    ask->question.seq = put(&at, question->seq);
    ask->work.run = ask_work;
    pthread_mutex_lock(&instance->asks_lock);
    ask->id = ++instance->asked;
    list_push_back(&instance->asks, &ask->link);
    pthread_mutex_unlock(&instance->asks_lock);
    instance_post(instance, &ask->work);
    return ask;
}

void position_cancel(struct position_ask *ask)
{
    if (ask)
        ask->question.answered = NULL;
}

/* ---- checkpoints ---- */

struct committed {
    struct work work;
    struct instance *instance;
    tr_str stream, seq; /* behind it                                                       */
};

static void committed_work(struct work *work)
{
    struct committed *committed = list_entry(work, struct committed, work);
    struct instance *instance = committed->instance;

    if (instance->opened)
        table_of(instance)->committed(instance->self, committed->stream, committed->seq);
    free(committed);
}

void instance_committed(struct instance *instance, tr_str stream, tr_str seq)
{
    const tr_position *table = table_of(instance);
    struct committed *committed;
    char *at;

    if (!instance->worker || !table || !TR_HAS(table, tr_position, committed))
        return;
    committed = mem_zero(1, sizeof(*committed) + stream.len + seq.len);
    at = (char *)(committed + 1);
    committed->instance = instance;
    committed->stream = put(&at, stream);
    committed->seq = put(&at, seq);
    committed->work.run = committed_work;
    instance_post(instance, &committed->work);
}

const void *ext_position_table(void)
{
    static const tr_position_host table = {.size = sizeof(table), .answer = position_answer};

    return &table;
}
