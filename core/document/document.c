/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which documents are rules, what all of them have, and tailrace's own, which only lose what is
 * not the rule's. Any thread.
 */
#include "document/document.h"

#include "document/translate.h"

/* ---- tailrace's own ---- */

static bool is_member(tr_str name)
{
    return !str_starts(name, STR("_")) && !str_eq(name, STR("type")) &&
           !str_eq(name, STR("enabled")) && !str_eq(name, STR("tailrace"));
}

/* All of a document as a group, without what is not a rule's: the database's members, the type,
 * and the report that tailrace wrote. */
static void translate_rule(struct translation *t)
{
    struct config_node **at;

    if (config_json_node(t->doc, t->rule->name, t->file, "", t->arena, t->diags, &t->rule) <
        0) {
        t->failed = true;
        return;
    }
    for (at = &t->rule->first; *at;) {
        if (is_member((*at)->name)) {
            at = &(*at)->next;
        } else {
            *at = (*at)->next;
            t->rule->count--;
        }
    }
    translate_defaults(t);
}

/* ---- the whole ---- */

typedef void translate_fn(struct translation *t);

static translate_fn *translator_of(tr_str type)
{
    static const struct {
        const char *type;
        translate_fn *translate;
    } known[] = {
        {"on_change", translate_on_change},
        {"replicator", translate_replicator},
        {"rule", translate_rule},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_eq(type, str_c(known[i].type)))
            return known[i].translate;
    return NULL;
}

static translate_fn *find_translator(tr_str doc)
{
    translate_fn *translate = NULL;
    struct arena arena;
    tr_str raw, type;

    if (!json_get(doc, STR("type"), &raw) || json_type_of(raw) != JSON_STRING)
        return NULL;
    arena_init(&arena, 128);
    if (json_decode(raw, &arena, &type))
        translate = translator_of(type);
    arena_fini(&arena);
    return translate;
}

tr_str document_rule_name(tr_str group, tr_str id, struct arena *arena)
{
    struct buf name = {0};
    tr_str copy;

    buf_add_str(&name, group);
    buf_add_char(&name, '/');
    buf_add_str(&name, id);
    copy = arena_str(arena, buf_str(&name));
    buf_fini(&name);
    return copy;
}

static void add_own(struct translation *t)
{
    const struct document_options *options = t->options;

    if (!config_member(t->rule, STR("source")))
        translate_add_text(t, t->rule, "source", options->source, NULL);
    if (options->since.len > 0 && !config_member(t->rule, STR("since")))
        translate_add_text(t, t->rule, "since", options->since, NULL);
}

enum document_kind document_rule(const struct document_options *options, tr_str id, tr_str doc,
                                 struct arena *arena, struct diags *diags,
                                 struct config_node **ret_rule)
{
    struct translation t = {
        .options = options, .id = id, .doc = doc, .arena = arena, .diags = diags};
    translate_fn *translate = str_starts(id, STR("_")) ? NULL : find_translator(doc);
    tr_str raw;

    if (!translate || (json_get(doc, STR("_deleted"), &raw) && json_type_of(raw) == JSON_TRUE))
        return DOCUMENT_NONE;
    t.file = arena_cstr(arena, id);
    if (memchr(id.ptr, '\0', id.len))
        translate_refuse(&t, NULL, "give it another _id", "has a NUL character in its _id");
    if (config_json_validate(doc, t.file, diags) < 0 || t.failed)
        return DOCUMENT_INVALID;
    if (translate_raw(&t, "enabled", &raw) && !translate_flag(&t, "enabled") && !t.failed)
        return DOCUMENT_NONE;
    t.rule = config_node_new(arena, CONFIG_GROUP,
                             document_rule_name(options->group, id, arena));
    t.rule->file = t.file;
    t.rule->pointer = "";
    translate(&t);
    if (t.failed)
        return DOCUMENT_INVALID;
    add_own(&t);
    *ret_rule = t.rule;
    return DOCUMENT_RULE;
}

void document_reason(const struct diags *diags, struct buf *out)
{
    size_t before = out->len;

    for (const struct diag *diag = diags->first; diag; diag = diag->next) {
        if (diag->severity != DIAG_ERROR)
            continue;
        buf_addf(out, "%s%s%s%s%s%s", out->len > before ? "; " : "", diag->path,
                 *diag->path ? ": " : "", diag->message, *diag->remedy ? "; " : "",
                 diag->remedy);
    }
}
