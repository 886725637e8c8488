/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of core/engine/ share: the running things, and which file has which.
 *
 *     engine.c        start, stop, reload
 *     wanted.c        which rules shall run, and what runs for each
 *     running_rule.c  a rule and its binding
 *     source.c        a server: its connections and its rules
 *     rule_index.c    which rules are about a database of this name
 *     news.c          the server tells which databases change (_db_updates)
 *     own_writes.c    plugins changed one
 *     sweep.c         looks at all databases in turn: which are there, which have changed
 *     look.c          whether one of them is as it was
 *     database.c      a name among ten thousand: waits its turn, is hot or cold
 *     stream.c        a database that is read now: its incarnation, and which rules it has
 *     subscription.c  a rule at a stream: where it begins
 *     again.c         a plugin has a stream begin again
 *     reader.c        a feed, and the subscriptions that share it
 *     replay.c        dead letters that were marked to be sent again
 *     backfill.c      rules that were asked to begin again
 *     progress.c      how far all of it is
 *
 *     _db_updates ──▶ database ──its turn──▶ stream ──▶ reader ──rows──▶ cursors of bindings
 *        sweep ─────────▲  └──────read to its end───────┘
 *
 * What they are made of is in settings.h, rules that are documents in document_rules.h, what is
 * told of them in status.h, metrics.h and admin.h.
 */
#ifndef ENGINE_PRIVATE_H
#define ENGINE_PRIVATE_H

#include "base/map.h"
#include "engine/engine.h"
#include "feed/identity.h"
#include "feed/updates.h"
#include "http/session.h"

struct engine {
    struct engine_options options;
    struct loop *loop;
    struct http *http;
    struct secrets *secrets;
    struct store *store;
    struct repeats *repeats;
    struct settings *settings; /* the newest generation of the files                       */
    int64_t started_ms;
    struct list sources, rules;
    struct observe_socket *socket;     /* of `tailrace status`; NULL: there is none          */
    struct admin *admin;               /* NULL: there is none, or it cannot listen           */
    struct settings *admin_generation; /* that it was made of                            */
    struct timer admin_timer;          /* to try again                                   */
    bool admin_failed;                 /* which was logged                               */
    struct metrics *metrics;           /* what plugins count                             */
    struct rule_sums *ended;           /* of rules that have, for metrics_rules.c            */
    uint32_t shown;                    /* rules with series of their own                     */
    uint64_t reloads, reloads_refused, gathered;
    int64_t gathered_us;  /* of the loop's time                                           */
    struct map wanted;    /* by name: struct wanted_rule                                      */
    struct map backfills; /* by the rule's name; backfill.c                                */
    struct document_rules *documents; /* document_rules.c; NULL: none                       */
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

/* A rule that shall run, of the files or of a document; and what runs for it. */
struct wanted_rule {
    struct settings *generation;    /* NULL: it shall not run any more                     */
    struct rule_settings *settings; /* of `generation`                                     */
    struct running_rule *running;   /* may be of an older one, on its way out; or NULL     */
};

struct running_rule {
    struct list link; /* engine->rules                                                     */
    struct engine *engine;
    struct wanted_rule *wanted;
    struct settings *generation;
    struct settings *options_generation; /* of LIVE options that came later; NULL          */
    struct rule_settings *settings;
    struct rule_settings *options_settings; /* of that generation                          */
    struct source *source;                  /* NULL in ENGINE_REPLAY                       */
    struct list in_source;                  /* source->rules; alone: not yet, or left      */
    struct binding *binding;
    struct list subscriptions; /* with a reader                                            */
    struct list stalled;       /* without one, until the binding has room                  */
    uint32_t listing;    /* the first look at all names that began when it was there; 0      */
    bool begun;          /* running_rule_start() was called                              */
    bool leaving;        /* drains, to be freed                                          */
    bool drained;        /* its binding is done; goes when the record is written too     */
    bool was_discovered; /* `since = now` is over for databases that appear from here on */
    enum since_kind since_kind; /* where it begins: its settings', or a backfill's         */
    bool is_backfill;           /* the latter                                             */
    tr_str since;
    struct arena since_arena;
    bool recording; /* the record of that is on its way to the store                */
    struct store_commit record;
    struct store_op record_op;
    int64_t replay_from; /* the next dead letter to look at                              */
    bool replay_wanted, replay_again;
    bool is_shown; /* it has series of its own                                           */
};

/* Rules by the databases that they are about. Those that name theirs are found by name: there
 * can be one for each of ten thousand databases. */
enum { INDEX_PREFIX_MAX = 32 };

struct rule_index {
    struct list patterns; /* struct index_entry of rules whose expression may match any name */
    struct map prefixes;  /* what its names begin with -> struct list of the same          */
    struct map names;     /* database name -> struct list of the same                      */
    size_t lengths[INDEX_PREFIX_MAX + 1]; /* how many lists of prefixes that long           */
};

struct index_cursor {
    const struct rule_index *index;
    const struct list *next, *end;
    enum { INDEX_PATTERNS, INDEX_PREFIXES, INDEX_NAMES } stage;
    size_t length; /* of the prefix that is looked at                                      */
};

/* A look at all databases, a hundred a request. */
struct sweep {
    struct question *question;
    struct timer timer;   /* of the next look at the names                              */
    struct timer pace;    /* of the next request within the budget                      */
    struct list left;     /* databases that wait to be looked at                        */
    struct list asked;    /* those of the question under way                            */
    uint32_t listing;     /* looks at the names that were begun                         */
    uint32_t listed;      /* the last one that was answered                             */
    bool running, wanted; /* from the names on; another one when this is done           */
    bool no_infos;        /* the server has no _dbs_info for us: each is asked by itself */
    uint32_t failures;
    struct list placings; /* first positions on their way to the store                  */
    int64_t began_ms, ended_ms;
    uint32_t looked, changed; /* of this sweep, or the last                                */
};

/* How many requests may still be made for databases that nobody says have changed. */
struct budget {
    double tokens;
    int64_t filled_ms;
};

struct source {
    struct list link; /* engine->sources                                                   */
    struct engine *engine;
    struct settings *generation;
    struct source_settings *settings;
    struct http_pool *pool;
    struct session *session;
    struct list rules;
    struct rule_index index;
    struct map databases;  /* by name                                                       */
    struct list urgent;    /* databases that have changed, in that order                    */
    struct list backlog;   /* databases that may have                                       */
    struct list streams;   /* of those that are read, followed, or wait for something       */
    struct timer turn;     /* the next of the backlog may be read                           */
    uint32_t reading;      /* streams that hold a turn                                      */
    uint32_t failures;     /* readings that failed since one did not                        */
    int64_t tried_ms;      /* when one was begun although they all fail                    */
    uint32_t initial_left; /* databases of the first look that were not answered yet       */
    uint32_t live_feeds;
    struct sweep sweep;
    struct budget budget;
    struct updates *updates;
    enum updates_state updates_state;
    struct error updates_error;
    enum updates_state updates_settled; /* the last one that was no mere try               */
    struct timer updates_save;
    struct buf updates_saved; /* the position that is in the store                         */
    uint32_t users; /* rules                                                               */
    uint64_t rows, row_bytes, feed_failures; /* since the source was made                  */
};

/* A database by its name: all that is kept of one that is idle. */
struct database {
    struct source *source;
    struct list queue; /* source->urgent, source->backlog; alone: it waits for nothing     */
    struct list sweep; /* sweep->left or sweep->asked                                      */
    struct stream *stream;
    uint64_t token;     /* identity_facts.token when it was read to its end; 0: never was    */
    bool settled;       /* and that was all; see database_rest()                             */
    bool again;         /* it changed while it was read                                      */
    bool swept;         /* the sweep has it read, not an event                               */
    bool pending;       /* counted in source->initial_left                                   */
    bool missing;       /* the server has none of this name                                  */
    uint32_t first;     /* the first look at the names that found it; 0: it came after       */
    uint32_t listing;   /* the last one                                                      */
    int64_t changed_ms; /* when it was last said to have changed                           */
    int64_t hot_until_ms; /* changed twice in a while: worth a feed of its own             */
    tr_str name;
    char text[];
};

enum first {
    FIRST_BEGINNING,
    FIRST_NOW,
    FIRST_SEQ,
    FIRST_UNDECIDED /* the names have to be looked at before                               */
};

enum stream_state {
    STREAM_ASKING, /* which incarnation?                                                   */
    STREAM_READY,  /* its cursors exist                                                    */
    STREAM_WAITING /* there is none, or it may not be read: asked again later              */
};

struct stream {
    struct list link; /* source->streams                                                   */
    struct source *source;
    struct database *database;
    tr_str db;
    enum stream_state state;
    bool turn;      /* counted in source->reading                                            */
    bool missing;   /* 404                                                                   */
    bool answered;  /* the first question has been answered, one way or another            */
    bool undecided; /* a rule waits for the names, to know where it begins here            */
    bool given_up;  /* it is over although it may not have read all                        */
    struct timer end_timer;
    struct identity_facts facts;
    char *incarnation, *key;
    char *now; /* the position that `since = now` stands for here                          */
    struct list subscriptions, readers;
    struct question *question;
    struct timer again;
    uint32_t failures;
    int64_t active_ms;      /* when it last brought a row                                  */
    int64_t stuck_since_ms; /* 0: not                                                      */
    char *trouble;
};

/* A cursor's place at a reader. Without one it waits for its binding to have room. */
struct subscription {
    struct list in_stream, in_rule, in_reader;
    struct stream *stream;
    struct running_rule *rule;
    struct cursor *cursor;    /* NULL: the plugin is asked where it begins                 */
    struct position_ask *ask; /* the same; with a cursor: where it begins again            */
    struct buf since; /* and where it does if the plugin has no other word                 */
    int64_t ordinal;
    bool is_first; /* there is no checkpoint                                               */
    struct reader *reader;
};

struct reader {
    struct list link; /* stream->readers, or engine->idle_readers                          */
    struct source *source;
    struct stream *stream;          /* not to be used once it is idle                      */
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
void engine_finish(struct engine *engine);         /* the last rule is gone                 */
void engine_keep_stats(struct running_rule *rule); /* before it is freed                    */

/* wanted.c */
/* A rule shall run as `rule`, of `generation`, says: it is started, replaced or kept. The
 * engine takes a reference of the generation. */
void wanted_put(struct engine *engine, struct settings *generation, struct rule_settings *rule);
/* It shall run no more: it drains and is gone; its checkpoints stay. */
void wanted_remove(struct engine *engine, tr_str name);
/* Nothing has to come before the rule any more: it is made, if one of that name is wanted. */
void wanted_go_on(struct engine *engine, tr_str name);
/* A rule has drained, and its record is written. */
void wanted_gone(struct running_rule *rule);
/* The rules of the files: the first ones, all or none, and then started; those of a reload. */
int wanted_make_first(struct engine *engine, struct error *error);
void wanted_start(struct engine *engine);
void wanted_change(struct engine *engine, struct settings *old, struct settings *settings);
void wanted_free(struct engine *engine);

/* running_rule.c */
int running_rule_new(struct engine *engine, struct settings *generation,
                     struct rule_settings *settings, struct running_rule **ret_rule,
                     struct error *error);
/* Starts its binding, and has its source look for its databases. Once. */
void running_rule_start(struct running_rule *rule);
void running_rule_free(struct running_rule *rule);
void running_rule_drain(struct running_rule *rule, int64_t deadline_ms);
/* The databases that were there at the start are known now: remember that. */
void running_rule_discovered(struct running_rule *rule);

/* rule_index.c */
void rule_index_init(struct rule_index *index);
void rule_index_fini(struct rule_index *index);
void rule_index_add(struct rule_index *index, struct running_rule *rule);
void rule_index_remove(struct rule_index *index, struct running_rule *rule);
/* Walks the rules about `db`: start with rule_index_first(); NULL at the end. Neither rules nor
 * names may change meanwhile. */
struct running_rule *rule_index_first(const struct rule_index *index, tr_str db,
                                      struct index_cursor *cursor);
struct running_rule *rule_index_next(tr_str db, struct index_cursor *cursor);
bool rule_index_names(const struct rule_index *index, tr_str db); /* some rule names it      */
bool rule_index_has_patterns(const struct rule_index *index);
/* Its databases are known without a look at all names. */
bool rule_is_fixed(const struct running_rule *rule, const tr_str **ret_names,
                   size_t *ret_count);

/* source.c */
int source_get(struct engine *engine, struct settings *generation,
               struct source_settings *settings, struct source **ret_source,
               struct error *error);
void source_release(struct source *source);
void source_add_rule(struct source *source, struct running_rule *rule);
void source_remove_rule(struct source *source, struct running_rule *rule);
bool source_is_known(
    const struct source *source); /* every database of the first look answered */
bool source_is_done(const struct source *source); /* ONCE: nothing waits to be read */
void source_answered(struct source *source);
/* More databases than feeds: most are read only when they are said to have changed. */
bool source_has_many(const struct source *source);
/* The delay before the next question after so many that failed. */
int64_t source_backoff(const struct source *source, uint32_t failures, bool denied);
/* Takes `requests` out of the budget, or says how long to wait for that. */
int64_t source_spend(struct source *source, uint32_t requests);
/* How many databases that nobody says have changed may be read at a time. */
uint32_t source_reads_at_once(const struct source *source);

/* news.c: the list of changed databases. */
void news_start(struct source *source);
void news_stop(struct source *source);
bool news_are_live(const struct source *source);
bool news_are_awaited(const struct source *source); /* they begin, and were not lost so far   */

/* own_writes.c: the server need not tell of what plugins write. */
void own_writes_watch(struct engine *engine);

/* sweep.c */
void sweep_init(struct source *source);
void sweep_fini(struct source *source);
void sweep_soon(struct source *source); /* all names, in the next turn                       */
void sweep_database(struct database *database); /* this one                                  */
void sweep_hurry(struct source *source);        /* the news are lost: it has to find all     */
void sweep_wake(struct source *source);         /* the server is there again: no backoff     */

/* look.c: for sweep.c. */
/* An entry of _dbs_info: nothing to read, or it goes to the backlog. */
void sweep_judge(struct source *source, tr_str entry, struct arena *arena);
/* Those on their way to the store are the store's alone from here on. */
void first_positions_fini(struct source *source);

/* database.c */
struct database *database_find(const struct source *source, tr_str name);
struct database *database_add(struct source *source, tr_str name); /* is not there yet        */
void database_free(struct database *database);
/* It has changed, or may have: it is read when its turn comes. */
void database_changed(struct database *database);
void database_look(struct database *database);
bool database_is_idle(const struct database *database); /* neither read nor waits for that   */
/* Its first question has been answered, one way or another. */
void database_answered(struct database *database);
/* Its stream is over: it has read all there was when the server said `facts`; NULL: nobody
 * knows what has changed meanwhile, and the next sweep looks. */
void database_rest(struct database *database, const struct identity_facts *facts);
/* What has changed while it was read is read too, when its turn comes. */
void database_read_again(struct database *database);
/* A reading failed as it may when the server is away, or did not. */
void database_read_failed(struct source *source);
void database_read_well(struct source *source);
/* The next turns are given out; `soon` from where lists of streams are walked. */
void database_turns(struct source *source);
void database_turns_soon(struct source *source);
bool database_is_hot(const struct database *database);
/* ONCE or FOLLOW, of a feed that is about to start: takes a place among the continuous ones, if
 * need be from the one that was silent for longest. */
bool database_take_feed(struct database *database);
/* Continuous feeds that were silent too long give their places up. */
void database_cool(struct source *source);

/* stream.c */
struct stream *stream_new(struct database *database);
void stream_free(struct stream *stream);
void stream_ask(struct stream *stream); /* begins, or begins anew                          */
/* Subscribes it, unless it is. */
void stream_add_rule(struct stream *stream, struct running_rule *rule);
void stream_add_rules(struct stream *stream);
void stream_trouble(struct stream *stream, const char *text);
void stream_well(struct stream *stream);
void stream_yield(struct stream *stream); /* gives its turn to the next                     */
bool stream_is_read(const struct stream *stream);   /* to the end, by every rule that can     */
bool stream_is_parked(const struct stream *stream); /* but for rules without room            */
/* Ends it when it is read, in the next turn; one that is parked gives its turn away. */
void stream_check(struct stream *stream);
void stream_give_up(
    struct stream *stream); /* ends it: its feeds now, itself in the next turn */
/* "source/db@incarnation", which checkpoints stand under. */
void stream_key(const struct source *source, tr_str db, tr_str incarnation, struct buf *out);
/* Where a rule that has no checkpoint begins in a database. */
enum first rule_first(const struct running_rule *rule, const struct database *database);

/* subscription.c */
/* `since` and `ordinal` are its checkpoint's or, if it `is_first`, where the rule begins. */
void subscription_new(struct stream *stream, struct running_rule *rule, tr_str since,
                      int64_t ordinal, bool is_first);
void subscription_free(struct subscription *subscription);
/* Begins again at `since`, for the plugin says that it must: what is in hand counts no more. */
void subscription_again(struct subscription *subscription, tr_str since);

/* again.c */
/* The same of a stream by its key, also if nobody reads it now. */
void again_begin(struct running_rule *rule, tr_str stream, tr_str since);

/* reader.c */
void reader_join(struct subscription *subscription); /* finds or makes a reader for it     */
void reader_leave(struct subscription *subscription);
void reader_room(struct running_rule *rule); /* its binding has room again                 */
void reader_yield(struct source *source);    /* paused ones give their connections up        */
void reader_free(struct reader *reader);

/* replay.c */
void replay_look(struct running_rule *rule);
void replay_poll(struct engine *engine); /* another process wrote into the store           */

/* backfill.c */
int backfill_start(struct engine *engine, struct error *error); /* before any rule is made  */
void backfill_stop(struct engine *engine);                      /* after the store's end    */
void backfill_poll(struct engine *engine); /* another process wrote into the store          */
/* True: the rule, which does not run, has to begin again before it is made; wanted_go_on() is
 * called then. */
bool backfill_comes_first(struct engine *engine, tr_str name);

#endif
