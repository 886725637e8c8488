/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table `json` of scripts: encode, decode, copy, array, type. On the instance's worker.
 */
#include "script.h"

static int json_encode(lua_State *L)
{
    struct text *out = &script_of(L)->out;

    luaL_checkany(L, 1);
    (void)write_value(L, 1, tr_str_n(NULL, 0));
    lua_pushlstring(L, out->ptr, out->len);
    return 1;
}

/* Pushes a copy of the value that is read to its end and stays. */
static void copy(lua_State *L, int idx, int depth)
{
    if (!lua_istable(L, idx)) {
        lua_pushvalue(L, idx);
        return;
    }
    luaL_checkstack(L, 8, "a value of many levels");
    limits_look(L);
    if (depth > DEPTH_MAX)
        luaL_error(L, "a value is deeper than %d levels, or holds itself", DEPTH_MAX);
    document_fill(L, idx);
    lua_newtable(L);
    if (document_is_array(L, idx))
        document_set_array(L);
    for (lua_pushnil(L); lua_next(L, idx);) {
        lua_pushvalue(L, -2);
        copy(L, lua_gettop(L) - 1, depth + 1);
        lua_rawset(L, -5);
        lua_pop(L, 1);
    }
}

static int json_copy(lua_State *L)
{
    luaL_checkany(L, 1);
    copy(L, 1, 0);
    return 1;
}

static tr_str trim(tr_str text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.ptr[0]) && text.ptr[0])
        text = tr_str_n(text.ptr + 1, text.len - 1);
    while (text.len > 0 && strchr(" \t\r\n", text.ptr[text.len - 1]) && text.ptr[text.len - 1])
        text.len--;
    return text;
}

static int json_decode(lua_State *L)
{
    const struct script *script = script_of(L);
    char words[WORDS_MAX] = "it is not one value";
    tr_error error = {.size = sizeof(error), .cap = sizeof(words), .buf = words};
    tr_json_value *tree = NULL;
    tr_str text;

    text.ptr = luaL_checklstring(L, 1, &text.len);
    /* The host knows JSON to the letter, and says where it is none. */
    if (script->json->parse(text, &tree, &error) != TR_OK)
        luaL_error(L, "not JSON: %s", words);
    script->json->free(tree);
    value_push(L, trim(text));
    copy(L, lua_gettop(L), 0);
    return 1;
}

static int json_array(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_getmetatable(L, 1)) {
        lua_pop(L, 1);
        luaL_argcheck(L, document_is_array(L, 1), 1, "it has a metatable, or is an object");
    } else {
        document_set_array(L);
    }
    return 1;
}

static int json_type(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_istable(L, 1))
        lua_pushstring(L, document_is_array(L, 1) || lua_objlen(L, 1) > 0 ? "array" : "object");
    else if (value_is_null(L, 1))
        lua_pushliteral(L, "null");
    else if (value_exact(L, 1).ptr)
        lua_pushliteral(L, "number");
    else
        lua_pushstring(L, luaL_typename(L, 1));
    return 1;
}

void json_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"encode", json_encode}, {"decode", json_decode},
                                         {"copy", json_copy},     {"array", json_array},
                                         {"type", json_type},     {NULL, NULL}};

    lua_newtable(L);
    luaL_register(L, NULL, functions);
    lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_NULL);
    lua_setfield(L, -2, "null");
}
