/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table or a JSON array, whichever is wanted. Main thread.
 */
#include "cli/listing.h"

#include <sysexits.h>

void listing_begin(struct listing *listing, const char *name)
{
    json_begin(&listing->json, NULL, '{');
    json_begin(&listing->json, name, '[');
}

int listing_end(struct listing *listing, int code)
{
    json_end(&listing->json, ']');
    json_end(&listing->json, '}');
    if (code == EX_OK && listing->as_json)
        print_json(&listing->json);
    else if (code == EX_OK)
        table_print(&listing->table);
    table_fini(&listing->table);
    buf_fini(&listing->json);
    return code;
}
