/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host for a plugin in a fuzzer: its requests are answered by the input, one after the other,
 * on the one thread that there is. Timers fire when nothing else is left to happen, at once.
 *
 * The input is a list of answers: a digit for the status (lib_host.c has them), then the body
 * up to a byte 0xff, which no UTF-8 has. When it is used up no request gets an answer.
 */
#ifndef LIB_HOST_H
#define LIB_HOST_H

#include "fuzz.h"

#include <tailrace/plugin.h>

/* What the plugin said of the changes, and whether a request was answered by 200 to 202 and
 * JSON: without that none of them can be settled. */
struct verdict {
    tr_status status;
    int32_t items[8];
    uint32_t count;
    bool was_answered;
};

/* Runs one instance with these options (the text of a configuration) over a batch of changes of
 * a, b, c (deleted) and a again, flushes and closes it. The batch is completed exactly once,
 * whatever the answers are, or the fuzzer has found something. */
struct verdict host_run(const char *options, tr_str input);

#endif
