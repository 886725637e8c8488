/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lua to JSON. Tables of a document are compared with what they were read from, and whatever is
 * the same still is written as it stood: members that were not looked at, numbers as 1.0, the
 * order of members, white space within them. Of a table of the script's own, the members are in
 * the order of their names, so that the same change gives the same bytes. Nothing here calls a
 * function of the script. On the instance's worker.
 */
#include "script.h"

#include <tailrace/scan.h>

#include <math.h>

static bool write_at(lua_State *L, int idx, tr_str raw, int depth);

static void add(lua_State *L, tr_str text)
{
    text_add(L, &script_of(L)->out, text.ptr, text.len);
}

/* ---- scalars ---- */

static void add_string(lua_State *L, tr_str string)
{
    struct script *script = script_of(L);
    struct text *out = &script->out;
    size_t len = string.len + 2;

    (void)text_reserve(L, out, len);
    if (script->json->encode(string, out->ptr + out->len, out->cap - out->len, &len) != TR_OK) {
        (void)text_reserve(L, out, len);
        (void)script->json->encode(string, out->ptr + out->len, out->cap - out->len, &len);
    }
    out->len += len;
}

static void add_number(lua_State *L, double number)
{
    char digits[40], *comma;

    if (!isfinite(number))
        luaL_error(L, "%f is no number in JSON", number);
    if (number == floor(number) && fabs(number) <= 9007199254740992.0) {
        snprintf(digits, sizeof(digits), "%.0f", number);
    } else {
        /* The shortest that is read as this number again. */
        for (int precision = 15; precision <= 17; precision++) {
            snprintf(digits, sizeof(digits), "%.*g", precision, number);
            if (strtod(digits, NULL) == number)
                break;
        }
        comma = strchr(digits, ','); /* some plugin may have set a locale                  */
        if (comma)
            *comma = '.';
    }
    add(L, tr_str_c(digits));
}

static tr_str string_at(lua_State *L, int idx)
{
    tr_str string;

    string.ptr = lua_tolstring(L, idx, &string.len);
    return string;
}

/* Whether a value that is no table is what `raw` says. */
static bool is_same(lua_State *L, int idx, tr_str raw)
{
    bool same;

    if (raw.len == 0 || raw.ptr[0] == '{' || raw.ptr[0] == '[' ||
        (raw.ptr[0] == '"') != (lua_type(L, idx) == LUA_TSTRING))
        return false;
    if (raw.ptr[0] == '"' && !memchr(raw.ptr, '\\', raw.len))
        return tr_str_eq(string_at(L, idx), tr_str_n(raw.ptr + 1, raw.len - 2));
    if (value_exact(L, idx).ptr)
        return tr_str_eq(value_exact(L, idx), raw);
    value_push(L, raw);
    same = lua_rawequal(L, idx, -1);
    lua_pop(L, 1);
    return same;
}

static bool write_scalar(lua_State *L, int idx, tr_str raw)
{
    if (is_same(L, idx, raw)) {
        add(L, raw);
        return false;
    }
    switch (lua_type(L, idx)) {
    case LUA_TSTRING: add_string(L, string_at(L, idx)); return true;
    case LUA_TNUMBER: add_number(L, lua_tonumber(L, idx)); return true;
    case LUA_TBOOLEAN:
        add(L, lua_toboolean(L, idx) ? TR_STR("true") : TR_STR("false"));
        return true;
    case LUA_TUSERDATA:
        if (value_exact(L, idx).ptr) {
            add(L, value_exact(L, idx));
            return true;
        }
        if (value_is_null(L, idx)) {
            add(L, TR_STR("null"));
            return true;
        }
        break;
    default: break;
    }
    luaL_error(L, "a %s has no form in JSON", luaL_typename(L, idx));
    return true;
}

/* ---- names of members ---- */

static int compare(const void *left, const void *right)
{
    const tr_str *a = left, *b = right;
    int order = memcmp(a->ptr, b->ptr, a->len < b->len ? a->len : b->len);

    return order != 0 ? order : a->len < b->len ? -1 : a->len > b->len;
}

/* How many keys the table has; an error if one is no string. */
static size_t count_keys(lua_State *L, int idx)
{
    size_t count = 0;

    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1), count++)
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L,
                       "a table with names has a %s among them; an array has 1, 2, 3 and so "
                       "on alone",
                       luaL_typename(L, -2));
    return count;
}

/* Pushes the memory of the names, sorted, that did not come with the document. They are strings
 * that the table holds. */
static tr_str *push_names(lua_State *L, int idx, bool from_document, size_t room,
                          size_t *ret_count)
{
    tr_str *names = lua_newuserdata(L, (room ? room : 1) * sizeof(*names));
    size_t count = 0;

    for (lua_pushnil(L); lua_next(L, idx);) {
        lua_pop(L, 1);
        if (!from_document || !document_has(L, idx))
            names[count++] = string_at(L, -1);
    }
    qsort(names, count, sizeof(*names), compare);
    *ret_count = count;
    return names;
}

static void add_comma(lua_State *L)
{
    const struct text *out = &script_of(L)->out;

    if (out->ptr[out->len - 1] != '{' && out->ptr[out->len - 1] != '[')
        add(L, TR_STR(","));
}

static void write_names(lua_State *L, int idx, bool from_document, size_t room, int depth)
{
    size_t count;
    tr_str *names = push_names(L, idx, from_document, room, &count);

    for (size_t i = 0; i < count; i++) {
        add_comma(L);
        add_string(L, names[i]);
        add(L, TR_STR(":"));
        lua_pushlstring(L, names[i].ptr, names[i].len);
        lua_rawget(L, idx);
        (void)write_at(L, lua_gettop(L), tr_str_n(NULL, 0), depth);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* ---- objects of a document ---- */

/* The last of several members of a name is the one that counts. */
static const struct member *last_of(const struct node *node, const struct member *member)
{
    while (member->next >= 0)
        member = &node->members[member->next];
    return member;
}

static tr_str between(const char *from, const char *to)
{
    return tr_str_n(from, (size_t)(to - from));
}

static void add_member(lua_State *L, const struct member *member)
{
    add_comma(L);
    add(L, between(member->key.ptr - 1, member->value.ptr + member->value.len));
}

/* A member whose value is at the top; with the others of its name, if it changed none. */
static bool write_member(lua_State *L, const struct member *member, const struct member *last,
                         int depth)
{
    struct text *out = &script_of(L)->out;
    size_t begin = out->len;
    bool changed;

    add_comma(L);
    add(L, between(member->key.ptr - 1, member->value.ptr));
    changed = write_at(L, lua_gettop(L), last->value, depth);
    if (member == last)
        return changed;
    out->len = begin;
    if (!changed)
        add_member(L, member);
    return changed;
}

static bool write_members(lua_State *L, int idx, const struct node *node, int depth,
                          size_t *ret_found)
{
    bool changed = false;

    for (uint32_t i = 0; i < node->count; i++) {
        const struct member *member = &node->members[i], *last = last_of(node, member);

        if (!last->seen) {
            add_member(L, member);
            continue;
        }
        value_push_string(L, member->key);
        lua_rawget(L, idx);
        if (lua_isnil(L, -1)) {
            changed = true;
        } else {
            changed |= write_member(L, member, last, depth);
            *ret_found += member == last;
        }
        lua_pop(L, 1);
    }
    return changed;
}

static bool write_object(lua_State *L, int idx, struct node *node, int depth)
{
    struct text *out = &script_of(L)->out;
    size_t begin = out->len, keys = count_keys(L, idx), found = 0;
    bool changed;

    if (!node->opened && keys == 0) {
        add(L, node->raw);
        return false;
    }
    node = document_members(L, idx);
    add(L, TR_STR("{"));
    changed = write_members(L, idx, node, depth, &found);
    if (keys > found) {
        write_names(L, idx, true, keys, depth);
        changed = true;
    }
    add(L, TR_STR("}"));
    if (!changed) {
        out->len = begin;
        add(L, node->raw);
    }
    return changed;
}

/* ---- arrays ---- */

/* How long it is; an error if it has holes or names. */
static int array_length(lua_State *L, int idx)
{
    size_t length = lua_objlen(L, idx), keys = 0;

    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1), keys++)
        if (lua_type(L, -2) != LUA_TNUMBER)
            luaL_error(L, "an array has a member that is named, not numbered");
    if (keys != length)
        luaL_error(L, "an array has a hole; put null there, or use table.remove()");
    return (int)length;
}

/* `raw` is empty or the array that it was. */
static bool write_array(lua_State *L, int idx, tr_str raw, int depth)
{
    struct text *out = &script_of(L)->out;
    size_t begin = out->len;
    int length = array_length(L, idx);
    tr_scan scan;
    tr_str key, value;
    bool scanning = raw.len > 0 && tr_scan_open(&scan, raw, '['), changed = !scanning;

    add(L, TR_STR("["));
    for (int i = 1; i <= length; i++) {
        value = tr_str_n(NULL, 0);
        scanning = scanning && tr_scan_next(&scan, &key, &value) == 1;
        add_comma(L);
        lua_rawgeti(L, idx, i);
        changed |= write_at(L, lua_gettop(L), value, depth);
        lua_pop(L, 1);
        if ((i & 255) == 0)
            limits_look(L);
    }
    add(L, TR_STR("]"));
    changed |= scanning && tr_scan_next(&scan, &key, &value) == 1;
    if (!changed) {
        out->len = begin;
        add(L, raw);
    }
    return changed;
}

/* ---- tables ---- */

static void write_own(lua_State *L, int idx, int depth)
{
    if (document_is_array(L, idx) || lua_objlen(L, idx) > 0) {
        (void)write_array(L, idx, tr_str_n(NULL, 0), depth);
        return;
    }
    add(L, TR_STR("{"));
    write_names(L, idx, false, count_keys(L, idx), depth);
    add(L, TR_STR("}"));
}

static bool write_table(lua_State *L, int idx, tr_str raw, int depth)
{
    struct node *node = document_node(L, idx);
    tr_str from;
    bool changed;

    limits_look(L);
    luaL_checkstack(L, 10, "a value of many levels");
    if (depth > DEPTH_MAX)
        luaL_error(L, "a value is deeper than %d levels, or holds itself", DEPTH_MAX);
    if (!node) {
        write_own(L, idx, depth + 1);
        return true;
    }
    from = node->raw;
    changed = node->is_array ? write_array(L, idx, from, depth + 1)
                             : write_object(L, idx, node, depth + 1);
    return changed || from.ptr != raw.ptr;
}

static bool write_at(lua_State *L, int idx, tr_str raw, int depth)
{
    return lua_istable(L, idx) ? write_table(L, idx, raw, depth) : write_scalar(L, idx, raw);
}

bool write_value(lua_State *L, int idx, tr_str raw)
{
    script_of(L)->out.len = 0;
    return write_at(L, idx, raw, 0);
}
