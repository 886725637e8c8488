/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of a script: memory by an allocator that counts, time by a hook that Lua calls
 * every hundred instructions, and the stack of C, which some functions of Lua's library would
 * nest on without end.
 *
 * Time is that of the thread's processor: what a busy machine takes is nobody's fault. The
 * error of a limit is caught by nobody, since pcall() raises it again. On the instance's
 * worker.
 */
#include "script.h"

#include <time.h>

enum { INSTRUCTIONS = 100, STACK_MAX = 1 << 20 };

/* ---- memory ---- */

/* LuaJIT 2.1 does not survive the lack of memory while it makes a state, but for the first
 * piece. It gets what it needs from here then, and the state is not used. */
struct reserve {
    size_t taken;
    _Alignas(16) char bytes[16384];
};

static bool is_reserved(const struct limits *limits, const void *ptr)
{
    uintptr_t at = (uintptr_t)ptr, from = (uintptr_t)limits->reserve;

    return from && at >= from && at < from + sizeof(*limits->reserve);
}

static void *take_reserved(struct reserve *reserve, const void *old, size_t old_size,
                           size_t size)
{
    size_t room = (size + 15) & ~(size_t)15;
    char *ptr = reserve->bytes + reserve->taken;

    if (room > sizeof(reserve->bytes) - reserve->taken)
        return NULL;
    reserve->taken += room;
    return old_size > 0 ? memcpy(ptr, old, old_size < size ? old_size : size) : ptr;
}

void *limits_realloc(void *user, void *ptr, size_t old_size, size_t size)
{
    struct limits *limits = user;
    bool reserved = is_reserved(limits, ptr);
    void *grown = NULL;

    if (size == 0) {
        if (!reserved)
            free(ptr);
        limits->used -= ptr ? old_size : 0;
        return NULL;
    }
    old_size = ptr ? old_size : 0;
    if (size > old_size && limits->counting &&
        limits->used + (size - old_size) > limits->memory) {
        limits->stopped = STOPPED_MEMORY;
        goto refuse;
    }
    if (!reserved)
        grown = realloc(ptr, size);
    if (!grown && size <= old_size)
        return ptr; /* Lua takes it for granted that less can be had                        */
    if (grown)
        goto out;
    limits->stopped = STOPPED_SYSTEM;
refuse:
    grown = limits->reserve ? take_reserved(limits->reserve, ptr, old_size, size) : NULL;
    if (!grown)
        return NULL;
    if (!reserved)
        free(ptr);
out:
    limits->used = limits->used - old_size + size;
    return grown;
}

lua_State *limits_new_state(struct limits *limits)
{
    struct reserve *reserve = malloc(sizeof(*reserve));
    lua_State *L = NULL;

    if (!reserve)
        return NULL;
    reserve->taken = 0;
    limits->reserve = reserve;
    limits->counting = true;
    L = lua_newstate(limits_realloc, limits);
    limits->counting = false;
    if (L && reserve->taken > 0) {
        lua_close(L);
        L = NULL;
    }
    limits->reserve = NULL;
    free(reserve);
    return L;
}

/* ---- time ---- */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void judge(struct limits *limits)
{
    /* The clock of the thread costs a system call, the other one does not. */
    if (!limits->stopped && clock_ns(CLOCK_MONOTONIC) >= limits->wall_end_ns &&
        clock_ns(CLOCK_THREAD_CPUTIME_ID) >= limits->cpu_end_ns)
        limits->stopped = STOPPED_TIME;
}

/* The line of the script that runs, or that called what does. */
static void note_where(struct limits *limits, lua_State *L)
{
    lua_Debug at;

    for (int level = 0; !limits->where[0] && lua_getstack(L, level, &at); level++)
        if (lua_getinfo(L, "Sl", &at) && at.currentline > 0)
            snprintf(limits->where, sizeof(limits->where), "%s:%d: ", at.short_src,
                     at.currentline);
}

void limits_look(lua_State *L)
{
    struct limits *limits = &script_of(L)->limits;
    const char *here = __builtin_frame_address(0);

    judge(limits);
    if (limits->stopped) {
        note_where(limits, L);
        luaL_error(L, "stopped at a limit");
    }
    if (limits->stack - here > STACK_MAX)
        luaL_error(L, "stack overflow: functions that call each other through the library");
}

static void hook(lua_State *L, lua_Debug *at)
{
    (void)at;
    limits_look(L);
}

void limits_begin(struct limits *limits, lua_State *L)
{
    limits->stopped = STOPPED_NOT;
    limits->where[0] = '\0';
    limits->stack = __builtin_frame_address(0);
    limits->counting = true;
    limits->wall_end_ns = clock_ns(CLOCK_MONOTONIC) + limits->time_ms * 1000000;
    limits->cpu_end_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) + limits->time_ms * 1000000;
    lua_sethook(L, hook, LUA_MASKCOUNT, INSTRUCTIONS);
}

void limits_end(struct limits *limits, lua_State *L)
{
    limits->counting = false;
    lua_sethook(L, NULL, 0, 0);
}

void limits_say(const struct limits *limits, char words[WORDS_MAX])
{
    if (limits->stopped == STOPPED_TIME)
        snprintf(words, WORDS_MAX, "%.120sstopped after %lld ms, see the option time_limit",
                 limits->where, (long long)limits->time_ms);
    else if (limits->stopped == STOPPED_SYSTEM)
        snprintf(words, WORDS_MAX, "out of memory");
    else
        snprintf(words, WORDS_MAX,
                 "%.120sneeds more memory than %zu bytes, see the option memory_limit",
                 limits->where, limits->memory);
}
