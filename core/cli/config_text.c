/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings of a configuration. Main thread.
 */
#include "cli/config_text.h"

void config_text_add(struct buf *out, tr_str text)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c < 0x20)
            buf_addf(out, "\\x%02x", c);
        else
            buf_add_char(out, (char)c);
    }
    buf_add_char(out, '"');
}

void config_text_member(struct buf *out, const char *name, const char *text)
{
    if (!text)
        return;
    buf_addf(out, "%s = ", name);
    config_text_add(out, str_c(text));
    buf_add_c(out, ";\n");
}
