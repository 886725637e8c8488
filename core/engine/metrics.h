/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine tells Prometheus: its own figures, which are counters where they arise and
 * are gathered when somebody asks, and those of plugins (observe/metrics.h). Loop thread.
 *
 * The names are documented in tailrace-metrics(7), and a test compares. Labels are bounded: of
 * more rules than METRICS_RULES_MAX the later ones are added up as "other", and so are those of
 * them that have ended, so that no counter of it falls.
 */
#ifndef ENGINE_METRICS_H
#define ENGINE_METRICS_H

#include "engine/private.h"
#include "observe/prom.h"

enum { METRICS_RULES_MAX = 500 };

/* A registry for plugins that knows which names are taken. */
struct metrics *engine_metrics_new(void);
void engine_metrics_free(struct engine *engine); /* all that is left of it              */

/* Appends all of it as Prometheus' text. */
void engine_metrics_write(struct engine *engine, struct buf *out);

/* A rule has been made; it will be freed. */
void engine_metrics_add(struct running_rule *rule);
void engine_metrics_remove(struct running_rule *rule);

/* ---- for the files that write it ---- */

/* A family whose samples are a member of an array of rows. A row begins with its labels, the
 * member is a double. */
struct metrics_column {
    const char *name;
    enum prom_kind kind;
    size_t offset;
    const char *help;
};

#define METRICS_COLUMN(row_, name_, kind_, member_, help_)                                     \
    {                                                                                          \
        .name = (name_), .kind = (kind_), .offset = offsetof(row_, member_), .help = (help_)   \
    }

/* Rows of `stride` bytes. */
void metrics_write_columns(struct buf *out, const struct metrics_column *columns, size_t count,
                           const void *rows, size_t rows_count, size_t stride);

void metrics_reserve_columns(struct metrics *metrics, const struct metrics_column *columns,
                             size_t count);

/* metrics_sources.c, metrics_rules.c */
void metrics_write_sources(const struct engine *engine, struct buf *out);
void metrics_write_rules(const struct engine *engine, struct buf *out);
void metrics_reserve_sources(struct metrics *metrics);
void metrics_reserve_rules(struct metrics *metrics);

#endif
