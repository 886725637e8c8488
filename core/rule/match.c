/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matcher. Compiled with the configuration, tested on the loop thread.
 */
#include "rule/match.h"

#include "base/mem.h"
#include "config/diag.h"

static int read_rows(const struct config_node *rule, tr_str name, enum match_rows dflt,
                     struct diags *diags, enum match_rows *ret_rows)
{
    static const char *const words[] = {"include", "exclude", "only"};
    const struct config_node *node = config_member(rule, name);

    *ret_rows = dflt;
    if (!node)
        return 0;
    for (int i = 0; i < 3 && node->type == CONFIG_STRING; i++)
        if (str_eq(node->text, str_c(words[i]))) {
            *ret_rows = (enum match_rows)i;
            return 0;
        }
    return diag_refuse(diags, node, "write one of \"include\", \"exclude\", \"only\"",
                       "no such choice");
}

int matcher_new(const struct config_node *rule, struct diags *diags,
                struct matcher **ret_matcher)
{
    struct matcher *matcher = mem_new(struct matcher);
    const struct config_node *databases = config_member(rule, STR("databases"));
    int rc = 0;

    if (!databases)
        rc = diag_refuse(diags, rule, "add databases = \"^name$\" or a list of names",
                         "the rule names no databases");
    else if (pattern_new(databases, diags, &matcher->databases) != 0)
        rc = ERR_CONFIG;
    if (conditions_init(&matcher->conditions, config_member(rule, STR("if")),
                        config_member(rule, STR("where")), diags) != 0)
        rc = ERR_CONFIG;
    if (read_rows(rule, STR("deleted"), MATCH_INCLUDE, diags, &matcher->deleted) != 0)
        rc = ERR_CONFIG;
    if (read_rows(rule, STR("design_documents"), MATCH_EXCLUDE, diags, &matcher->design) != 0)
        rc = ERR_CONFIG;
    if (rc != 0) {
        matcher_free(matcher);
        return rc;
    }
    *ret_matcher = matcher;
    return 0;
}

void matcher_free(struct matcher *matcher)
{
    if (!matcher)
        return;
    pattern_free(matcher->databases);
    conditions_fini(&matcher->conditions);
    free(matcher);
}

bool matcher_needs_doc(const struct matcher *matcher)
{
    return matcher->conditions.count > 0;
}

static bool rows_pass(enum match_rows rows, bool is)
{
    return rows == MATCH_INCLUDE || is == (rows == MATCH_ONLY);
}

enum verdict matcher_test(const struct matcher *matcher, const tr_change *change,
                          struct error *error)
{
    if (!rows_pass(matcher->deleted, change->flags & TR_CHANGE_DELETED) ||
        !rows_pass(matcher->design, change->flags & TR_CHANGE_DESIGN))
        return VERDICT_NO_MATCH;
    if (matcher->conditions.count == 0)
        return VERDICT_MATCH;
    return conditions_test(&matcher->conditions, change->doc, error);
}

/* An explanation under way. */
struct explainer {
    void (*each)(void *user, const struct match_reason *reason);
    void *user;
    enum verdict verdict; /* NO_MATCH settles it, ERROR is stronger than MATCH              */
};

static void give(struct explainer *explainer, const struct match_reason *reason)
{
    if (explainer->verdict == VERDICT_MATCH || reason->verdict == VERDICT_NO_MATCH)
        explainer->verdict = reason->verdict;
    explainer->each(explainer->user, reason);
}

static void explain_rows(struct explainer *explainer, tr_str subject, enum match_rows rows,
                         bool is)
{
    static const char *const why[] = {"both are wanted", "it is not wanted",
                                      "nothing else is wanted"};

    give(explainer, &(struct match_reason){
                        .verdict = rows_pass(rows, is) ? VERDICT_MATCH : VERDICT_NO_MATCH,
                        .subject = subject,
                        .found = is ? STR("yes") : STR("no"),
                        .why = str_c(why[rows]),
                    });
}

static void explain_condition(struct explainer *explainer, const struct condition *condition,
                              const tr_change *change)
{
    struct match_reason reason = {.subject = condition->text, .why = STR("")};
    struct error error;

    reason.verdict = condition_test(condition, change->doc, &reason.found, &error);
    if (reason.verdict == VERDICT_ERROR)
        reason.why = str_c(error.text);
    else if (change->doc.len == 0)
        reason.why = STR("the row has no document");
    if (reason.found.len == 0)
        reason.found = STR("nothing");
    give(explainer, &reason);
}

enum verdict rule_explain(const struct matcher *matcher, tr_str db, const tr_change *change,
                          void (*each)(void *user, const struct match_reason *reason),
                          void *user)
{
    struct explainer explainer = {.each = each, .user = user, .verdict = VERDICT_MATCH};
    struct match_reason reason = {.found = db, .why = STR("")};
    struct buf subject = {0};
    struct error error;

    buf_add_c(&subject, "databases ");
    buf_add_str(&subject, pattern_text(matcher->databases));
    reason.subject = buf_str(&subject);
    reason.verdict = pattern_match(matcher->databases, db, &error);
    if (reason.verdict == VERDICT_ERROR)
        reason.why = str_c(error.text);
    give(&explainer, &reason);
    explain_rows(&explainer, STR("deleted"), matcher->deleted,
                 change->flags & TR_CHANGE_DELETED);
    explain_rows(&explainer, STR("design document"), matcher->design,
                 change->flags & TR_CHANGE_DESIGN);
    for (size_t i = 0; i < matcher->conditions.count; i++)
        explain_condition(&explainer, &matcher->conditions.items[i], change);
    buf_fini(&subject);
    return explainer.verdict;
}

void match_reason_write(const struct match_reason *reason, struct buf *out)
{
    static const char *const words[] = {
        [VERDICT_NO_MATCH] = "no", [VERDICT_MATCH] = "yes", [VERDICT_ERROR] = "error"};
    enum { SHOWN = 100 };

    buf_addf(out, "%-5s " STR_FMT ": found ", words[reason->verdict], STR_ARG(reason->subject));
    buf_add_str(
        out, str_n(reason->found.ptr, reason->found.len < SHOWN ? reason->found.len : SHOWN));
    if (reason->found.len > SHOWN)
        buf_addf(out, "… (%zu bytes)", reason->found.len);
    if (reason->why.len > 0)
        buf_addf(out, " (" STR_FMT ")", STR_ARG(reason->why));
}
