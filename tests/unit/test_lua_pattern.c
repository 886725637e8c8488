/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The patterns of the plugin lua against those of LuaJIT: random subjects, random patterns, and
 * both say the same, errors included.
 */
#include "test_lua_lib.h"

#include <lualib.h>

/* `own` has our functions; each is called beside Lua's. */
static const char script[] =
    "local function pick(list) return list[math.random(#list)] end\n"
    "local atoms = {'a', 'b', '.', '%a', '%d', '%s', '%w', '%W', '%p', '%x', '%u', '%l', "
    "'%c',\n"
    "  '%z', '%g', '[ab]', '[^a]', '[a-c1]', '[%d_]', '[]]', '[^]]', '[%]]', '[a-]', '%b()',\n"
    "  '%b\"\"', '%f[%w]', '%f[^a]', '%1', '%2', '(a', ')', '()', '(.', '%%', '%.', '^', '$',\n"
    "  '\\255', '[', '%', '[a', '%f', '%b(', '[^', '-', '*', '?', '+', '[%', '1', ' '}\n"
    "local marks = {'', '', '', '*', '+', '-', '?'}\n"
    "local chars = {'a', 'b', 'c', '1', ' ', '(', ')', ']', '-', '_', '.', '\"', '\\0', "
    "'\\255',\n"
    "  'A', 'a', 'b', 'ab'}\n"
    "local function make(list, most, marked)\n"
    "  local t = {}\n"
    "  for i = 1, math.random(0, most) do t[i] = pick(list) .. (marked and pick(marks) or '') "
    "end\n"
    "  return table.concat(t)\n"
    "end\n"
    "local function show(...)\n"
    "  local t = {}\n"
    "  for i = 1, select('#', ...) do t[i] = tostring((select(i, ...))) end\n"
    "  return table.concat(t, '|'):gsub('^[^|]*:%d+: ', '')\n"
    "end\n"
    "local function all(name, f, s, p, init)\n"
    "  if name == 'gmatch' then\n"
    "    local t = {}\n"
    "    for a, b in f(s, p) do t[#t + 1] = tostring(a) .. ':' .. tostring(b) end\n"
    "    return table.concat(t, ';')\n"
    "  end\n"
    "  if name == 'gsub' then\n"
    "    local r = pick{'<%0>', '%1', '', '%%', {a = 1, ab = 'x'}, string.upper}\n"
    "    last = last or r\n"
    "    return f(s, p, last, init > 2 and init or nil)\n"
    "  end\n"
    "  return f(s, p, init, name == 'find' and init == 3)\n"
    "end\n"
    "for round = 1, 60000 do\n"
    "  math.randomseed(round)\n"
    "  local s, p, init = make(chars, 12), make(atoms, 4, true), math.random(-4, 14)\n"
    "  if round % 3 == 0 then p = '^' .. p end\n"
    "  for _, name in ipairs{'find', 'match', 'gmatch', 'gsub'} do\n"
    "    last = nil\n"
    "    local theirs = show(pcall(all, name, string[name], s, p, init))\n"
    "    local ours = show(pcall(all, name, own[name], s, p, init))\n"
    "    if ours ~= theirs then\n"
    "      error(('round %d, %s(%q, %q, %d): %s, but Lua: %s'):format(round, name, s, p, "
    "init,\n"
    "            ours, theirs))\n"
    "    end\n"
    "  end\n"
    "end\n";

static int compare_all(lua_State *L)
{
    luaL_openlibs(L);
    lua_newtable(L);
    strings_open(L);
    lua_setglobal(L, "own");
    if (luaL_loadstring(L, script) != 0)
        return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

static void our_patterns_match_what_those_of_lua_match(void **state)
{
    struct script host = {.limits = {.time_ms = 600000, .memory = 1u << 30}};
    char words[WORDS_MAX];

    (void)state;
    host.L = lua_newstate(limits_realloc, &host);
    assert_non_null(host.L);
    if (script_enter(&host, compare_all, NULL, words) != ENTERED_WELL)
        fail_msg("%s", words);
    lua_close(host.L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_patterns_match_what_those_of_lua_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
