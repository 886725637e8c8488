/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace explain: which rules match a document and why the others do not, and what would be
 * sent. Nothing is connected to, and no secret is read.
 */
#include "base/mem.h"
#include "cli/args.h"
#include "cli/document.h"
#include "cli/load.h"
#include "cli/print.h"
#include "config/near.h"

#include <stdio.h>
#include <sysexits.h>

enum { NOT_ONE_MATCHES = 1 /* the exit code */ };

/* An explanation under way, of one rule. */
struct explanation {
    const struct rule_settings *rule;
    tr_str db;
    const tr_change *change;
    bool as_json;
    struct buf json; /* of all rules                                                       */
    size_t matching;
};

/* ---- what a person reads and a program gets ---- */

static void print_reason(void *user, const struct match_reason *reason)
{
    static const char *const words[] = {
        [VERDICT_NO_MATCH] = "no", [VERDICT_MATCH] = "yes", [VERDICT_ERROR] = "error"};
    struct explanation *it = user;
    struct buf line = {0};

    if (it->as_json) {
        json_begin(&it->json, NULL, '{');
        json_str(&it->json, "verdict", str_c(words[reason->verdict]));
        json_str(&it->json, "subject", reason->subject);
        json_str(&it->json, "found", reason->found);
        json_str(&it->json, "why", reason->why);
        json_end(&it->json, '}');
        return;
    }
    match_reason_write(reason, &line);
    fputs("  ", stdout);
    print_clean(buf_str(&line));
    putchar('\n');
    buf_fini(&line);
}

static void print_line(void *user, tr_str text)
{
    struct explanation *it = user;

    if (it->as_json) {
        json_str(&it->json, NULL, text);
        return;
    }
    fputs("    ", stdout);
    print_clean(text);
    putchar('\n');
}

/* What only the server can decide, and what is not run at all. */
static void print_notes(struct explanation *it)
{
    const struct rule_settings *rule = it->rule;
    const char *filter = rule->query.filter.len > 0     ? "a filter"
                         : rule->query.selector.len > 0 ? "a selector"
                         : rule->query.doc_ids.len > 0  ? "doc_ids"
                                                        : NULL;

    if (it->as_json) {
        json_bool(&it->json, "enabled", rule->enabled);
        json_bool(&it->json, "server_filters", filter != NULL);
        return;
    }
    if (!rule->enabled)
        puts("  note  the rule is disabled");
    if (filter)
        printf("  note  the server chooses first, by %s: that is not judged here\n", filter);
}

/* ---- one rule ---- */

/* An expression does not see system databases; pattern_match() alone does not know that. */
static bool is_hidden(const struct explanation *it)
{
    const tr_str *names;
    size_t count;

    return it->db.len > 0 && it->db.ptr[0] == '_' && !it->rule->system_databases &&
           !pattern_is_fixed(it->rule->matcher->databases, &names, &count);
}

static enum verdict explain_match(struct explanation *it, const tr_change *change)
{
    enum verdict verdict = rule_explain(it->rule->matcher, it->db, change, print_reason, it);
    struct match_reason hidden = {
        .verdict = VERDICT_NO_MATCH,
        .subject = STR("system_databases"),
        .found = it->db,
        .why = STR(
            "an expression sees names with an underscore only if system_databases = true"),
    };

    if (!is_hidden(it))
        return verdict;
    print_reason(it, &hidden);
    return VERDICT_NO_MATCH;
}

static void explain_plugin(struct explanation *it, const tr_change *change)
{
    struct instance_setup setup = settings_instance(it->rule);
    struct instance *instance = instance_new(&setup);
    struct buf stream = {0};
    struct error error;
    tr_batch batch = {
        .size = sizeof(batch),
        .source = it->rule->source->name,
        .db = it->db,
        .rule = it->rule->name,
        .changes = change,
        .count = 1,
        .stride = sizeof(*change),
    };

    buf_addf(&stream, STR_FMT "/" STR_FMT "@explain", STR_ARG(batch.source), STR_ARG(it->db));
    batch.stream = buf_str(&stream);
    if (!it->as_json)
        printf("  %s would do:\n", it->rule->plugin->descriptor.name);
    if (instance_explain(instance, &batch, print_line, it, &error) < 0)
        print_line(it, str_c(error.text));
    instance_free(instance);
    buf_fini(&stream);
}

static void explain_rule(struct explanation *it)
{
    static const char *const words[] = {[VERDICT_NO_MATCH] = "does not match",
                                        [VERDICT_MATCH] = "matches",
                                        [VERDICT_ERROR] = "cannot tell"};
    tr_change change = *it->change;
    enum verdict verdict;

    change.attempt = 1;
    if (!it->rule->query.include_docs) {
        change.doc = STR("");
        change.flags &= ~(uint32_t)TR_CHANGE_HAS_DOC;
    }
    if (it->as_json) {
        json_begin(&it->json, NULL, '{');
        json_str(&it->json, "rule", it->rule->name);
        json_begin(&it->json, "reasons", '[');
    } else {
        printf("rule " STR_FMT "\n", STR_ARG(it->rule->name));
    }
    verdict = explain_match(it, &change);
    if (it->as_json)
        json_end(&it->json, ']');
    print_notes(it);
    it->matching += verdict == VERDICT_MATCH;
    if (it->as_json) {
        json_bool(&it->json, "matches", verdict == VERDICT_MATCH);
        json_begin(&it->json, "would", '[');
    } else {
        printf("  => %s\n", words[verdict]);
    }
    if (verdict == VERDICT_MATCH)
        explain_plugin(it, &change);
    if (it->as_json) {
        json_end(&it->json, ']');
        json_end(&it->json, '}');
    }
}

/* ---- all of them ---- */

static int explain_rules(struct explanation *it, struct settings *settings, const char *only)
{
    for (size_t i = 0; i < settings->rules_count; i++) {
        it->rule = &settings->rules[i];
        if (only && !str_eq(it->rule->name, str_c(only)))
            continue;
        explain_rule(it);
        if (!it->as_json)
            putchar('\n');
    }
    if (!it->as_json)
        printf("%zu of %zu rules match\n", it->matching, only ? 1 : settings->rules_count);
    return it->matching > 0 ? EX_OK : NOT_ONE_MATCHES;
}

static int unknown_rule(const struct settings *settings, const char *name)
{
    const char **names = mem_new_array(const char *, settings->rules_count + 1);
    const char *near;

    for (size_t i = 0; i < settings->rules_count; i++)
        names[i] = settings->rules[i].name.ptr;
    near = config_nearest(str_c(name), names, settings->rules_count);
    print_error("there is no rule %s%s%s%s", name, near ? "; did you mean " : "",
                near ? near : "", near ? "?" : "");
    free(names);
    return EX_NOINPUT;
}

static int explain(const struct args *args, struct settings *settings,
                   const struct segment *segment)
{
    const char *only = args_value(args, "rule");
    struct explanation it = {
        .db = str_c(args->operands[0]), .change = &segment->rows[0], .as_json = args->json};
    int code;

    if (only && !settings_rule(settings, str_c(only)))
        return unknown_rule(settings, only);
    json_begin(&it.json, NULL, '{');
    json_str(&it.json, "db", it.db);
    json_str(&it.json, "id", it.change->id);
    json_begin(&it.json, "rules", '[');
    code = explain_rules(&it, settings, only);
    json_end(&it.json, ']');
    json_end(&it.json, '}');
    if (args->json)
        print_json(&it.json);
    buf_fini(&it.json);
    return code;
}

static int run(struct args *args)
{
    const char *path = args->operands[1];
    struct settings *settings = NULL;
    struct segment *segment = NULL;
    struct buf text = {0};
    struct error error;
    int rc, code;

    if (strcmp(path, "-") == 0 && strcmp(args->overrides.path, "-") == 0)
        return args_wrong(args, "the configuration and the document cannot both be \"-\"");
    args_set_up_log(args, NULL);
    code = load_settings(&args->overrides, 0, NULL, &settings);
    if (code != EX_OK)
        return code;
    rc = document_read(path, &text, &error);
    if (rc == 0) {
        rc = document_to_segment(buf_str(&text), &segment, &error);
        if (rc < 0)
            error_prefix(&error, "%s", strcmp(path, "-") == 0 ? "standard input" : path);
    }
    code = rc < 0 ? print_failure(&error) : explain(args, settings, segment);
    segment_unref(segment);
    settings_unref(settings);
    buf_fini(&text);
    return code;
}

const struct command command_explain = {
    .name = "explain",
    .operands = "DATABASE DOCUMENT.json|-",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "Say which rules match a document, and what would be sent",
    .text =
        "The file has a document, or a row of a _changes feed. The exit code is 0 if a rule\n"
        "matches and 1 if none does.",
    .options =
        (const struct args_option[]){
            {"rule", 'r', "RULE", "only this rule"},
            {.name = NULL},
        },
    .examples = "echo '{\"_id\":\"a\",\"type\":\"post\"}' | tailrace explain all_blog_posts -",
    .run = run,
};
