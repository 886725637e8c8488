/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a configuration: it is read, or refused with at least one error that has its
 * place in the file; and what was read is JSON again, with nothing of other files in it.
 */
#include "config/load.h"
#include "config/tree.h"
#include "fuzz.h"
#include "json/tree.h"

static void look_at_tree(const struct config *config)
{
    struct buf text = {0};
    tr_json_value *tree = NULL;

    MUST(config->files_count == 1);
    config_json(config->root, &text);
    MUST(json_tree_parse(buf_str(&text), &tree, NULL) == TR_OK);
    json_tree_free(tree);
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tr_str text = str_n((const char *)data, size);
    struct config *config = NULL;
    struct diags diags;
    int rc;

    for (size_t i = 0; i + 6 <= size; i++) /* a drop-in folder is the machine's */
        if (memcmp(data + i, "conf_d", 6) == 0)
            return 0;
    diags_init(&diags);
    rc = config_load_text("fuzz.conf", text, &diags, &config);
    MUST((rc == 0) == (diags.errors == 0));
    for (const struct diag *diag = diags.first; diag; diag = diag->next)
        MUST(diag->message[0] && (diag->file || diag->path[0]));
    if (rc == 0) {
        MUST(config);
        look_at_tree(config);
    }
    config_free(config);
    diags_fini(&diags);
    return 0;
}
