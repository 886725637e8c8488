/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of lua share.
 *
 *     lua.c        the descriptor, an instance's life
 *     options.c    options, and the file of a script
 *     script.c     a script in a Lua state of its own, and the way into it
 *     limits.c     its time, its memory, its stack
 *     library.c    what a script finds: the sandbox
 *     strings.c    string.find, match, gmatch, gsub;  pattern.c  what they match
 *     json.c       json.encode and so on
 *     value.c      JSON to Lua;  write.c  Lua to JSON
 *     document.c   documents as tables that are filled when they are looked at
 *     transform.c  transform(doc, change);  handle.c  handle(doc, change)
 *
 * Everything runs on the instance's worker, or in check() on the thread of the command. What
 * takes a lua_State may raise an error of Lua, and so runs within script_enter() only.
 */
#ifndef LUA_SCRIPT_H
#define LUA_SCRIPT_H

#include <tailrace/ext/doc.h>
#include <tailrace/ext/json.h>
#include <tailrace/sdk.h>

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

enum { WORDS_MAX = 256, DEPTH_MAX = 100 };

/* ---- options.c ---- */

enum { LIBRARIES_SAFE, LIBRARIES_ALL };

struct options {
    char *script, *code;
    int64_t time_limit_ms, memory_limit;
    int32_t libraries;
    char *text; /* of the script                                                            */
    size_t text_len;
    char *name;   /* as Lua's errors name it                                                */
    char *params; /* as JSON                                                                */
};

enum { OPTIONS_COUNT = 6 };

extern const tr_option options_table[OPTIONS_COUNT];

/* Reads the script too. Call options_fini() when done, also after an error. */
tr_status options_read(struct options *options, const tr_host *host, const tr_json *json,
                       const tr_config *config, tr_error *error);
void options_fini(struct options *options);

/* ---- limits.c ---- */

enum { STOPPED_NOT, STOPPED_TIME, STOPPED_MEMORY, STOPPED_SYSTEM };

struct limits {
    int64_t time_ms;
    size_t memory, used;
    int64_t wall_end_ns, cpu_end_ns;
    const char *stack; /* of C, where Lua was entered                                       */
    int stopped;
    struct reserve *reserve; /* while a state is made                                        */
    bool counting; /* refuse memory beyond the limit                                        */
    char where[WORDS_MAX];
};

/* lua_Alloc; `limits` is its pointer. */
void *limits_realloc(void *limits, void *ptr, size_t old_size, size_t size);

/* A state that takes its memory by limits_realloc(); NULL if there is not enough. */
lua_State *limits_new_state(struct limits *limits);

void limits_begin(struct limits *limits, lua_State *L);
void limits_end(struct limits *limits, lua_State *L);

/* Raises an error when the time is over, or when memory was refused before. For functions of C
 * that take long; while Lua runs it is looked at now and then. */
void limits_look(lua_State *L);

/* Why it was stopped, where it was. */
void limits_say(const struct limits *limits, char words[WORDS_MAX]);

/* ---- script.c ---- */

/* Bytes that grow, counted as memory of the script. */
struct text {
    char *ptr;
    size_t len, cap;
};

void text_add(lua_State *L, struct text *text, const char *ptr, size_t len);
char *text_reserve(lua_State *L, struct text *text, size_t more);

struct script {
    struct limits limits; /* first, see script_of()                                         */
    const tr_host *host;
    const tr_json *json;
    lua_State *L;
    struct text out, decoded;
    bool transforms, handles; /* which functions it defines                                 */
};

/* What the registry of Lua holds, by number. */
enum {
    SLOT_SHADOW = 1, /* table of a document -> its node, see document.c                     */
    SLOT_OBJECT,     /* metatables: of objects of a document, of arrays, of exact numbers   */
    SLOT_ARRAY,
    SLOT_EXACT,
    SLOT_NULL,
    SLOT_TRANSFORM,
    SLOT_HANDLE
};

/* A state in which the script has run, or was compiled only. */
tr_status script_new(const tr_host *host, const tr_json *json, const struct options *options,
                     bool run, struct script **ret_script, tr_error *error);
void script_free(struct script *script);

struct script *script_of(lua_State *L);

enum { ENTERED_WELL, ENTERED_ERROR, ENTERED_STOPPED, ENTERED_SHORT };

/* Calls `body` with `arg` as light userdata, under the limits. ENTERED_STOPPED: at a limit;
 * what the script has half done is not known, make another. ENTERED_SHORT: the same, but the
 * system had no memory, which is not the script's fault. In bad cases `words` say why. */
int script_enter(struct script *script, lua_CFunction body, void *arg, char words[WORDS_MAX]);

/* ---- library.c, strings.c, json.c ---- */

void library_open(lua_State *L, int32_t libraries);
void strings_open(lua_State *L); /* puts its functions into the table at the top            */
void json_open(lua_State *L);    /* leaves the table `json` on the stack                     */

/* ---- pattern.c ---- */

enum { CAPTURES_MAX = 32 };

struct capture {
    const char *at;
    ptrdiff_t len; /* or one of these                                                       */
};
enum { CAPTURE_OPEN = -1, CAPTURE_PLACE = -2 };

/* A pattern against a subject, in turn at several places of it. */
struct match {
    lua_State *L;
    const char *begin, *end; /* the subject                                                 */
    const char *pattern, *pattern_end;
    int depth, count;
    uint32_t steps;
    struct capture captures[CAPTURES_MAX];
};

/* Where a match that begins at `at` ends, or NULL. */
const char *pattern_match(struct match *match, const char *at);

/* ---- value.c ---- */

/* Pushes a raw value; an object becomes a table of document.c. */
void value_push(lua_State *L, tr_str raw);

/* Pushes what stands between the quotes of a string. */
void value_push_string(lua_State *L, tr_str inner);
void value_open(lua_State *L);
bool value_is_null(lua_State *L, int idx);

/* The digits of a number that Lua's cannot hold; empty: it is none. */
tr_str value_exact(lua_State *L, int idx);

/* ---- document.c ---- */

struct member {
    tr_str key, value; /* key: between the quotes                                           */
    int32_t next;      /* of the same name, or -1                                           */
    bool seen;         /* the table says what it is now                                     */
};

/* What a table of a document was read from. */
struct node {
    tr_str raw;
    uint32_t count;
    bool is_array, opened;
    struct member members[]; /* once opened, of an object                                   */
};

void document_open(lua_State *L);

/* Forgets the nodes: what was not looked at is no more. */
void document_forget(lua_State *L);

/* Pushes a table for an object. */
void document_push(lua_State *L, tr_str raw);

/* The table at the top was read from this array. */
void document_remember_array(lua_State *L, tr_str raw);

/* The node of a table, or NULL; it lives until document_forget(). */
struct node *document_node(lua_State *L, int idx);

/* The same, its members known. */
struct node *document_members(lua_State *L, int idx);

/* Whether the key at the top is of a member that came with the document. */
bool document_has(lua_State *L, int idx);

/* Puts all that was not looked at into the table. */
void document_fill(lua_State *L, int idx);
void document_set_array(lua_State *L); /* of the table at the top                           */
bool document_is_array(lua_State *L, int idx);

/* ---- write.c ---- */

/* Adds the value as JSON to script->out; `raw` is what stood in its place, or empty. Whether it
 * is another one now: what is not is written as it stood, byte for byte. */
bool write_value(lua_State *L, int idx, tr_str raw);

/* ---- handle.c, transform.c ---- */

/* Pushes the table `change`. */
void change_push(lua_State *L, const tr_batch *batch, const tr_change *change);

enum { VERDICT_SAME, VERDICT_CHANGED, VERDICT_SKIP };

/* What transform() says of a document; changed, it is in script->out. As script_enter(). */
int transform_run(struct script *script, const tr_batch *batch, const tr_change *change,
                  tr_str doc, int *ret_verdict, char words[WORDS_MAX]);

/* What handle() says of a change: TR_OK, TR_RETRY (`words` say why) or TR_REJECT. As
 * script_enter(). */
int handle_run(struct script *script, const tr_batch *batch, const tr_change *change,
               tr_status *ret_status, uint32_t *ret_after_ms, char words[WORDS_MAX]);

#endif
