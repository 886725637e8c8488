/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents as tables. The table of an object is empty until a member is asked for; then that
 * member alone is read, and stays in the table. So what a script does not look at costs nothing
 * and loses nothing. A member that was read and is not in the table any more was taken out.
 *
 * What a table was read from is its node, kept in a table beside it, the shadow, until the
 * change is done: the bytes are the host's. Arrays are read as a whole, since # and
 * table.insert ask no metatable. On the instance's worker.
 */
#include "script.h"

#include <tailrace/scan.h>

void document_forget(lua_State *L)
{
    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_SHADOW);
}

/* ---- nodes ---- */

/* Pushes the userdata of a table's node, or nil. */
static struct node *push_node(lua_State *L, int idx)
{
    lua_pushvalue(L, idx);
    lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_SHADOW);
    lua_insert(L, -2);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    return lua_touserdata(L, -1);
}

/* The node is the userdata at the top, which is popped. */
static void set_node(lua_State *L, int idx)
{
    lua_pushvalue(L, idx);
    lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_SHADOW);
    lua_insert(L, -3);
    lua_insert(L, -2);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static struct node *new_node(lua_State *L, tr_str raw, uint32_t count)
{
    size_t size = sizeof(struct node) + count * sizeof(struct member);
    struct node *node = lua_newuserdata(L, size);

    memset(node, 0, size);
    node->raw = raw;
    node->count = count;
    return node;
}

struct node *document_node(lua_State *L, int idx)
{
    struct node *node = push_node(L, idx);

    lua_pop(L, 1);
    return node;
}

/* ---- members ---- */

static uint32_t count_members(lua_State *L, tr_str raw)
{
    tr_scan scan;
    tr_str key, value;
    uint32_t count = 0;
    int rc = -1;

    if (tr_scan_open(&scan, raw, '{'))
        while ((rc = tr_scan_next(&scan, &key, &value)) == 1)
            count++;
    if (rc != 0)
        luaL_error(L, "the document is not a JSON object");
    return count;
}

/* Fills in the members, and the table at the top: name -> the place of the last one. */
static void read_members(lua_State *L, struct node *node)
{
    tr_scan scan;

    (void)tr_scan_open(&scan, node->raw, '{');
    for (uint32_t i = 0; i < node->count; i++) {
        struct member *member = &node->members[i];

        (void)tr_scan_next(&scan, &member->key, &member->value);
        member->next = -1;
        value_push_string(L, member->key);
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        if (!lua_isnil(L, -1))
            node->members[lua_tointeger(L, -1)].next = (int32_t)i;
        lua_pop(L, 1);
        lua_pushinteger(L, (lua_Integer)i);
        lua_rawset(L, -3);
        if ((i & 255) == 255)
            limits_look(L);
    }
}

/* Pushes the node's userdata, whose environment has its members by name. */
static struct node *push_members(lua_State *L, int idx)
{
    struct node *node = push_node(L, idx);

    if (!node)
        luaL_error(L,
                   "the change of this document is done, and what was not read then is gone; "
                   "keep json.copy(doc) in place of it");
    if (node->opened || node->is_array)
        return node;
    node = new_node(L, node->raw, count_members(L, node->raw));
    node->opened = true;
    lua_remove(L, -2);
    lua_createtable(L, 0, (int)node->count);
    read_members(L, node);
    lua_setfenv(L, -2);
    lua_pushvalue(L, -1);
    set_node(L, idx);
    return node;
}

struct node *document_members(lua_State *L, int idx)
{
    struct node *node = push_members(L, idx);

    lua_pop(L, 1);
    return node;
}

/* The member whose name is at `key`, or NULL. */
static struct member *find(lua_State *L, int idx, int key)
{
    struct node *node = push_members(L, idx);
    struct member *found = NULL;

    lua_getfenv(L, -1);
    lua_pushvalue(L, key);
    lua_rawget(L, -2);
    if (!lua_isnil(L, -1))
        found = &node->members[lua_tointeger(L, -1)];
    lua_pop(L, 3);
    return found;
}

bool document_has(lua_State *L, int idx)
{
    return find(L, idx, lua_gettop(L)) != NULL;
}

/* ---- the table of an object ---- */

/* Asked only for keys that are not in the table. */
static int object_index(lua_State *L)
{
    struct member *member = lua_type(L, 2) == LUA_TSTRING ? find(L, 1, 2) : NULL;

    if (!member || member->seen)
        return 0;
    value_push(L, member->value);
    member->seen = true;
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
}

static int object_newindex(lua_State *L)
{
    struct member *member;

    if (lua_type(L, 2) != LUA_TSTRING)
        luaL_error(L, "a member of an object is named by a string, not by a %s",
                   luaL_typename(L, 2));
    member = find(L, 1, 2);
    if (member)
        member->seen = true;
    lua_rawset(L, 1);
    return 0;
}

void document_fill(lua_State *L, int idx)
{
    struct node *node = document_node(L, idx);

    if (!node || node->is_array)
        return;
    luaL_checkstack(L, 8, "a document of many levels");
    node = document_members(L, idx);
    for (uint32_t i = 0; i < node->count; i++) {
        struct member *member = &node->members[i];

        if (member->seen || member->next >= 0)
            continue;
        lua_pushvalue(L, idx);
        value_push_string(L, member->key);
        value_push(L, member->value);
        lua_rawset(L, -3);
        lua_pop(L, 1);
        member->seen = true;
        if ((i & 255) == 255)
            limits_look(L);
    }
}

void document_push(lua_State *L, tr_str raw)
{
    lua_newtable(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_OBJECT);
    lua_setmetatable(L, -2);
    (void)new_node(L, raw, 0);
    set_node(L, lua_gettop(L) - 1);
}

/* ---- the table of an array ---- */

void document_remember_array(lua_State *L, tr_str raw)
{
    new_node(L, raw, 0)->is_array = true;
    set_node(L, lua_gettop(L) - 1);
}

void document_set_array(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_ARRAY);
    lua_setmetatable(L, -2);
}

bool document_is_array(lua_State *L, int idx)
{
    bool is_array;

    if (!lua_getmetatable(L, idx))
        return false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_ARRAY);
    is_array = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is_array;
}

void document_open(lua_State *L)
{
    document_forget(L);
    lua_newtable(L);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_ARRAY);
    lua_newtable(L);
    lua_pushcfunction(L, object_index);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, object_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_OBJECT);
}
