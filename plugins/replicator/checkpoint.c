/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books of a link: the documents `_local/ID` of both ends, that say up to where everything
 * is settled. Written now and then behind the host's own checkpoint, never ahead of it, and
 * source first, so that the target never knows of a position that the source does not.
 *
 *     GET both databases       another incarnation: nothing is written, the link is broken
 *     GET the source's server  once, for its uuid, which is part of the name
 *     GET, GET                 both documents: their revisions, and the sessions before
 *     PUT, PUT
 *
 * An attempt that fails is made again at the next interval; tailrace itself goes on by its own
 * checkpoint. Worker.
 */
#include "native.h"

#include <sys/random.h>
#include <time.h>

enum { SOURCE, TARGET };

enum step {
    LOOK_SOURCE,
    LOOK_TARGET,
    READ_SERVER,
    READ_SOURCE,
    READ_TARGET,
    WRITE_SOURCE,
    WRITE_TARGET,
    DONE
};

enum { FLUSH_MS = 10000, STEP_MS = 30000 };

static void go_on(struct link *link);
static void schedule(struct link *link);

/* ---- when ---- */

static void begin(struct link *link)
{
    struct books *books = &link->books;

    books->writing = true;
    books->step = LOOK_SOURCE;
    tr_text_clear(&books->now);
    tr_text_add(&books->now, tr_text_str(&books->position));
    go_on(link);
}

/* At the end of the instance the flush decides. */
static void due(void *user)
{
    struct link *link = user;

    link->books.timer = 0;
    if (!link->self->flushing && !link->books.writing && checkpoint_is_due(link))
        begin(link);
}

static void schedule(struct link *link)
{
    struct books *books = &link->books;
    tr_self *self = link->self;
    int64_t wait = self->options.checkpoint_ms;

    if (books->timer || books->writing || !checkpoint_is_due(link))
        return;
    if (books->written_ms > 0)
        wait -= now_ms() - books->written_ms;
    if (self->timer->set(self->host, wait < 1 ? 1 : (uint32_t)wait, due, link, &books->timer) !=
        TR_OK)
        books->timer = 0; /* the next position comes, or the flush */
}

void checkpoint_settled(struct link *link, tr_str seq)
{
    struct books *books = &link->books;

    if (seq.len == 0 || tr_str_eq(seq, TR_STR("null")) || link->state == LINK_BROKEN)
        return;
    tr_text_clear(&books->position);
    tr_text_add(&books->position, seq);
    schedule(link);
}

void checkpoint_known(struct link *link, tr_str seq)
{
    tr_text_clear(&link->books.written);
    tr_text_add(&link->books.written, seq);
}

void checkpoint_read(struct link *link)
{
    struct books *books = &link->books;

    books->writing = books->reading = true;
    books->step = books->id[0] ? READ_SOURCE : READ_SERVER;
    go_on(link);
}

tr_status checkpoint_flush(tr_self *self)
{
    bool writing = false;

    self->flushing = true;
    for (uint32_t i = 0; i < self->links_room; i++)
        for (struct link *link = self->links[i]; link; link = link->next) {
            if (!link->books.writing && checkpoint_is_due(link))
                begin(link);
            writing |= link->books.writing && !link->books.reading;
        }
    return writing ? TR_PENDING : TR_OK;
}

void checkpoint_fini(struct link *link)
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

/* ---- the end of an attempt ---- */

/* Ten thousand links keep no histories in memory. */
static void end(struct link *link)
{
    struct books *books = &link->books;

    books->writing = false;
    books->written_ms = now_ms();
    books->given_up |= link->self->flushing;
    books->reading = false;
    tr_text_fini(&books->found);
    tr_text_fini(&books->revs[SOURCE]);
    tr_text_fini(&books->revs[TARGET]);
    tr_text_fini(&books->older);
    schedule(link);
}

static void fail(struct link *link, const char *what, const char *why)
{
    struct books *books = &link->books;
    char text[MESSAGE_MAX];

    if (books->reading) {
        snprintf(text, sizeof(text), "%s: %s", what, why);
        end(link);
        begin_read(link, text, tr_str_n(NULL, 0), tr_str_n(NULL, 0));
        return;
    }
    if (!books->failing)
        tr_logf(link->self->host, TR_LOG_WARNING,
                "database %s: the checkpoint was not written to both ends: %s: %s; it is tried "
                "again, and the rule goes on by tailrace's own",
                link->db, what, why);
    books->failing = true;
    end(link);
}

/* What was found goes to begin_read(), which may have it written at once. */
static void give_documents(struct link *link, tr_str target)
{
    tr_text source = link->books.found;

    link->books.found = (tr_text){0};
    end(link);
    begin_read(link, source.failed ? "out of memory" : NULL, tr_text_str(&source), target);
    tr_text_fini(&source);
}

static void succeed(struct link *link)
{
    struct books *books = &link->books;

    books->failing = false;
    tr_text_clear(&books->written);
    tr_text_add(&books->written, tr_text_str(&books->now));
    end(link);
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

void checkpoint_begin_session(struct link *link)
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

static const char *const names[] = {
    "GET of the source",          "GET of the target",          "GET of the source's server",
    "GET of the source's _local", "GET of the target's _local", "PUT of the source's _local",
    "PUT of the target's _local",
};

/* NULL: go on. */
static const char *take(struct link *link, const tr_http_response *response)
{
    struct books *books = &link->books;
    int end_ = books->step == LOOK_TARGET || books->step == READ_TARGET ? TARGET : SOURCE;
    bool whole = response->status == 200 && tr_scan_is_whole(response->body, '{');

    switch (books->step) {
    case LOOK_SOURCE:
    case LOOK_TARGET:
        if (!whole)
            return "";
        if (!link_is_same(link, end_, response->body)) {
            link_break(link, end_ == SOURCE ? "source" : "target");
            books->given_up = true;
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

    if (why) {
        ask_describe(ask, response, shown);
        fail(link, names[books->step], why[0] ? why : shown);
        return;
    }
    if (books->reading && books->step == READ_TARGET) {
        give_documents(link, response->status == 200 ? response->body : TR_STR("{}"));
        return;
    }
    books->step++;
    if (books->step == READ_SERVER && books->id[0])
        books->step++;
    if (books->step == DONE)
        succeed(link);
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
    bool on_target = step == LOOK_TARGET || step == READ_TARGET || step == WRITE_TARGET;
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

    if (step == READ_SERVER)
        question.url = address_server(question.url);
    if (step == READ_SERVER)
        snprintf(path, sizeof(path), "/");
    else if (step > READ_SERVER)
        snprintf(path, sizeof(path), "/_local/%s", books->id);
    if (writes)
        add_document(link, on_target ? TARGET : SOURCE, &body);
    question.body = tr_text_str(&body);
    if (!body.failed && !books->now.failed && !books->older.failed && !books->found.failed)
        why = ask_send(self, &books->ask, &question, self->flushing ? FLUSH_MS : STEP_MS);
    tr_text_fini(&body);
    if (why)
        fail(link, names[step], why);
}
