/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON to Lua: strings, numbers, true and false are Lua's own, null is a value by this name, an
 * array is a table, an object a table of document.c.
 *
 * Lua's numbers are doubles. An integer beyond 2^53 would lose digits as one of them, and so it
 * is a value of its own kind, which has its digits as its text, can be compared and put
 * somewhere else, and refuses arithmetic. On the instance's worker.
 */
#include "script.h"

#include <tailrace/scan.h>

#include <math.h>

/* ---- strings ---- */

void value_push_string(lua_State *L, tr_str inner)
{
    struct script *script = script_of(L);
    struct text *decoded = &script->decoded;
    size_t len = 0;

    if (!memchr(inner.ptr, '\\', inner.len)) {
        lua_pushlstring(L, inner.ptr, inner.len);
        return;
    }
    decoded->len = 0;
    (void)text_reserve(L, decoded, inner.len);
    if (script->json->decode(tr_str_n(inner.ptr - 1, inner.len + 2), decoded->ptr, decoded->cap,
                             &len) != TR_OK)
        luaL_error(L, "the document holds a string that is not JSON");
    lua_pushlstring(L, decoded->ptr, len);
}

/* ---- numbers ---- */

tr_str value_exact(lua_State *L, int idx)
{
    tr_str digits = {0};

    if (lua_type(L, idx) != LUA_TUSERDATA || !lua_getmetatable(L, idx))
        return digits;
    lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_EXACT);
    if (lua_rawequal(L, -1, -2))
        digits = tr_str_n(lua_touserdata(L, idx), lua_objlen(L, idx));
    lua_pop(L, 2);
    return digits;
}

static void push_exact(lua_State *L, tr_str raw)
{
    memcpy(lua_newuserdata(L, raw.len), raw.ptr, raw.len);
    lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_EXACT);
    lua_setmetatable(L, -2);
}

static bool is_integer(tr_str raw)
{
    for (size_t i = 0; i < raw.len; i++)
        if (raw.ptr[i] == '.' || raw.ptr[i] == 'e' || raw.ptr[i] == 'E')
            return false;
    return true;
}

static void push_number(lua_State *L, tr_str raw)
{
    double number;

    /* Lua reads the text: it asks no locale. What is longer than any double is not interned. */
    lua_pushlstring(L, raw.ptr, raw.len);
    if (!lua_isnumber(L, -1))
        luaL_error(L, "the document holds a number that is not JSON");
    number = lua_tonumber(L, -1);
    lua_pop(L, 1);
    if (isfinite(number) && (!is_integer(raw) || fabs(number) < 9007199254740992.0))
        lua_pushnumber(L, number);
    else
        push_exact(L, raw);
}

static int exact_tostring(lua_State *L)
{
    tr_str digits = value_exact(L, 1);

    lua_pushlstring(L, digits.ptr ? digits.ptr : "", digits.len);
    return 1;
}

static int exact_equal(lua_State *L)
{
    lua_pushboolean(L, tr_str_eq(value_exact(L, 1), value_exact(L, 2)));
    return 1;
}

static int exact_refuse(lua_State *L)
{
    tr_str digits = value_exact(L, value_exact(L, 1).ptr ? 1 : 2);

    lua_pushlstring(L, digits.ptr, digits.len);
    return luaL_error(L,
                      "%s has more digits than a number of Lua holds; tonumber() rounds it, "
                      "tostring() gives its digits",
                      lua_tostring(L, -1));
}

/* ---- null ---- */

bool value_is_null(lua_State *L, int idx)
{
    bool same;

    lua_pushvalue(L, idx);
    lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_NULL);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static int null_tostring(lua_State *L)
{
    lua_pushliteral(L, "null");
    return 1;
}

/* ---- arrays ---- */

static void push(lua_State *L, tr_str raw, int depth);

static void push_array(lua_State *L, tr_str raw, int depth)
{
    tr_scan scan;
    tr_str key, value;
    int i = 0, rc = -1;

    if (depth == DEPTH_MAX)
        luaL_error(L, "the document has arrays deeper than %d levels", DEPTH_MAX);
    luaL_checkstack(L, 8, "a document of many levels");
    limits_look(L);
    lua_newtable(L);
    document_set_array(L);
    if (tr_scan_open(&scan, raw, '['))
        while ((rc = tr_scan_next(&scan, &key, &value)) == 1) {
            push(L, value, depth + 1);
            lua_rawseti(L, -2, ++i);
            if ((i & 255) == 0)
                limits_look(L);
        }
    if (rc != 0)
        luaL_error(L, "the document holds an array that is not JSON");
    document_remember_array(L, raw);
}

/* ---- any of them ---- */

static void push(lua_State *L, tr_str raw, int depth)
{
    switch (raw.len > 0 ? raw.ptr[0] : '\0') {
    case '"': value_push_string(L, tr_str_n(raw.ptr + 1, raw.len - 2)); break;
    case '{': document_push(L, raw); break;
    case '[': push_array(L, raw, depth); break;
    case 't': lua_pushboolean(L, 1); break;
    case 'f': lua_pushboolean(L, 0); break;
    case 'n': lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_NULL); break;
    default: push_number(L, raw);
    }
}

void value_push(lua_State *L, tr_str raw)
{
    push(L, raw, 0);
}

static void new_kind(lua_State *L, lua_CFunction tostring)
{
    lua_newtable(L);
    lua_pushcfunction(L, tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
}

void value_open(lua_State *L)
{
    static const char *const refused[] = {"__add", "__sub", "__mul", "__div", "__mod",
                                          "__pow", "__unm", "__lt",  "__le",  "__concat"};

    lua_newuserdata(L, 1);
    new_kind(L, null_tostring);
    lua_setmetatable(L, -2);
    lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_NULL);
    new_kind(L, exact_tostring);
    lua_pushcfunction(L, exact_equal);
    lua_setfield(L, -2, "__eq");
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        lua_pushcfunction(L, exact_refuse);
        lua_setfield(L, -2, refused[i]);
    }
    lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_EXACT);
}
