/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `top` knows: the last status, rates since the one before, and the order of rules. See
 * top.h. Main thread.
 */
#include "cli/top.h"

#include "base/mem.h"
#include "cli/status_read.h"
#include "json/value.h"

#include <stdlib.h>

enum { LATE_S = 10 };

/* How often something had happened at the last look, and how often a second that is. */
struct rate {
    double count, rate;
    uint64_t look;
};

void top_init(struct top *top)
{
    *top = (struct top){.sort = TOP_BY_TROUBLE};
    arena_init(&top->arena, 1 << 16);
}

static void free_rates(struct top *top, uint64_t kept_look)
{
    size_t cursor = 0;
    tr_str key;
    void *value;

    while (map_next(&top->counts, &cursor, &key, &value)) {
        struct rate *rate = value;
        if (rate->look == kept_look)
            continue;
        map_remove(&top->counts, key);
        free(rate);
    }
}

void top_fini(struct top *top)
{
    free_rates(top, UINT64_MAX);
    map_fini(&top->counts);
    buf_fini(&top->document);
    arena_fini(&top->arena);
    free(top->rules);
}

/* ---- rates ---- */

static tr_str key_of(struct buf *key, const char *kind, tr_str name)
{
    buf_clear(key);
    buf_addf(key, "%s ", kind);
    buf_add_str(key, name);
    return buf_str(key);
}

/* A count that fell is that of another daemon: nothing is known of it yet. */
static double count(struct top *top, const char *kind, tr_str name, double now, double seconds)
{
    struct buf key = {0};
    struct rate *rate = map_get(&top->counts, key_of(&key, kind, name));

    if (!rate) {
        rate = mem_new(struct rate);
        map_set(&top->counts, buf_str(&key), rate);
    } else {
        rate->rate = now >= rate->count && seconds > 0 ? (now - rate->count) / seconds : 0;
    }
    rate->count = now;
    rate->look = top->looks;
    buf_fini(&key);
    return rate->rate;
}

double top_rate_of(const struct top *top, const char *kind, tr_str name)
{
    struct buf key = {0};
    const struct rate *rate = map_get(&top->counts, key_of(&key, kind, name));

    buf_fini(&key);
    return rate ? rate->rate : 0;
}

static void remember(struct top *top, double rate)
{
    if (top->history_count == TOP_HISTORY)
        memmove(top->history, top->history + 1, --top->history_count * sizeof(double));
    top->history[top->history_count++] = rate;
}

/* ---- a document ---- */

static void take_sources(struct top *top, double seconds)
{
    tr_str list = status_member(buf_str(&top->document), "sources"), key, it;
    size_t cursor = 0;

    top->read_rate = 0;
    while (json_next(list, &cursor, &key, &it))
        top->read_rate += count(top, "source", status_text(&top->arena, it, "name"),
                                status_number(it, "rows"), seconds);
}

static struct top_rule read_rule(struct top *top, tr_str it, double seconds)
{
    struct top_rule rule = {
        .name = status_text(&top->arena, it, "name"),
        .plugin = status_text(&top->arena, it, "plugin"),
        .state = status_text(&top->arena, it, "state"),
        .lag_s = status_number(it, "lag_s"),
        .lag_rows = status_number(it, "lag_rows"),
        .in_flight = status_number(it, "in_flight"),
        .retrying = status_number(it, "retrying"),
        .ok = status_number(it, "ok"),
        .letters = status_number(it, "dead_letters"),
    };

    if (str_eq(rule.state, STR("running")) && rule.retrying > 0)
        rule.state = STR("retrying");
    rule.rate = count(top, "rule", rule.name, rule.ok, seconds);
    return rule;
}

static void take_rules(struct top *top, double seconds)
{
    tr_str list = status_member(buf_str(&top->document), "rules"), key, it;
    size_t cursor = 0, room = 0;

    top->rules_count = 0;
    while (json_next(list, &cursor, &key, &it)) {
        if (top->rules_count == room) {
            room = room > 0 ? 2 * room : 64;
            top->rules = mem_resize(top->rules, room * sizeof(*top->rules));
        }
        top->rules[top->rules_count++] = read_rule(top, it, seconds);
    }
    top_sort(top);
}

int top_take(struct top *top, struct buf *document, int64_t now_ms, struct error *error)
{
    double seconds = (double)(now_ms - top->taken_ms) / 1000;
    struct buf before = top->document;
    tr_str totals;
    int rc = status_check(buf_str(document), error);

    if (rc < 0)
        return rc;
    top->document = *document;
    *document = before;
    arena_fini(&top->arena);
    arena_init(&top->arena, 1 << 16);
    top->looks++;
    totals = status_member(buf_str(&top->document), "totals");
    top->rate = count(top, "all", STR(""), status_number(totals, "ok"), seconds);
    take_sources(top, seconds);
    take_rules(top, seconds);
    free_rates(top, top->looks);
    if (top->looks > 1)
        remember(top, top->rate);
    top->taken_ms = now_ms;
    top->error[0] = '\0';
    return 0;
}

/* ---- the order of rules ---- */

static double urgency(const struct top_rule *rule)
{
    double state = str_eq(rule->state, STR("held"))       ? 2
                   : str_eq(rule->state, STR("retrying")) ? 1
                                                          : 0;
    double late = rule->lag_s < LATE_S ? 0
                  : rule->lag_s < 1e6  ? (int)(rule->lag_s / LATE_S)
                                       : 1e5;

    return state * 1e15 + late * 1e9 + (rule->ok < 1e9 ? rule->ok : 1e9 - 1);
}

static double weight(const struct top_rule *rule, enum top_sort sort)
{
    switch (sort) {
    case TOP_BY_TROUBLE: return urgency(rule);
    case TOP_BY_RATE: return rule->rate;
    case TOP_BY_LAG: return rule->lag_s;
    case TOP_BY_WAITING: return rule->lag_rows;
    case TOP_BY_LETTERS: return rule->letters;
    default: return 0;
    }
}

static int compare(const void *a, const void *b, void *ctx)
{
    const struct top *top = ctx;
    const struct top_rule *x = a, *y = b;
    double by = weight(y, top->sort) - weight(x, top->sort);
    int way = by < 0 ? -1 : by > 0 ? 1 : str_cmp(x->name, y->name);

    return top->reverse ? -way : way;
}

void top_sort(struct top *top)
{
    if (top->rules_count > 0)
        qsort_r(top->rules, top->rules_count, sizeof(*top->rules), compare, top);
}
