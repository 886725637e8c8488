/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of bulk-sink, and what a table cannot say of them. [control], by check() also on
 * an instance that is never opened.
 */
#include "bulk.h"

#define AT(member_) offsetof(struct options, member_)

static const char *const conflicts[] = {"overwrite", "skip", "dead_letter", NULL};
static const char *const deletes[] = {"apply", "skip", NULL};
static const char *const attachments[] = {"reject", "drop", NULL};

const tr_option bulk_options[OPTIONS_COUNT] = {
    {.name = "url",
     .type = TR_TYPE_URL,
     .flags = TR_OPTION_REQUIRED,
     .offset = AT(url),
     .help = "where to: http(s)://USER@HOST/DATABASE, or without the database, see there"},
    {.name = "database",
     .type = TR_TYPE_STRING,
     .offset = AT(database),
     .help = "the database at the server of url; may hold $db_name, as \"copy_$db_name\", and "
             "$1, ${name} of database_pattern"},
    {.name = "database_pattern",
     .type = TR_TYPE_REGEX,
     .offset = AT(pattern),
     .help = "matched against the name of the source's database; its groups make the target's: "
             "\"^user_(.*)$\" and database = \"copy_$1\""},
    {.name = "new_edits",
     .type = TR_TYPE_BOOL,
     .dflt = "true",
     .offset = AT(new_edits),
     .help = "the target makes revisions of its own; false: it gets those of the source"},
    {.name = "source_url",
     .type = TR_TYPE_URL,
     .offset = AT(source_url),
     .help = "the server of the source, http(s)://USER@HOST; needed with new_edits = false"},
    {.name = "on_conflict",
     .type = TR_TYPE_ENUM,
     .choices = conflicts,
     .dflt = "overwrite",
     .offset = AT(on_conflict),
     .help = "with new_edits = true, when the target has another document of that id"},
    {.name = "deletes",
     .type = TR_TYPE_ENUM,
     .choices = deletes,
     .dflt = "apply",
     .offset = AT(deletes),
     .help = "what becomes of deletions"},
    {.name = "attachments",
     .type = TR_TYPE_ENUM,
     .choices = attachments,
     .dflt = "reject",
     .offset = AT(attachments),
     .help = "of attachments whose content is not there: the document is refused, or goes "
             "without them"},
    {.name = "create_target",
     .type = TR_TYPE_BOOL,
     .dflt = "false",
     .offset = AT(create_target),
     .help = "make the target when it is missing"},
    {.name = "q",
     .type = TR_TYPE_INT,
     .dflt = "0",
     .min = 0,
     .max = 1024,
     .offset = AT(q),
     .help = "shards of a target that is made; 0: as the server has it"},
    {.name = "n",
     .type = TR_TYPE_INT,
     .dflt = "0",
     .min = 0,
     .max = 16,
     .offset = AT(n),
     .help = "and copies of each"},
    {.name = "timeout",
     .type = TR_TYPE_DURATION,
     .dflt = "60s",
     .min = 10,
     .max = 3600000,
     .offset = AT(timeout_ms),
     .help = "of a request; the rule's timeout ends it earlier"},
    TR_CONNECTION_LIMITS(AT(connection), "8",
                         "requests at once, of all rules with the same server; more wait"),
    TR_CONNECTION_TRUST(AT(connection)),
};

static tr_status judge(const struct options *options, tr_error *error)
{
    tr_status status = address_check("url", options->url, !options->database, error);

    if (status == TR_OK && options->source_url)
        status = address_check("source_url", options->source_url, false, error);
    if (status != TR_OK)
        return status;
    if (options->pattern && !options->database)
        return tr_fail(
            error, TR_EINVAL,
            "database_pattern makes nothing without database; set it, as \"copy_$1\"");
    if (!options->new_edits && !options->source_url)
        return tr_fail(error, TR_EINVAL,
                       "new_edits = false needs the history of each document, which the feed "
                       "does not have; set source_url to the server of the source");
    if (!options->create_target && (options->q > 0 || options->n > 0))
        return tr_fail(error, TR_EINVAL,
                       "q and n are for a target that is made; set create_target = true, or "
                       "take them out");
    return TR_OK;
}

tr_status options_load(tr_self *self, const tr_config *config, tr_error *error)
{
    struct options *options = &self->options;
    tr_status status = tr_bind(self->host, config, bulk_options, OPTIONS_COUNT, options, error);

    if (status == TR_OK)
        status = judge(options, error);
    if (status == TR_OK && options->database)
        status = name_new(options->database, options->pattern, &self->name, error);
    return status;
}

void options_free(tr_self *self)
{
    name_free(self->name);
    self->name = NULL;
    tr_unbind(bulk_options, OPTIONS_COUNT, &self->options);
}
