/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells JSON from a plain seq, and numbers from texts. Main thread.
 */
#include "cli/seq.h"

#include "cli/print.h"
#include "json/tree.h"
#include "json/value.h"

static bool is_digits(tr_str text)
{
    size_t n = 0;

    while (n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9')
        n++;
    return n > 0 && n == text.len;
}

int seq_parse(tr_str given, tr_str old, struct buf *out)
{
    char why[160] = "";
    tr_error error = {.size = sizeof(error), .cap = sizeof(why), .buf = why};
    tr_json_value *tree;

    if (str_eq(given, STR("beginning")) || str_eq(given, STR("0"))) {
        buf_add_c(out, "0");
    } else if (given.len > 0 && strchr("\"[", given.ptr[0])) {
        if (json_tree_parse(given, &tree, &error) != TR_OK) {
            print_error("the seq begins as JSON does and is none: %s", why);
            return ERR_DATA;
        }
        json_tree_free(tree);
        buf_add_str(out, given);
    } else if (is_digits(given) && json_type_of(old) == JSON_NUMBER && !str_eq(old, STR("0"))) {
        buf_add_str(out, given);
    } else if (given.len > 0) {
        json_write_string(out, given);
    } else {
        print_error("the seq is empty; give one, or \"beginning\"");
        return ERR_DATA;
    }
    return 0;
}
