/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin lua with scripts that mean ill: each is ended by a limit or an error, costs its
 * change alone, and finds nothing that leads out of its sandbox.
 */
#include "test_lua_lib.h"

static const char *const bombs[] = {
    /* time */
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "local function f() while true do pcall(f) end end f()",
    "local function f() pcall(f) pcall(f) end while true do f() end",
    "while true do pcall(error, {}) end",
    "while true do pcall(pcall, pcall, error) end",
    "local t = setmetatable({}, {__index = function(t, k) return k end}) while t.x do end",
    "repeat table.sort({3, 2, 1}, function() return true end) until false",
    "for i = 1, math.huge do local s = ('x'):rep(1e6) end",
    "local function f() return f() end f()",
    "('a'):rep(1e5):find('.-.-.-.-.-b')",
    "('a'):rep(1e5):match('(.*)(.*)(.*)(.*)b')",
    "('a'):rep(1e5):gsub('a*a*a*a*a*b', '')",
    "for x in ('a'):rep(1e5):gmatch('.-.-.-.-b') do end",
    "('('):rep(3e5):find('%b()%b()')  while true do ('('):rep(3e5):find('.-%b()') end",
    "table.insert({}, 2^53, 1)",
    "table.insert({}, -2^31, 1)",
    "repeat table.remove({}, -2^53) until false",
    "repeat select(-1, unpack({}, 1, 7000)) until false",
    "repeat until string.find(('a'):rep(1e6), ('a'):rep(5e5) .. 'b', 1, true)",
    /* memory */
    "return ('x'):rep(1e9)",
    "while true do pcall(function() return ('x'):rep(1e9) end) end",
    "pcall(function() return ('x'):rep(1e9) end) return doc",
    "local t = {} while true do t[#t + 1] = {} end",
    "local t = {} for i = 1, 1e9 do t[i] = i end",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} while true do pcall(function() while true do t[#t + 1] = {t} end end) end",
    "local t = {} for i = 1, 60 do t = {t, t} end doc.t = t return doc",
    "local t = {} for i = 1, 60 do t = {t, t} end json.copy(t)",
    "local t = {} for i = 1, 60 do t = {t, t} end json.encode(t)",
    "return table.concat({('x'):rep(2e7), ('y'):rep(2e7)})",
    "local f = '' for i = 1, 1e6 do f = f .. '%99d' end",
    "return ('x'):rep(1e7):gsub('x', 'yyyyyyyyyy')",
    "keep = keep or {} while true do keep[#keep + 1] = json.copy(doc) end",
    /* stack */
    "local function f() return 1 + f() end f()",
    "local function f() f() f() end while true do pcall(f) end",
    "local function f() ('a'):gsub('a', f) end f()",
    "local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) "
    "return (('a'):gsub('a', t)) end return t.x",
    "local function f() table.sort({1, 2, 3}, function(a, b) f() return a < b end) end f()",
    "local t = setmetatable({}, {__tostring = function(t) return tostring(t) .. '' end}) "
    "tostring(t)",
    "local t = setmetatable({}, {__lt = function(a, b) return a < b end}) return t < t",
    "local t = setmetatable({}, {__concat = function(a, b) return a .. b end}) return t .. t",
    "local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x",
    "return ('x'):find(('('):rep(300))",
    "return ('a'):rep(1000):find(('a?'):rep(1000) .. ('a'):rep(1000))",
    "return unpack({}, 1, 1e8)",
};

static void no_script_outlives_its_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
        char code[512];
        tr_self *self;
        struct passed passed;

        snprintf(code, sizeof(code),
                 "function transform(doc) if doc.fine then return doc end %s end", bombs[i]);
        self = bench_open(&(struct setup){.code = code, .time_ms = 20, .memory = 16 << 20});
        for (int again = 0; again < 2; again++) {
            passed = bench_pass(self, TR_STR("{\"a\":[1,{}]}"));
            if (passed.status != TR_REJECT || !passed.error[0])
                fail_msg("%s: %d %s", bombs[i], passed.status, passed.error);
            free(passed.doc);
        }
        passed = bench_pass(self, TR_STR("{\"fine\":1.0}"));
        assert_int_equal(passed.status, TR_OK);
        free(passed.doc);
        bench_close(self);
    }
}

static void a_limit_says_which_and_where_and_costs_the_globals(void **state)
{
    tr_self *self = bench_open(&(struct setup){
        .code = "n = 0 function transform(doc)\nn = n + 1\nwhile doc.loop do end\n"
                "doc.n = n return doc end",
        .time_ms = 20});
    struct passed passed;

    (void)state;
    passed = bench_pass(self, TR_STR("{}"));
    assert_string_equal(passed.doc, "{\"n\":1}");
    free(passed.doc);
    passed = bench_pass(self, TR_STR("{\"loop\":1}"));
    assert_string_equal(passed.error, "code:3: stopped after 20 ms, see the option time_limit");
    assert_non_null(strstr(bench_log, "its globals are lost"));
    free(passed.doc);
    passed = bench_pass(self, TR_STR("{}"));
    assert_string_equal(passed.doc, "{\"n\":1}");
    free(passed.doc);
    bench_close(self);
}

static void the_sandbox_has_no_way_out(void **state)
{
    static const char *const absent[] = {
        "io",
        "debug",
        "package",
        "require",
        "ffi",
        "jit",
        "coroutine",
        "xpcall",
        "load",
        "loadstring",
        "loadfile",
        "dofile",
        "collectgarbage",
        "getfenv",
        "setfenv",
        "newproxy",
        "rawget",
        "rawset",
        "rawequal",
        "module",
        "gcinfo",
        "os.execute",
        "os.exit",
        "os.getenv",
        "os.remove",
        "os.rename",
        "os.tmpname",
        "os.setlocale",
        "string.dump",
        "table.foreach",
        "('').dump",
        "getmetatable('') and getmetatable('').__index",
        "getmetatable(doc) and getmetatable(doc).__index",
        "getmetatable(null) and getmetatable(null).__tostring",
    };
    char code[256];

    (void)state;
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        tr_self *self;
        struct passed passed;

        snprintf(code, sizeof(code),
                 "function transform(doc) if %s then error('is there') end return doc end",
                 absent[i]);
        self = bench_open(&(struct setup){.code = code});
        passed = bench_pass(self, TR_STR("{}"));
        if (passed.status != TR_OK)
            fail_msg("%s: %s", absent[i], passed.error);
        free(passed.doc);
        bench_close(self);
    }
}

static void all_libraries_add_files_and_no_end_of_the_process(void **state)
{
    static const char code[] =
        "function transform(doc)\n"
        "assert(io.open and os.getenv and require and dofile and package.path)\n"
        "assert(not os.exit and not os.setlocale and not coroutine and not debug)\n"
        "assert(not package.loadlib and #package.loaders == 2 and not xpcall)\n"
        "assert(not pcall(require, 'ffi') and not pcall(require, 'coroutine'))\n"
        "assert(require('string').find == string.find)\n"
        "return doc end";
    tr_self *self = bench_open(&(struct setup){.code = code, .all = true});
    struct passed passed = bench_pass(self, TR_STR("{}"));

    (void)state;
    assert_string_equal(passed.error, "");
    assert_int_equal(passed.status, TR_OK);
    free(passed.doc);
    bench_close(self);
}

static void log_lines_are_text_or_json(void **state)
{
    tr_self *self = bench_open(&(struct setup){
        .code = "function transform(doc) log.info('a\\n', 1, nil, true, null, doc, {1}, print) "
                "log.debug('not shown') return doc end"});
    struct passed passed = bench_pass(self, TR_STR("{\"a\" : 1.0}"));

    (void)state;
    assert_string_equal(bench_log, "a\n 1 nil true null {\"a\" : 1.0} [1] function");
    free(passed.doc);
    bench_close(self);
}

static void a_state_that_finds_no_memory_is_none(void **state)
{
    bool made = false;

    (void)state;
    for (size_t memory = 0; memory < 16384; memory += 8) {
        struct limits limits = {.memory = memory};
        lua_State *L = limits_new_state(&limits);

        assert_false(made && !L);
        made = L != NULL;
        if (L)
            lua_close(L);
        assert_int_equal(limits.used, 0);
    }
    assert_true(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_script_outlives_its_limits),
        cmocka_unit_test(a_limit_says_which_and_where_and_costs_the_globals),
        cmocka_unit_test(the_sandbox_has_no_way_out),
        cmocka_unit_test(all_libraries_add_files_and_no_end_of_the_process),
        cmocka_unit_test(log_lines_are_text_or_json),
        cmocka_unit_test(a_state_that_finds_no_memory_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
