/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of a batch, whose names may depend on its database, and statements with them. A
 * name is quoted, so that it may be anything and can end nothing. The tables of the position
 * stand beside the table, in its schema.
 */
#include "pg.h"

enum { NAME_MAX_BYTES = 63 }; /* longer ones PostgreSQL would cut                          */

static bool is_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

static tr_status check_variables(const char *text, tr_error *error)
{
    for (const char *at = strchr(text, '$'); at; at = strchr(at + 1, '$')) {
        if (strncmp(at, "${db_name}", 10) == 0 ||
            (strncmp(at, "$db_name", 8) == 0 && !is_word(at[8])))
            continue;
        if (at[1] != '$')
            return tr_fail(error, TR_EINVAL,
                           "table has a $ that begins no variable; only $db_name is known "
                           "here, and $$ is a $");
        at++;
    }
    return TR_OK;
}

tr_status names_compile(tr_self *self, tr_error *error)
{
    tr_str text = tr_str_c(self->options.table), schema = {NULL, 0};
    const char *dot = strchr(self->options.table, '.');
    tr_status status = check_variables(self->options.table, error);

    if (dot) {
        schema = tr_str_n(text.ptr, (size_t)(dot - text.ptr));
        text = tr_str_c(dot + 1);
    }
    if (status == TR_OK && (text.len == 0 || (dot && schema.len == 0)))
        status = tr_fail(error, TR_EINVAL, "table is neither NAME nor SCHEMA.NAME");
    if (status == TR_OK && dot)
        status = self->tmpl->compile(schema, TR_PLACE_TEXT, &self->schema, error);
    if (status == TR_OK)
        status = self->tmpl->compile(text, TR_PLACE_TEXT, &self->table, error);
    return status;
}

void names_free(tr_self *self)
{
    if (self->schema)
        self->tmpl->free(self->schema);
    if (self->table)
        self->tmpl->free(self->table);
    self->schema = self->table = NULL;
}

void names_add_quoted(tr_text *out, tr_str name)
{
    tr_text_add_c(out, "\"");
    for (size_t i = 0; i < name.len; i++)
        tr_text_add(out, name.ptr[i] == '"' ? TR_STR("\"\"") : tr_str_n(name.ptr + i, 1));
    tr_text_add_c(out, "\"");
}

static tr_status add_rendered(tr_self *self, tr_text *out, const tr_template *tmpl,
                              const tr_batch *batch)
{
    char name[NAME_MAX_BYTES + 1];
    size_t len = 0;
    tr_status status = self->tmpl->render(tmpl, batch, tr_batch_at(batch, 0), name,
                                          NAME_MAX_BYTES, &len);

    if (status != TR_OK || len == 0 || memchr(name, '\0', len)) {
        snprintf(self->words, sizeof(self->words),
                 "the name of a table or schema is empty or longer than %d bytes; mend the "
                 "option table",
                 NAME_MAX_BYTES);
        return TR_REJECT;
    }
    names_add_quoted(out, tr_str_n(name, len));
    return TR_OK;
}

tr_status names_make(tr_self *self, const tr_batch *batch)
{
    struct names *names = &self->names;
    tr_text *each[] = {&names->table, &names->position, &names->replaced};
    tr_status status = TR_OK;

    for (int i = 0; i < 3 && status == TR_OK; i++) {
        tr_text_clear(each[i]);
        if (!self->schema)
            continue;
        status = add_rendered(self, each[i], self->schema, batch);
        tr_text_add_c(each[i], ".");
    }
    if (status == TR_OK)
        status = add_rendered(self, &names->table, self->table, batch);
    names_add_quoted(&names->position, TR_STR("tailrace_position"));
    names_add_quoted(&names->replaced, TR_STR("tailrace_replaced"));
    if (status == TR_OK &&
        (names->table.failed || names->position.failed || names->replaced.failed))
        return TR_RETRY;
    return status;
}

/* ---- statements ---- */

static tr_str value_of(const tr_self *self, tr_str key)
{
    static const char *const columns[COLUMNS] = {"db", "id", "rev", "doc", "deleted", "change"};
    const struct names *names = &self->names;

    if (tr_str_eq(key, TR_STR("table")))
        return tr_str_n(names->table.ptr, names->table.len);
    if (tr_str_eq(key, TR_STR("position")))
        return tr_str_n(names->position.ptr, names->position.len);
    if (tr_str_eq(key, TR_STR("replaced")))
        return tr_str_n(names->replaced.ptr, names->replaced.len);
    for (int i = 0; i < COLUMNS; i++)
        if (tr_str_eq(key, tr_str_c(columns[i])))
            return tr_str_c(self->columns[i]);
    return tr_str_n(NULL, 0);
}

void names_add_sql(tr_self *self, tr_text *out, const char *pattern)
{
    for (;;) {
        size_t plain = strcspn(pattern, "{"), len;

        tr_text_add(out, tr_str_n(pattern, plain));
        pattern += plain;
        if (!pattern[0])
            return;
        len = strcspn(++pattern, "}");
        tr_text_add(out, value_of(self, tr_str_n(pattern, len)));
        pattern += len + 1;
    }
}
