/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of core/engine/ share: the running things, and which file has which.
 *
 *     engine.c        start, stop, reload
 *     running_rule.c  a rule and its binding
 *     source.c        a server: its connections, and which databases it has
 *     stream.c        a database incarnation: its cursors
 *     reader.c        a feed, and the subscriptions that share it
 *     replay.c        dead letters that were marked to be sent again
 */
#ifndef ENGINE_PRIVATE_H
#define ENGINE_PRIVATE_H

#include "base/map.h"
#include "engine/engine.h"
#include "feed/identity.h"
#include "http/session.h"

struct engine {
    struct engine_options options;
    struct loop *loop;
    struct http *http;
    struct secrets *secrets;
    struct store *store;
    struct settings *settings; /* the newest generation                                    */
    struct list sources, rules;
    bool stopping, finished;
    int exit_code;
    struct binding_stats gone; /* of rules that have ended                                 */
    struct timer drain_timer, watch_timer;
    struct task look_task; /* looks whether all is done; posted at most once               */
    bool look_posted;
    struct list idle_readers; /* without subscriptions, to be freed by reap_task           */
    struct task reap_task;
    bool reap_posted;
};

struct running_rule {
    struct list link; /* engine->rules                                                     */
    struct engine *engine;
    struct settings *generation;
    struct settings *options_generation; /* of LIVE options that came later; NULL          */
    struct rule_settings *settings;
    struct source *source; /* NULL in ENGINE_REPLAY                                        */
    struct binding *binding;
    struct list subscriptions;
    bool begun;          /* running_rule_start() was called                              */
    bool leaving;        /* drains, to be freed                                          */
    bool drained;        /* its binding is done; goes when the record is written too     */
    bool was_discovered; /* `since = now` is over for databases that appear from here on */
    bool recording;      /* the record of that is on its way to the store                */
    struct store_commit record;
    struct store_op record_op;
    int64_t replay_from; /* the next dead letter to look at                              */
    bool replay_wanted, replay_again;
};

struct source {
    struct list link; /* engine->sources                                                   */
    struct engine *engine;
    struct settings *generation;
    struct source_settings *settings;
    struct http_pool *pool;
    struct session *session;
    struct map streams; /* by database name                                                */
    struct list stream_list;
    struct question *listing;
    struct timer discover_timer;
    uint32_t discover_failures;
    bool listed; /* the first look is done                                                 */
    uint32_t live_feeds;
    uint32_t users; /* rules                                                               */
};

enum stream_state {
    STREAM_ASKING, /* which incarnation?                                                   */
    STREAM_READY,  /* its cursors exist                                                    */
    STREAM_WAITING /* there is none, or it may not be read: asked again later              */
};

struct stream {
    struct list link; /* source->stream_list                                               */
    struct source *source;
    tr_str db;
    enum stream_state state;
    bool initial;  /* was there at the first look                                          */
    bool answered; /* the first question has been answered, one way or another             */
    bool missing;  /* 404                                                                  */
    char *incarnation, *key;
    char *now; /* the position that `since = now` stands for here                          */
    struct list subscriptions, readers;
    struct question *question;
    struct timer again;
    uint32_t failures;
    int64_t stuck_since_ms; /* 0: not                                                      */
    char trouble[300];
};

/* A cursor's place at a reader. Without one it waits for its binding to have room. */
struct subscription {
    struct list in_stream, in_rule, in_reader;
    struct stream *stream;
    struct running_rule *rule;
    struct cursor *cursor;
    struct reader *reader;
};

struct reader {
    struct list link; /* stream->readers, or engine->idle_readers                          */
    struct stream *stream;
    const struct feed_query *query; /* of a rule of this reader's generation               */
    struct settings *generation;    /* which the query belongs to                          */
    struct buf key;
    struct feed *feed;
    struct list subscriptions;
    struct buf since;
    bool follows; /* counted in source->live_feeds                                         */
    bool paused, complete;
    enum feed_state state;
    struct timer poll;
};

/* engine.c */
void engine_look(struct engine *engine); /* something may be done now: look, in this turn  */
void engine_fail(struct engine *engine, int exit_code); /* ONCE: stop with this code       */
void engine_rule_gone(struct running_rule *rule);
void engine_keep_stats(struct running_rule *rule); /* before it is freed                    */

/* running_rule.c */
int running_rule_new(struct engine *engine, struct settings *generation,
                     struct rule_settings *settings, struct error *error);
/* Starts its binding, and has its source look for its databases. Once. */
void running_rule_start(struct running_rule *rule);
void running_rule_free(struct running_rule *rule);
void running_rule_drain(struct running_rule *rule, int64_t deadline_ms);
/* The databases that were there at the start are known now: remember that. */
void running_rule_discovered(struct running_rule *rule);

/* source.c */
int source_get(struct engine *engine, struct settings *generation,
               struct source_settings *settings, struct source **ret_source,
               struct error *error);
void source_release(struct source *source);
void source_add_rule(struct source *source, struct running_rule *rule);
bool source_is_known(const struct source *source); /* every stream of the first look answered */
void source_answered(struct source *source);
/* The delay before the next question after so many that failed. */
int64_t source_backoff(const struct source *source, uint32_t failures, bool denied);

/* stream.c */
struct stream *stream_new(struct source *source, tr_str db);
void stream_free(struct stream *stream);
void stream_ask(struct stream *stream); /* begins, or begins anew                          */
void stream_add_rule(struct stream *stream, struct running_rule *rule);
bool stream_is_for(const struct stream *stream, const struct running_rule *rule);
void stream_trouble(struct stream *stream, const char *text);
void stream_well(struct stream *stream);
void subscription_free(struct subscription *subscription);

/* reader.c */
void reader_join(struct subscription *subscription); /* finds or makes a reader for it     */
void reader_leave(struct subscription *subscription);
void reader_room(struct running_rule *rule); /* its binding has room again                 */
void reader_yield(struct source *source);    /* paused ones give their connections up        */
void reader_free(struct reader *reader);

/* replay.c */
void replay_look(struct running_rule *rule);
void replay_poll(struct engine *engine);

#endif
