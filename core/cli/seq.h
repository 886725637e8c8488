/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A seq as a person gives it on the command line. `checkpoint set` and `backfill` share it.
 * Main thread.
 */
#ifndef CLI_SEQ_H
#define CLI_SEQ_H

#include "base/buf.h"

/* Its raw JSON, appended to `out`; "beginning" is 0. A number stays one where the source counts
 * in numbers: `old` is the raw JSON of one that is known, or empty. ERR_DATA with a line on
 * stderr. */
int seq_parse(tr_str given, tr_str old, struct buf *out);

#endif
