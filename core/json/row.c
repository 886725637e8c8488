/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The row scanner. The members of the row are walked once and those with a known name are kept
 * as slices; only when the row is whole are they looked into. Called by feed/ on the loop
 * thread.
 */
#include "json/row.h"

#include "base/failpoint.h"
#include "json/lex.h"
#include "json/value.h"

/* In the order in which servers write them. */
enum member { SEQ, ID, CHANGES, DELETED, DOC, LAST_SEQ, PENDING, ERROR, REASON, MEMBERS };

static const tr_str names[MEMBERS] = {
    [SEQ] = {"seq", 3},         [ID] = {"id", 2},       [CHANGES] = {"changes", 7},
    [DELETED] = {"deleted", 7}, [DOC] = {"doc", 3},     [LAST_SEQ] = {"last_seq", 8},
    [PENDING] = {"pending", 7}, [ERROR] = {"error", 5}, [REASON] = {"reason", 6},
};

/* Searches from `from` on, around: servers keep one order, so the first look mostly hits. */
static unsigned find_member(tr_str key, unsigned from)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        unsigned which = (from + i) % MEMBERS;

        if (json_lex_key_is(key, names[which]))
            return which;
    }
    return MEMBERS;
}

/* Walks the object at *at; *at is behind it when done. */
static enum json_lex walk(const char **at, const char *end, tr_str members[MEMBERS])
{
    const char *p = json_lex_space(*at + 1, end);
    unsigned next = 0;

    if (p < end && *p == '}') {
        *at = p + 1;
        return LEX_DONE;
    }
    for (;;) {
        tr_str key, value;
        enum json_lex lex = json_lex_member(&p, end, &key, &value);
        unsigned which;

        if (lex != LEX_DONE)
            return lex;
        which = find_member(key, next);
        if (which < MEMBERS) {
            members[which] = value;
            next = which + 1;
        }
        p = json_lex_space(p, end);
        if (p == end)
            return LEX_MORE;
        if (*p == '}')
            break;
        if (*p != ',')
            return LEX_BAD;
        p = json_lex_space(p + 1, end);
    }
    *at = p + 1;
    return LEX_DONE;
}

/* The begin of `changes` as servers write it: an item whose one member is `rev`. */
static bool is_usual(tr_str revs, tr_str *ret_raw)
{
    static const tr_str begin = {"[{\"rev\":", 8};
    const char *value, *at, *end;

    if (!str_starts(revs, begin))
        return false;
    value = at = revs.ptr + begin.len;
    end = revs.ptr + revs.len;
    if (json_lex_string(&at, end) != LEX_DONE || at == end || *at != '}')
        return false;
    *ret_raw = str_n(value, (size_t)(at - value));
    return true;
}

/* The `rev` of the first item of the row's `changes`, or an empty one. */
static tr_str winning_rev(tr_str revs, struct arena *arena)
{
    tr_str key, item, raw, rev = {0};
    size_t cursor = 0;

    if (is_usual(revs, &raw)) {
        (void)json_decode(raw, arena, &rev);
        return rev;
    }
    if (json_next(revs, &cursor, &key, &item) && json_get(item, STR("rev"), &raw))
        (void)json_decode(raw, arena, &rev);
    return rev;
}

static tr_str only(tr_str raw, enum json_type type)
{
    return json_type_of(raw) == type ? raw : (tr_str){0};
}

static void fill_change(tr_change *change, tr_str raw, tr_str id, const tr_str members[MEMBERS],
                        struct arena *arena)
{
    *change = (tr_change){
        .raw = raw,
        .id = id,
        .seq = members[SEQ],
        .revs = only(members[CHANGES], JSON_ARRAY),
        .doc = only(members[DOC], JSON_OBJECT),
    };
    change->rev = winning_rev(change->revs, arena);
    if (json_type_of(members[DELETED]) == JSON_TRUE)
        change->flags |= TR_CHANGE_DELETED;
    if (change->doc.len > 0)
        change->flags |= TR_CHANGE_HAS_DOC;
    if (str_starts(id, STR("_design/")))
        change->flags |= TR_CHANGE_DESIGN;
}

enum json_row_result json_row_scan(tr_str text, struct arena *arena, tr_change *ret_change,
                                   struct json_closing *ret_closing, size_t *ret_used)
{
    tr_str members[MEMBERS] = {0}, id;
    const char *at = text.ptr;
    size_t used;

    if (text.len == 0)
        return JSON_MORE;
    if (*at != '{')
        return JSON_JUNK;
    switch (walk(&at, text.ptr + text.len, members)) {
    case LEX_DONE: break;
    case LEX_MORE:
        if (!PLANTED("row_without_end") || members[CHANGES].len == 0)
            return JSON_MORE;
        at = text.ptr + text.len;
        break;
    case LEX_BAD: return JSON_JUNK;
    }
    used = (size_t)(at - text.ptr);
    *ret_used = used;
    if (json_decode(members[ID], arena, &id)) {
        fill_change(ret_change, str_n(text.ptr, used), id, members, arena);
        return JSON_ROW;
    }
    if (members[LAST_SEQ].len == 0 && members[ERROR].len == 0)
        return JSON_OTHER;
    *ret_closing = (struct json_closing){members[LAST_SEQ], members[PENDING], members[ERROR],
                                         members[REASON]};
    return members[LAST_SEQ].len > 0 ? JSON_CLOSING : JSON_ERROR;
}
