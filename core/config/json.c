/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From raw JSON to nodes. A look by jansson first (it knows all of the grammar), then one walk
 * over the raw text, which still has each number as it was written. Any thread.
 */
#include "config/json.h"

#include "base/map.h"
#include "config/build.h"
#include "json/tree.h"
#include "json/value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct reading {
    const char *file;
    struct arena *arena;
    struct diags *diags;
    int rc;
};

/* ---- the whole ---- */

static int refuse_whole(const char *file, struct diags *diags, const char *why)
{
    diag_add(diags, DIAG_ERROR, file, 0, NULL, "%s", why);
    return ERR_CONFIG;
}

int config_json_validate(tr_str json, const char *file, struct diags *diags)
{
    char why[160] = "", text[220];
    tr_error error = {.size = sizeof(error), .cap = sizeof(why), .buf = why};
    tr_json_value *tree;
    bool is_object;

    if (json.len > CONFIG_JSON_MAX) {
        snprintf(text, sizeof(text),
                 "is longer than the %d bytes that are read of a configuration",
                 CONFIG_JSON_MAX);
        return refuse_whole(file, diags, text);
    }
    if (json_tree_parse(json, &tree, &error) != TR_OK) {
        snprintf(text, sizeof(text), "is not proper JSON: %s", why);
        return refuse_whole(file, diags, text);
    }
    is_object = json_tree_type(tree) == TR_JSON_OBJECT;
    json_tree_free(tree);
    return is_object ? 0 : refuse_whole(file, diags, "is not a JSON object");
}

const char *config_json_pointer(const char *pointer, tr_str name, struct arena *arena)
{
    struct buf text = {0};
    const char *copy;

    buf_add_c(&text, pointer);
    buf_add_char(&text, '/');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '~')
            buf_add_c(&text, "~0");
        else if (name.ptr[i] == '/')
            buf_add_c(&text, "~1");
        else
            buf_add_char(&text, name.ptr[i]);
    }
    copy = arena_cstr(arena, buf_str(&text));
    buf_fini(&text);
    return copy;
}

/* ---- values ---- */

static void refuse(struct reading *reading, const struct config_node *node, const char *why,
                   const char *remedy)
{
    diag_remedy(reading->diags, diag_at(reading->diags, DIAG_ERROR, node, "%s", why), "%s",
                remedy);
    reading->rc = ERR_CONFIG;
}

static bool has_nul(tr_str text)
{
    return memchr(text.ptr, '\0', text.len) != NULL;
}

static void take_string(struct reading *reading, struct config_node *node, tr_str raw)
{
    node->type = CONFIG_STRING;
    node->text = STR("");
    if (!json_decode(raw, reading->arena, &node->text) || has_nul(node->text))
        refuse(reading, node, "holds a NUL character", "take it out");
    node->text = arena_str(reading->arena, node->text);
}

static bool is_whole(tr_str raw)
{
    for (size_t i = 0; i < raw.len; i++)
        if (strchr(".eE", raw.ptr[i]))
            return false;
    return true;
}

static void take_number(struct reading *reading, struct config_node *node, tr_str raw)
{
    node->type = CONFIG_FLOAT;
    if (is_whole(raw)) {
        node->type = CONFIG_INT;
        errno = 0;
        node->number = strtoll(arena_cstr(reading->arena, raw), NULL, 10);
        if (errno != 0)
            refuse(reading, node, "is a whole number beyond 64 bits",
                   "write a smaller one, or a string");
    } else if (!json_number(raw, &node->real) || !isfinite(node->real)) {
        refuse(reading, node, "is a number that no double can hold", "write a smaller one");
    }
}

static void take(struct reading *reading, struct config_node *node, tr_str raw, int depth);

static struct config_node *take_child(struct reading *reading, struct config_node *parent,
                                      tr_str name, tr_str raw, int depth)
{
    struct config_node *node = config_node_new(reading->arena, CONFIG_BOOL, name);

    node->file = reading->file;
    node->parent = parent; /* for messages; whoever called links it */
    take(reading, node, raw, depth + 1);
    return node;
}

/* The place of each member, so that a later one of the same name can take it. */
static struct config_node *add_member(struct reading *reading, struct config_node *group,
                                      struct config_node *last, struct map *places, tr_str key,
                                      tr_str raw, int depth)
{
    struct config_node *child, *old;
    tr_str quoted = str_n(key.ptr - 1, key.len + 2), name = STR("");

    if (!json_decode(quoted, reading->arena, &name) || name.len == 0 || has_nul(name))
        refuse(reading, group, "has a member with an empty name, or a NUL character in it",
               "name it otherwise");
    child = take_child(reading, group, name, raw, depth);
    old = map_get(places, name);
    if (old) {
        struct config_node *next = old->next;
        *old = *child;
        old->next = next;
        for (struct config_node *it = old->first; it; it = it->next)
            it->parent = old;
        return last;
    }
    map_set(places, name, child);
    return config_node_link(group, last, child);
}

static void take_children(struct reading *reading, struct config_node *node, tr_str raw,
                          int depth)
{
    struct config_node *last = NULL;
    struct map places = {0};
    size_t cursor = 0;
    tr_str key, value;

    if (depth >= CONFIG_JSON_DEPTH_MAX) {
        refuse(reading, node, "is nested too deep", "make it flatter");
        return;
    }
    while (json_next(raw, &cursor, &key, &value)) {
        if (node->type == CONFIG_GROUP)
            last = add_member(reading, node, last, &places, key, value, depth);
        else
            last = config_node_link(node, last,
                                    take_child(reading, node, STR(""), value, depth));
    }
    map_fini(&places);
}

static void take(struct reading *reading, struct config_node *node, tr_str raw, int depth)
{
    switch (json_type_of(raw)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        node->type = json_type_of(raw) == JSON_OBJECT ? CONFIG_GROUP : CONFIG_LIST;
        take_children(reading, node, raw, depth);
        break;
    case JSON_STRING: take_string(reading, node, raw); break;
    case JSON_NUMBER: take_number(reading, node, raw); break;
    case JSON_TRUE: node->number = 1; break;
    case JSON_FALSE: break;
    case JSON_NULL:
    case JSON_NONE:
        refuse(reading, node, "is null, which says nothing here", "leave it out");
        break;
    }
}

int config_json_node(tr_str raw, tr_str name, const char *file, const char *pointer,
                     struct arena *arena, struct diags *diags, struct config_node **ret_node)
{
    struct reading reading = {.file = file, .arena = arena, .diags = diags};
    struct config_node *node = config_node_new(arena, CONFIG_BOOL, name);

    node->file = file;
    node->pointer = pointer;
    take(&reading, node, raw, 0);
    if (reading.rc == 0)
        *ret_node = node;
    return reading.rc;
}
