/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any answers to the requests of bulk-sink (_bulk_docs, _bulk_get, single documents, the target
 * that is made): a batch always ends, once, and nothing is settled by no answer. The first byte
 * says how the plugin is set up, the rest are the answers (lib_host.h).
 */
#include "lib_host.h"

#define SERVER "url = \"http://127.0.0.1:9/to\"; source_url = \"http://127.0.0.1:9\";"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const setups[] = {
        SERVER "new_edits = true; create_target = true;",
        SERVER "new_edits = true; on_conflict = \"skip\"; attachments = \"drop\";",
        SERVER "new_edits = false;",
        SERVER "new_edits = false; attachments = \"drop\"; create_target = true;",
    };
    struct verdict verdict;

    if (size == 0 || memchr(data, '\0', size))
        return 0; /* json/tree.h tells why */
    verdict = host_run(setups[data[0] % 4], str_n((const char *)data + 1, size - 1));
    for (uint32_t i = 0; i < verdict.count; i++)
        MUST(verdict.items[i] != TR_OK || verdict.was_answered);
    return 0;
}
