/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The row scanner: one row of a `_changes` feed into the slices of a tr_change, in one pass.
 *
 * Nothing is copied and no tree is made; only an id or rev that holds escapes is decoded into
 * the arena. It survives every input. What is inside `doc` is passed as it is: only strings and
 * brackets are followed there. The row's own members are JSON to the letter, but for UTF-8,
 * which is not checked. Any thread.
 */
#ifndef JSON_ROW_H
#define JSON_ROW_H

#include "base/arena.h"

#include <tailrace/change.h>

enum json_row_result {
    JSON_ROW = 0,     /* a row: has an "id" string                                         */
    JSON_CLOSING = 1, /* no row, an object with "last_seq"                                 */
    JSON_ERROR = 2,   /* none of these, an object with "error"                             */
    JSON_OTHER = 3,   /* a whole JSON object, but none of these                            */
    JSON_MORE = 4,    /* the object does not end in these bytes; it may in longer ones     */
    JSON_JUNK = 5     /* not a JSON object, whatever follows                               */
};

/* What an object that is not a row said. Raw JSON, empty where absent. */
struct json_closing {
    tr_str last_seq, pending, error, reason;
};

/*
 * Reads the object that begins at text.ptr[0] == '{'; what follows it is not looked at. The
 * last of duplicate keys wins, and a key written with escapes is the same key.
 *
 * On JSON_ROW fills *ret_change: slices of `text`, attempt 0; `seq` is any value, empty where
 * the row has none; `revs` only an array, `doc` only an object ("doc":null is no document). On
 * JSON_CLOSING and JSON_ERROR fills *ret_closing. *ret_used is the object's length on every
 * result but MORE and JUNK. All else is untouched.
 */
enum json_row_result json_row_scan(tr_str text, struct arena *arena, tr_change *ret_change,
                                   struct json_closing *ret_closing, size_t *ret_used);

#endif
