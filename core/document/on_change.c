/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spiegel's on_change documents as rules of http-webhook.
 *
 *     db_name              databases, system ones too; never the documents' own
 *     if                   if, and where for null; top-level members only
 *     url, method, params  url, method and body: see variables.c
 *     block, debounce      the options of the same name
 *
 * All but a 2xx is tried again, as Spiegel does; max_attempts in the group's defaults bounds
 * it. Without `block` Spiegel sends the requests of many changes at once. Any thread.
 */
#include "document/translate.h"

#include "rule/regex.h"

enum {
    AT_ONCE = 20,         /* requests under way                                            */
    ALIKE_MAX = 100,      /* changes of a batch, where they come one after the other or share
                             a request                                                     */
    CONDITIONS_MAX = 1000 /* looking for a duplicate of each costs the square              */
};

/* ---- which changes ---- */

static bool check_pattern(struct translation *t, const char *pointer, tr_str pattern)
{
    struct regex *regex = NULL;
    struct error error;

    if (regex_new(pattern, &regex, &error) < 0) {
        translate_refuse(t, pointer, "", "%s", error.text);
        return false;
    }
    regex_free(regex);
    return true;
}

static void take_databases(struct translation *t)
{
    tr_str name;

    if (!translate_wanted_text(t, "db_name", "a regular expression; \".*\" is every database",
                               &name))
        return;
    name = pattern_of_javascript(name, t->arena);
    if (!check_pattern(t, "/db_name", name))
        return;
    translate_add_text(t, t->rule, "databases",
                       pattern_of_databases(name, t->options->database, t->arena), "/db_name");
}

static void add_missing(struct translation *t, struct config_node *where, tr_str name,
                        const char *pointer)
{
    struct config_node *entry = translate_add(t, where, CONFIG_GROUP, "", pointer);
    struct buf path = {0};

    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '.' || name.ptr[i] == '\\')
            buf_add_char(&path, '\\');
        buf_add_char(&path, name.ptr[i]);
    }
    translate_add_text(t, entry, "path", buf_str(&path), pointer);
    translate_add_text(t, entry, "is", STR("missing"), pointer);
    buf_fini(&path);
}

/* Numbers and booleans are expressions too: what they look like. */
static void add_matches(struct translation *t, struct config_node *group, tr_str name,
                        tr_str raw, const char *pointer)
{
    tr_str text = str_trim(raw);

    if (json_type_of(raw) == JSON_OBJECT || json_type_of(raw) == JSON_ARRAY) {
        translate_refuse(t, pointer, "write a regular expression, or null for missing or null",
                         "is %s, but a condition is a string",
                         json_type_of(raw) == JSON_OBJECT ? "an object" : "an array");
        return;
    }
    if (json_type_of(raw) == JSON_STRING)
        json_decode(raw, t->arena, &text);
    text = pattern_of_javascript(text, t->arena);
    if (check_pattern(t, pointer, text))
        translate_add_text(t, group, arena_cstr(t->arena, name), text, pointer);
}

static void take_condition(struct translation *t, struct config_node *matches,
                           struct config_node *where, tr_str name, tr_str raw)
{
    const char *pointer = config_json_pointer("/if", name, t->arena);

    if (name.len == 0)
        translate_refuse(t, "/if", "name an attribute of the document", "has an empty name");
    else if (json_type_of(raw) == JSON_NULL)
        add_missing(t, where, name, pointer);
    else
        add_matches(t, matches, name, raw, pointer);
}

static void take_conditions(struct translation *t)
{
    struct config_node *matches, *where;
    size_t cursor = 0, count = 0;
    tr_str group, key, raw, last;

    if (!translate_object(t, "if", &group))
        return;
    matches = translate_add(t, t->rule, CONFIG_GROUP, "if", "/if");
    where = translate_add(t, t->rule, CONFIG_LIST, "where", "/if");
    while (json_next(group, &cursor, &key, &raw)) {
        tr_str name = translate_name(key, t->arena);
        if (++count > CONDITIONS_MAX) {
            translate_refuse(t, "/if", "split the rule", "has more than %d conditions",
                             CONDITIONS_MAX);
            return;
        }
        if (json_get(group, name, &last) && last.ptr == raw.ptr) /* of duplicates the last */
            take_condition(t, matches, where, name, raw);
    }
    /* A group without conditions would be a mistake in a file. */
    if (matches->count == 0)
        translate_remove(t->rule, matches);
    if (where->count == 0)
        translate_remove(t->rule, where);
}

/* ---- the request ---- */

static tr_str method_of(struct translation *t)
{
    tr_str method = STR("GET");
    char *upper;

    if (!translate_text(t, "method", &method) || method.len == 0)
        return STR("GET");
    upper = arena_alloc(t->arena, method.len + 1);
    for (size_t i = 0; i <= method.len; i++)
        upper[i] = (char)(method.ptr[i] >= 'a' && method.ptr[i] <= 'z' ? method.ptr[i] - 32
                                                                       : method.ptr[i]);
    return str_n(upper, method.len);
}

static void take_request(struct translation *t, struct config_node *options)
{
    tr_str url = STR(""), params = STR("{}"), method = method_of(t);
    bool has_url = translate_wanted_text(t, "url", "such as \"https://user@api.example.com/\"",
                                         &url);
    struct buf target = {0}, body = {0};
    /* As the plugin has it: these have a body, all others a query string. */
    bool has_body = str_eq(method, STR("POST")) || str_eq(method, STR("PUT")) ||
                    str_eq(method, STR("PATCH"));

    translate_object(t, "params", &params);
    if (json_type_of(params) != JSON_OBJECT)
        params = STR("{}");
    variables_in_url(url, &target);
    if (has_body)
        variables_in_body(params, t->arena, &body);
    else
        variables_in_query(params, t->arena, &target);
    if (has_url)
        translate_add_text(t, options, "url", buf_str(&target), "/url");
    translate_add_text(t, options, "method", method, "/method");
    if (has_body)
        translate_add_text(t, options, "body", buf_str(&body), "/params");
    buf_fini(&target);
    buf_fini(&body);
}

void translate_on_change(struct translation *t)
{
    bool block = translate_flag(t, "block"), debounce = translate_flag(t, "debounce");
    struct config_node *options, *batch;

    take_databases(t);
    translate_add_flag(t, t->rule, "system_databases", true, NULL);
    translate_add_text(t, t->rule, "design_documents", STR("include"), NULL);
    take_conditions(t);
    translate_add_text(t, t->rule, "plugin", STR("http-webhook"), "/type");
    if (block)
        translate_add_int(t, t->rule, "concurrency", 1, "/block");
    options = translate_add(t, t->rule, CONFIG_GROUP, "options", NULL);
    take_request(t, options);
    translate_add_flag(t, options, "block", block, "/block");
    translate_add_flag(t, options, "debounce", debounce, "/debounce");
    translate_add_text(t, options, "reject_on", STR(""), NULL);
    translate_defaults(t);
    if (!config_member(t->rule, STR("concurrency")))
        translate_add_int(t, t->rule, "concurrency", AT_ONCE, NULL);
    if (config_member(t->rule, STR("batch")))
        return;
    batch = translate_add(t, t->rule, CONFIG_GROUP, "batch", NULL);
    translate_add_int(t, batch, "size", block || debounce ? ALIKE_MAX : 1, NULL);
}
