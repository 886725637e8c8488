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

void *limits_realloc(void *user, void *ptr, size_t old_size, size_t size)
{
    struct limits *limits = user;
    void *grown;

    if (size == 0) {
        free(ptr);
        limits->used -= ptr ? old_size : 0;
        return NULL;
    }
    old_size = ptr ? old_size : 0;
    if (size > old_size && limits->counting &&
        limits->used + (size - old_size) > limits->memory)
        goto refuse;
    grown = realloc(ptr, size);
    if (!grown && size <= old_size)
        return ptr; /* Lua takes it for granted that less can be had                        */
    if (!grown)
        goto refuse;
    limits->used = limits->used - old_size + size;
    return grown;
refuse:
    limits->stopped = STOPPED_MEMORY;
    return NULL;
}

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
    else
        snprintf(words, WORDS_MAX,
                 "%.120sneeds more memory than %zu bytes, see the option memory_limit",
                 limits->where, limits->memory);
}
