/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading members of a document, adding nodes to a rule. Any thread.
 */
#include "document/translate.h"

#include <stdarg.h>
#include <stdio.h>

void translate_refuse(struct translation *t, const char *pointer, const char *remedy,
                      const char *fmt, ...)
{
    struct diag *diag;
    char text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    diag = diag_add(t->diags, DIAG_ERROR, t->file, 0, pointer, "%s", text);
    diag_remedy(t->diags, diag, "%s", remedy);
    t->failed = true;
}

static void refuse_type(struct translation *t, const char *key, tr_str raw, const char *wanted)
{
    translate_refuse(t, config_json_pointer("", str_c(key), t->arena), "",
                     "is %s, but %s is wanted", json_type_name(json_type_of(raw)), wanted);
}

/* ---- reading ---- */

bool translate_raw(struct translation *t, const char *key, tr_str *ret_raw)
{
    return json_get(t->doc, str_c(key), ret_raw) && json_type_of(*ret_raw) != JSON_NULL;
}

bool translate_text(struct translation *t, const char *key, tr_str *ret_text)
{
    tr_str raw, text;

    if (!translate_raw(t, key, &raw))
        return false;
    if (json_type_of(raw) != JSON_STRING) {
        refuse_type(t, key, raw, "a string");
        return false;
    }
    if (!json_decode(raw, t->arena, &text) || memchr(text.ptr, '\0', text.len)) {
        translate_refuse(t, config_json_pointer("", str_c(key), t->arena), "take it out",
                         "holds a NUL character");
        return false;
    }
    *ret_text = arena_str(t->arena, text);
    return true;
}

bool translate_flag(struct translation *t, const char *key)
{
    enum json_type type;
    tr_str raw;

    if (!translate_raw(t, key, &raw))
        return false;
    type = json_type_of(raw);
    if (type != JSON_TRUE && type != JSON_FALSE)
        refuse_type(t, key, raw, "true or false");
    return type == JSON_TRUE;
}

bool translate_object(struct translation *t, const char *key, tr_str *ret_raw)
{
    if (!translate_raw(t, key, ret_raw))
        return false;
    if (json_type_of(*ret_raw) == JSON_OBJECT)
        return true;
    refuse_type(t, key, *ret_raw, "an object");
    return false;
}

bool translate_wanted_text(struct translation *t, const char *key, const char *remedy,
                           tr_str *ret_text)
{
    bool failed = t->failed;

    t->failed = false;
    if (translate_text(t, key, ret_text) && ret_text->len > 0) {
        t->failed = failed;
        return true;
    }
    if (!t->failed)
        translate_refuse(t, config_json_pointer("", str_c(key), t->arena), remedy,
                         "is missing and must be set");
    return false;
}

tr_str translate_name(tr_str key, struct arena *arena)
{
    tr_str name = STR("");

    /* Its quotes stand around it. */
    json_decode(str_n(key.ptr - 1, key.len + 2), arena, &name);
    return name;
}

/* ---- adding ---- */

struct config_node *translate_add(struct translation *t, struct config_node *group,
                                  enum config_type type, const char *name, const char *pointer)
{
    struct config_node *node = config_node_new(t->arena, type, str_c(name));
    struct config_node *last = group->first;

    while (last && last->next)
        last = last->next;
    node->file = t->file;
    node->pointer = pointer;
    return config_node_link(group, last, node);
}

void translate_add_text(struct translation *t, struct config_node *group, const char *name,
                        tr_str text, const char *pointer)
{
    translate_add(t, group, CONFIG_STRING, name, pointer)->text = arena_str(t->arena, text);
}

void translate_add_flag(struct translation *t, struct config_node *group, const char *name,
                        bool flag, const char *pointer)
{
    translate_add(t, group, CONFIG_BOOL, name, pointer)->number = flag;
}

void translate_add_int(struct translation *t, struct config_node *group, const char *name,
                       int64_t number, const char *pointer)
{
    translate_add(t, group, CONFIG_INT, name, pointer)->number = number;
}

void translate_remove(struct config_node *group, struct config_node *node)
{
    struct config_node **at = &group->first;

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    group->count--;
}

void translate_defaults(struct translation *t)
{
    struct config_node *last = t->rule->first;

    while (last && last->next)
        last = last->next;
    config_each (member, t->options->defaults) {
        if (!config_member(t->rule, member->name))
            last = config_node_link(t->rule, last, config_node_copy(t->arena, member));
    }
}
