/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merging files. A map remembers every top-level setting and every member of a top-level group,
 * so that ten thousand rules cost ten thousand look-ups. The thread that loads calls.
 */
#include "config/merge.h"

#include "config/build.h"

struct merge_group {
    struct config_node *node, *last;
};

void merge_init(struct merge *merge, struct config_node *root, struct arena *arena,
                struct diags *diags)
{
    *merge = (struct merge){.root = root, .arena = arena, .diags = diags};
}

void merge_fini(struct merge *merge)
{
    map_fini(&merge->groups);
    map_fini(&merge->members);
}

static void report_second(struct merge *merge, const struct config_node *first,
                          const struct config_node *second, const char *path)
{
    struct diag *diag = diag_add(merge->diags, DIAG_ERROR, second->file, second->line, path,
                                 "is given a second time; the first is at %s:%d",
                                 first->file ? first->file : "?", first->line);

    diag_remedy(merge->diags, diag, "keep one of them or give this one another name");
}

/* Remembers `node` under its path; false, with an error, if something is there already. */
static bool claim(struct merge *merge, const char *path, struct config_node *node)
{
    const struct config_node *first = map_get(&merge->members, str_c(path));

    if (first) {
        report_second(merge, first, node, path);
        return false;
    }
    map_set(&merge->members, str_c(path), node);
    return true;
}

static void add_members(struct merge *merge, struct merge_group *group,
                        struct config_node *from)
{
    struct config_node *next;

    for (struct config_node *it = from->first; it; it = next) {
        const char *path = config_path(it, merge->arena);
        next = it->next;
        if (claim(merge, path, it))
            group->last = config_node_link(group->node, group->last, it);
    }
}

/* An empty group in the place of the first file that has it; its members follow. */
static struct merge_group *open_group(struct merge *merge, const struct config_node *from)
{
    struct merge_group *group = arena_zero(merge->arena, sizeof(*group));

    group->node = config_node_new(merge->arena, CONFIG_GROUP, from->name);
    group->node->file = from->file;
    group->node->line = from->line;
    merge->last = config_node_link(merge->root, merge->last, group->node);
    map_set(&merge->groups, from->name, group);
    return group;
}

static void add_group(struct merge *merge, struct config_node *from)
{
    struct merge_group *group = map_get(&merge->groups, from->name);

    if (!group) {
        if (!claim(merge, from->name.ptr, from))
            return;
        group = open_group(merge, from);
    }
    add_members(merge, group, from);
}

void merge_add(struct merge *merge, struct config_node *file)
{
    struct config_node *next;

    for (struct config_node *it = file->first; it; it = next) {
        next = it->next;
        if (it->type == CONFIG_GROUP)
            add_group(merge, it);
        else if (claim(merge, it->name.ptr, it))
            merge->last = config_node_link(merge->root, merge->last, it);
    }
}
