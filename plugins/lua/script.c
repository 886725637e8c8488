/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A script in a Lua state of its own. Nothing of Lua is called outside of script_enter(), which
 * is protected: its panic function is never reached. On the instance's worker, or in check().
 */
#include "script.h"

#include <luajit.h>

enum { TEXT_KEPT = 1 << 20 };

struct script *script_of(lua_State *L)
{
    void *limits;

    (void)lua_getallocf(L, &limits);
    return limits;
}

/* ---- bytes ---- */

char *text_reserve(lua_State *L, struct text *text, size_t more)
{
    size_t cap = text->cap ? text->cap : 256;
    char *grown;

    if (text->cap - text->len >= more)
        return text->ptr + text->len;
    if (more > SIZE_MAX / 4)
        luaL_error(L, "not enough memory");
    while (cap - text->len < more)
        cap *= 2;
    grown = limits_realloc(&script_of(L)->limits, text->ptr, text->cap, cap);
    if (!grown)
        luaL_error(L, "not enough memory");
    text->ptr = grown;
    text->cap = cap;
    return text->ptr + text->len;
}

void text_add(lua_State *L, struct text *text, const char *ptr, size_t len)
{
    char *to = text_reserve(L, text, len);

    if (len > 0)
        memcpy(to, ptr, len);
    text->len += len;
}

/* ---- entering ---- */

static void say_error(lua_State *L, char words[WORDS_MAX])
{
    if (lua_type(L, -1) == LUA_TSTRING)
        snprintf(words, WORDS_MAX, "%s", lua_tostring(L, -1));
    else
        snprintf(words, WORDS_MAX, "error() with a %s in place of a text",
                 lua_typename(L, lua_type(L, -1)));
}

static int collect(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT, 0);
    return 0;
}

/* What one large document needed is given back. */
static void text_trim(struct script *script, struct text *text)
{
    if (text->cap <= TEXT_KEPT)
        return;
    (void)limits_realloc(&script->limits, text->ptr, text->cap, 0);
    *text = (struct text){0};
}

int script_enter(struct script *script, lua_CFunction body, void *arg, char words[WORDS_MAX])
{
    lua_State *L = script->L;
    int rc;

    /* What the change before left behind is not this one's. */
    text_trim(script, &script->out);
    text_trim(script, &script->decoded);
    if (script->limits.used > script->limits.memory / 2)
        (void)lua_cpcall(L, collect, NULL);
    lua_settop(L, 0);
    limits_begin(&script->limits, L);
    rc = lua_cpcall(L, body, arg);
    limits_end(&script->limits, L);
    if (script->limits.stopped) {
        limits_say(&script->limits, words);
        return script->limits.stopped == STOPPED_SYSTEM ? ENTERED_SHORT : ENTERED_STOPPED;
    }
    if (rc != 0)
        say_error(L, words);
    lua_settop(L, 0);
    return rc == 0 ? ENTERED_WELL : rc == LUA_ERRMEM ? ENTERED_STOPPED : ENTERED_ERROR;
}

/* ---- a state ---- */

struct start {
    const struct options *options;
    bool run;
};

/* Keeps the function that the script defines under this name, if it does. */
static bool keep_function(lua_State *L, const char *name, int slot)
{
    bool found;

    lua_pushstring(L, name);
    lua_rawget(L, LUA_GLOBALSINDEX);
    found = lua_isfunction(L, -1);
    lua_rawseti(L, LUA_REGISTRYINDEX, slot);
    return found;
}

static void set_params(lua_State *L, const char *params)
{
    lua_getfield(L, LUA_GLOBALSINDEX, "json");
    lua_getfield(L, -1, "decode");
    lua_pushstring(L, params);
    lua_call(L, 1, 1);
    lua_setfield(L, LUA_GLOBALSINDEX, "params");
    lua_pop(L, 1);
}

static int start(lua_State *L)
{
    struct start *arg = lua_touserdata(L, 1);
    const struct options *options = arg->options;
    struct script *script = script_of(L);

    (void)luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_gc(L, LUA_GCSETPAUSE, 150);
    document_open(L);
    value_open(L);
    library_open(L, options->libraries);
    set_params(L, options->params);
    if (luaL_loadbufferx(L, options->text, options->text_len, options->name, "t") != 0)
        return lua_error(L);
    if (!arg->run)
        return 0;
    lua_call(L, 0, 0);
    script->transforms = keep_function(L, "transform", SLOT_TRANSFORM);
    script->handles = keep_function(L, "handle", SLOT_HANDLE);
    if (!script->transforms && !script->handles)
        luaL_error(L, "%s: defines neither transform(doc, change) nor handle(doc, change)",
                   options->name + 1);
    return 0;
}

tr_status script_new(const tr_host *host, const tr_json *json, const struct options *options,
                     bool run, struct script **ret_script, tr_error *error)
{
    struct script *script = calloc(1, sizeof(*script));
    struct start arg = {.options = options, .run = run};
    char words[WORDS_MAX];

    if (!script)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    script->host = host;
    script->json = json;
    script->limits.time_ms = options->time_limit_ms;
    script->limits.memory = (size_t)options->memory_limit;
    script->L = limits_new_state(&script->limits);
    if (!script->L) {
        script_free(script);
        return tr_fail(error, TR_EAGAIN,
                       "out of memory, or this LuaJIT was built without GC64 and lets nobody "
                       "count its memory");
    }
    if (script_enter(script, start, &arg, words) != ENTERED_WELL) {
        script_free(script);
        return tr_fail(error, TR_EINVAL, "%s", words);
    }
    *ret_script = script;
    return TR_OK;
}

void script_free(struct script *script)
{
    if (!script)
        return;
    if (script->L)
        lua_close(script->L);
    free(script->out.ptr);
    free(script->decoded.ptr);
    free(script);
}
