/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process itself costs, by the names that Prometheus' own client libraries give it.
 * Called on the admin endpoint's thread, so that the loop need not read files.
 */
#ifndef OBSERVE_PROCESS_H
#define OBSERVE_PROCESS_H

#include "base/buf.h"

/* Appends the figures; what the system does not tell is left out. */
void process_write_metrics(struct buf *out);

#endif
