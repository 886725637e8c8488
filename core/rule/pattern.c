/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The databases of a rule. Compiled with the configuration, asked by the loop thread when a
 * database shows up.
 */
#include "rule/pattern.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "config/diag.h"
#include "rule/regex.h"

struct pattern {
    struct regex *regex; /* NULL: a list                                                    */
    struct arena arena;
    tr_str text;
    tr_str *names; /* of a list, in the order written, each once                            */
    size_t count;
    struct map set; /* the same names, since a list may be ten thousand long                */
};

static void add_name(struct pattern *pattern, tr_str name)
{
    if (map_get(&pattern->set, name))
        return;
    pattern->names[pattern->count++] = arena_str(&pattern->arena, name);
    map_set(&pattern->set, name, pattern);
}

/* A character that means itself. */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '/';
}

/* ^name$ of nothing but characters that mean themselves names one database, and one that is
 * named need not be looked for. */
static bool is_one_name(tr_str text, tr_str *ret_name)
{
    if (text.len < 3 || text.ptr[0] != '^' || text.ptr[text.len - 1] != '$')
        return false;
    for (size_t i = 1; i < text.len - 1; i++)
        if (!is_plain(text.ptr[i]))
            return false;
    *ret_name = str_n(text.ptr + 1, text.len - 2);
    return true;
}

tr_str pattern_prefix_of(tr_str expression)
{
    tr_str prefix = str_from(expression, 1);
    size_t len = 0;

    if (!str_starts(expression, STR("^")) || str_find(expression, '|') < expression.len)
        return STR("");
    while (len < prefix.len && is_plain(prefix.ptr[len]))
        len++;
    /* The last one may be wanted no time. */
    if (len > 0 && len < prefix.len && strchr("*?{", prefix.ptr[len]))
        len--;
    return str_n(prefix.ptr, len);
}

static int take_regex(struct pattern *pattern, const struct config_node *node,
                      struct diags *diags)
{
    struct error error;
    tr_str name;

    pattern->text = arena_str(&pattern->arena, node->text);
    if (is_one_name(node->text, &name)) {
        pattern->names = arena_zero(&pattern->arena, sizeof(tr_str));
        add_name(pattern, name);
        return 0;
    }
    if (regex_new(node->text, &pattern->regex, &error) == 0)
        return 0;
    diag_at(diags, DIAG_ERROR, node, "%s", error.text);
    return ERR_CONFIG;
}

static int take_list(struct pattern *pattern, const struct config_node *node,
                     struct diags *diags)
{
    struct buf text = {0};
    int rc = 0;

    if (node->count == 0)
        return diag_refuse(diags, node, "name a database in it, or remove the rule",
                           "an empty list: the rule would never see a change");
    pattern->names = arena_zero(&pattern->arena, node->count * sizeof(tr_str));
    config_each (item, node) {
        if (item->type != CONFIG_STRING || item->text.len == 0) {
            rc = diag_refuse(diags, item,
                             "write each in quotes, as [ \"orders\", \"invoices\" ]",
                             "a list holds nothing but names of databases");
            continue;
        }
        add_name(pattern, item->text);
        buf_add_c(&text, text.len ? ", " : "");
        buf_add_str(&text, item->text);
    }
    pattern->text = arena_str(&pattern->arena, buf_str(&text));
    buf_fini(&text);
    return rc;
}

int pattern_new(const struct config_node *node, struct diags *diags,
                struct pattern **ret_pattern)
{
    struct pattern *pattern = mem_new(struct pattern);
    int rc;

    arena_init(&pattern->arena, 512);
    if (node->type == CONFIG_STRING)
        rc = take_regex(pattern, node, diags);
    else if (node->type == CONFIG_LIST)
        rc = take_list(pattern, node, diags);
    else
        rc = diag_refuse(diags, node,
                         "write one as \"^user-\" or as [ \"orders\", \"invoices\" ]",
                         "neither a regular expression nor a list of names");
    if (rc != 0) {
        pattern_free(pattern);
        return rc;
    }
    *ret_pattern = pattern;
    return 0;
}

void pattern_free(struct pattern *pattern)
{
    if (!pattern)
        return;
    regex_free(pattern->regex);
    map_fini(&pattern->set);
    arena_fini(&pattern->arena);
    free(pattern);
}

enum verdict pattern_match(const struct pattern *pattern, tr_str db, struct error *error)
{
    if (pattern->regex)
        return regex_match(pattern->regex, db, error);
    return map_get(&pattern->set, db) ? VERDICT_MATCH : VERDICT_NO_MATCH;
}

bool pattern_is_fixed(const struct pattern *pattern, const tr_str **ret_names,
                      size_t *ret_count)
{
    if (pattern->regex)
        return false;
    *ret_names = pattern->names;
    *ret_count = pattern->count;
    return true;
}

tr_str pattern_text(const struct pattern *pattern)
{
    return pattern->text;
}
