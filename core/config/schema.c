/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checking a group against a table. Called by the engine and by `tailrace check`, on one
 * thread.
 *
 * Every group goes through the same three steps: its members are looked up in the table
 * (unknown keys), then the table is walked (missing keys, values, defaults), groups within are
 * checked alike. A mistake never ends a check.
 */
#include "base/mem.h"
#include "config/build.h"
#include "config/near.h"
#include "config/parse.h"
#include "config/values.h"

#include <errno.h>
#include <math.h>

struct check {
    struct config_values *values;
    struct diags *diags;
    uint32_t stride;
};

static struct config_scope *check_scope(struct check *check, const struct config_node *node,
                                        const struct config_place *place, const void *table,
                                        uint32_t count, const struct config_scope *outer);

/* The entries of a table of any stride as ours; those past a NULL name are not there. Our own
 * are taken as they are: there may be ten thousand checked groups of one plugin. */
static const tr_option *take_table(struct check *check, const void *table, uint32_t *count)
{
    size_t known = check->stride < sizeof(tr_option) ? check->stride : sizeof(tr_option);
    bool is_own = check->stride == sizeof(tr_option);
    const tr_option *own = table;
    tr_option *copy = NULL;

    if (!is_own)
        copy = arena_zero(&check->values->arena, (*count + 1) * sizeof(tr_option));
    for (uint32_t i = 0; i < *count; i++) {
        if (!is_own)
            memcpy(&copy[i], (const char *)table + (size_t)i * check->stride, known);
        if (!(is_own ? own : copy)[i].name) {
            *count = i;
            break;
        }
    }
    return is_own ? own : copy;
}

/* How many entries stand before the one without a name. */
static uint32_t table_len(const void *table, uint32_t stride)
{
    uint32_t count = 0;
    const char *name;

    for (;; count++) {
        memcpy(&name, (const char *)table + (size_t)count * stride, sizeof(name));
        if (!name)
            return count;
    }
}

static bool is_known(const struct config_scope *scope, tr_str name)
{
    for (uint32_t i = 0; i < scope->count; i++)
        if (str_eq(name, str_c(scope->entries[i].option->name)))
            return true;
    return false;
}

static void report_unknown(struct check *check, const struct config_scope *scope,
                           const struct config_node *node)
{
    struct diag *diag = diag_at(check->diags, DIAG_ERROR, node, "unknown key");
    const char **names = mem_new_array(const char *, scope->count + 1);
    const char *near;
    struct buf list = {0};
    uint32_t count = 0;

    for (uint32_t i = 0; i < scope->count; i++)
        if (!(scope->entries[i].option->flags & TR_OPTION_DEPRECATED))
            names[count++] = scope->entries[i].option->name;
    near = config_nearest(node->name, names, count);
    for (uint32_t i = 0; i < count; i++)
        buf_addf(&list, "%s%s", i ? ", " : "", names[i]);
    if (near)
        diag_remedy(check->diags, diag, "did you mean \"%s\"?", near);
    else if (count > 0)
        diag_remedy(check->diags, diag, "known here: %s", list.ptr);
    else
        diag_remedy(check->diags, diag, "nothing can be set here; take it out");
    buf_fini(&list);
    free(names);
}

/* A default's text as a node of the type that a file would have given it; "[…]", "(…)" and
 * "{…}" as libconfig reads them. */
static const struct config_node *default_node(struct check *check, const tr_option *option)
{
    struct arena *arena = &check->values->arena;
    tr_str name = str_c(option->name), text = str_c(option->dflt);
    bool is_nested = (option->flags & TR_OPTION_LIST) || option->type == TR_TYPE_GROUP;
    struct config_node *node = config_node_text(arena, name, text);
    char *end = NULL;

    if (is_nested && text.len > 0 && strchr("[({", text.ptr[0])) {
        struct config_node *root = NULL;
        struct diags ignored;
        struct buf whole = {0};
        diags_init(&ignored);
        buf_addf(&whole, "%s = %s;", option->name, option->dflt);
        if (config_parse(buf_str(&whole), NULL, arena, &ignored, &root) == 0)
            node = root->first;
        diags_fini(&ignored);
        buf_fini(&whole);
    } else if (option->type == TR_TYPE_BOOL &&
               (str_eq(text, STR("true")) || str_eq(text, STR("false")))) {
        node->type = CONFIG_BOOL;
        node->number = text.ptr[0] == 't';
    } else if (option->type == TR_TYPE_INT || option->type == TR_TYPE_FLOAT) {
        errno = 0;
        node->number = strtoll(text.ptr, &end, 0);
        if (text.len > 0 && *end == '\0' && errno == 0) {
            node->type = CONFIG_INT;
        } else {
            node->real = strtod(text.ptr, &end);
            if (text.len > 0 && *end == '\0' && isfinite(node->real))
                node->type = CONFIG_FLOAT;
        }
    }
    return node;
}

static struct config_scope *check_inner(struct check *check, const tr_option *option,
                                        const struct config_node *node,
                                        const struct config_place *place,
                                        const struct config_scope *outer)
{
    /* The defaults of a group that is not there; a table that holds itself has no end. */
    for (const struct config_scope *it = outer; !node && it; it = it->outer)
        if (it->table == option->group)
            return NULL;
    return check_scope(check, node, place, option->group,
                       table_len(option->group, check->stride), outer);
}

static struct config_place place_of(struct check *check, const struct config_node *node)
{
    return (struct config_place){node->file, node->line,
                                 config_path(node, &check->values->arena)};
}

/* One value, or one item of a list. */
static void check_item(struct check *check, const struct config_value_check *value,
                       const struct config_scope *scope, struct config_item *item)
{
    item->node = value->node;
    if (value->option->type != TR_TYPE_GROUP) {
        (void)config_value_read(value, &item->value);
        return;
    }
    if (value->node->type != CONFIG_GROUP) {
        config_value_mistype(value);
        return;
    }
    item->value = config_value_natural(value->node);
    if (value->option->group) {
        struct config_place place = value->is_default ? *value->group
                                                      : place_of(check, value->node);
        item->scope = check_inner(check, value->option, value->node, &place, scope);
    }
}

static bool is_known_type(uint32_t type)
{
    return type >= TR_TYPE_STRING && type <= TR_TYPE_ANY;
}

static void check_values(struct check *check, struct config_entry *entry,
                         const struct config_place *place, const struct config_scope *scope,
                         bool is_default)
{
    bool is_list = entry->option->flags & TR_OPTION_LIST;
    bool has_items = is_list && entry->node->type == CONFIG_LIST;
    struct config_value_check value = {.option = entry->option,
                                       .group = place,
                                       .diags = check->diags,
                                       .is_default = is_default};
    const struct config_node *it = has_items ? entry->node->first : entry->node;

    entry->count = has_items ? (uint32_t)entry->node->count : 1;
    entry->items = arena_zero(&check->values->arena,
                              (entry->count + 1) * sizeof(entry->items[0]));
    for (uint32_t i = 0; i < entry->count; i++, it = it->next) {
        value.node = it;
        check_item(check, &value, scope, &entry->items[i]);
    }
}

static void report_missing(struct check *check, const struct config_place *place,
                           const tr_option *option)
{
    struct diags *diags = check->diags;
    struct diag *diag = diag_add(diags, DIAG_ERROR, place->file, place->line,
                                 config_path_join(place->path, option->name, &diags->arena),
                                 "is missing and must be set");

    if (option->help && *option->help)
        diag_remedy(diags, diag, "it is: %s", option->help);
}

/* A later plugin may have types that we cannot judge; what is not set needs no judgement. */
static void report_unknown_type(struct check *check, const struct config_entry *entry,
                                const struct config_place *place)
{
    const struct config_node *node = entry->node;
    const tr_option *option = entry->option;
    struct diags *diags = check->diags;
    struct diag *diag = diag_add(
        diags, DIAG_ERROR, node ? node->file : place->file, node ? node->line : place->line,
        config_path_join(place->path, option->name, &diags->arena),
        "is of type %u, which this version does not know", (unsigned)option->type);

    diag_remedy(diags, diag,
                option->flags & TR_OPTION_REQUIRED
                    ? "the plugin wants a newer tailrace"
                    : "the plugin wants a newer tailrace for it; take it out until then");
}

/* A group that is not there still has its defaults. */
static void fill_absent(struct check *check, struct config_entry *entry,
                        const struct config_place *place, const struct config_scope *scope)
{
    const tr_option *option = entry->option;
    struct config_place inner = *place;

    if (option->type != TR_TYPE_GROUP || !option->group || (option->flags & TR_OPTION_LIST))
        return;
    inner.path = config_path_join(place->path, option->name, &check->values->arena);
    entry->items = arena_zero(&check->values->arena, sizeof(entry->items[0]));
    entry->items[0].scope = check_inner(check, option, NULL, &inner, scope);
}

static void check_entry(struct check *check, struct config_entry *entry,
                        const struct config_node *group, const struct config_place *place,
                        const struct config_scope *scope, bool is_present)
{
    const tr_option *option = entry->option;
    bool is_default = false;

    entry->node = config_member(group, str_c(option->name));
    if (!is_known_type(option->type)) {
        if (entry->node || (is_present && (option->flags & TR_OPTION_REQUIRED)))
            report_unknown_type(check, entry, place);
        entry->node = NULL;
        return;
    }
    if (entry->node && (option->flags & TR_OPTION_DEPRECATED)) {
        struct diag *diag = diag_at(check->diags, DIAG_WARNING, entry->node, "is deprecated");
        diag_remedy(check->diags, diag, "%s",
                    option->help && *option->help ? option->help : "take it out");
    }
    if (!entry->node && option->dflt) {
        entry->node = default_node(check, option);
        is_default = true;
    }
    if (entry->node)
        check_values(check, entry, place, scope, is_default);
    else if (is_present && (option->flags & TR_OPTION_REQUIRED))
        report_missing(check, place, option);
    if (!entry->node)
        fill_absent(check, entry, place, scope);
}

static struct config_scope *check_scope(struct check *check, const struct config_node *node,
                                        const struct config_place *place, const void *table,
                                        uint32_t count, const struct config_scope *outer)
{
    struct arena *arena = &check->values->arena;
    struct config_scope *scope = arena_zero(arena, sizeof(*scope));
    const tr_option *options = take_table(check, table, &count);
    bool is_present = node || !outer;

    *scope = (struct config_scope){.table = table, .outer = outer, .count = count};
    scope->entries = arena_zero(arena, (count + 1) * sizeof(scope->entries[0]));
    for (uint32_t i = 0; i < count; i++)
        scope->entries[i].option = &options[i];
    config_each (it, node)
        if (!is_known(scope, it->name))
            report_unknown(check, scope, it);
    for (uint32_t i = 0; i < count; i++)
        check_entry(check, &scope->entries[i], node, place, scope, is_present);
    return scope;
}

int config_check(const struct config_node *owner, const char *name, const tr_option *table,
                 uint32_t count, uint32_t stride, struct diags *diags,
                 struct config_values **ret_values)
{
    struct config_values *values = mem_new(struct config_values);
    struct check check = {values, diags, stride ? stride : (uint32_t)sizeof(tr_option)};
    const struct config_node *node = name ? config_member(owner, str_c(name)) : owner;
    struct config_place place = {NULL, 0, name ? name : ""};
    size_t errors = diags->errors;

    arena_init(&values->arena, 1024);
    if (node) {
        place = place_of(&check, node);
    } else if (owner) {
        place = place_of(&check, owner);
        place.path = config_path_join(place.path, name, &values->arena);
    }
    if (node && node->type != CONFIG_GROUP)
        diag_at(diags, DIAG_ERROR, node, "is not a group; write %s: { … };",
                name ? name : "name");
    else
        values->root = check_scope(&check, node, &place, table, count, NULL);
    values->node = node;
    if (diags->errors > errors) {
        config_values_free(values);
        return ERR_CONFIG;
    }
    *ret_values = values;
    return 0;
}
