/* SPDX-License-Identifier: Apache-2.0 */
/*
 * string.find, match, gmatch and gsub, as Lua has them, on pattern.c. LuaJIT's own look at no
 * clock, and a gsub within the function of a gsub, and so on, overflows the stack of C. On the
 * instance's worker.
 */
#include "script.h"

static tr_str check_string(lua_State *L, int idx)
{
    tr_str string;

    string.ptr = luaL_checklstring(L, idx, &string.len);
    return string;
}

static void begin(struct match *match, lua_State *L, tr_str subject, tr_str pattern)
{
    match->L = L;
    match->begin = subject.ptr;
    match->end = subject.ptr + subject.len;
    match->pattern = pattern.ptr;
    match->pattern_end = pattern.ptr + pattern.len;
    match->steps = 0;
}

/* Takes the ^ off. */
static bool take_anchor(struct match *match)
{
    if (match->pattern == match->pattern_end || *match->pattern != '^')
        return false;
    match->pattern++;
    return true;
}

/* The capture number `i`; without captures, number 0 is all that matched. */
static void push_capture(struct match *m, int i, const char *from, const char *to)
{
    if (i >= m->count) {
        if (i != 0)
            luaL_error(m->L, "invalid capture index");
        lua_pushlstring(m->L, from, (size_t)(to - from));
    } else if (m->captures[i].len == CAPTURE_PLACE) {
        lua_pushinteger(m->L, m->captures[i].at - m->begin + 1);
    } else if (m->captures[i].len == CAPTURE_OPEN) {
        luaL_error(m->L, "unfinished capture");
    } else {
        lua_pushlstring(m->L, m->captures[i].at, (size_t)m->captures[i].len);
    }
}

/* All captures; `whole`: what matched if there is none. How many were pushed. */
static int push_captures(struct match *m, bool whole, const char *from, const char *to)
{
    int count = m->count == 0 && whole ? 1 : m->count;

    luaL_checkstack(m->L, count, "too many captures");
    for (int i = 0; i < count; i++)
        push_capture(m, i, from, to);
    return count;
}

/* ---- find, match ---- */

static size_t check_start(lua_State *L, int idx, size_t len)
{
    lua_Integer start = luaL_optinteger(L, idx, 1);

    if (start < 0)
        start += (lua_Integer)len + 1;
    if (start < 1)
        start = 1;
    return (size_t)start - 1 < len ? (size_t)start - 1 : len;
}

static int find_plain(lua_State *L, tr_str subject, tr_str wanted, size_t start)
{
    const char *found = memmem(subject.ptr + start, subject.len - start, wanted.ptr,
                               wanted.len);

    if (!found) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, found - subject.ptr + 1);
    lua_pushinteger(L, found - subject.ptr + (ptrdiff_t)wanted.len);
    return 2;
}

static bool is_plain(tr_str pattern)
{
    for (size_t i = 0; i < pattern.len; i++)
        if (pattern.ptr[i] != '\0' && strchr("^$*+?.([%-", pattern.ptr[i]))
            return false;
    return true;
}

static int find(lua_State *L, bool places)
{
    tr_str subject = check_string(L, 1), pattern = check_string(L, 2);
    size_t start = check_start(L, 3, subject.len);
    struct match match;
    bool anchored;

    if (places && (lua_toboolean(L, 4) || is_plain(pattern)))
        return find_plain(L, subject, pattern, start);
    begin(&match, L, subject, pattern);
    anchored = take_anchor(&match);
    for (const char *at = subject.ptr + start; at <= match.end; at++) {
        const char *end = pattern_match(&match, at);

        if (end && !places)
            return push_captures(&match, true, at, end);
        if (end) {
            lua_pushinteger(L, at - subject.ptr + 1);
            lua_pushinteger(L, end - subject.ptr);
            return 2 + push_captures(&match, false, at, end);
        }
        if (anchored)
            break;
    }
    lua_pushnil(L);
    return 1;
}

static int string_find(lua_State *L)
{
    return find(L, true);
}

static int string_match(lua_State *L)
{
    return find(L, false);
}

/* ---- gmatch ---- */

/* Its upvalues: subject, pattern, where to go on. */
static int gmatch_next(lua_State *L)
{
    tr_str subject = check_string(L, lua_upvalueindex(1));
    struct match match;

    begin(&match, L, subject, check_string(L, lua_upvalueindex(2)));
    for (const char *at = subject.ptr + lua_tointeger(L, lua_upvalueindex(3)); at <= match.end;
         at++) {
        const char *end = pattern_match(&match, at);

        if (!end)
            continue;
        lua_pushinteger(L, end - subject.ptr + (end == at));
        lua_replace(L, lua_upvalueindex(3));
        return push_captures(&match, true, at, end);
    }
    return 0;
}

static int string_gmatch(lua_State *L)
{
    (void)check_string(L, 1);
    (void)check_string(L, 2);
    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, gmatch_next, 3);
    return 1;
}

/* ---- gsub ---- */

static void add_replacement_text(struct match *m, luaL_Buffer *out, const char *from,
                                 const char *to)
{
    tr_str text = check_string(m->L, 3);

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c != '%') {
            luaL_addchar(out, c);
            continue;
        }
        c = ++i < text.len ? text.ptr[i] : '\0';
        if (c < '0' || c > '9') {
            luaL_addchar(out, c);
        } else if (c == '0') {
            luaL_addlstring(out, from, (size_t)(to - from));
        } else {
            push_capture(m, c - '1', from, to);
            luaL_addvalue(out);
        }
    }
}

/* What takes the place of a match. */
static void add_replacement(struct match *m, luaL_Buffer *out, const char *from, const char *to)
{
    lua_State *L = m->L;

    switch (lua_type(L, 3)) {
    case LUA_TFUNCTION:
        limits_look(L);
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(m, true, from, to), 1);
        break;
    case LUA_TTABLE:
        limits_look(L);
        push_capture(m, 0, from, to);
        lua_gettable(L, 3);
        break;
    default: add_replacement_text(m, out, from, to); return;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(out, from, (size_t)(to - from));
        return;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    luaL_addvalue(out);
}

static int string_gsub(lua_State *L)
{
    tr_str subject = check_string(L, 1);
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)subject.len + 1), count = 0;
    const char *at = subject.ptr;
    struct match match;
    luaL_Buffer out;
    bool anchored;

    luaL_argcheck(L, lua_isstring(L, 3) || lua_istable(L, 3) || lua_isfunction(L, 3), 3,
                  "string/function/table expected");
    lua_settop(L, 3);
    begin(&match, L, subject, check_string(L, 2));
    anchored = take_anchor(&match);
    luaL_buffinit(L, &out);
    while (count < most) {
        const char *end = pattern_match(&match, at);

        if (end) {
            count++;
            add_replacement(&match, &out, at, end);
        }
        if (end && end > at)
            at = end;
        else if (at < match.end)
            luaL_addchar(&out, *at++);
        else
            break;
        if (anchored)
            break;
    }
    luaL_addlstring(&out, at, (size_t)(match.end - at));
    luaL_pushresult(&out);
    lua_pushinteger(L, count);
    return 2;
}

void strings_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"find", string_find},
                                         {"match", string_match},
                                         {"gmatch", string_gmatch},
                                         {"gsub", string_gsub},
                                         {NULL, NULL}};

    luaL_register(L, NULL, functions);
}
