/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds where a JSON object or array ends, as fast as the machine reads, with a state that
 * survives a cut anywhere: the value may come in pieces.
 *
 * Only strings and brackets are looked at, and a bracket closes whatever stands open; what
 * stands between them is passed as it is. A backslash takes the meaning of a quote behind it,
 * also outside of strings, where no JSON has one. It is not recursive and has no depth limit.
 * Any thread; the state is storage of the caller.
 */
#ifndef JSON_SKIP_H
#define JSON_SKIP_H

#include "base/str.h"

#include <stdint.h>

/* Zeroed: in front of a value that begins with '{' or '['. */
struct json_skip {
    int64_t depth;
    uint8_t in_string; /* 1: inside a string                                               */
    uint8_t escaped;   /* 1: the last byte was a backslash that escapes                    */
};

/* Goes on with the bytes from `at` to `end`. The place behind the bracket that closes the value
 * (then *skip is zeroed, ready for the next one), or NULL when it needs more (then all bytes
 * were taken). The answer does not depend on how the bytes were cut into pieces. */
const char *json_skip_more(struct json_skip *skip, const char *at, const char *end);

#endif
