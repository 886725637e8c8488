/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status document: what the engine is doing now, as one line of JSON for whoever connects
 * to the socket in the state directory (observe/socket.h).
 *
 *     {"format":1, "version", "pid", "uptime_s", "state":"running|stopping",
 *      "mode":"follow|once|replay",
 *      "store":{"state":"ok|stalled", "for_s", "reason"},
 *      "totals":{"received", "filtered", "ok", "dead", "skipped", "retried", "batches"},
 *      "sources":[{"name", "url" or "path", "databases",
 *          "streams":{"hot", "reading", "waiting", "idle", "missing", "queued"},
 *          "updates":{"state":"live|connecting|waiting|unavailable|off", "reason"},
 *          "sweep":{"state":"idle|running|waiting", "finished_s_ago", "databases", "changed"},
 *          "connections":{"running", "waiting", "max"}, "rows", "row_bytes", "feed_failures",
 *          "troubles":[{"db", "state":"waiting|missing", "for_s", "reason"}],
 * "troubles_more"}], "rules":[{"name", "plugin", "source",
 * "state":"starting|running|held|draining", "reason" (held, or retrying), "streams",
 * "lag_rows", "lag_s", "window_rows", "window_bytes", "in_flight", "retrying", "received",
 * "filtered", "ok", "dead", "skipped", "retried", "repeated", "batches", "dead_letters"}],
 * "rules_more",
 *      "documents":[{"group", "source", "database", "state", "reason", "rules",
 *          "invalid":[{"id", "reason"}], "invalid_more"}]}
 *
 * A member is added freely; one that changes its meaning needs another `format`. Every list has
 * an end (STATUS_…_MAX), whatever is left out is counted in `…_more`; rules that need a person
 * come first then. No secret is in it. Loop thread.
 */
#ifndef ENGINE_STATUS_H
#define ENGINE_STATUS_H

#include "base/buf.h"
#include "engine/engine.h"

enum {
    STATUS_FORMAT = 1,
    STATUS_RULES_MAX = 1000,
    STATUS_TROUBLES_MAX = 100, /* of a source                                              */
    STATUS_INVALID_MAX = 100   /* documents of a group                                     */
};

/* Listens, from when the lock on the state directory is held. Without a socket there is only a
 * warning: `tailrace status` does not work then, and all else does. */
void status_start(struct engine *engine);

/* Before that lock goes. Harmless when it never started. */
void status_stop(struct engine *engine);

/* Appends the document and a line end. */
void status_write(const struct engine *engine, struct buf *out);

#endif
