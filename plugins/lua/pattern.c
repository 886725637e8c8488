/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lua's patterns, matched under the limits: LuaJIT's own matcher can work for years on a short
 * pattern within one call, where no hook ends it. What matches is the same. On the instance's
 * worker.
 */
#include "script.h"

enum { NESTED_MAX = 200, STEPS_PER_LOOK = 4096 };

static const char *match_here(struct match *m, const char *at, const char *p);

static void count_steps(struct match *m, size_t steps)
{
    m->steps += (uint32_t)(steps < STEPS_PER_LOOK ? steps : STEPS_PER_LOOK);
    if (m->steps >= STEPS_PER_LOOK) {
        m->steps = 0;
        limits_look(m->L);
    }
}

/* ---- one character ---- */

/* Behind the single item at `p`: a character, a class, a set. */
static const char *item_end(struct match *m, const char *p)
{
    if (*p == '%') {
        if (p + 1 == m->pattern_end)
            luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 2;
    }
    if (*p++ != '[')
        return p;
    if (p < m->pattern_end && *p == '^')
        p++;
    do { /* a ] that comes first is one of the set */
        if (p == m->pattern_end)
            luaL_error(m->L, "malformed pattern (missing ']')");
        if (*p++ == '%' && p < m->pattern_end)
            p++;
    } while (p == m->pattern_end || *p != ']');
    return p + 1;
}

static bool is_upper(int c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(int c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* Of ASCII alone, whatever a locale says. */
static bool is_of_class(int c, int class)
{
    bool letter = is_upper(c) || is_lower(c), is;

    switch (class | 0x20) {
    case 'a': is = letter; break;
    case 'c': is = c < 0x20 || c == 0x7f; break;
    case 'd': is = is_digit(c); break;
    case 'g': is = c > 0x20 && c < 0x7f; break;
    case 'l': is = is_lower(c); break;
    case 'p': is = c > 0x20 && c < 0x7f && !letter && !is_digit(c); break;
    case 's': is = c == ' ' || (c >= '\t' && c <= '\r'); break;
    case 'u': is = is_upper(c); break;
    case 'w': is = letter || is_digit(c); break;
    case 'x': is = is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); break;
    case 'z': is = c == 0; break;
    default: return class == c;
    }
    return is != is_upper(class);
}

static int byte(const char *at)
{
    return (unsigned char)*at;
}

/* `p` is at the [, `end` behind the ]. */
static bool is_in_set(int c, const char *p, const char *end)
{
    const char *last = end - 1;
    bool negated = *++p == '^';

    for (p += negated; p < last; p++) {
        if (*p == '%') {
            if (is_of_class(c, byte(++p)))
                return !negated;
        } else if (p[1] == '-' && p + 2 < last) {
            if (byte(p) <= c && c <= byte(p + 2))
                return !negated;
            p += 2;
        } else if (byte(p) == c) {
            return !negated;
        }
    }
    return negated;
}

static bool is_item(struct match *m, const char *at, const char *p, const char *end)
{
    if (at >= m->end)
        return false;
    switch (*p) {
    case '.': return true;
    case '%': return is_of_class(byte(at), byte(p + 1));
    case '[': return is_in_set(byte(at), p, end);
    default: return *p == *at;
    }
}

/* ---- repeated ---- */

/* As many as there are from `at` on, then less and less. */
static const char *match_most(struct match *m, const char *at, const char *p, const char *end)
{
    const char *to = at, *found;

    while (is_item(m, to, p, end))
        to++;
    count_steps(m, (size_t)(to - at));
    for (;; to--) {
        found = match_here(m, to, end + 1);
        if (found || to == at)
            return found;
    }
}

/* As few as will do. */
static const char *match_least(struct match *m, const char *at, const char *p, const char *end)
{
    for (;; at++) {
        const char *found = match_here(m, at, end + 1);

        if (found || !is_item(m, at, p, end))
            return found;
    }
}

/* ---- captures ---- */

static const char *match_begun(struct match *m, const char *at, const char *p, ptrdiff_t kind)
{
    const char *found;

    if (m->count == CAPTURES_MAX)
        luaL_error(m->L, "too many captures");
    m->captures[m->count++] = (struct capture){.at = at, .len = kind};
    found = match_here(m, at, p);
    if (!found)
        m->count--;
    return found;
}

static const char *match_ended(struct match *m, const char *at, const char *p)
{
    int i = m->count - 1;
    const char *found;

    while (i >= 0 && m->captures[i].len != CAPTURE_OPEN)
        i--;
    if (i < 0)
        luaL_error(m->L, "invalid pattern capture");
    m->captures[i].len = at - m->captures[i].at;
    found = match_here(m, at, p);
    if (!found)
        m->captures[i].len = CAPTURE_OPEN;
    return found;
}

/* ---- %1, %b, %f ---- */

/* What a capture took, again; NULL: it is not there. */
static const char *skip_again(struct match *m, const char *at, int digit)
{
    int i = digit - '1';
    size_t len;

    if (i < 0 || i >= m->count || m->captures[i].len == CAPTURE_OPEN)
        luaL_error(m->L, "invalid capture index");
    if (m->captures[i].len == CAPTURE_PLACE)
        return NULL;
    len = (size_t)m->captures[i].len;
    count_steps(m, len);
    return (size_t)(m->end - at) >= len && memcmp(at, m->captures[i].at, len) == 0 ? at + len
                                                                                   : NULL;
}

/* Behind what is balanced by the two characters at `p`. */
static const char *skip_balanced(struct match *m, const char *at, const char *p)
{
    const char *from = at;
    size_t depth = 1;

    if (m->pattern_end - p < 2)
        luaL_error(m->L, "unbalanced pattern");
    if (at == m->end || *at != p[0])
        return NULL;
    for (at++; at < m->end && depth > 0; at++) {
        if (*at == p[1])
            depth--;
        else if (*at == p[0])
            depth++;
    }
    count_steps(m, (size_t)(at - from));
    return depth == 0 ? at : NULL;
}

/* Where the set of a frontier ends, if it is one here; *ret_end is that also if not. */
static bool is_frontier(struct match *m, const char *at, const char *p, const char **ret_end)
{
    int before = at == m->begin ? 0 : byte(at - 1), here = at == m->end ? 0 : byte(at);

    if (p == m->pattern_end || *p != '[')
        luaL_error(m->L, "missing '[' after '%%f' in pattern");
    *ret_end = item_end(m, p);
    return !is_in_set(before, p, *ret_end) && is_in_set(here, p, *ret_end);
}

/* ---- all of it ---- */

/* A single item and what says how often it comes. True: go on at *at and *p; false: *ret_found
 * is how it ended. */
static bool step(struct match *m, const char **at, const char **p, const char **ret_found)
{
    const char *end = item_end(m, *p);

    switch (end < m->pattern_end ? *end : '\0') {
    case '*': *ret_found = match_most(m, *at, *p, end); return false;
    case '-': *ret_found = match_least(m, *at, *p, end); return false;
    case '+':
        *ret_found = is_item(m, *at, *p, end) ? match_most(m, *at + 1, *p, end) : NULL;
        return false;
    case '?':
        *ret_found = is_item(m, *at, *p, end) ? match_here(m, *at + 1, end + 1) : NULL;
        *p = end + 1;
        return !*ret_found;
    default:
        *ret_found = NULL;
        if (!is_item(m, *at, *p, end))
            return false;
        ++*at;
        *p = end;
        return true;
    }
}

/* %b, %f, or a capture again. -1: it is something else, 0: it does not match. */
static int step_special(struct match *m, const char **at, const char **p)
{
    int c = *p + 1 < m->pattern_end ? byte(*p + 1) : 0;
    const char *next = NULL;

    if (**p != '%' || (c != 'b' && c != 'f' && !is_digit(c)))
        return -1;
    if (c == 'f') {
        bool is = is_frontier(m, *at, *p + 2, &next);

        *p = next;
        return is;
    }
    next = c == 'b' ? skip_balanced(m, *at, *p + 2) : skip_again(m, *at, c);
    *p += c == 'b' ? 4 : 2;
    *at = next;
    return next != NULL;
}

static const char *match_on(struct match *m, const char *at, const char *p)
{
    const char *found = NULL;

    while (p < m->pattern_end) {
        int special = step_special(m, &at, &p);

        count_steps(m, 1);
        if (special == 0)
            return NULL;
        if (special > 0)
            continue;
        if (*p == '(')
            return p + 1 < m->pattern_end && p[1] == ')'
                       ? match_begun(m, at, p + 2, CAPTURE_PLACE)
                       : match_begun(m, at, p + 1, CAPTURE_OPEN);
        if (*p == ')')
            return match_ended(m, at, p + 1);
        if (*p == '$' && p + 1 == m->pattern_end)
            return at == m->end ? at : NULL;
        if (!step(m, &at, &p, &found))
            return found;
    }
    return at;
}

static const char *match_here(struct match *m, const char *at, const char *p)
{
    const char *found;

    if (++m->depth > NESTED_MAX)
        luaL_error(m->L, "pattern too complex");
    found = match_on(m, at, p);
    m->depth--;
    return found;
}

const char *pattern_match(struct match *match, const char *at)
{
    match->count = match->depth = 0;
    return match_here(match, at, match->pattern);
}
