/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signals that end a command, read on its loop: SIGTERM, SIGINT and SIGHUP. Main thread.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include "base/loop.h"

/* Storage of the caller: set `came`. */
struct signals {
    void (*came)(struct signals *signals, int number);
    struct watch watch;
};

/* Blocks them for every thread that is made from here on: before a plugin is loaded, since it
 * may make one. */
void signals_block(void);

/* They must be blocked. ERR_OS. */
int signals_watch(struct signals *signals, struct loop *loop, struct error *error);

/* Fine where the watch failed, and on zeroed storage. */
void signals_unwatch(struct signals *signals, struct loop *loop);

#endif
