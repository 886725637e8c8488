/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a compiled template is made of. Shared by template.c, which renders, template_parse.c,
 * which takes the text apart, and template_place.c, which checks and encodes; for nobody else.
 */
#ifndef RULE_TEMPLATE_PART_H
#define RULE_TEMPLATE_PART_H

#include "rule/template.h"
#include "json/value.h"

enum part_kind {
    PART_TEXT,
    PART_CHANGE,
    PART_ID,
    PART_REV,
    PART_FIELD,
    PART_DB_NAME,
    PART_SEQ
};

struct part {
    enum part_kind kind;
    tr_str text;           /* of TEXT what it says, else the variable as it was written      */
    struct json_path path; /* of FIELD                                                       */
};

struct tr_template {
    struct arena arena;
    int32_t place;
    struct part *parts; /* no two texts side by side                                         */
    size_t count;
    size_t path_at; /* of URL: where in the first part the authority ends                    */
};

/* Takes `text` apart into tmpl->parts. */
void template_parse(tr_template *tmpl, tr_str text);

/* Checks that the text parts may stand in the template's place, and encodes them for it. */
int template_check_place(tr_template *tmpl, struct error *error);

/* Appends `text` with all but unreserved characters percent-encoded. */
void write_percent_encoded(struct buf *out, tr_str text);

/* Whether a segment of the path of `url`, which begins at `path_at`, is "." or "..", in any
 * spelling. */
bool url_has_dot_segment(tr_str url, size_t path_at);

#endif
