/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of stats-calculator share.
 *
 *     stats-calculator.c  the descriptor, and an instance's life
 *     options.c           the table of options;  settings.c  what they mean, and must not
 *     bucket.c            times of documents, and the buckets that they fall into
 *     value.c number.c    values of fields;  exact.c round.c  sums without error;  sketch.c
 *                         quantiles: what one value is, and what many are together
 *     part.c              what a document adds to the figures, and how that is kept
 *     entry.c             tr.state/1: keys, and counts that are kept by value
 *     stream.c            streams: which are there, what is loaded of them at a start
 *     begin.c             where a stream is read from, tr.position/1
 *     group.c             groups of a stream, and the totals over all streams
 *     apply.c             a batch: what was is taken away, what is is added
 *     figures.c census.c  the figures of a total;  page.c  all of them as one JSON text
 *     publish.c           when;  couch.c  file.c  series.c  where to
 *     explain.c           tr.explain/1
 *
 * The road of a change:
 *
 *     document ──part.c──▶ contribution ──apply.c──▶ group ◀──┐ written once a batch
 *                               │                      │      │
 *                       the one of before ◀── state ───┴──────┘
 *
 * Everything runs on the instance's worker. What is counted lies in the state of the stream
 * that it came from, written with the batch's ticket, so that it is what the checkpoint says.
 * Figures over several databases are put together from those of each when they are shown.
 */
#ifndef STATS_H
#define STATS_H

#include "exact.h"
#include "sketch.h"
#include "table.h"
#include "value.h"

#include <tailrace/connection.h>
#include <tailrace/ext/metrics.h>
#include <tailrace/ext/position.h>
#include <tailrace/ext/state.h>
#include <tailrace/ext/timer.h>
#include <tailrace/scan.h>

enum { MEASURES_MAX = 64, GROUP_BY_MAX = 8, PATH_BYTES = 1024 };

/* ---- options ---- */

/* In the order of the choices of `figures`. */
enum figure {
    FIGURE_COUNT,
    FIGURE_SUM,
    FIGURE_MIN,
    FIGURE_MAX,
    FIGURE_MEAN,
    FIGURE_STDDEV,
    FIGURE_SUMSQR,
    FIGURE_QUANTILES,
    FIGURE_DISTINCT,
    FIGURE_TOP,
    FIGURES_COUNT
};

/* What is kept of a field for its figures. */
enum {
    KEEP_SUM = 1 << 0,
    KEEP_SQUARES = 1 << 1,
    KEEP_ORDER = 1 << 2, /* each number and how often it is there, in order                  */
    KEEP_VALUES = 1 << 3,
    KEEP_SKETCH = 1 << 4,
    KEEP_NUMBERS = KEEP_SUM | KEEP_SQUARES | KEEP_ORDER | KEEP_SKETCH /* only numbers count */
};

struct measure {
    char *name, *field;
    uint32_t figures, keeps; /* bits                                                         */
};

/* The field is one of the values, as texts. */
struct condition {
    char *field;
    char **values;
    uint32_t values_count;
};

/* Width in seconds, or in months. */
struct bucket {
    int64_t seconds, months;
};

struct options {
    struct measure *measures;
    struct condition *where;
    char **group_by;
    double *quantiles;
    uint32_t measures_count, where_count, group_by_count, quantiles_count;
    char *time_field, *time_bucket;
    struct bucket bucket;
    /* Paths of where, group_by, time (if there is one) and stats, one behind the other, and
     * what is there in the document in hand. */
    tr_str *fields, *found;
    uint32_t fields_count;
    int64_t max_groups, max_values, top;

    char *url, *document, *file;
    char *own_db; /* the name of the database of `url`                                       */
    int64_t wait_ms, timeout_ms;
    int32_t metrics;
    tr_connection connection;
};

/* ---- what is counted ---- */

/* Of a field within a group. */
struct tally {
    uint64_t count, missing, invalid; /* documents with a value, without, with a wrong one   */
    uint64_t kept;                    /* KEEP_VALUES: different values that are counted       */
    uint64_t others;                  /* documents with others, of which there are too many   */
    struct exact sum, squares;
    struct sketch sketch;
};

/* Of one stream. Lives until the end of a batch that leaves it without documents. */
struct group {
    struct link link; /* among the groups, by stream and key                                 */
    struct stream *stream;
    struct total *total;
    struct group *next, *prev; /* of the total                                               */
    struct group *next_dirty;
    bool is_dirty; /* it is to be written with this batch                                    */
    uint32_t id;
    uint64_t documents;
    struct tally tallies[];
};

/* Groups of the same key, of all streams. */
struct total {
    struct link link; /* among the totals, by key                                            */
    struct group *groups;
    tr_text shown; /* its figures as they were made last                                     */
    bool is_fresh; /* and they are those of now                                              */
    uint32_t key_len;
    char key[];
};

/* A stream with state, or whose first batch is under way. */
struct stream {
    struct link link, place; /* by name, and by source and database                          */
    char *name, *source, *db;
    char *began; /* the seq that it was first read from; NULL: nobody knows                  */
    struct group **groups; /* by id; holes                                                   */
    uint32_t groups_room, free_id;
    uint16_t generation; /* of what is counted now; 0: nothing yet                           */
    bool is_written;     /* the state says so                                                */
    bool is_stale;       /* what the state has was counted by other options                  */
    bool is_again;       /* and the host was asked to begin again                            */
    bool is_swept;       /* nothing is left of generations before                            */
    bool is_torn;        /* memory has not what the state has: it is to be loaded again     */
};

/* What a document adds, and what it added. */
enum part_kind { PART_MISSING, PART_INVALID, PART_PRESENT, PART_NUMBER, PART_VALUE };

struct part {
    uint8_t kind;
    bool is_other; /* its value is among those that are not counted one by one             */
    double number;
    tr_str value; /* of PART_VALUE                                                           */
};

struct contribution {
    bool is_there;
    tr_str rev;        /* as part_read() and part_make() have it: packed                     */
    uint32_t group_id; /* of one that was read                                               */
    tr_text group_key; /* of one that was made                                               */
    tr_text bytes;     /* what the slices are of                                             */
    struct part parts[MEASURES_MAX];
};

/* ---- publishing ---- */

struct publisher {
    uint64_t timer;    /* 0: nothing is waited for                                           */
    uint64_t request;  /* 0: none is under way                                               */
    uint32_t failures; /* in a row                                                           */
    bool is_wanted;    /* something has changed since the page was made                      */
    bool is_flushing;
    tr_text page; /* the figures, as they go everywhere                                      */

    /* couch.c: the document on its way. */
    tr_text url, body, losers;
    size_t losers_at;
    uint32_t tries;

    /* series.c */
    uint32_t documents_metric, value_metric;
};

struct tr_self {
    const tr_host *host;
    const tr_json *json;
    const tr_state *state;
    const tr_timer *timer;
    const tr_http *http;
    const tr_metrics *metrics;
    const tr_position_host *position;
    tr_http_client *client;

    struct options options;
    uint64_t fingerprint; /* of those options that say what is counted                     */

    struct table streams, places, groups, totals;
    struct total *other; /* of the groups that were too many; NULL: there are no such     */
    bool is_full_said;   /* a warning was logged                                              */
    uint64_t values_said; /* the same, of measures: bits */

    /* The batch in hand. */
    const tr_batch *batch;
    struct stream *stream;
    struct group *dirty;
    tr_status trouble; /* why it cannot be finished; TR_OK: it can                          */
    struct contribution before, after;
    tr_text scratch, record, key;

    struct publisher publisher;
};

/* options.c [control] */
enum { OPTIONS_COUNT = 9 };
extern const tr_option stats_options[OPTIONS_COUNT];
extern const tr_option measure_options[], condition_options[], time_options[],
    publish_options[];
enum { MEASURE_OPTIONS = 3, CONDITION_OPTIONS = 2, TIME_OPTIONS = 2, PUBLISH_OPTIONS = 10 };
extern const char *const figure_names[];

/* settings.c [control] */
tr_status settings_load(tr_self *self, const tr_config *config, tr_error *error);
void settings_free(struct options *options);

/* bucket.c */
bool bucket_parse(const char *text, struct bucket *ret_bucket);
/* Seconds since 1970 of ISO 8601 text, or of a number of seconds or milliseconds. False: it is
 * no time. */
bool bucket_read_time(const struct value *value, int64_t *ret_time);
int64_t bucket_begin(const struct bucket *bucket, int64_t time);
/* In a group's key: the order of the bytes is that of the times. */
void bucket_put(char bytes[8], int64_t time);
int64_t bucket_get(const char bytes[8]);
/* As "2026-11-26T17:00:00Z". */
void bucket_show(int64_t time, tr_text *out);

/* part.c */
/* Makes self->after of a change; is_there is false if it adds nothing. False: no memory. */
bool part_make(tr_self *self, const tr_batch *batch, const tr_change *change);
/* Whether a change of this (packed) revision was replaced by what was counted. */
bool part_is_older(tr_str rev, tr_str counted);
/* self->after with the group's id, and self->before from bytes. */
void part_write(const tr_self *self, const struct contribution *it, uint16_t generation,
                uint32_t group_id, tr_text *out);
bool part_read(const tr_self *self, struct contribution *it, tr_str bytes, uint16_t generation);

/* entry.c: all of them do nothing once self->trouble is set, and set it. [worker] */
enum { KIND_GROUP = 'g', KIND_ORDER = 'o', KIND_VALUE = 'v', KIND_CELL = 'h' };
enum { CELL_BITS = 11, CELLS = 1 << CELL_BITS, CELL_RANKS = 64 - CELL_BITS + 1 };
/* Into self->key. */
void entry_key_document(tr_self *self, tr_str id);
void entry_key_group(tr_self *self, uint16_t generation, uint32_t id);
bool entry_get(tr_self *self, tr_str *ret_value);
void entry_put(tr_self *self, tr_str value);
void entry_remove(tr_self *self);
/* How often the value is there now; `step` is 1 or -1. */
uint64_t entry_count(tr_self *self, const struct group *group, unsigned measure, char kind,
                     tr_str value, int step);
uint64_t entry_counted(tr_self *self, const struct group *group, unsigned measure,
                       tr_str value);
/* The cell of an estimate that a value falls into: three bytes. */
void entry_cell(tr_str value, char ret_cell[3]);
/* Calls `each` for what was counted of a kind, in order, until it returns false. */
bool entry_each(tr_self *self, const struct group *group, unsigned measure, char kind,
                bool backwards, bool (*each)(void *user, tr_str value, uint64_t count),
                void *user);
/* Removes some of what generations before have left behind. */
void entry_sweep(tr_self *self, struct stream *stream);

/* stream.c [worker] */
tr_status streams_load(tr_self *self, tr_error *error);
void streams_free(tr_self *self);
/* The stream, made if it is new; an incarnation before it is dropped. NULL: trouble. */
struct stream *stream_of(tr_self *self, tr_str source, tr_str db, tr_str name);
/* Forgets and loads it again: what memory has of it is not what the state has. */
tr_status stream_reload(tr_self *self, struct stream *stream);
/* Writes with the batch in hand what the stream is, if the state does not say so. False: what
 * the state has is not to be added to. */
bool stream_write(tr_self *self, struct stream *stream);

/* begin.c [worker] */
const void *begin_table(void);

/* group.c [worker] */
struct group *group_of(tr_self *self, struct stream *stream, tr_str key);
struct group *group_by_id(const struct stream *stream, uint32_t id);
/* One that was written with this id; NULL: no memory. */
struct group *group_new(tr_self *self, struct stream *stream, tr_str key, uint32_t id);
void group_free(tr_self *self, struct group *group);
void group_free_all(tr_self *self, struct stream *stream);
/* It is to be written with the batch in hand. */
void group_soil(tr_self *self, struct group *group);
void group_write(tr_self *self, const struct group *group, tr_text *out);
/* False: no memory, or reader->failed. */
bool group_read(tr_self *self, struct group *group, struct reader *reader);
void tally_fini(struct tally *tally);
bool tally_merge(struct tally *tally, const struct tally *more);
#define GROUP_OTHER TR_STR("\xff")

/* apply.c [worker] */
tr_status apply_batch(tr_self *self, const tr_batch *batch, tr_outcome *outcome);

/* figures.c [worker] */
/* Appends the documents and figures of a total as members of an object, and sets its series;
 * NULL: of nothing. False: no memory, or the state cannot be read. */
bool figures_show(tr_self *self, const struct total *total, tr_text *out);

/* census.c [worker] */
struct census;
/* The values of a field, of all groups of a total. NULL: as above. */
struct census *census_new(tr_self *self, const struct total *total, unsigned measure);
void census_free(struct census *census);
/* How many different ones; `ret_is_exact`, or else by CENSUS_ERROR. */
double census_distinct(const struct census *census, bool *ret_is_exact);
/* The most frequent, as an array; `ret_uncounted` documents have values that are not in it. */
bool census_show_top(const struct census *census, tr_text *out, uint64_t *ret_uncounted);
#define CENSUS_ERROR 0.023
#define SKETCH_ERROR 0.0079

/* page.c [worker] */
/* Makes publisher.page; false: no memory, or the state cannot be read. */
bool page_make(tr_self *self);

/* publish.c [worker] */
tr_status publish_begin(tr_self *self, tr_error *error);
/* Something has changed. */
void publish_want(tr_self *self);
tr_status publish_flush(tr_self *self);
void publish_end(tr_self *self);
/* From couch.c: the document is written, or it is not, and why. */
void publish_done(tr_self *self, const char *why);

/* couch.c [worker] */
enum { WHY_BYTES = 256 };
void couch_send(tr_self *self);
/* http(s)://HOST/DATABASE; `ret_db` is the database's name, to be freed. [control] */
tr_status couch_check(const char *url, char **ret_db, tr_error *error);
/* Whether a document is the one that is published, which counts for nothing. */
bool couch_is_own(const tr_self *self, tr_str db, tr_str id);

/* file.c [worker] */
/* NULL: it is written; or else why not. */
const char *file_write(const tr_self *self, char why[WHY_BYTES]);

/* series.c: tr.metrics/1; all do nothing if figures are not to be shown there. [worker] */
tr_status series_begin(tr_self *self, tr_error *error);
void series_documents(tr_self *self, const struct total *total, uint64_t documents);
/* NAN: there is none. */
void series_figure(tr_self *self, const struct total *total, const char *stat,
                   const char *figure, double value);
void series_forget(tr_self *self, const struct total *total);

/* explain.c */
const void *explain_table(void);

#endif
