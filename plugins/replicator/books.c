/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books of a link: the documents `_local/ID` of both ends, that say up to where everything
 * is settled. How they are read and written, source first, so that the target never knows of a
 * position that the source does not:
 *
 *     GET both databases       another incarnation: nothing is written, see link_break()
 *     GET the source's server  once, for its uuid, which is part of the name
 *     GET, GET                 both documents: their revisions, and the sessions before
 *     PUT, PUT
 *     GET the target           was it made anew in between, the second was of another
 *
 * The last of them are left out where it is only to be seen where to begin. Worker.
 */
#include "native.h"

#include <sys/random.h>
#include <time.h>

enum step {
    LOOK_SOURCE,
    LOOK_TARGET,
    READ_SERVER,
    READ_SOURCE,
    READ_TARGET,
    WRITE_SOURCE,
    WRITE_TARGET,
    LOOK_AGAIN,
    DONE
};

enum { STEP_MS = 30000 };

static void go_on(struct link *link);

/* ---- begin and end ---- */

void books_read(struct link *link)
{
    struct books *books = &link->books;

    books->read_next = books->busy;
    if (books->busy)
        return;
    books->busy = books->reading = true;
    books->step = books->id[0] ? READ_SOURCE : READ_SERVER;
    go_on(link);
}

void books_write(struct link *link)
{
    link->books.busy = true;
    link->books.step = LOOK_SOURCE;
    go_on(link);
}

void books_fini(struct link *link)
{
    struct books *books = &link->books;

    tr_text_fini(&books->position);
    tr_text_fini(&books->written);
    tr_text_fini(&books->now);
    tr_text_fini(&books->found);
    tr_text_fini(&books->revs[SOURCE]);
    tr_text_fini(&books->revs[TARGET]);
    tr_text_fini(&books->older);
    tr_text_fini(&books->session.start_seq);
}

/* A stop leaves out what was not begun in time, but a target that does not hear what its source
 * was told would get everything again. */
static bool is_too_late(const struct link *link)
{
    return link->self->flushing && link->books.step <= WRITE_SOURCE &&
           now_ms() >= link->self->flush_until_ms;
}

/* Ten thousand links keep no histories in memory. */
static void end(struct link *link, const char *why, tr_str target)
{
    struct books *books = &link->books;
    tr_text source = books->found;
    bool reading = books->reading;

    books->busy = books->reading = false;
    books->found = (tr_text){0};
    tr_text_fini(&books->revs[SOURCE]);
    tr_text_fini(&books->revs[TARGET]);
    tr_text_fini(&books->older);
    if (reading)
        begin_read(link, source.failed ? "out of memory" : why, tr_text_str(&source), target);
    else
        checkpoint_done(link, why);
    tr_text_fini(&source);
    if (books->read_next)
        books_read(link);
}

static void fail(struct link *link, const char *why)
{
    static const char *const names[] = {
        "GET of the source",          "GET of the target",
        "GET of the source's server", "GET of the source's _local",
        "GET of the target's _local", "PUT of the source's _local",
        "PUT of the target's _local", "GET of the target",
    };
    char text[MESSAGE_MAX];

    snprintf(text, sizeof(text), "%s: %s", names[link->books.step], why);
    end(link, text, tr_str_n(NULL, 0));
}

/* ---- names and sessions ---- */

static void name_session(struct session *session)
{
    unsigned char bytes[REPLICATION_ID_HEX / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        memset(bytes, 0, sizeof(bytes)); /* then it is as old as all that could not be named */
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(session->id + 2 * i, 3, "%02x", bytes[i]);
    history_time(time(NULL), session->start_time);
}

void books_begin_session(struct link *link)
{
    if (!link->books.session.id[0])
        name_session(&link->books.session);
}

/* The server by its uuid, where it has one, for it may be reached under several names. */
static void name_replication(struct link *link, tr_str info)
{
    tr_str uuid = tr_scan_find(info, "uuid");
    tr_text server = {0}, target = {0};

    if (uuid.len > 2)
        tr_text_add(&server, uuid);
    else
        address_add_bare(&server, address_server(tr_text_str(&link->source)));
    address_add_bare(&target, tr_text_str(&link->target));
    history_name((const tr_str[]){tr_text_str(&server),
                                  address_name(tr_text_str(&link->source)),
                                  tr_text_str(&target), tr_str_c(link->rule)},
                 4, link->books.id);
    tr_text_fini(&server);
    tr_text_fini(&target);
}

/* What both documents say of the sessions before this one. */
static void take_documents(struct link *link, tr_str target)
{
    struct books *books = &link->books;
    struct session *session = &books->session;
    tr_str source = tr_text_str(&books->found), older = {0}, seq = TR_STR("0");
    tr_str last = tr_scan_find(source, "session_id");

    if (last.len == REPLICATION_ID_HEX + 2 &&
        memcmp(last.ptr + 1, session->id, last.len - 2) == 0)
        older = history_rest(source);
    else
        (void)history_common(source, target, &seq, &older);
    tr_text_clear(&books->older);
    tr_text_add(&books->older, older);
    if (session->start_seq.len == 0)
        tr_text_add(&session->start_seq, seq);
}

/* ---- answers ---- */

static struct link *link_of_ask(struct ask *ask)
{
    return (struct link *)(void *)((char *)ask - offsetof(struct link, books.ask));
}

static bool is_on_target(int step)
{
    return step == LOOK_TARGET || step == READ_TARGET || step == WRITE_TARGET ||
           step == LOOK_AGAIN;
}

/* NULL: go on. */
static const char *take(struct link *link, const tr_http_response *response)
{
    struct books *books = &link->books;
    int end_ = is_on_target(books->step) ? TARGET : SOURCE;
    bool whole = response->status == 200 && tr_scan_is_whole(response->body, '{');

    switch (books->step) {
    case LOOK_SOURCE:
    case LOOK_TARGET:
    case LOOK_AGAIN:
        if (end_ == TARGET && ask_is_gone(response))
            link_lose(link);
        if (!whole)
            return "";
        if (!link_is_same(link, end_, response->body)) {
            link_break(link, end_);
            return "it is another database";
        }
        return NULL;
    case READ_SERVER:
        name_replication(link, whole ? response->body : TR_STR("{}"));
        return NULL;
    case READ_SOURCE:
    case READ_TARGET:
        if (!whole && response->status != 404)
            return "";
        if (!whole && end_ == TARGET && !books->reading && link_misses_books(link)) {
            link_break(link, TARGET);
            return "it is another database";
        }
        tr_text_clear(&books->revs[end_]);
        tr_text_add(&books->revs[end_],
                    whole ? tr_scan_find(response->body, "_rev") : (tr_str){0});
        if (end_ == SOURCE)
            tr_text_add(&books->found, whole ? response->body : TR_STR("{}"));
        else if (!books->reading)
            take_documents(link, whole ? response->body : TR_STR("{}"));
        return NULL;
    default: return response->status == 201 || response->status == 202 ? NULL : "";
    }
}

static void answered(struct ask *ask, const tr_http_response *response)
{
    struct link *link = link_of_ask(ask);
    struct books *books = &link->books;
    const char *why = take(link, response);
    char shown[SHOWN_MAX];

    if (!why && link->remade && !books->reading)
        why = "it is another database"; /* as was seen elsewhere meanwhile                   */
    if (why) {
        ask_describe(ask, response, shown);
        fail(link, why[0] ? why : shown);
        return;
    }
    if (books->reading && books->step == READ_TARGET) {
        end(link, NULL, response->status == 200 ? response->body : TR_STR("{}"));
        return;
    }
    books->step++;
    if (books->step == READ_SERVER && books->id[0])
        books->step++;
    if (books->step == DONE)
        end(link, NULL, tr_str_n(NULL, 0));
    else
        go_on(link);
}

/* ---- steps ---- */

static void add_document(struct link *link, int end_, tr_text *out)
{
    struct books *books = &link->books;

    history_time(time(NULL), books->session.end_time);
    history_write(out, &books->session, tr_text_str(&books->revs[end_]),
                  tr_text_str(&books->now), tr_text_str(&books->older));
}

static void go_on(struct link *link)
{
    struct books *books = &link->books;
    tr_self *self = link->self;
    enum step step = (enum step)books->step;
    bool on_target = is_on_target(step);
    bool writes = step == WRITE_SOURCE || step == WRITE_TARGET;
    char path[64] = "";
    tr_text body = {0};
    struct question question = {
        .client = on_target ? self->target_client : self->source_client,
        .method = writes ? "PUT" : "GET",
        .url = tr_text_str(on_target ? &link->target : &link->source),
        .path = path,
        .answered = answered,
    };
    const char *why = "out of memory";

    if (is_too_late(link)) {
        end(link, "", tr_str_n(NULL, 0));
        return;
    }
    if (step == READ_SERVER)
        question.url = address_server(question.url);
    if (step == READ_SERVER)
        snprintf(path, sizeof(path), "/");
    else if (step > READ_SERVER && step < LOOK_AGAIN)
        snprintf(path, sizeof(path), "/_local/%s", books->id);
    if (writes)
        add_document(link, on_target ? TARGET : SOURCE, &body);
    question.body = tr_text_str(&body);
    if (!body.failed && !books->now.failed && !books->older.failed && !books->found.failed)
        why = ask_send(self, &books->ask, &question, STEP_MS);
    tr_text_fini(&body);
    if (why)
        fail(link, why);
}
