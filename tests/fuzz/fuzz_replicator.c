/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any answers to the requests of the replicator (both databases, _revs_diff, _bulk_get,
 * _bulk_docs, single documents in parts, _local): a batch always ends, once, and nothing is
 * settled by no answer. The first byte says how the plugin is set up, the rest are the answers
 * (lib_host.h).
 */
#include "lib_host.h"

#define ENDS "source = \"http://127.0.0.1:9/from\"; target = \"http://127.0.0.1:9/to\";"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const setups[] = {
        ENDS,
        ENDS "create_target = true; winning_revs_only = true;",
        ENDS "attachments_inline = \"0\"; write_docs = 1; fetch_docs = 1;",
        ENDS "attachments = \"drop\";",
    };
    struct verdict verdict;

    if (size == 0 || memchr(data, '\0', size))
        return 0; /* json/tree.h tells why */
    verdict = host_run(setups[data[0] % 4], str_n((const char *)data + 1, size - 1));
    for (uint32_t i = 0; i < verdict.count; i++)
        MUST(verdict.items[i] != TR_OK || verdict.was_answered);
    return 0;
}
