/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of document/: a document as it stands in its database, and the rule that it
 * becomes, or why it cannot be one.
 */
#ifndef TEST_DOCUMENT_LIB_H
#define TEST_DOCUMENT_LIB_H

#include "config/load.h"
#include "document/document.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

static const struct document_options plain_options = {
    .group = {"g", 1},
    .source = {"main", 4},
    .database = {"spiegel", 7},
    .since = {"now", 3},
};

struct outcome {
    struct arena arena;
    struct diags diags;
    struct config_node *rule;
    enum document_kind kind;
    struct buf json, reason;
};

static inline struct outcome translate_with(const struct document_options *options,
                                            const char *id, const char *doc)
{
    struct outcome out = {0};

    arena_init(&out.arena, 4096);
    diags_init(&out.diags);
    out.kind = document_rule(options, str_c(id), str_c(doc), &out.arena, &out.diags, &out.rule);
    document_reason(&out.diags, &out.reason);
    if (out.kind == DOCUMENT_RULE)
        config_json(out.rule, &out.json);
    buf_add_c(&out.json, "");
    buf_add_c(&out.reason, "");
    return out;
}

static inline void end(struct outcome *out)
{
    arena_fini(&out->arena);
    diags_fini(&out->diags);
    buf_fini(&out->json);
    buf_fini(&out->reason);
}

static inline void gives_with(const struct document_options *options, const char *doc,
                              const char *wanted)
{
    struct outcome out = translate_with(options, "d", doc);

    if (out.kind != DOCUMENT_RULE)
        print_message("%s\n", out.reason.ptr);
    assert_int_equal(out.kind, DOCUMENT_RULE);
    assert_string_equal(out.json.ptr, wanted);
    end(&out);
}

static inline void gives(const char *doc, const char *wanted)
{
    gives_with(&plain_options, doc, wanted);
}

/* The value at a path of the rule, as JSON. */
static inline void has(const char *doc, const char *path, const char *wanted)
{
    struct outcome out = translate_with(&plain_options, "d", doc);
    const struct config_node *node;
    struct buf json = {0};

    if (out.kind != DOCUMENT_RULE)
        print_message("%s\n", out.reason.ptr);
    assert_int_equal(out.kind, DOCUMENT_RULE);
    node = config_at(out.rule, path);
    if (node)
        config_json(node, &json);
    buf_add_c(&json, "");
    assert_string_equal(json.ptr, wanted);
    buf_fini(&json);
    end(&out);
}

static inline void is_none(const char *id, const char *doc)
{
    struct outcome out = translate_with(&plain_options, id, doc);

    assert_int_equal(out.kind, DOCUMENT_NONE);
    assert_int_equal(out.diags.count, 0);
    end(&out);
}

/* Each of `parts` (up to a NULL) is in the reason. */
static inline void refuses(const char *doc, const char *part, ...)
{
    struct outcome out = translate_with(&plain_options, "d", doc);
    va_list args;

    assert_int_equal(out.kind, DOCUMENT_INVALID);
    assert_null(out.rule);
    va_start(args, part);
    for (; part; part = va_arg(args, const char *)) {
        if (!strstr(out.reason.ptr, part))
            print_message("no \"%s\" in: %s\n", part, out.reason.ptr);
        assert_non_null(strstr(out.reason.ptr, part));
    }
    va_end(args);
    for (const struct diag *diag = out.diags.first; diag; diag = diag->next)
        assert_string_equal(diag->file, "d");
    end(&out);
}

#define ON_CHANGE(more_)  "{\"_id\":\"d\",\"_rev\":\"1-a\",\"type\":\"on_change\"" more_ "}"
#define GOOD              ",\"db_name\":\"^x$\",\"url\":\"http://h/\""
#define REPLICATOR(more_) "{\"_id\":\"d\",\"_rev\":\"1-a\",\"type\":\"replicator\"" more_ "}"
#define COPY              ",\"source\":\"https://u@h/x\",\"target\":\"https://u@h/y\""

#endif
