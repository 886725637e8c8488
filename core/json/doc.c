/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents that are changed: objects as lists of members, opened one by one where a path leads
 * into them. Called on the worker of the instance whose transforms run (plugin/chain.c).
 */
#include "json/doc.h"

#include "json/lex.h"

enum { MEMBERS_FIRST = 24 /* the room of an object when it is opened */ };

struct member {
    tr_str key;                  /* raw, without its quotes                                */
    tr_str value;                /* raw, as it came                                        */
    struct json_doc_node *child; /* NULL: not opened                                       */
};

struct json_doc_node {
    tr_str text; /* as it came                                                             */
    struct member *members;
    uint32_t count, cap;
    bool changed; /* here or in a child                                                    */
};

/* ---- opening ---- */

static struct member *add_member(struct arena *arena, struct json_doc_node *node)
{
    if (node->count == node->cap) {
        uint32_t cap = node->cap ? node->cap * 2 : MEMBERS_FIRST;
        struct member *grown = arena_alloc(arena, cap * sizeof(*grown));

        if (node->count > 0)
            memcpy(grown, node->members, node->count * sizeof(*grown));
        node->members = grown;
        node->cap = cap;
    }
    return &node->members[node->count++];
}

/* False: it is not a whole object. */
static bool split(struct arena *arena, struct json_doc_node *node)
{
    const char *at = node->text.ptr, *end = at + node->text.len;

    at = json_lex_space(at, end);
    if (at == end || *at != '{')
        return false;
    at = json_lex_space(at + 1, end);
    if (at < end && *at == '}')
        return json_lex_space(at + 1, end) == end;
    for (;;) {
        struct member *member = add_member(arena, node);

        member->child = NULL;
        if (json_lex_member(&at, end, &member->key, &member->value) != LEX_DONE)
            return false;
        at = json_lex_space(at, end);
        if (at == end || (*at != ',' && *at != '}'))
            return false;
        if (*at++ == '}')
            return json_lex_space(at, end) == end;
        at = json_lex_space(at, end);
    }
}

static struct json_doc_node *open_object(struct arena *arena, tr_str text)
{
    struct json_doc_node *node;

    if (json_type_of(text) != JSON_OBJECT)
        return NULL;
    node = arena_zero(arena, sizeof(*node));
    node->text = text;
    return split(arena, node) ? node : NULL;
}

static struct json_doc_node *root_of(struct json_doc *doc)
{
    if (doc->root || doc->broken || doc->text.len == 0)
        return doc->root;
    doc->root = open_object(doc->arena, doc->text);
    doc->broken = !doc->root;
    return doc->root;
}

/* NULL: its value is no object. One that begins and is none is not taken for a missing one. */
static struct json_doc_node *child_of(struct json_doc *doc, struct member *member)
{
    if (!member->child) {
        member->child = open_object(doc->arena, member->value);
        doc->broken |= !member->child && json_type_of(member->value) == JSON_OBJECT;
    }
    return member->child;
}

/* The last of those with the key, which is the one that counts. */
static struct member *find(const struct json_doc_node *node, tr_str key)
{
    for (uint32_t i = node->count; i-- > 0;)
        if (json_lex_key_is(node->members[i].key, key))
            return &node->members[i];
    return NULL;
}

/* ---- writing ---- */

static size_t node_size(const struct json_doc_node *node)
{
    size_t size = 2 + (node->count > 0 ? node->count - 1 : 0);

    if (!node->changed)
        return node->text.len;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct member *member = &node->members[i];
        size += member->key.len + 3;
        size += member->child ? node_size(member->child) : member->value.len;
    }
    return size;
}

static char *put(char *to, tr_str text)
{
    memcpy(to, text.ptr, text.len);
    return to + text.len;
}

static char *node_write(const struct json_doc_node *node, char *to)
{
    if (!node->changed)
        return put(to, node->text);
    *to++ = '{';
    for (uint32_t i = 0; i < node->count; i++) {
        const struct member *member = &node->members[i];
        if (i > 0)
            *to++ = ',';
        *to++ = '"';
        if (member->key.len > 0)
            to = put(to, member->key);
        *to++ = '"';
        *to++ = ':';
        to = member->child ? node_write(member->child, to) : put(to, member->value);
    }
    *to++ = '}';
    return to;
}

size_t json_doc_size(const struct json_doc *doc)
{
    return doc->root ? node_size(doc->root) : doc->text.len;
}

char *json_doc_write(const struct json_doc *doc, char *to)
{
    if (doc->root)
        return node_write(doc->root, to);
    return doc->text.len > 0 ? put(to, doc->text) : to;
}

/* ---- paths ---- */

int json_doc_path_compile(tr_str text, struct arena *arena, struct json_doc_path *ret_path,
                          struct error *error)
{
    struct json_doc_path path;
    struct buf raw = {0};
    int rc = json_path_compile(text, arena, &path.path, error);

    if (rc < 0)
        return rc;
    path.raw = arena_alloc(arena, path.path.count * sizeof(*path.raw));
    for (size_t i = 0; i < path.path.count; i++) {
        buf_clear(&raw);
        json_write_escaped(&raw, path.path.steps[i]);
        path.raw[i] = arena_str(arena, buf_str(&raw));
    }
    buf_fini(&raw);
    *ret_path = path;
    return 0;
}

/* The object that the path's last step is a member of; NULL: the way leads elsewhere. */
static struct json_doc_node *walk(struct json_doc *doc, const struct json_doc_path *path)
{
    struct json_doc_node *node = root_of(doc);

    for (size_t i = 0; node && i + 1 < path->path.count; i++) {
        struct member *member = find(node, path->path.steps[i]);
        node = member ? child_of(doc, member) : NULL;
    }
    return node;
}

static tr_str last_step(const struct json_doc_path *path)
{
    return path->path.steps[path->path.count - 1];
}

/* All objects on the way to the path's last step are other than they came. */
static void mark(struct json_doc *doc, const struct json_doc_path *path)
{
    struct json_doc_node *node = doc->root;

    doc->changed = true;
    for (size_t i = 0;; i++) {
        node->changed = true;
        if (i + 1 == path->path.count)
            return;
        node = find(node, path->path.steps[i])->child;
    }
}

/* Drops the members with the key, but for `but`, and says where that one is now. */
static struct member *drop(struct json_doc_node *node, tr_str key, const struct member *but)
{
    struct member *kept = NULL;
    uint32_t left = 0;

    for (uint32_t i = 0; i < node->count; i++) {
        bool is_kept = &node->members[i] == but;

        if (!is_kept && json_lex_key_is(node->members[i].key, key))
            continue;
        if (is_kept)
            kept = &node->members[left];
        node->members[left++] = node->members[i];
    }
    node->count = left;
    return kept;
}

/* ---- reading ---- */

void json_doc_init(struct json_doc *doc, tr_str text, struct arena *arena)
{
    *doc = (struct json_doc){.text = text, .arena = arena};
}

/* As it is now. */
static tr_str value_of(struct json_doc *doc, const struct member *member)
{
    char *text;
    size_t size;

    if (!member->child || !member->child->changed)
        return member->value;
    size = node_size(member->child);
    text = arena_alloc(doc->arena, size);
    node_write(member->child, text);
    return str_n(text, size);
}

bool json_doc_get(struct json_doc *doc, const struct json_doc_path *path, tr_str *ret_raw)
{
    struct json_doc_node *node = root_of(doc);

    for (size_t i = 0; node; i++) {
        struct member *member = find(node, path->path.steps[i]);
        struct json_path rest = {.steps = path->path.steps + i + 1,
                                 .count = path->path.count - i - 1};

        if (!member)
            return false;
        if (rest.count == 0 || json_type_of(member->value) == JSON_ARRAY)
            return json_find(value_of(doc, member), &rest, ret_raw);
        node = child_of(doc, member);
    }
    return false;
}

/* ---- changing ---- */

bool json_doc_is_value(tr_str raw)
{
    const char *at = raw.ptr, *end = at + raw.len;

    if (raw.len == 0)
        return false;
    at = json_lex_space(at, end);
    if (at < end && (*at == '-' || (*at >= '0' && *at <= '9')))
        return json_lex_is_number(str_trim(raw));
    return json_lex_value(&at, end) == LEX_DONE && json_lex_space(at, end) == end;
}

/* A step as the key that it is; the path may be gone before the document is written. */
static tr_str key_of(struct json_doc *doc, const struct json_doc_path *path, size_t step)
{
    return arena_str(doc->arena, path->raw[step]);
}

static struct member *append(struct json_doc *doc, struct json_doc_node *node, tr_str key)
{
    struct member *member = add_member(doc->arena, node);

    *member = (struct member){.key = key};
    return member;
}

/* As walk(), but makes what is missing. */
static struct json_doc_node *make_way(struct json_doc *doc, const struct json_doc_path *path)
{
    struct json_doc_node *node = root_of(doc);

    for (size_t i = 0; node && i + 1 < path->path.count; i++) {
        struct member *member = find(node, path->path.steps[i]);

        if (!member) {
            member = append(doc, node, key_of(doc, path, i));
            member->value = STR("{}");
        }
        node = child_of(doc, member);
    }
    return node;
}

/* Whether the way to the path's last step is there or can be made, once `gone` is not there. */
static bool has_way(struct json_doc *doc, const struct json_doc_path *path,
                    const struct member *gone)
{
    struct json_doc_node *node = root_of(doc);

    for (size_t i = 0; node && i + 1 < path->path.count; i++) {
        struct member *member = find(node, path->path.steps[i]);

        if (!member || member == gone)
            return true;
        node = child_of(doc, member);
    }
    return node != NULL;
}

/* Puts a value there; the way is known to be free. */
static void place(struct json_doc *doc, const struct json_doc_path *path, tr_str value,
                  struct json_doc_node *child)
{
    struct json_doc_node *node = make_way(doc, path);
    struct member *member = find(node, last_step(path));

    if (member)
        member = drop(node, last_step(path), member);
    else
        member = append(doc, node, key_of(doc, path, path->path.count - 1));
    member->value = value;
    member->child = child;
    mark(doc, path);
}

bool json_doc_set(struct json_doc *doc, const struct json_doc_path *path, tr_str raw)
{
    if (!has_way(doc, path, NULL))
        return false;
    place(doc, path, arena_str(doc->arena, str_trim(raw)), NULL);
    return true;
}

bool json_doc_remove(struct json_doc *doc, const struct json_doc_path *path)
{
    struct json_doc_node *node = walk(doc, path);

    if (!node || !find(node, last_step(path)))
        return false;
    drop(node, last_step(path), NULL);
    mark(doc, path);
    return true;
}

static bool is_same_object(const struct json_doc_path *a, const struct json_doc_path *b)
{
    if (a->path.count != b->path.count)
        return false;
    for (size_t i = 0; i + 1 < a->path.count; i++)
        if (!str_eq(a->path.steps[i], b->path.steps[i]))
            return false;
    return true;
}

bool json_doc_rename(struct json_doc *doc, const struct json_doc_path *from,
                     const struct json_doc_path *to)
{
    struct json_doc_node *node = walk(doc, from);
    struct member *member = node ? find(node, last_step(from)) : NULL;
    struct member moved;

    if (!member)
        return false;
    if (is_same_object(from, to)) {
        member = drop(node, last_step(from), member);
        member = drop(node, last_step(to), member);
        member->key = key_of(doc, to, to->path.count - 1);
        mark(doc, to);
        return true;
    }
    if (!has_way(doc, to, member))
        return false;
    moved = *member;
    drop(node, last_step(from), NULL);
    mark(doc, from);
    place(doc, to, moved.value, moved.child);
    return true;
}

void json_doc_replace(struct json_doc *doc, tr_str raw)
{
    doc->text = arena_str(doc->arena, str_trim(raw));
    doc->root = NULL;
    doc->broken = false;
    doc->changed = true;
}

/* ---- keeping ---- */

enum keeping { KEEP_NOTHING, KEEP_PART, KEEP_ALL };

/* The paths that lead through the member at this depth are put into `inner`. */
static enum keeping judge(const struct member *member, const struct json_doc_path *const *paths,
                          uint32_t count, size_t depth, const struct json_doc_path **inner,
                          uint32_t *ret_inner_count)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (!json_lex_key_is(member->key, paths[i]->path.steps[depth]))
            continue;
        if (paths[i]->path.count == depth + 1)
            return KEEP_ALL;
        inner[found++] = paths[i];
    }
    *ret_inner_count = found;
    return found > 0 ? KEEP_PART : KEEP_NOTHING;
}

/* As deep as the longest path at most. */
static void keep_in(struct json_doc *doc, struct json_doc_node *node,
                    const struct json_doc_path *const *paths, uint32_t count, size_t depth,
                    bool special)
{
    const struct json_doc_path **inner = arena_alloc(doc->arena, count * sizeof(*inner));
    uint32_t left = 0, inner_count;

    for (uint32_t i = 0; i < node->count; i++) {
        struct member *member = &node->members[i];
        enum keeping keeping = judge(member, paths, count, depth, inner, &inner_count);

        if (special && member->key.len > 0 && member->key.ptr[0] == '_')
            keeping = KEEP_ALL;
        if (keeping == KEEP_PART && child_of(doc, member)) {
            keep_in(doc, member->child, inner, inner_count, depth + 1, false);
            node->changed |= member->child->changed;
            keeping = member->child->count > 0 ? KEEP_ALL : KEEP_NOTHING;
        }
        if (keeping == KEEP_ALL)
            node->members[left++] = *member;
    }
    node->changed |= left < node->count;
    node->count = left;
}

void json_doc_keep(struct json_doc *doc, const struct json_doc_path *const *paths,
                   uint32_t count, bool special)
{
    struct json_doc_node *root = root_of(doc);

    if (!root)
        return;
    keep_in(doc, root, paths, count, 0, special);
    doc->changed |= root->changed;
}
