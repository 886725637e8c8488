/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams on a command line. Main thread.
 */
#include "cli/stream.h"

#include <sysexits.h>

bool stream_is(tr_str word, tr_str key, tr_str source, tr_str db)
{
    tr_str before, behind = word;

    if (word.len == 0 || str_eq(key, word) || str_eq(db, word))
        return true;
    /* A database's name may hold slashes too. */
    before = str_cut(word, '/', &behind);
    return str_eq(source, before) && str_eq(db, behind);
}

int stream_chosen(const struct args *args, tr_str *ret_word)
{
    bool all = args_has(args, "all");

    if (all == (args->operands_count == 2))
        return args_wrong(args, "name a stream, or --all for all of the rule");
    *ret_word = all ? STR("") : str_c(args->operands[1]);
    return EX_OK;
}
