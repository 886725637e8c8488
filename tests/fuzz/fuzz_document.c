/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a document of a database of rules: it is a rule, or nobody's concern, or wrong
 * with a reason; and what a rule sends is JSON again.
 */
#include "document/document.h"

#include "json/tree.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                        \
    do {                                                                                       \
        if (!(condition))                                                                      \
            abort();                                                                           \
    } while (0)

static void must_be_json(tr_str text)
{
    tr_json_value *tree = NULL;

    MUST(json_tree_parse(text, &tree, NULL) == TR_OK);
    json_tree_free(tree);
}

static void look_at_rule(const struct config_node *rule)
{
    const struct config_node *body = config_at(rule, "options.body");
    const struct config_node *plugin = config_member(rule, STR("plugin"));
    struct buf text = {0};

    MUST(config_member(rule, STR("source")));
    MUST(str_eq(rule->name, STR("g/d")));
    config_json(rule, &text);
    must_be_json(buf_str(&text));
    /* Bodies that were made here; a rule of tailrace's own says what it likes. */
    if (body && body->pointer && plugin && plugin->pointer)
        must_be_json(body->text);
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct document_options options = {
        .group = {"g", 1}, .source = {"s", 1}, .database = {"rules", 5}, .since = {"now", 3}};
    tr_str doc = str_n((const char *)data, size);
    struct config_node *rule = NULL;
    struct buf reason = {0};
    struct arena arena;
    struct diags diags;

    if (size > 0 && memchr(data, '\0', size))
        return 0; /* json/tree.h tells why */
    arena_init(&arena, 4096);
    diags_init(&diags);
    switch (document_rule(&options, STR("d"), doc, &arena, &diags, &rule)) {
    case DOCUMENT_NONE: MUST(!rule && diags.count == 0); break;
    case DOCUMENT_RULE:
        MUST(rule && diags.errors == 0);
        look_at_rule(rule);
        break;
    case DOCUMENT_INVALID:
        document_reason(&diags, &reason);
        MUST(!rule && diags.errors > 0 && reason.len > 0);
        break;
    }
    buf_fini(&reason);
    diags_fini(&diags);
    arena_fini(&arena);
    return 0;
}
