/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.position/1:
 *
 *     loop: instance_ask_position() ──inbox──▶ begin() … answer() ──▶ loop: answered()
 *     worker: again() ──▶ loop: the event again ──inbox──▶ again_over()
 *
 * A question is in the instance's list from when it is asked until its answer is on the way to
 * the loop. The list is behind a lock, since any thread may answer; who takes a question out of
 * it has it. The end of an instance answers what the plugin has not.
 *
 * A stream that begins again is in a list of the worker's meanwhile: what the loop had told of
 * it before it heard of that stands in the inbox before again_over(), and is not handed on.
 */
#include "plugin/position.h"

#include "base/failpoint.h"
#include "base/mem.h"
#include "plugin/private.h"
#include "json/doc.h"

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

/* Zero where the plugin has nothing to say. */
static tr_position table_of(const struct instance *instance)
{
    const tr_plugin *plugin = &instance->setup.plugin->descriptor;
    const tr_position *given = plugin->get_ext ? plugin->get_ext(TR_EXT_POSITION) : NULL;
    tr_position table = {0};

    if (given)
        memcpy(&table, given, given->size < sizeof(table) ? given->size : sizeof(table));
    return table;
}

bool instance_has_position(const struct instance *instance)
{
    return table_of(instance).begin != NULL;
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
    FAILPOINT("plugin.position.answered");
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
        .rule = str_c(instance->setup.rule),
    };

    if (instance->opened)
        table_of(instance).begin(instance->self, &begin);
    else if (take(instance, ask->id)) /* it did not start, or has ended                      */
        give(ask, STR(""));
    release(ask);
}

static tr_str put(char **at, tr_str text)
{
    tr_str copy = str_n(*at, text.len);

    if (text.len > 0)
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

    if (!instance->worker || !table_of(instance).begin)
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

/* ---- streams that begin again ---- */

struct again {
    struct list link; /* instance->agains                                                  */
    struct instance *instance;
    tr_str stream, seq; /* behind it                                                       */
    struct task task;
    struct work work;
};

static void again_over(struct work *work)
{
    struct again *again = list_entry(work, struct again, work);

    list_remove(&again->link);
    free(again);
}

static void again_on_loop(struct task *task)
{
    struct again *again = list_entry(task, struct again, task);
    struct instance *instance = again->instance;

    /* The end of the instance stands in the inbox already, and takes it along. */
    if (instance->stopping)
        return;
    instance->setup.events->again(instance->setup.ctx, again->stream, again->seq);
    again->work.run = again_over;
    instance_post(instance, &again->work);
}

static bool begins_again(const struct instance *instance, tr_str stream)
{
    list_each (it, &instance->agains)
        if (str_eq(list_entry(it, struct again, link)->stream, stream))
            return true;
    return false;
}

void position_free(struct instance *instance)
{
    list_each_safe (it, &instance->agains)
        free(list_entry(it, struct again, link));
}

static tr_status position_again(const tr_host *host, tr_str stream, tr_str seq)
{
    struct instance *instance = instance_of(host);
    struct again *again;
    char *at;

    if (!json_doc_is_value(seq) || json_type_of(seq) == JSON_NULL ||
        !host_on_worker(instance, "tr_position_host.again"))
        return TR_EINVAL;
    if (!instance->runs)
        return TR_ESTALE;
    again = mem_zero(1, sizeof(*again) + stream.len + seq.len);
    at = (char *)(again + 1);
    again->instance = instance;
    again->stream = put(&at, stream);
    again->seq = put(&at, seq);
    again->task.run = again_on_loop;
    list_push_back(&instance->agains, &again->link);
    instance_tell_loop(instance, &again->task);
    return TR_OK;
}

/* ---- checkpoints ---- */

struct news {
    struct work work;
    struct instance *instance;
    tr_place place; /* its strings are behind it                                           */
};

static void tell(struct work *work)
{
    struct news *news = list_entry(work, struct news, work);
    struct instance *instance = news->instance;

    if (instance->opened && !begins_again(instance, news->place.stream))
        table_of(instance).settled(instance->self, &news->place);
    free(news);
}

void instance_settled(struct instance *instance, const tr_place *place)
{
    size_t room = place->source.len + place->db.len + place->stream.len + place->seq.len;
    struct news *news;
    char *at;

    if (!instance->worker || instance->ended || !table_of(instance).settled)
        return;
    news = mem_zero(1, sizeof(*news) + room);
    at = (char *)(news + 1);
    news->instance = instance;
    news->place = (tr_place){.size = sizeof(news->place)};
    news->place.source = put(&at, place->source);
    news->place.db = put(&at, place->db);
    news->place.stream = put(&at, place->stream);
    news->place.seq = put(&at, place->seq);
    news->work.run = tell;
    instance_post(instance, &news->work);
}

const void *ext_position_table(void)
{
    static const tr_position_host table = {
        .size = sizeof(table), .answer = position_answer, .again = position_again};

    return &table;
}
