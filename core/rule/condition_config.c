/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiling conditions out of `if` and `where`. All that can be wrong with one is found here,
 * so that testing can only fail on data. Called when a configuration is loaded or checked.
 */
#include "rule/condition.h"

#include "base/buf.h"
#include "base/mem.h"
#include "config/diag.h"
#include "config/near.h"
#include "rule/regex.h"

#include <stdarg.h>
#include <stdio.h>

enum { DEPTH_MAX = 32 }; /* groups within `if` */

static const char *const op_names[] = {
    [CONDITION_MATCHES] = "matches",
    [CONDITION_EQUALS] = "equals",
    [CONDITION_NOT_EQUALS] = "not_equals",
    [CONDITION_GT] = "gt",
    [CONDITION_GE] = "ge",
    [CONDITION_LT] = "lt",
    [CONDITION_LE] = "le",
    [CONDITION_TYPE] = "type",
    [CONDITION_IS] = "is",
};
enum { OPS = sizeof(op_names) / sizeof(op_names[0]) };

static const char ops_remedy[] =
    "there are matches, equals, not_equals, gt, ge, lt, le, type, is";

struct compiler {
    struct conditions *conditions;
    struct diags *diags;
    size_t cap;
    int rc;
};

/* Reports what is wrong with `node` and what to do; the compiler goes on to find more. */
__attribute__((format(printf, 4, 5))) static void refuse(struct compiler *compiler,
                                                         const struct config_node *node,
                                                         const char *remedy, const char *fmt,
                                                         ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    diag_remedy(compiler->diags, diag_at(compiler->diags, DIAG_ERROR, node, "%s", text), "%s",
                remedy);
    compiler->rc = ERR_CONFIG;
}

/* An error says itself what to do. */
static void refuse_error(struct compiler *compiler, const struct config_node *node,
                         const struct error *error)
{
    diag_at(compiler->diags, DIAG_ERROR, node, "%s", error->text);
    compiler->rc = ERR_CONFIG;
}

static bool find_op(tr_str name, enum condition_op *ret_op)
{
    for (int op = 0; op < OPS; op++)
        if (str_eq(name, str_c(op_names[op]))) {
            *ret_op = (enum condition_op)op;
            return true;
        }
    return false;
}

/* The operand as JSON, long ones shortened: text for a person. */
static void write_operand(const struct config_node *node, struct buf *out)
{
    size_t start = out->len;

    config_json(node, out);
    if (out->len - start > 200) {
        out->len = start + 200;
        buf_add_c(out, "…");
    }
}

static tr_str show(struct arena *arena, tr_str path, enum condition_op op,
                   const struct config_node *operand)
{
    struct buf text = {0};
    tr_str shown;

    buf_add_str(&text, path);
    buf_addf(&text, " %s ", op_names[op]);
    write_operand(operand, &text);
    shown = arena_str(arena, buf_str(&text));
    buf_fini(&text);
    return shown;
}

static bool is_word(tr_str word, const char *const *words)
{
    for (; *words; words++)
        if (str_eq(word, str_c(*words)))
            return true;
    return false;
}

/* Whether the operand fits its operator; reports it if not. */
static bool check_operand(struct compiler *compiler, enum condition_op op,
                          const struct config_node *node)
{
    static const char *const types[] = {"string", "number", "boolean", "object",
                                        "array",  "null",   NULL};
    static const char *const states[] = {"present", "absent", "null", "missing", NULL};
    bool string = node->type == CONFIG_STRING;
    bool number = node->type == CONFIG_INT || node->type == CONFIG_FLOAT;
    const char *want;

    switch (op) {
    case CONDITION_MATCHES:
        if (string)
            return true;
        want = "write a regular expression in quotes";
        break;
    case CONDITION_EQUALS:
    case CONDITION_NOT_EQUALS:
        if (string || number || node->type == CONFIG_BOOL)
            return true;
        want = "write a string, a number, true or false";
        break;
    case CONDITION_TYPE:
        if (string && is_word(node->text, types))
            return true;
        want = "write one of \"string\", \"number\", \"boolean\", \"object\", \"array\", "
               "\"null\"";
        break;
    case CONDITION_IS:
        if (string && is_word(node->text, states))
            return true;
        want = "write one of \"present\", \"absent\", \"null\", \"missing\" (null or absent)";
        break;
    default:
        if (string || number)
            return true;
        want = "write a number or a string";
    }
    refuse(compiler, node, want, "not an operand of \"%s\"", op_names[op]);
    return false;
}

static struct condition *add_item(struct compiler *compiler)
{
    struct conditions *conditions = compiler->conditions;

    if (conditions->count == compiler->cap) {
        compiler->cap = compiler->cap ? compiler->cap * 2 : 8;
        conditions->items = mem_resize(conditions->items,
                                       compiler->cap * sizeof(*conditions->items));
    }
    return memset(&conditions->items[conditions->count++], 0, sizeof(struct condition));
}

static void compile_one(struct compiler *compiler, const struct json_path *path,
                        enum condition_op op, const struct config_node *operand)
{
    struct arena *arena = &compiler->conditions->arena;
    struct condition *condition;
    struct regex *regex = NULL;
    struct error error;

    if (!check_operand(compiler, op, operand))
        return;
    if (op == CONDITION_MATCHES && regex_new(operand->text, &regex, &error) != 0) {
        refuse_error(compiler, operand, &error);
        return;
    }
    condition = add_item(compiler);
    condition->path = *path;
    condition->op = op;
    condition->regex = regex;
    condition->want = *operand;
    if (operand->type == CONFIG_STRING)
        condition->want.text = arena_str(arena, operand->text);
    condition->text = show(arena, path->text, op, operand);
}

/* A dot in a member's name is part of the key: members nest, they are not paths. */
static void add_step(struct buf *path, tr_str name)
{
    if (path->len > 0)
        buf_add_char(path, '.');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '.' || name.ptr[i] == '\\')
            buf_add_char(path, '\\');
        buf_add_char(path, name.ptr[i]);
    }
}

static void compile_path(struct compiler *compiler, const struct config_node *at, tr_str text,
                         const struct config_node *operand, enum condition_op op)
{
    struct json_path path;
    struct error error;

    if (json_path_compile(text, &compiler->conditions->arena, &path, &error) == 0)
        compile_one(compiler, &path, op, operand);
    else
        refuse_error(compiler, at, &error);
}

static void compile_short(struct compiler *compiler, const struct config_node *group,
                          struct buf *path, int depth)
{
    if (depth > DEPTH_MAX) {
        refuse(compiler, group, "write where = ( { path = …; matches = …; } ) instead",
               "groups of conditions go at most %d deep", DEPTH_MAX);
        return;
    }
    config_each (member, group) {
        size_t before = path->len;
        add_step(path, member->name);
        if (member->type == CONFIG_GROUP)
            compile_short(compiler, member, path, depth + 1);
        else if (member->type == CONFIG_STRING)
            compile_path(compiler, member, buf_str(path), member, CONDITION_MATCHES);
        else
            refuse(compiler, member,
                   "quote it, or write where = ( { path = \"…\"; equals = …; } )",
                   "a condition in `if` is a regular expression");
        path->len = before;
    }
    if (group->count == 0)
        refuse(compiler, group, "name a field in it, or remove it",
               "a group without conditions");
}

static void refuse_op(struct compiler *compiler, const struct config_node *member)
{
    const char *near = config_nearest(member->name, op_names, OPS);

    if (near)
        diag_remedy(compiler->diags,
                    diag_at(compiler->diags, DIAG_ERROR, member, "unknown operator"),
                    "did you mean \"%s\"?", near);
    else
        refuse(compiler, member, ops_remedy, "unknown operator");
    compiler->rc = ERR_CONFIG;
}

static void compile_entry(struct compiler *compiler, const struct config_node *entry)
{
    const struct config_node *path = entry->type == CONFIG_GROUP
                                         ? config_member(entry, STR("path"))
                                         : NULL;

    if (!path || path->type != CONFIG_STRING) {
        refuse(compiler, entry, "write it as { path = \"author.name\"; equals = \"bob\"; }",
               "a condition in `where` is a group with a path and an operator");
        return;
    }
    if (entry->count < 2)
        refuse(compiler, entry, ops_remedy, "a condition without an operator");
    config_each (member, entry) {
        enum condition_op op;
        if (member == path)
            continue;
        if (find_op(member->name, &op))
            compile_path(compiler, path, path->text, member, op);
        else
            refuse_op(compiler, member);
    }
}

int conditions_init(struct conditions *conditions, const struct config_node *short_form,
                    const struct config_node *long_form, struct diags *diags)
{
    struct compiler compiler = {.conditions = conditions, .diags = diags};
    struct buf path = {0};

    *conditions = (struct conditions){0};
    arena_init(&conditions->arena, 1024);
    if (short_form && short_form->type == CONFIG_GROUP)
        compile_short(&compiler, short_form, &path, 0);
    else if (short_form)
        refuse(&compiler, short_form, "write it as if: { type = \"^post$\"; };",
               "the conditions of `if` are a group");
    if (long_form && long_form->type != CONFIG_LIST)
        refuse(&compiler, long_form, "write it as where = ( { path = \"age\"; ge = 18; } );",
               "the conditions of `where` are a list of groups");
    else
        config_each (entry, long_form)
            compile_entry(&compiler, entry);
    buf_fini(&path);
    if (compiler.rc != 0)
        conditions_fini(conditions);
    return compiler.rc;
}

void conditions_fini(struct conditions *conditions)
{
    for (size_t i = 0; i < conditions->count; i++)
        regex_free(conditions->items[i].regex);
    free(conditions->items);
    arena_fini(&conditions->arena);
    *conditions = (struct conditions){0};
}
