/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two databases of a batch, as URLs. Either may take its name from the database that
 * changed. Worker; what is checked, [control].
 */
#include "native.h"

static tr_status check_variables(const char *option, const char *text, tr_error *error)
{
    for (const char *at = strchr(text, '$'); at; at = strchr(at + 1, '$')) {
        if (strncmp(at, "$db_name", 8) == 0 || strncmp(at, "${db_name}", 10) == 0)
            continue;
        if (at[1] != '$')
            return tr_fail(error, TR_EINVAL,
                           "%s has a $ that begins no variable; only $db_name is known here, "
                           "and $$ is a $",
                           option);
        at++;
    }
    return TR_OK;
}

tr_status address_check(const tr_self *self, const char *option, const char *text,
                        tr_error *error)
{
    struct endpoint endpoint;
    char why[160] = "";
    tr_error reason = {.size = sizeof(reason), .cap = sizeof(why), .buf = why};
    tr_template *compiled;

    if (endpoint_parse(text, &endpoint, &reason) != TR_OK)
        return tr_fail(error, TR_EINVAL, "%s %s", option, why);
    if (!endpoint.is_url)
        return tr_fail(error, TR_EINVAL,
                       "%s is not a URL: write http(s)://USER@HOST/DATABASE; the name of a "
                       "database alone is for mode = \"server\"",
                       option);
    if (check_variables(option, text, error) != TR_OK)
        return TR_EINVAL;
    if (self->tmpl->compile(tr_str_c(text), TR_PLACE_URL, &compiled, &reason) != TR_OK)
        return tr_fail(error, TR_EINVAL, "%s: %s", option, why);
    self->tmpl->free(compiled);
    return TR_OK;
}

tr_status address_make(tr_self *self, const tr_template *url, tr_str db, tr_text *out)
{
    const tr_change change = {0}; /* only the database's name is in a URL */
    const tr_batch batch = {
        .size = sizeof(batch),
        .db = db,
        .changes = &change,
        .count = 1,
        .stride = sizeof(change),
    };
    tr_status status = TR_EINVAL;
    size_t len = 256;

    tr_text_clear(out);
    while (status == TR_EINVAL) {
        if (!tr_text_reserve(out, len))
            return TR_EAGAIN;
        status = self->tmpl->render(url, &batch, &change, out->ptr, out->cap, &len);
        if (status == TR_EINVAL && len <= out->cap)
            return TR_REJECT;
    }
    out->len = len;
    while (out->len > 0 && out->ptr[out->len - 1] == '/')
        out->len--;
    return status;
}

tr_str address_name(tr_str url)
{
    const char *at = url.ptr + url.len;

    while (at > url.ptr && at[-1] != '/')
        at--;
    return tr_str_n(at, (size_t)(url.ptr + url.len - at));
}

tr_str address_server(tr_str url)
{
    return tr_str_n(url.ptr, (size_t)(address_name(url).ptr - url.ptr) - 1);
}

void address_add_id(tr_text *out, tr_str id)
{
    static const char design[] = "_design/";
    size_t len = sizeof(design) - 1;

    tr_text_add_c(out, "/");
    if (id.len > len && memcmp(id.ptr, design, len) == 0) {
        tr_text_add_c(out, design);
        id = tr_str_n(id.ptr + len, id.len - len);
    }
    tr_text_add_percent(out, id);
}

void address_add_bare(tr_text *out, tr_str url)
{
    const char *begin = memchr(url.ptr, ':', url.len), *end = url.ptr + url.len, *at;

    begin = begin ? begin + 3 : url.ptr; /* "://" */
    tr_text_add(out, tr_str_n(url.ptr, (size_t)(begin - url.ptr)));
    for (at = begin; at < end && *at != '/'; at++)
        if (*at == '@')
            begin = at + 1;
    tr_text_add(out, tr_str_n(begin, (size_t)(end - begin)));
}
