/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle(doc, change): the call, and what the script says of the change. On the instance's
 * worker.
 */
#include "script.h"

struct call {
    const tr_batch *batch;
    const tr_change *change;
    tr_status status;
    uint32_t after_ms;
    char *words;
};

/* What handle() returned begins at index 2. */
static tr_status judge(lua_State *L, struct call *call)
{
    const char *said = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    double after;

    if (lua_isnoneornil(L, 2) || (lua_isboolean(L, 2) && lua_toboolean(L, 2)))
        return TR_OK;
    snprintf(call->words, WORDS_MAX, "%s", luaL_optstring(L, 3, "the script gave no reason"));
    if (strcmp(said, "reject") == 0)
        return TR_REJECT;
    if (strcmp(said, "retry") != 0)
        luaL_error(
            L, "handle() returned a %s%s%s: return nothing, \"retry\" or \"reject\", and why",
            luaL_typename(L, 2), *said ? " " : "", said);
    after = luaL_optnumber(L, 4, 0);
    call->after_ms = after >= 1 && after < UINT32_MAX ? (uint32_t)after : 0;
    return TR_RETRY;
}

static int run(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);

    document_forget(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_HANDLE);
    if (call->change->doc.len > 0)
        document_push(L, call->change->doc);
    else
        lua_pushnil(L);
    change_push(L, call->batch, call->change);
    lua_call(L, 2, LUA_MULTRET);
    call->status = judge(L, call);
    return 0;
}

int handle_run(struct script *script, const tr_batch *batch, const tr_change *change,
               tr_status *ret_status, uint32_t *ret_after_ms, char words[WORDS_MAX])
{
    struct call call = {.batch = batch, .change = change, .words = words};
    int rc = script_enter(script, run, &call, words);

    if (rc == ENTERED_WELL) {
        *ret_status = call.status;
        *ret_after_ms = call.after_ms;
    }
    return rc;
}
