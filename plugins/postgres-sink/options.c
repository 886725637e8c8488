/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of postgres-sink, and what a table cannot say of them. [control], by check() also
 * on an instance that is never opened.
 */
#include "pg.h"

#define AT(member_) offsetof(struct options, member_)

static const char *const deletes[] = {"delete", "mark", "skip", NULL};

/* In the order of COLUMN_…. */
static const tr_option column_options[] = {
    {.name = "db",
     .type = TR_TYPE_STRING,
     .dflt = "db",
     .offset = TR_NO_OFFSET,
     .help = "the name of the source's database; text"},
    {.name = "id",
     .type = TR_TYPE_STRING,
     .dflt = "id",
     .offset = TR_NO_OFFSET,
     .help = "the document's id; text, unique together with db"},
    {.name = "rev",
     .type = TR_TYPE_STRING,
     .dflt = "rev",
     .offset = TR_NO_OFFSET,
     .help = "its revision; text"},
    {.name = "doc",
     .type = TR_TYPE_STRING,
     .dflt = "doc",
     .offset = TR_NO_OFFSET,
     .help = "the document; jsonb"},
    {.name = "deleted",
     .type = TR_TYPE_STRING,
     .dflt = "deleted",
     .offset = TR_NO_OFFSET,
     .help = "whether it is deleted; boolean"},
    {.name = "change",
     .type = TR_TYPE_STRING,
     .dflt = "change",
     .offset = TR_NO_OFFSET,
     .help = "which row of the feed it was; uuid, may be NULL"},
    {.name = NULL},
};

const tr_option pg_options[OPTIONS_COUNT] = {
    {.name = "conninfo",
     .type = TR_TYPE_STRING,
     .flags = TR_OPTION_REQUIRED | TR_OPTION_OPERATOR,
     .offset = AT(conninfo),
     .help = "where to, as libpq has it: \"host=db.example.com dbname=copies user=tailrace "
             "sslmode=verify-full\", or postgresql://…; without a password"},
    {.name = "password",
     .type = TR_TYPE_SECRET,
     .flags = TR_OPTION_OPERATOR | TR_OPTION_SENSITIVE,
     .offset = AT(password),
     .help = "\"file:/path\", \"env:NAME\" or \"cred:NAME\"; without it the passwords file is "
             "looked into for the host and user of conninfo"},
    {.name = "table",
     .type = TR_TYPE_STRING,
     .flags = TR_OPTION_REQUIRED,
     .offset = AT(table),
     .help = "NAME or SCHEMA.NAME; may hold $db_name, for a table per database"},
    {.name = "create_table",
     .type = TR_TYPE_BOOL,
     .dflt = "false",
     .offset = AT(create_table),
     .help = "make the table, and those of the position beside it, when they are missing"},
    {.name = "deletes",
     .type = TR_TYPE_ENUM,
     .choices = deletes,
     .dflt = "delete",
     .offset = AT(deletes),
     .help = "of a deleted document: the row goes, or is marked, or stays as it is"},
    {.name = "columns",
     .type = TR_TYPE_GROUP,
     .group = column_options,
     .offset = TR_NO_OFFSET,
     .help = "other names of the columns"},
    {.name = "remember",
     .type = TR_TYPE_INT,
     .dflt = "25000",
     .min = 0,
     .max = 10000000,
     .offset = AT(remember),
     .help = "for so many changes of a stream it is remembered what they replaced; not fewer "
             "than the rule's window.rows and commit.rows together"},
    {.name = "timeout",
     .type = TR_TYPE_DURATION,
     .dflt = "60s",
     .min = 10,
     .max = 3600000,
     .offset = AT(timeout_ms),
     .help = "of a statement; the rule's timeout ends it earlier"},
    {.name = "connect_timeout",
     .type = TR_TYPE_DURATION,
     .dflt = "10s",
     .min = 10,
     .max = 600000,
     .offset = AT(connect_timeout_ms),
     .help = "for TCP, TLS and the login"},
};

/* By libpq itself, which connects to nothing for it. */
static tr_status check_conninfo(const char *conninfo, tr_error *error)
{
    PQconninfoOption *parsed, *option;
    tr_status status = TR_OK;
    char *why = NULL;

    parsed = PQconninfoParse(conninfo, &why);
    if (!parsed) {
        size_t len = why ? strcspn(why, "\n") : 0;

        status = tr_fail(error, TR_EINVAL, "conninfo: %.*s", (int)len, len ? why : "");
        PQfreemem(why);
        return status;
    }
    for (option = parsed; option->keyword; option++)
        if (option->val && strcmp(option->keyword, "password") == 0)
            status = tr_fail(error, TR_EINVAL,
                             "conninfo has a password: put it into the passwords file, or set "
                             "password = \"file:…\"");
    PQconninfoFree(parsed);
    return status;
}

static tr_status load_columns(tr_self *self, const tr_config *config, tr_error *error)
{
    for (int i = 0; i < COLUMNS; i++) {
        tr_value value = {.size = sizeof(value)};
        tr_text quoted = {0};
        char path[32];

        snprintf(path, sizeof(path), "columns.%s", column_options[i].name);
        if (self->host->config_get(config, path, 0, &value) != TR_OK)
            value.s = tr_str_c(column_options[i].dflt);
        if (value.s.len == 0 || value.s.len > 63)
            return tr_fail(error, TR_EINVAL, "%s is no name of a column", path);
        names_add_quoted(&quoted, value.s);
        if (!tr_text_end(&quoted)) {
            tr_text_fini(&quoted);
            return tr_fail(error, TR_EAGAIN, "out of memory");
        }
        self->columns[i] = quoted.ptr;
    }
    return TR_OK;
}

tr_status options_load(tr_self *self, const tr_config *config, tr_error *error)
{
    struct options *options = &self->options;
    tr_status status = tr_bind(self->host, config, pg_options, OPTIONS_COUNT, options, error);

    if (status == TR_OK)
        status = check_conninfo(options->conninfo, error);
    if (status == TR_OK)
        status = names_compile(self, error);
    if (status == TR_OK)
        status = load_columns(self, config, error);
    return status;
}

void options_free(tr_self *self)
{
    if (self->options.password)
        explicit_bzero(self->options.password, strlen(self->options.password));
    tr_unbind(pg_options, OPTIONS_COUNT, &self->options);
    for (int i = 0; i < COLUMNS; i++) {
        free(self->columns[i]);
        self->columns[i] = NULL;
    }
    names_free(self);
}
