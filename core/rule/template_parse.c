/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking a template apart into texts and variables. Called when a configuration is loaded or a
 * plugin is configured.
 */
#include "rule/template_part.h"

#include "base/mem.h"

struct parser {
    tr_template *tmpl;
    struct buf text; /* read, and not yet a part                                           */
    size_t cap;
};

static struct part *add_part(struct parser *parser)
{
    tr_template *tmpl = parser->tmpl;

    if (tmpl->count == parser->cap) {
        parser->cap = parser->cap ? parser->cap * 2 : 4;
        tmpl->parts = mem_resize(tmpl->parts, parser->cap * sizeof(*tmpl->parts));
    }
    return memset(&tmpl->parts[tmpl->count++], 0, sizeof(struct part));
}

static void end_text(struct parser *parser)
{
    if (parser->text.len == 0)
        return;
    add_part(parser)->text = arena_str(&parser->tmpl->arena, buf_str(&parser->text));
    buf_clear(&parser->text);
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_';
}

static size_t word_len(tr_str text)
{
    size_t len = 0;

    while (len < text.len && is_word_char(text.ptr[len]))
        len++;
    return len;
}

/* How much of the text behind a `$` is a bare name. A dot counts only when a word follows, so
 * that a sentence may end behind a variable. */
static size_t bare_name_len(tr_str text)
{
    size_t len = word_len(text);

    if (!str_eq(str_n(text.ptr, len), STR("change")))
        return len;
    while (len < text.len && text.ptr[len] == '.') {
        size_t more = word_len(str_from(text, len + 1));
        if (more == 0)
            break;
        len += 1 + more;
        if (str_eq(str_n(text.ptr, len), STR("change.id")) ||
            str_eq(str_n(text.ptr, len), STR("change.rev")))
            break;
    }
    return len;
}

/* Whether `name` is a variable; fills the part if so. */
static bool find_variable(tr_str name, struct arena *arena, struct part *ret_part)
{
    static const struct {
        const char *name;
        enum part_kind kind;
    } known[] = {
        {"change", PART_CHANGE},   {"change.id", PART_ID}, {"change.rev", PART_REV},
        {"db_name", PART_DB_NAME}, {"seq", PART_SEQ},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_eq(name, str_c(known[i].name))) {
            ret_part->kind = known[i].kind;
            return true;
        }
    if (!str_starts(name, STR("change.")))
        return false;
    ret_part->kind = PART_FIELD;
    return json_path_compile(arena_str(arena, str_from(name, 7)), arena, &ret_part->path,
                             NULL) == 0;
}

/* Reads what stands at a `$`; returns how many bytes of `text` that was. */
static size_t take_dollar(struct parser *parser, tr_str text)
{
    struct arena *arena = &parser->tmpl->arena;
    struct part part = {0};
    tr_str behind = str_from(text, 1);
    tr_str name;
    size_t used;

    if (str_starts(behind, STR("$"))) {
        buf_add_char(&parser->text, '$');
        return 2;
    }
    if (str_starts(behind, STR("{"))) {
        size_t end = str_find(behind, '}');
        name = end < behind.len ? str_n(behind.ptr + 1, end - 1) : STR("");
        used = end + 2;
    } else {
        name = str_n(behind.ptr, bare_name_len(behind));
        used = name.len + 1;
    }
    if (name.len == 0)
        used = 1; /* a lone `$` */
    if (name.len == 0 || !find_variable(name, arena, &part)) {
        buf_add(&parser->text, text.ptr, used);
        return used;
    }
    end_text(parser);
    part.text = arena_str(arena, str_n(text.ptr, used));
    *add_part(parser) = part;
    return used;
}

void template_parse(tr_template *tmpl, tr_str text)
{
    struct parser parser = {.tmpl = tmpl};

    while (text.len > 0) {
        size_t plain = str_find(text, '$');
        buf_add(&parser.text, text.ptr, plain);
        text = str_from(text, plain);
        if (text.len > 0)
            text = str_from(text, take_dollar(&parser, text));
    }
    end_text(&parser);
    buf_fini(&parser.text);
}
