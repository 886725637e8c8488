/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the daemon of a state directory how it is. `status` and `top` use it. Main thread.
 */
#ifndef CLI_STATUS_ASK_H
#define CLI_STATUS_ASK_H

#include "base/buf.h"
#include "base/error.h"

/* The whole document, one line of JSON, in place of what `ret_document` holds. Gives up, with
 * *ret_stopped, when `stop_fd` (-1: none) becomes readable. ERR_UNAVAIL: no daemon runs there,
 * or it does not answer; ERR_NOPERM; ERR_CANTCREAT: no socket can have that path. */
int status_ask(const char *dir, int stop_fd, struct buf *ret_document, bool *ret_stopped,
               struct error *error);

#endif
