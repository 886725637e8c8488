/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transform(doc, change): the call, and what the script says of the document. On the worker of
 * the rule's plugin.
 */
#include "script.h"

struct call {
    const tr_batch *batch;
    const tr_change *change;
    tr_str doc;
    int verdict;
};

static void set_text(lua_State *L, const char *name, tr_str text)
{
    lua_pushlstring(L, text.ptr ? text.ptr : "", text.len);
    lua_setfield(L, -2, name);
}

static void set_flag(lua_State *L, const char *name, bool flag)
{
    lua_pushboolean(L, flag);
    lua_setfield(L, -2, name);
}

void change_push(lua_State *L, const tr_batch *batch, const tr_change *change)
{
    lua_createtable(L, 0, 10);
    set_text(L, "id", change->id);
    set_text(L, "rev", change->rev);
    if (change->seq.len > 0 && change->seq.ptr[0] == '"') {
        value_push_string(L, tr_str_n(change->seq.ptr + 1, change->seq.len - 2));
        lua_setfield(L, -2, "seq");
    } else {
        set_text(L, "seq", change->seq);
    }
    set_text(L, "db", batch->db);
    set_text(L, "source", batch->source);
    set_text(L, "rule", batch->rule);
    set_flag(L, "deleted", change->flags & TR_CHANGE_DELETED);
    set_flag(L, "design", change->flags & TR_CHANGE_DESIGN);
    set_flag(L, "replay", batch->flags & TR_BATCH_REPLAY);
    lua_pushinteger(L, (lua_Integer)change->attempt);
    lua_setfield(L, -2, "attempt");
}

/* What transform() returned is at the top. Nothing is no answer: a `return` that was forgotten
 * would drop every change. */
static int judge(lua_State *L, tr_str doc)
{
    int type = lua_type(L, -1);

    if (type == LUA_TBOOLEAN && !lua_toboolean(L, -1))
        return VERDICT_SKIP;
    if (type == LUA_TNIL && doc.len == 0)
        return VERDICT_SAME;
    if (type == LUA_TNIL)
        return luaL_error(L, "transform() returned nothing: return the document, or false to "
                             "leave the change out");
    if (type != LUA_TTABLE || document_is_array(L, -1))
        return luaL_error(L,
                          "transform() returned %s %s: return the document, or false to "
                          "leave the change out",
                          type == LUA_TTABLE ? "an" : "a",
                          type == LUA_TTABLE ? "array" : lua_typename(L, type));
    if (!write_value(L, lua_gettop(L), doc))
        return VERDICT_SAME;
    if (doc.len == 0)
        return luaL_error(L, "transform() returned a document where there is none; the rule's "
                             "include_docs is off, or the row has no document");
    if (script_of(L)->out.ptr[0] != '{')
        return luaL_error(L, "transform() returned an array: return the document, or false to "
                             "leave the change out");
    return VERDICT_CHANGED;
}

static int run(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);

    document_forget(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_TRANSFORM);
    if (call->doc.len > 0)
        document_push(L, call->doc);
    else
        lua_pushnil(L);
    change_push(L, call->batch, call->change);
    lua_call(L, 2, 1);
    call->verdict = judge(L, call->doc);
    return 0;
}

int transform_run(struct script *script, const tr_batch *batch, const tr_change *change,
                  tr_str doc, int *ret_verdict, char words[WORDS_MAX])
{
    struct call call = {.batch = batch, .change = change, .doc = doc};
    int rc = script_enter(script, run, &call, words);

    if (rc == ENTERED_WELL)
        *ret_verdict = call.verdict;
    return rc;
}
