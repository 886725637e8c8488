/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fuzzers share: an assertion that no NDEBUG turns off, and taking an input apart.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "base/str.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                        \
    do {                                                                                       \
        if (!(condition))                                                                      \
            abort();                                                                           \
    } while (0)

/* Whether nothing in the text ends a line or starts another header. */
static inline bool fuzz_is_one_line(tr_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return false;
    return true;
}

#endif
