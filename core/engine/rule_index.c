/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a source by the databases that they are about.
 *
 * A rule that names its databases is found by name, and one whose expression says what they
 * begin with by that, since documents can bring ten thousand of either. Any other expression is
 * tried on every name. Loop thread.
 */
#include "base/mem.h"
#include "engine/private.h"
#include "observe/log.h"

struct index_entry {
    struct list link;
    struct running_rule *rule;
};

bool rule_is_fixed(const struct running_rule *rule, const tr_str **ret_names, size_t *ret_count)
{
    return pattern_is_fixed(rule->settings->matcher->databases, ret_names, ret_count);
}

void rule_index_init(struct rule_index *index)
{
    *index = (struct rule_index){0};
    list_init(&index->patterns);
}

static void free_entries(struct list *list)
{
    list_each_safe (it, list) {
        list_remove(it);
        free(list_entry(it, struct index_entry, link));
    }
}

static void free_lists(struct map *lists)
{
    size_t cursor = 0;
    tr_str key;
    void *list;

    while (map_next(lists, &cursor, &key, &list)) {
        free_entries(list);
        free(list);
    }
    map_fini(lists);
}

void rule_index_fini(struct rule_index *index)
{
    free_entries(&index->patterns);
    free_lists(&index->prefixes);
    free_lists(&index->names);
}

static void add_entry(struct list *list, struct running_rule *rule)
{
    struct index_entry *entry = mem_new(struct index_entry);

    entry->rule = rule;
    list_push_back(list, &entry->link);
}

static void remove_entry(struct list *list, const struct running_rule *rule)
{
    list_each_safe (it, list) {
        struct index_entry *entry = list_entry(it, struct index_entry, link);
        if (entry->rule != rule)
            continue;
        list_remove(it);
        free(entry);
    }
}

/* True: the list was not there before. */
static bool add_to(struct map *lists, tr_str key, struct running_rule *rule)
{
    struct list *list = map_get(lists, key);
    bool is_new = !list;

    if (is_new) {
        list = mem_new(struct list);
        list_init(list);
        map_set(lists, key, list);
    }
    add_entry(list, rule);
    return is_new;
}

/* True: the list is there no more. */
static bool remove_from(struct map *lists, tr_str key, const struct running_rule *rule)
{
    struct list *list = map_get(lists, key);

    if (!list)
        return false;
    remove_entry(list, rule);
    if (!list_empty(list))
        return false;
    map_remove(lists, key);
    free(list);
    return true;
}

static tr_str prefix_of(const struct running_rule *rule)
{
    tr_str prefix = pattern_prefix_of(pattern_text(rule->settings->matcher->databases));

    return prefix.len > INDEX_PREFIX_MAX ? str_n(prefix.ptr, INDEX_PREFIX_MAX) : prefix;
}

void rule_index_add(struct rule_index *index, struct running_rule *rule)
{
    tr_str prefix = prefix_of(rule);
    const tr_str *names;
    size_t count;

    if (rule_is_fixed(rule, &names, &count)) {
        for (size_t i = 0; i < count; i++)
            add_to(&index->names, names[i], rule);
    } else if (prefix.len == 0) {
        add_entry(&index->patterns, rule);
    } else if (add_to(&index->prefixes, prefix, rule)) {
        index->lengths[prefix.len]++;
    }
}

void rule_index_remove(struct rule_index *index, struct running_rule *rule)
{
    tr_str prefix = prefix_of(rule);
    const tr_str *names;
    size_t count;

    if (rule_is_fixed(rule, &names, &count)) {
        for (size_t i = 0; i < count; i++)
            remove_from(&index->names, names[i], rule);
    } else if (prefix.len == 0) {
        remove_entry(&index->patterns, rule);
    } else if (remove_from(&index->prefixes, prefix, rule)) {
        index->lengths[prefix.len]--;
    }
}

bool rule_index_has_patterns(const struct rule_index *index)
{
    return !list_empty(&index->patterns) || index->prefixes.count > 0;
}

bool rule_index_names(const struct rule_index *index, tr_str db)
{
    return map_get(&index->names, db) != NULL;
}

static bool pattern_is_for(const struct running_rule *rule, tr_str db)
{
    struct error error;

    if (db.ptr[0] == '_' && !rule->settings->system_databases)
        return false;
    switch (pattern_match(rule->settings->matcher->databases, db, &error)) {
    case VERDICT_MATCH: return true;
    case VERDICT_NO_MATCH: return false;
    default:
        log_error("rule cannot tell whether a database is its own; simplify its pattern",
                  LOG_S("rule", rule->settings->name), LOG_S("db", db),
                  LOG_C("reason", error.text));
        return false;
    }
}

struct running_rule *rule_index_first(const struct rule_index *index, tr_str db,
                                      struct index_cursor *cursor)
{
    *cursor = (struct index_cursor){
        .index = index, .next = index->patterns.next, .end = &index->patterns};
    return rule_index_next(db, cursor);
}

/* The next list that may have a rule about it; a rule is in one kind of them only. */
static bool next_list(tr_str db, struct index_cursor *cursor)
{
    const struct rule_index *index = cursor->index;
    const struct list *list = NULL;

    if (cursor->stage == INDEX_PATTERNS)
        cursor->stage = INDEX_PREFIXES;
    while (!list && cursor->stage == INDEX_PREFIXES) {
        size_t length = ++cursor->length;
        if (length > INDEX_PREFIX_MAX || length > db.len)
            break;
        if (index->lengths[length] > 0)
            list = map_get(&index->prefixes, str_n(db.ptr, length));
    }
    if (!list && cursor->stage == INDEX_PREFIXES) {
        cursor->stage = INDEX_NAMES;
        list = map_get(&index->names, db);
    }
    if (list) {
        cursor->next = list->next;
        cursor->end = list;
    }
    return list != NULL;
}

struct running_rule *rule_index_next(tr_str db, struct index_cursor *cursor)
{
    for (;;) {
        struct running_rule *rule;

        if (cursor->next == cursor->end) {
            if (!next_list(db, cursor))
                return NULL;
            continue;
        }
        rule = list_entry(cursor->next, struct index_entry, link)->rule;
        cursor->next = cursor->next->next;
        if (cursor->stage == INDEX_NAMES || pattern_is_for(rule, db))
            return rule;
    }
}
