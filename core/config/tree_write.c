/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a tree: as canonical text, to compare two generations of a rule, and as JSON, for
 * plugins and programs. Any thread.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "config/tree.h"
#include "json/value.h"

#include <math.h>
#include <stdio.h>

static int by_name(const void *a, const void *b)
{
    const struct config_node *const *left = a, *const *right = b;

    return str_cmp((*left)->name, (*right)->name);
}

/* The members by name, so that their order in the file does not matter; free() it. */
static const struct config_node **sorted_members(const struct config_node *group)
{
    const struct config_node **members = mem_alloc((group->count + 1) *
                                                   sizeof(const struct config_node *));
    size_t n = 0;

    config_each (it, group)
        members[n++] = it;
    qsort(members, n, sizeof(const struct config_node *), by_name);
    return members;
}

/* Texts carry their length, so that none can pass for the end of another. */
static void canonical_text(tr_str text, struct buf *out)
{
    buf_addf(out, "%zu:", text.len);
    buf_add_str(out, text);
}

static void canonical_group(const struct config_node *group, struct buf *out)
{
    const struct config_node **members = sorted_members(group);

    buf_add_char(out, '{');
    for (size_t i = 0; i < group->count; i++) {
        canonical_text(members[i]->name, out);
        buf_add_char(out, '=');
        config_canonical(members[i], out);
    }
    buf_add_char(out, '}');
    free(members);
}

void config_canonical(const struct config_node *node, struct buf *out)
{
    switch (node->type) {
    case CONFIG_GROUP: canonical_group(node, out); break;
    case CONFIG_LIST:
        buf_add_char(out, '[');
        config_each (it, node)
            config_canonical(it, out);
        buf_add_char(out, ']');
        break;
    case CONFIG_STRING:
        buf_add_char(out, 's');
        canonical_text(node->text, out);
        break;
    case CONFIG_INT: buf_addf(out, "i%jd;", (intmax_t)node->number); break;
    case CONFIG_FLOAT: buf_addf(out, "f%.17g;", node->real); break;
    case CONFIG_BOOL: buf_add_c(out, node->number ? "true;" : "false;"); break;
    }
}

/* The shortest text that reads back as the same number. */
static void json_real(double real, struct buf *out)
{
    char text[40];

    if (!isfinite(real)) {
        buf_add_c(out, "null");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, real);
        if (strtod(text, NULL) == real)
            break;
    }
    buf_add_c(out, text);
    if (!strpbrk(text, ".e"))
        buf_add_c(out, ".0");
}

static void json_children(const struct config_node *node, struct buf *out)
{
    bool is_group = node->type == CONFIG_GROUP;

    buf_add_char(out, is_group ? '{' : '[');
    config_each (it, node) {
        if (it != node->first)
            buf_add_char(out, ',');
        if (is_group) {
            json_write_string(out, it->name);
            buf_add_char(out, ':');
        }
        config_json(it, out);
    }
    buf_add_char(out, is_group ? '}' : ']');
}

void config_json(const struct config_node *node, struct buf *out)
{
    switch (node->type) {
    case CONFIG_GROUP:
    case CONFIG_LIST: json_children(node, out); break;
    case CONFIG_STRING: json_write_string(out, node->text); break;
    case CONFIG_INT: buf_addf(out, "%jd", (intmax_t)node->number); break;
    case CONFIG_FLOAT: json_real(node->real, out); break;
    case CONFIG_BOOL: buf_add_c(out, node->number ? "true" : "false"); break;
    }
}
