/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin lua as a transform: what a script does not touch arrives byte for byte, what it
 * does arrives as it says, and a script that fails refuses its change and no other.
 */
#include "test_lua_lib.h"

#define WALK                                                                                   \
    "local function walk(v) if type(v) == 'table' then for k, w in pairs(v) do walk(w) end "   \
    "end end function transform(doc) walk(doc) return doc end"

static const char *const odd[] = {
    "{}",
    " { } ",
    "{\"a\":1.0,\"b\":1e3,\"c\":-0,\"d\":0.10,\"e\":1E+2,\"f\":-0.0}",
    "{\"big\":12345678901234567890,\"huge\":1e400,\"long\":9007199254740993,"
    "\"pi\":3.14159265358979323846264338327950288}",
    "{\"e\":[],\"o\":{},\"n\":null,\"t\":true,\"f\":false,\"ee\":[[],{},[[]]]}",
    "{\"a\":1,\"a\":2,\"b\":{\"x\":1,\"x\":1.0},\"\\u0061\":2}",
    "{\n  \"z\" : [ 1 , 2.50 ,\t\"x\" ] ,\r\n \"a\" : { \"q\" : null }\n}",
    "{\"s\":\"\\u00e4\\ud83d\\ude00\\/\\n\",\"lone\":\"\\ud800\",\"nul\":\"a\\u0000b\","
    "\"\\u0022\":\"\\\\\"}",
    "{\"raw\":\"\xff\xfe\",\"u\":\"\xe2\x80\xa8\",\"del\":\"\x7f\"}",
    "{\"1\":\"one\",\"\":\"empty\",\"__index\":{\"__metatable\":1}}",
};

static void assert_same(tr_self *self, tr_str text)
{
    struct passed passed = bench_pass(self, text);

    if (passed.status != TR_OK)
        fail_msg("%.*s: %s", (int)text.len, text.ptr, passed.error);
    assert_int_equal(strlen(passed.doc), text.len);
    assert_memory_equal(passed.doc, text.ptr, text.len);
    assert_false(passed.changed);
    free(passed.doc);
}

static void what_is_not_touched_stays_as_it_is(void **state)
{
    static const char *const codes[] = {
        "function transform(doc) return doc end",
        "function transform(doc) local t = doc.e, doc.s, doc.a, doc.b, doc.z return doc end",
        WALK,
        "function transform(doc) for k, v in pairs(doc) do doc[k] = v end return doc end",
        "function transform(doc) local s = json.encode(doc) json.copy(doc) return doc end",
    };

    (void)state;
    for (size_t c = 0; c < sizeof(codes) / sizeof(codes[0]); c++) {
        tr_self *self = bench_open(&(struct setup){.code = codes[c]});

        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
            assert_same(self, tr_str_c(odd[i]));
        bench_close(self);
    }
}

/* ---- random documents ---- */

struct maker {
    uint32_t seed;
    char text[20000];
    size_t len;
};

static uint32_t roll(struct maker *maker, uint32_t sides)
{
    maker->seed = maker->seed * 1664525u + 1013904223u;
    return (maker->seed >> 16) % sides;
}

static void put(struct maker *maker, const char *text)
{
    maker->len += (size_t)snprintf(maker->text + maker->len, sizeof(maker->text) - maker->len,
                                   "%s", text);
}

static void put_space(struct maker *maker)
{
    static const char *const spaces[] = {"", "", "", " ", "\n\t"};

    put(maker, spaces[roll(maker, 5)]);
}

static void put_value(struct maker *maker, int depth);

static void put_list(struct maker *maker, int depth, bool named)
{
    static const char *const names[] = {"\"a\"",        "\"b\"",   "\"_id\"", "\"\\u0061\"",
                                        "\"\\n\"",      "\"\"",    "\"1\"",   "\"author\"",
                                        "\"\xc3\xa4\"", "\"type\""};
    uint32_t count = roll(maker, 6);

    put(maker, named ? "{" : "[");
    for (uint32_t i = 0; i < count; i++) {
        put_space(maker);
        if (named) {
            put(maker, names[roll(maker, 10)]);
            put_space(maker);
            put(maker, ":");
            put_space(maker);
        }
        put_value(maker, depth + 1);
        put_space(maker);
        put(maker, i + 1 < count ? "," : "");
    }
    put_space(maker);
    put(maker, named ? "}" : "]");
}

static void put_value(struct maker *maker, int depth)
{
    static const char *const scalars[] = {"null",
                                          "true",
                                          "false",
                                          "0",
                                          "1.0",
                                          "-1.5e-3",
                                          "1e999",
                                          "9007199254740993",
                                          "12345678901234567890.5",
                                          "\"\"",
                                          "\"x\"",
                                          "\"\\u0000\\ud800\"",
                                          "\"\xc3\xa4\\\\\\\"\"",
                                          "-0"};

    if (depth < 5 && roll(maker, 3) == 0)
        put_list(maker, depth, roll(maker, 2));
    else
        put(maker, scalars[roll(maker, 14)]);
}

static void random_documents_stay_as_they_are_when_all_of_them_is_read(void **state)
{
    static const char *const codes[] = {"function transform(doc) return doc end", WALK};
    struct maker *maker = calloc(1, sizeof(*maker));

    (void)state;
    assert_non_null(maker);
    for (size_t c = 0; c < sizeof(codes) / sizeof(codes[0]); c++) {
        tr_self *self = bench_open(&(struct setup){.code = codes[c]});

        for (uint32_t seed = 1; seed <= 3000; seed++) {
            maker->seed = seed;
            maker->len = 0;
            put_list(maker, 0, true);
            assert_same(self, tr_str_n(maker->text, maker->len));
        }
        bench_close(self);
    }
    free(maker);
}

/* ---- what a script changes ---- */

static void a_script_changes_what_it_says_and_nothing_else(void **state)
{
    static const struct {
        const char *code, *doc, *wanted;
    } cases[] = {
        {"doc.x = 1", "{\"a\":1.0}", "{\"a\":1.0,\"x\":1}"},
        {"doc.a = 2", "{\"a\" : 1, \"b\":[ 1.0 ]}", "{\"a\" : 2,\"b\":[ 1.0 ]}"},
        {"doc.a = nil", "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2}"},
        {"local a = doc.a doc.a = nil assert(doc.a == nil)", "{\"a\":1,\"b\":2}", "{\"b\":2}"},
        {"doc.a = 4", "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":4}"},
        {"doc.a.b.c = 'x'", "{\"a\":{\"b\":{\"c\":1.0,\"d\":1.0}}}",
         "{\"a\":{\"b\":{\"c\":\"x\",\"d\":1.0}}}"},
        {"doc.n = doc.big", "{\"big\":12345678901234567890}",
         "{\"big\":12345678901234567890,\"n\":12345678901234567890}"},
        {"doc.n = doc.o", "{\"o\":{ \"a\":1.0 }}", "{\"o\":{ \"a\":1.0 },\"n\":{ \"a\":1.0 }}"},
        {"table.insert(doc.t, 'z')", "{\"t\":[1.0, \"a\"]}", "{\"t\":[1.0,\"a\",\"z\"]}"},
        {"table.remove(doc.t, 1)", "{\"t\":[1]}", "{\"t\":[]}"},
        {"doc.t[2].x = null", "{\"t\":[1.0,{ \"y\":1.0}]}",
         "{\"t\":[1.0,{\"y\":1.0,\"x\":null}]}"},
        {"doc.t = {b = 1, a = {1, 2}, c = json.array(), d = {}}", "{}",
         "{\"t\":{\"a\":[1,2],\"b\":1,\"c\":[],\"d\":{}}}"},
        {"doc.t = 'a\\0\\n\"\\\\'", "{}", "{\"t\":\"a\\u0000\\u000a\\\"\\\\\"}"},
        {"doc.t = {0.1, 1e21, -0.5, 2^53, 1/3}", "{}",
         "{\"t\":[0.1,1e+21,-0.5,9007199254740992,0.3333333333333333]}"},
        {"doc.len, doc.first = #doc.t, doc.t[1]", "{\"t\":[7,8]}",
         "{\"t\":[7,8],\"first\":7,\"len\":2}"},
        {"local n = 0 for k, v in pairs(doc) do n = n + v end doc.n = n", "{\"a\":1,\"b\":2}",
         "{\"a\":1,\"b\":2,\"n\":3}"},
        {"doc.k = next(doc)", "{\"a\":1}", "{\"a\":1,\"k\":\"a\"}"},
        {"doc.s = tostring(doc.b) .. json.type(doc.b) doc.t = tonumber(doc.b) == 2^53",
         "{\"b\":9007199254740993}",
         "{\"b\":9007199254740993,\"s\":\"9007199254740993number\",\"t\":true}"},
        {"doc.same = doc.a == doc.b", "{\"a\":9007199254740993,\"b\":9007199254740993}",
         "{\"a\":9007199254740993,\"b\":9007199254740993,\"same\":true}"},
        {"doc.isnull = doc.a == null and doc.b == nil", "{\"a\":null}",
         "{\"a\":null,\"isnull\":true}"},
        {"doc.id, doc.seq, doc.db = change.id, change.seq, change.db", "{}",
         "{\"db\":\"db\",\"id\":\"an id\",\"seq\":\"7-x\"}"},
        {"doc.p = params", "{}", "{\"p\":{\"a\":[1,{}],\"big\":9007199254740993}}"},
        {"doc = {_id = doc._id}", "{\"_id\":\"x\",\"a\":1}", "{\"_id\":\"x\"}"},
        {"doc = doc.a", "{\"a\":{ \"b\":1.0 }}", "{ \"b\":1.0 }"},
        {"doc.d = json.decode('{\"a\":[1.5,\"\\\\u00e4\"]}')", "{}",
         "{\"d\":{\"a\":[1.5,\"\xc3\xa4\"]}}"},
        {"doc.s = ('%5.2f'):format(1.5) doc.m = ('a-b'):gsub('%-', '+')", "{}",
         "{\"m\":\"a+b\",\"s\":\" 1.50\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char code[512];
        tr_self *self;
        struct passed passed;

        snprintf(code, sizeof(code), "function transform(doc, change) %s return doc end",
                 cases[i].code);
        self = bench_open(
            &(struct setup){.code = code, .params = "{\"a\":[1,{}],\"big\":9007199254740993}"});
        passed = bench_pass(self, tr_str_c(cases[i].doc));
        if (passed.status != TR_OK)
            fail_msg("%s: %s", cases[i].code, passed.error);
        assert_string_equal(passed.doc, cases[i].wanted);
        free(passed.doc);
        bench_close(self);
    }
}

/* ---- a script that fails ---- */

static void a_script_that_fails_refuses_its_change_alone(void **state)
{
    static const struct {
        const char *code, *why;
    } cases[] = {
        {"error('boom')", "code:2: boom"},
        {"error({1})", "error() with a table in place of a text"},
        {"error()", "error() with a nil in place of a text"},
        {"error(setmetatable({}, {__tostring = function() error('x') end}))",
         "a table in place"},
        {"return", "returned nothing"},
        {"return nil", "returned nothing"},
        {"return 5", "returned a number"},
        {"return true", "returned a boolean"},
        {"return 'doc'", "returned a string"},
        {"return null", "returned a userdata"},
        {"return {1, 2}", "returned an array"},
        {"return json.array()", "returned an array"},
        {"doc.f = print return doc", "a function has no form in JSON"},
        {"doc.f = 0/0 return doc", "is no number in JSON"},
        {"doc.f = {1, nil, 3} return doc", "hole"},
        {"doc.f = {1, x = 2} return doc", "named, not numbered"},
        {"doc.f = {x = 2, [1.5] = 2} return doc", "has a number among them"},
        {"doc[1] = 2 return doc", "named by a string"},
        {"doc.self = doc return doc", "holds itself"},
        {"local t = {} t[1] = t doc.t = t return doc", "holds itself"},
        {"doc.x = doc.big + 1 return doc", "more digits than a number of Lua holds"},
        {"doc.x = doc.nothing.deeper return doc", "attempt to index"},
        {"setmetatable(doc, {}) return doc", "protected metatable"},
        {"kept = kept or doc; return kept.x and doc or doc", "is done"},
        {"json.decode('{') return doc", "not JSON"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char code[512];
        tr_self *self;
        struct passed passed;

        snprintf(code, sizeof(code),
                 "function transform(doc, change) if doc.fine then return doc end\n%s end",
                 cases[i].code);
        if (strncmp(cases[i].code, "kept", 4) == 0) /* fails the second time only */
            snprintf(code, sizeof(code),
                     "function transform(doc) if not kept then kept = doc return doc end "
                     "if doc.fine then return doc end return kept.x end");
        self = bench_open(&(struct setup){.code = code});
        assert_same(self, TR_STR("{\"fine\":1.0}"));
        passed = bench_pass(self, TR_STR("{\"big\":12345678901234567890}"));
        assert_int_equal(passed.status, TR_REJECT);
        if (!strstr(passed.error, cases[i].why))
            fail_msg("%s: %s", cases[i].code, passed.error);
        free(passed.doc);
        assert_same(self, TR_STR("{\"fine\":1.0}"));
        bench_close(self);
    }
}

static void false_leaves_a_change_out_and_no_document_passes(void **state)
{
    tr_self *self = bench_open(&(struct setup){
        .code = "function transform(doc) if doc and doc.skip then return false end "
                "return doc end"});
    struct passed passed = bench_pass(self, TR_STR("{\"skip\":true}"));

    (void)state;
    assert_int_equal(passed.status, TR_SKIP);
    free(passed.doc);
    passed = bench_pass(self, tr_str_n(NULL, 0));
    assert_int_equal(passed.status, TR_OK);
    assert_string_equal(passed.doc, "");
    free(passed.doc);
    bench_close(self);
}

static void globals_stay_from_change_to_change(void **state)
{
    tr_self *self = bench_open(
        &(struct setup){.code = "local n = 0 function transform(doc) n = n + 1 "
                                "doc.n = n return doc end"});
    struct passed passed;

    (void)state;
    for (int i = 1; i <= 3; i++) {
        char wanted[32];

        passed = bench_pass(self, TR_STR("{}"));
        snprintf(wanted, sizeof(wanted), "{\"n\":%d}", i);
        assert_string_equal(passed.doc, wanted);
        free(passed.doc);
    }
    bench_close(self);
}

/* A document that is deeper than any stack: what is not looked at costs none. */
static void depth_matters_only_where_the_script_goes(void **state)
{
    enum { DEEP = 100000 };
    tr_self *self = bench_open(
        &(struct setup){.code = "function transform(doc) if doc.go then local x = doc.deep end "
                                "doc.seen = true return doc end"});
    char *text = malloc(2 * DEEP + 64);
    size_t len = (size_t)sprintf(text, "{\"deep\":");
    struct passed passed;

    (void)state;
    memset(text + len, '[', DEEP);
    memset(text + len + DEEP, ']', DEEP);
    len += 2 * DEEP;
    strcpy(text + len, "}");
    passed = bench_pass(self, tr_str_n(text, len + 1));
    assert_int_equal(passed.status, TR_OK);
    assert_int_equal(strlen(passed.doc), len + strlen(",\"seen\":true}"));
    free(passed.doc);
    strcpy(text + len, ",\"go\":1}");
    passed = bench_pass(self, tr_str_c(text));
    assert_int_equal(passed.status, TR_REJECT);
    assert_non_null(strstr(passed.error, "deeper than 100 levels"));
    free(passed.doc);
    free(text);
    bench_close(self);
}

static void check_tells_where_a_script_is_wrong(void **state)
{
    (void)state;
    assert_string_equal(bench_check(&(struct setup){.code = "function transform(d) end"}), "");
    assert_non_null(
        strstr(bench_check(&(struct setup){.code = "x = 1\nx ="}), "code:2: unexp"));
    assert_non_null(
        strstr(bench_check(&(struct setup){.code = "error('top')"}), "code:1: top"));
    assert_non_null(strstr(bench_check(&(struct setup){.code = "x = 1"}), "neither transform"));
    assert_non_null(strstr(bench_check(&(struct setup){.code = "\033LJ\2"}), "wrong mode"));
    assert_non_null(strstr(bench_check(&(struct setup){0}), "there is no script"));
    assert_non_null(
        strstr(bench_check(&(struct setup){.code = "while true do end", .time_ms = 20}),
               "code:1: stopped after 20 ms"));
    /* With all libraries it is compiled and not run. */
    assert_string_equal(bench_check(&(struct setup){.code = "error('top')", .all = true}), "");
    assert_non_null(strstr(bench_check(&(struct setup){.code = "=", .all = true}), "code:1:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_touched_stays_as_it_is),
        cmocka_unit_test(random_documents_stay_as_they_are_when_all_of_them_is_read),
        cmocka_unit_test(a_script_changes_what_it_says_and_nothing_else),
        cmocka_unit_test(a_script_that_fails_refuses_its_change_alone),
        cmocka_unit_test(false_leaves_a_change_out_and_no_document_passes),
        cmocka_unit_test(globals_stay_from_change_to_change),
        cmocka_unit_test(depth_matters_only_where_the_script_goes),
        cmocka_unit_test(check_tells_where_a_script_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
