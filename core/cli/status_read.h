/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the daemon's status document (engine/status.h): members, texts, durations, and all
 * that is in trouble. What a document does not say reads as nothing, so that a newer daemon
 * with more to tell can be looked at too. `status` and `top` use it. Main thread.
 */
#ifndef CLI_STATUS_READ_H
#define CLI_STATUS_READ_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

/* ERR_DATA: it is of a form that this tailrace does not know. */
int status_check(tr_str document, struct error *error);

/* A member as it stands; empty: there is none. */
tr_str status_member(tr_str object, const char *key);

/* The same as text, which lives in the arena or in the document; as a number, or 0. */
tr_str status_text(struct arena *arena, tr_str object, const char *key);
double status_number(tr_str object, const char *key);

/* "1.5 s", "45 s", "12 min", "5 h", "3 d": what a glance needs. */
#define STATUS_DURATION 24
const char *status_duration(double seconds, char into[STATUS_DURATION]);

/* Calls `add` for each thing in trouble, in the document's order; `since` is in seconds,
 * negative: nobody knows. Gives how many more there are that the daemon has not told. */
struct status_trouble {
    tr_str who, state, reason; /* an empty reason: the state says it all                   */
    double since;
};
int64_t status_troubles(tr_str document, struct arena *arena,
                        void (*add)(void *ctx, const struct status_trouble *trouble),
                        void *ctx);

#endif
