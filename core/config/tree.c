/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The typed tree: making nodes and finding them. Building: the thread that owns the arena;
 * reading: any thread. The writers are in tree_write.c, durations and sizes in units.c.
 */
#include "base/buf.h"
#include "config/build.h"

struct config_node *config_node_new(struct arena *arena, enum config_type type, tr_str name)
{
    struct config_node *node = arena_zero(arena, sizeof(*node));

    node->type = type;
    node->name = arena_str(arena, name);
    return node;
}

struct config_node *config_node_text(struct arena *arena, tr_str name, tr_str text)
{
    struct config_node *node = config_node_new(arena, CONFIG_STRING, name);

    node->text = arena_str(arena, text);
    return node;
}

struct config_node *config_node_link(struct config_node *parent, struct config_node *last,
                                     struct config_node *node)
{
    node->parent = parent;
    node->next = NULL;
    if (last)
        last->next = node;
    else
        parent->first = node;
    parent->count++;
    return node;
}

struct config_node *config_node_copy(struct arena *arena, const struct config_node *node)
{
    struct config_node *copy = arena_alloc(arena, sizeof(*copy)), *last = NULL;

    *copy = *node;
    copy->parent = copy->first = copy->next = NULL;
    copy->count = 0;
    config_each (child, node)
        last = config_node_link(copy, last, config_node_copy(arena, child));
    return copy;
}

const struct config_node *config_member(const struct config_node *group, tr_str name)
{
    if (!group || group->type != CONFIG_GROUP)
        return NULL;
    config_each (it, group)
        if (str_eq(it->name, name))
            return it;
    return NULL;
}

/* "12" to 12; false also for "", "1a" and what no list can hold. */
static bool parse_place(tr_str step, size_t *ret_place)
{
    size_t place = 0;

    if (step.len == 0 || step.len > 9)
        return false;
    for (size_t i = 0; i < step.len; i++) {
        if (step.ptr[i] < '0' || step.ptr[i] > '9')
            return false;
        place = place * 10 + (size_t)(step.ptr[i] - '0');
    }
    *ret_place = place;
    return true;
}

static const struct config_node *list_item(const struct config_node *list, tr_str step)
{
    size_t place;

    if (!parse_place(step, &place))
        return NULL;
    config_each (it, list)
        if (place-- == 0)
            return it;
    return NULL;
}

const struct config_node *config_at(const struct config_node *group, const char *path)
{
    tr_str rest = str_c(path);
    const struct config_node *node = group;

    while (node && rest.len > 0) {
        tr_str step = str_cut(rest, '.', &rest);
        node = node->type == CONFIG_LIST ? list_item(node, step) : config_member(node, step);
    }
    return node;
}

static size_t place_of(const struct config_node *node)
{
    size_t place = 0;

    for (const struct config_node *it = node->parent->first; it && it != node; it = it->next)
        place++;
    return place;
}

/* As RFC 6901 has it. */
static void add_step(tr_str name, struct buf *out)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '~')
            buf_add_c(out, "~0");
        else if (name.ptr[i] == '/')
            buf_add_c(out, "~1");
        else
            buf_add_char(out, name.ptr[i]);
    }
}

/* True below a node that has a JSON pointer. */
static bool add_path(const struct config_node *node, struct buf *out)
{
    bool is_pointer;

    if (node->pointer) {
        buf_add_c(out, node->pointer);
        return true;
    }
    /* The root has no name of its own. */
    if (!node->parent) {
        buf_add_str(out, node->name);
        return false;
    }
    is_pointer = add_path(node->parent, out);
    if (is_pointer || out->len > 0)
        buf_add_char(out, is_pointer ? '/' : '.');
    if (node->parent->type == CONFIG_LIST)
        buf_addf(out, "%zu", place_of(node));
    else if (is_pointer)
        add_step(node->name, out);
    else
        buf_add_str(out, node->name);
    return is_pointer;
}

const char *config_path(const struct config_node *node, struct arena *arena)
{
    struct buf text = {0};
    const char *path;

    add_path(node, &text);
    path = arena_cstr(arena, buf_str(&text));
    buf_fini(&text);
    return path;
}
