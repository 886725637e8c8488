/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a configuration of `tailrace try`. Main thread.
 *
 * --option a.b=v becomes a: { b = v; }. What the plugin's table says of a.b decides whether v
 * is text, so that nobody has to put quotes in quotes; the same option twice is a list. A value
 * that begins with a bracket is taken as it stands, in the configuration's own syntax.
 */
#include "cli/try_config.h"

#include "base/mem.h"
#include "cli/config_text.h"

#include <inttypes.h>

enum { GIVEN_MAX = ARGS_GIVEN_MAX };

struct given {
    tr_str path, value;
    bool written;
};

struct writer {
    const struct try_setup *setup;
    struct given given[GIVEN_MAX];
    size_t count;
    struct buf *out;
};

/* ---- what a value is ---- */

static const tr_option *find_in(const tr_option *options, uint32_t count, tr_str name)
{
    for (uint32_t i = 0; options && (count ? i < count : options[i].name != NULL); i++)
        if (str_eq(str_c(options[i].name), name))
            return &options[i];
    return NULL;
}

/* The option at a dotted path, or NULL: unknown, or in a group without a table. */
static const tr_option *find_option(const struct plugin *plugin, tr_str path)
{
    const tr_option *found = NULL;
    tr_str rest = path, step = str_cut(rest, '.', &rest);

    if (plugin->options_count > 0)
        found = find_in(plugin->options, plugin->options_count, step);
    while (found && rest.len > 0) {
        step = str_cut(rest, '.', &rest);
        found = find_in(found->group, 0, step);
    }
    return found;
}

/* In a group without a table a value is what it looks like. */
static bool looks_bare(tr_str value)
{
    size_t digits = 0, i = value.len > 0 && value.ptr[0] == '-';

    if (str_eq(value, STR("true")) || str_eq(value, STR("false")))
        return true;
    for (;
         i < value.len && (value.ptr[i] == '.' || (value.ptr[i] >= '0' && value.ptr[i] <= '9'));
         i++)
        digits += value.ptr[i] != '.';
    return digits > 0 && digits < 18 && i == value.len;
}

static bool is_bare(const tr_option *option, tr_str value)
{
    if (value.len > 0 && strchr("[({", value.ptr[0]))
        return true;
    if (!option)
        return looks_bare(value);
    switch (option->type) {
    case TR_TYPE_INT:
    case TR_TYPE_FLOAT:
    case TR_TYPE_BOOL:
    case TR_TYPE_ANY: return looks_bare(value);
    default: return false;
    }
}

static void add_value(struct writer *writer, const tr_option *option, tr_str value)
{
    if (is_bare(option, value))
        buf_add_str(writer->out, value);
    else
        config_text_add(writer->out, value);
}

/* ---- members of a group ---- */

/* All values that were given for one path, as a list where there are several. */
static void write_leaf(struct writer *writer, struct given *first, tr_str name)
{
    const tr_option *option = find_option(writer->setup->plugin, first->path);
    bool is_raw = first->value.len > 0 && strchr("[(", first->value.ptr[0]);
    bool is_list = option && (option->flags & TR_OPTION_LIST) && !is_raw;
    struct given *end = writer->given + writer->count;

    for (struct given *it = first + 1; it < end; it++)
        is_list |= str_eq(it->path, first->path);
    buf_addf(writer->out, "%.*s = %s", STR_ARG(name), is_list ? "( " : "");
    for (struct given *it = first; it < end; it++) {
        if (!str_eq(it->path, first->path))
            continue;
        if (it != first)
            buf_add_c(writer->out, ", ");
        add_value(writer, option, it->value);
        it->written = true;
    }
    buf_addf(writer->out, "%s;\n", is_list ? " )" : "");
}

/* All that was given below `prefix`, which is empty or ends with a dot. */
static void write_group(struct writer *writer, tr_str prefix)
{
    for (size_t i = 0; i < writer->count; i++) {
        struct given *it = &writer->given[i];
        tr_str rest = str_from(it->path, prefix.len), name;
        size_t dot = str_find(rest, '.');

        if (it->written || !str_starts(it->path, prefix))
            continue;
        name = str_n(rest.ptr, dot);
        if (dot == rest.len) {
            write_leaf(writer, it, name);
            continue;
        }
        buf_addf(writer->out, "%.*s: {\n", STR_ARG(name));
        write_group(writer, str_n(it->path.ptr, prefix.len + dot + 1));
        buf_add_c(writer->out, "};\n");
    }
}

/* ---- the command line ---- */

/* Steps are names of the configuration's syntax, with dots between. */
static bool is_path(tr_str path)
{
    bool is_first = true;

    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '*';
        bool is_later = (c >= '0' && c <= '9') || c == '_' || c == '-';

        if (!(c == '.' && !is_first) && !is_letter && !(is_later && !is_first))
            return false;
        is_first = c == '.';
    }
    return !is_first;
}

static int read_given(struct writer *writer)
{
    const struct args *args = writer->setup->args;

    for (size_t i = 0; i < args->given_count; i++) {
        struct given *it = &writer->given[writer->count];
        tr_str text = str_c(args->given[i].value);
        size_t equals = str_find(text, '=');

        if (strcmp(args->given[i].name, "option") != 0)
            continue;
        it->path = str_n(text.ptr, equals);
        it->value = str_from(text, equals + 1);
        if (equals == text.len || !is_path(it->path)) {
            args_wrong(args, "--option %s: key=value is wanted, such as url=http://localhost/",
                       args->given[i].value);
            return ERR_USAGE;
        }
        writer->count++;
    }
    return 0;
}

/* With its options; the inside of a group. */
static void write_plugin(struct writer *writer)
{
    buf_add_c(writer->out, "plugin = ");
    config_text_add(writer->out, str_c(writer->setup->plugin->path));
    buf_add_c(writer->out, ";\noptions: {\n");
    write_group(writer, STR(""));
    buf_add_c(writer->out, "};\n");
}

int try_config_write(const struct try_setup *setup, struct buf *out)
{
    struct writer writer = {.setup = setup, .out = out};
    int rc = read_given(&writer);

    if (rc < 0)
        return rc;
    buf_add_c(out, "sources: { feed: { type = \"file\"; path = ");
    config_text_add(out, str_c(setup->feed));
    buf_add_c(out, "; database = ");
    config_text_add(out, str_c(setup->db));
    buf_add_c(out, "; }; };\nrules: { " TRY_RULE ": {\nsource = \"feed\";\ndatabases = [ ");
    config_text_add(out, str_c(setup->db));
    buf_addf(out,
             " ];\ndesign_documents = \"include\";\nbatch: { size = %" PRId64 "; };\n"
             "max_attempts = %" PRId64 ";\non_reject = \"dead_letter\";\n"
             "retry: { min = \"50ms\"; max = \"2s\"; };\n",
             setup->batch, setup->attempts);
    if (!setup->sink) {
        write_plugin(&writer);
    } else {
        buf_add_c(out, "plugin = ");
        config_text_add(out, str_c(setup->sink->path));
        buf_add_c(out, ";\noptions: { path = \"-\"; what = \"doc\"; };\ntransforms = ( {\n");
        write_plugin(&writer);
        buf_add_c(out, "} );\n");
    }
    buf_add_c(out, "}; };\n");
    return 0;
}
