/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.template/1: the rules' own templates for plugins. All of it is pure; any thread calls.
 */
#include "plugin/private.h"
#include "rule/template.h"

#include <stdio.h>

static tr_status template_ext_compile(tr_str text, int32_t place, tr_template **ret_template,
                                      tr_error *error)
{
    struct error why = {0};

    if (template_new(text, place, ret_template, &why) == 0)
        return TR_OK;
    if (error && error->cap > 0)
        snprintf(error->buf, error->cap, "%s", why.text);
    return TR_EINVAL;
}

static int32_t template_ext_is_constant(const tr_template *tmpl)
{
    return template_is_constant(tmpl);
}

static int32_t template_ext_is_variable(const tr_template *tmpl)
{
    return template_is_single_variable(tmpl);
}

const void *ext_template_table(void)
{
    static const tr_template_api table = {
        .size = sizeof(table),
        .compile = template_ext_compile,
        .free = template_free,
        .render = template_render_into,
        .is_constant = template_ext_is_constant,
        .is_variable = template_ext_is_variable,
    };

    return &table;
}
