/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many there are of what: databases by what is done with them, streams and rows that a rule
 * waits for. What the status document and the metrics both tell. Loop thread.
 */
#ifndef ENGINE_TALLY_H
#define ENGINE_TALLY_H

#include "engine/private.h"

struct tally {
    uint32_t hot, reading, waiting, idle, missing, queued;
};

/* Each database counts once. */
void tally_database(struct tally *tally, const struct database *database);

struct reading {
    uint32_t streams;
    int64_t pending; /* rows that the server says are still to be read                      */
};
struct reading reading_of(const struct running_rule *rule);

/* "starting", "running", "held", "draining". */
const char *tally_state(const struct running_rule *rule);

/* NULL: it is read, or there is nothing to read. Else why it is not, for people; lives until
 * the next turn. */
const char *tally_unreached(const struct source *source);

#endif
