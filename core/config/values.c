/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading checked values: by path, into a struct, and with secrets put in. Reading: any thread;
 * resolving: the one that owns the values, before it shares them.
 */
#include "config/values.h"

#include "base/mem.h"

/* Where a path leads: an entry, one item of it, or a node inside a group without a table. */
struct target {
    const struct config_entry *entry;
    const struct config_item *item;
    const struct config_node *node;
};

static const struct config_entry *find_entry(const struct config_scope *scope, tr_str name)
{
    for (uint32_t i = 0; i < scope->count; i++)
        if (str_eq(name, str_c(scope->entries[i].option->name)))
            return &scope->entries[i];
    return NULL;
}

static bool find_item(const struct config_entry *entry, tr_str step,
                      const struct config_item **ret_item)
{
    uint32_t place = 0;

    if (step.len == 0 || step.len > 9)
        return false;
    for (size_t i = 0; i < step.len; i++) {
        if (step.ptr[i] < '0' || step.ptr[i] > '9')
            return false;
        place = place * 10 + (uint32_t)(step.ptr[i] - '0');
    }
    if (place >= entry->count)
        return false;
    *ret_item = &entry->items[place];
    return true;
}

/* Every option but a group is the end of its path. */
static bool walk(const struct config_scope *scope, const char *path, struct target *ret_target)
{
    struct target target = {0};
    tr_str rest = str_c(path);

    while (rest.len > 0) {
        tr_str step = str_cut(rest, '.', &rest);
        target = (struct target){.entry = find_entry(scope, step)};
        if (!target.entry)
            return false;
        if (rest.len == 0)
            break;
        if (target.entry->option->flags & TR_OPTION_LIST) {
            step = str_cut(rest, '.', &rest);
            if (!find_item(target.entry, step, &target.item))
                return false;
            if (rest.len == 0)
                break;
        } else {
            target.item = target.entry->items;
        }
        if (!target.item || target.entry->option->type != TR_TYPE_GROUP)
            return false;
        if (!target.item->scope) {
            target.node = target.item->node ? config_at(target.item->node, rest.ptr) : NULL;
            if (!target.node)
                return false;
            break;
        }
        scope = target.item->scope;
    }
    *ret_target = target;
    return true;
}

static const struct config_node *child_at(const struct config_node *node, uint32_t idx)
{
    const struct config_node *it = node->first;

    while (it && idx-- > 0)
        it = it->next;
    return it;
}

/* A group by its member, a list by its item, anything else by itself. */
static bool value_of_node(const struct config_node *node, uint32_t idx, tr_value *ret_value)
{
    bool has_children = node->type == CONFIG_GROUP || node->type == CONFIG_LIST;
    const struct config_node *child = has_children ? child_at(node, idx) : NULL;

    if (has_children ? !child : idx > 0)
        return false;
    *ret_value = config_value_natural(node->type == CONFIG_LIST ? child : node);
    if (node->type == CONFIG_GROUP)
        ret_value->s = child->name;
    return true;
}

static bool value_of(const struct target *target, uint32_t idx, tr_value *ret_value)
{
    const struct config_entry *entry = target->entry;
    bool is_group = entry->option->type == TR_TYPE_GROUP;

    if (target->node)
        return value_of_node(target->node, idx, ret_value);
    if (target->item && is_group)
        return value_of_node(target->item->node, idx, ret_value);
    if (target->item) {
        *ret_value = target->item->value;
        return idx == 0;
    }
    if (!is_group || (entry->option->flags & TR_OPTION_LIST)) {
        if (idx >= entry->count)
            return false;
        *ret_value = entry->items[idx].value;
        return true;
    }
    return entry->count > 0 && value_of_node(entry->items[0].node, idx, ret_value);
}

static bool is_path(const char *path)
{
    size_t len = strlen(path);

    return len > 0 && path[0] != '.' && path[len - 1] != '.' && !strstr(path, "..");
}

tr_status config_values_get(const struct config_values *values, const char *path, uint32_t idx,
                            tr_value *ret_value)
{
    struct target target;
    tr_value value;

    if (!values || !path || !ret_value || !TR_ROOM(ret_value, tr_value, s) || !is_path(path))
        return TR_EINVAL;
    if (!walk(values->root, path, &target) || !value_of(&target, idx, &value))
        return TR_ENOENT;
    /* What the caller has behind our fields is not ours to touch, nor is its size. */
    ret_value->type = value.type;
    ret_value->i = value.i;
    ret_value->f = value.f;
    ret_value->s = value.s;
    return TR_OK;
}

const struct config_node *config_values_node(const struct config_values *values,
                                             const char *path)
{
    struct target target;

    if (!values || !path)
        return NULL;
    if (*path == '\0')
        return values->node;
    if (!is_path(path) || !walk(values->root, path, &target))
        return NULL;
    if (target.node)
        return target.node;
    return target.item ? target.item->node : target.entry->node;
}

static void wipe(struct config_item *item)
{
    if (!item->secret)
        return;
    explicit_bzero(item->secret, item->value.s.len);
    free(item->secret);
    item->secret = NULL;
    item->value.s = STR("");
}

static bool resolve_item(struct config_item *item, config_resolve_fn *resolve, void *user,
                         struct diags *diags)
{
    struct error error = {0};
    struct buf secret = {0};
    int rc = resolve(user, item->node->text, &secret, &error);

    wipe(item);
    if (rc < 0) {
        diag_at(diags, DIAG_ERROR, item->node, "cannot be resolved: %s", error.text);
    } else {
        item->secret = str_dup(buf_str(&secret));
        item->value.s = str_n(item->secret, secret.len);
    }
    if (secret.ptr)
        explicit_bzero(secret.ptr, secret.cap);
    buf_fini(&secret);
    return rc >= 0;
}

/* Walks all secrets; without `resolve` they are wiped. */
static bool each_secret(struct config_scope *scope, config_resolve_fn *resolve, void *user,
                        struct diags *diags)
{
    bool is_good = true;

    for (uint32_t i = 0; scope && i < scope->count; i++) {
        struct config_entry *entry = &scope->entries[i];
        bool is_secret = entry->option->type == TR_TYPE_SECRET;
        /* An absent group has an item for its defaults, but counts none. */
        uint32_t count = entry->count == 0 && entry->items ? 1 : entry->count;

        for (uint32_t k = 0; k < count; k++) {
            struct config_item *item = &entry->items[k];
            if (is_secret && !resolve)
                wipe(item);
            else if (is_secret && !resolve_item(item, resolve, user, diags))
                is_good = false;
            if (!each_secret(item->scope, resolve, user, diags))
                is_good = false;
        }
    }
    return is_good;
}

int config_values_resolve(struct config_values *values, config_resolve_fn *resolve, void *user,
                          struct diags *diags)
{
    return each_secret(values->root, resolve, user, diags) ? 0 : ERR_CONFIG;
}

void config_values_free(struct config_values *values)
{
    if (!values)
        return;
    (void)each_secret(values->root, NULL, NULL, NULL);
    arena_fini(&values->arena);
    free(values);
}

static void bind_one(const tr_option *option, const tr_value *value, char *field,
                     struct arena *arena)
{
    switch (option->type) {
    case TR_TYPE_FLOAT: *(double *)(void *)field = value->f; break;
    case TR_TYPE_BOOL:
    case TR_TYPE_ENUM: *(int32_t *)(void *)field = (int32_t)value->i; break;
    case TR_TYPE_INT:
    case TR_TYPE_DURATION:
    case TR_TYPE_SIZE: *(int64_t *)(void *)field = value->i; break;
    default: *(tr_str *)(void *)field = arena_str(arena, value->s); break;
    }
}

static bool is_text(uint32_t type)
{
    return type == TR_TYPE_STRING || (type >= TR_TYPE_URL && type <= TR_TYPE_SECRET);
}

void config_values_bind(const struct config_values *values, const char *path,
                        const tr_option *table, uint32_t count, void *base, struct arena *arena)
{
    for (uint32_t i = 0; i < count && table[i].name; i++) {
        const tr_option *option = &table[i];
        tr_value value = {.size = sizeof(value)};
        char *field;

        if (option->offset == (size_t)-1 || option->type == TR_TYPE_GROUP ||
            (option->flags & TR_OPTION_LIST))
            continue;
        field = (char *)base + option->offset;
        if (config_values_get(values, config_path_join(path, option->name, arena), 0, &value) ==
            TR_OK)
            bind_one(option, &value, field, arena);
        else if (is_text(option->type))
            *(tr_str *)(void *)field = (tr_str){NULL, 0};
    }
}
