/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a script finds: a table of globals that has what is named here and nothing else.
 *
 * Left out of both kinds: what could end or stall the process. xpcall calls its handler with
 * hooks off, so that no limit ends it; coroutines that resume each other overflow the stack of
 * C; bytecode and ffi read any memory; os.exit() is an exit. On the instance's worker.
 */
#include "script.h"

#include <lualib.h>

/* ---- functions in place of Lua's own, which know neither documents nor limits ---- */

static int base_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (lua_isnil(L, 2))
        document_fill(L, 1);
    return lua_next(L, 1) ? 2 : (lua_pushnil(L), 1);
}

/* Its upvalue is Lua's next. */
static int base_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    document_fill(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* Lua's own lets a script catch the error of a limit, and try again for ever. It also catches
 * that of a full stack so close to its end that no hook can be called there any more. */
static int base_pcall(lua_State *L)
{
    bool well;

    luaL_checkany(L, 1);
    limits_look(L);
    well = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0) == 0;
    limits_look(L);
    luaL_checkstack(L, 1, "too many results");
    lua_pushboolean(L, well);
    lua_insert(L, 1);
    return lua_gettop(L);
}

/* Calls Lua's own function, the upvalue. */
static int call_own(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Its upvalue is Lua's tonumber. */
static int base_tonumber(lua_State *L)
{
    tr_str digits = lua_gettop(L) > 0 ? value_exact(L, 1) : tr_str_n(NULL, 0);

    if (digits.ptr) {
        lua_pushlstring(L, digits.ptr, digits.len);
        lua_replace(L, 1);
    }
    return call_own(L);
}

/* Lua's own insert and remove walk from the end of a table to the place that is named, be it
 * two billion steps away. */
static bool is_place(lua_State *L, int idx, size_t last)
{
    lua_Number place = luaL_checknumber(L, idx);

    return place >= 1 && place <= (lua_Number)last;
}

static int table_insert(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argcheck(L, lua_gettop(L) < 3 || is_place(L, 2, lua_objlen(L, 1) + 1), 2,
                  "is not a place from 1 to one behind the end");
    return call_own(L);
}

static int table_remove(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (!lua_isnoneornil(L, 2) && !is_place(L, 2, lua_objlen(L, 1)))
        return 0;
    return call_own(L);
}

/* ---- log ---- */

static void add_word(lua_State *L, luaL_Buffer *line, int idx)
{
    const struct text *out = &script_of(L)->out;
    size_t len;
    const char *word;

    switch (lua_type(L, idx)) {
    case LUA_TSTRING:
        word = lua_tolstring(L, idx, &len);
        luaL_addlstring(line, word, len);
        return;
    case LUA_TNIL:
    case LUA_TFUNCTION: luaL_addstring(line, luaL_typename(L, idx)); return;
    default:
        (void)write_value(L, idx, tr_str_n(NULL, 0));
        luaL_addlstring(line, out->ptr, out->len);
    }
}

/* Its upvalue is the level. Texts as they are, all else as JSON. */
static int log_line(lua_State *L)
{
    const tr_host *host = script_of(L)->host;
    int32_t level = (int32_t)lua_tointeger(L, lua_upvalueindex(1));
    int count = lua_gettop(L);
    luaL_Buffer line;
    tr_str text;

    if (level > host->log_level(host))
        return 0;
    luaL_buffinit(L, &line);
    for (int i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addchar(&line, ' ');
        add_word(L, &line, i);
    }
    luaL_pushresult(&line);
    text.ptr = lua_tolstring(L, -1, &text.len);
    host->log(host, level, text);
    return 0;
}

static void push_log(lua_State *L, int32_t level)
{
    lua_pushinteger(L, level);
    lua_pushcclosure(L, log_line, 1);
}

/* ---- choosing ---- */

/* Copies functions of the table at `from` into the one at the top. */
static void take(lua_State *L, int from, const char *const *names)
{
    for (; *names; names++) {
        lua_getfield(L, from, *names);
        lua_setfield(L, -2, *names);
    }
}

/* The table of a library that was opened; a new one with these functions of it is at the top
 * then, and in the globals at `globals`. */
static void take_library(lua_State *L, int globals, const char *name, const char *const *names)
{
    lua_newtable(L);
    lua_getfield(L, LUA_GLOBALSINDEX, name);
    lua_insert(L, -2);
    take(L, lua_gettop(L) - 1, names);
    lua_remove(L, -2);
    lua_pushvalue(L, -1);
    lua_setfield(L, globals, name);
}

static void open_library(lua_State *L, const char *name, lua_CFunction function)
{
    lua_pushcfunction(L, function);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
}

static void set_base(lua_State *L, int globals)
{
    static const char *const names[] = {
        "assert",       "error", "getmetatable", "ipairs", "select", "tostring",
        "setmetatable", "type",  "_VERSION",     "unpack", NULL};

    lua_pushvalue(L, globals);
    take(L, LUA_GLOBALSINDEX, names);
    lua_pushcfunction(L, base_next);
    lua_setfield(L, -2, "next");
    lua_pushcfunction(L, base_pcall);
    lua_setfield(L, -2, "pcall");
    lua_getfield(L, LUA_GLOBALSINDEX, "next");
    lua_pushcclosure(L, base_pairs, 1);
    lua_setfield(L, -2, "pairs");
    lua_getfield(L, LUA_GLOBALSINDEX, "tonumber");
    lua_pushcclosure(L, base_tonumber, 1);
    lua_setfield(L, -2, "tonumber");
    push_log(L, TR_LOG_INFO);
    lua_setfield(L, -2, "print");
    lua_pushvalue(L, globals);
    lua_setfield(L, -2, "_G");
    lua_pop(L, 1);
}

static void set_string(lua_State *L, int globals)
{
    static const char *const names[] = {"byte", "char",    "format", "len",   "lower",
                                        "rep",  "reverse", "sub",    "upper", NULL};

    take_library(L, globals, "string", names);
    strings_open(L);
    /* What ("x"):upper() asks. */
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 3);
}

static void set_table(lua_State *L, int globals)
{
    static const char *const names[] = {"concat", "maxn", "sort", NULL};

    take_library(L, globals, "table", names);
    lua_getfield(L, LUA_GLOBALSINDEX, "table");
    lua_getfield(L, -1, "insert");
    lua_pushcclosure(L, table_insert, 1);
    lua_setfield(L, -3, "insert");
    lua_getfield(L, -1, "remove");
    lua_pushcclosure(L, table_remove, 1);
    lua_setfield(L, -3, "remove");
    lua_pop(L, 2);
}

static void set_own(lua_State *L, int globals)
{
    static const struct {
        const char *name;
        int32_t level;
    } levels[] = {{"debug", TR_LOG_DEBUG},
                  {"info", TR_LOG_INFO},
                  {"notice", TR_LOG_NOTICE},
                  {"warning", TR_LOG_WARNING},
                  {"error", TR_LOG_ERROR}};

    lua_newtable(L);
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        push_log(L, levels[i].level);
        lua_setfield(L, -2, levels[i].name);
    }
    lua_setfield(L, globals, "log");
    json_open(L);
    lua_setfield(L, globals, "json");
    lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_NULL);
    lua_setfield(L, globals, "null");
}

/* ---- libraries = "all" ---- */

/* require() looks for files of Lua alone, and finds no library that is left out. */
static void set_package(lua_State *L, int globals)
{
    static const char *const names[] = {"require", "dofile", "loadfile", NULL};
    static const char *const loaded[] = {"_G", "string", "table",   "math", "bit",
                                         "os", "io",     "package", NULL};

    open_library(L, LUA_LOADLIBNAME, luaopen_package);
    lua_getfield(L, LUA_GLOBALSINDEX, "package");
    lua_pushnil(L);
    lua_setfield(L, -2, "loadlib");
    lua_getfield(L, -1, "loaders");
    for (int i = (int)lua_objlen(L, -1); i > 2; i--) {
        lua_pushnil(L);
        lua_rawseti(L, -2, i);
    }
    lua_pop(L, 1);
    lua_setfield(L, globals, "package");
    lua_pushvalue(L, globals);
    take(L, LUA_GLOBALSINDEX, names);
    lua_pop(L, 1);
    lua_newtable(L);
    for (const char *const *name = loaded; *name; name++) {
        lua_getfield(L, globals, *name);
        lua_setfield(L, -2, *name);
    }
    lua_getfield(L, globals, "package");
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "loaded");
    lua_pop(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "_LOADED");
}

static void set_all(lua_State *L, int globals)
{
    static const char *const names[] = {"clock",  "date",   "difftime", "execute", "getenv",
                                        "remove", "rename", "time",     "tmpname", NULL};

    open_library(L, LUA_IOLIBNAME, luaopen_io);
    lua_getfield(L, LUA_GLOBALSINDEX, "io");
    lua_setfield(L, globals, "io");
    take_library(L, globals, "os", names);
    lua_pop(L, 1);
    set_package(L, globals);
}

void library_open(lua_State *L, int32_t libraries)
{
    static const char *const times[] = {"clock", "date", "difftime", "time", NULL};
    int globals;

    open_library(L, "", luaopen_base);
    open_library(L, LUA_STRLIBNAME, luaopen_string);
    open_library(L, LUA_TABLIBNAME, luaopen_table);
    open_library(L, LUA_MATHLIBNAME, luaopen_math);
    open_library(L, LUA_BITLIBNAME, luaopen_bit);
    open_library(L, LUA_OSLIBNAME, luaopen_os);
    lua_newtable(L);
    globals = lua_gettop(L);
    set_base(L, globals);
    set_own(L, globals);
    set_string(L, globals);
    set_table(L, globals);
    take_library(L, globals, "os", times);
    lua_settop(L, globals);
    lua_getfield(L, LUA_GLOBALSINDEX, "math");
    lua_setfield(L, globals, "math");
    lua_getfield(L, LUA_GLOBALSINDEX, "bit");
    lua_setfield(L, globals, "bit");
    if (libraries == LIBRARIES_ALL)
        set_all(L, globals);
    lua_replace(L, LUA_GLOBALSINDEX);
}
