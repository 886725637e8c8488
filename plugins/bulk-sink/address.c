/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The databases of a batch, as URLs. The target's name may depend on the source's, and the
 * source's URL always does.
 */
#include "bulk.h"

/* Behind "http://" or "https://"; NULL: it begins with neither. */
static const char *authority_of(const char *url)
{
    if (strncmp(url, "http://", 7) == 0)
        return url + 7;
    return strncmp(url, "https://", 8) == 0 ? url + 8 : NULL;
}

tr_status address_check(const char *option, const char *url, bool with_path, tr_error *error)
{
    const char *authority = authority_of(url), *path;

    if (!authority || strpbrk(url, "?#"))
        return tr_fail(error, TR_EINVAL,
                       "%s is not http(s)://HOST%s; take out what stands behind it", option,
                       with_path ? "/DATABASE" : "");
    path = authority + strcspn(authority, "/");
    path += strspn(path, "/");
    if (with_path && !path[0])
        return tr_fail(error, TR_EINVAL,
                       "%s has no database; add it, or set database = \"copy_$db_name\"",
                       option);
    return TR_OK;
}

/* As CouchDB has them; a path of dots or a server's own endpoint is none. */
static bool is_name(tr_str name)
{
    if (tr_str_eq(name, TR_STR("_users")) || tr_str_eq(name, TR_STR("_replicator")))
        return true;
    if (name.len == 0 || name.len > 238 || name.ptr[0] < 'a' || name.ptr[0] > 'z')
        return false;
    for (size_t i = 1; i < name.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_$()+/-", name.ptr[i]) || !name.ptr[i])
            return false;
    return true;
}

static void add_url(tr_text *out, const char *url)
{
    size_t len = strlen(url);

    while (len > 0 && url[len - 1] == '/')
        len--;
    tr_text_add(out, tr_str_n(url, len));
}

tr_status address_make(struct job *job, char ret_why[MESSAGE_MAX])
{
    const struct options *options = &job->self->options;

    add_url(&job->target, options->url);
    if (job->self->name) {
        tr_status status;
        tr_str name;

        job->scratch.len = 0;
        status = name_make(job->self->name, job->batch->db, &job->scratch, ret_why);
        if (status != TR_OK)
            return status;
        name = tr_text_str(&job->scratch);
        if (!is_name(name)) {
            snprintf(ret_why, MESSAGE_MAX,
                     "\"%.*s\" is no name of a database; mend the option database",
                     (int)(name.len < 100 ? name.len : 100), name.len ? name.ptr : "");
            return TR_REJECT;
        }
        tr_text_add_c(&job->target, "/");
        tr_text_add_percent(&job->target, name);
    }
    if (!options->new_edits) {
        add_url(&job->source, options->source_url);
        tr_text_add_c(&job->source, "/");
        tr_text_add_percent(&job->source, job->batch->db);
    }
    return job->target.failed || job->source.failed ? TR_RETRY : TR_OK;
}

tr_str address_server(const char *url)
{
    const char *authority = authority_of(url);

    return tr_str_n(url, (size_t)(authority - url) + strcspn(authority, "/"));
}

tr_str address_name(tr_str url)
{
    const char *at = url.ptr + url.len;

    while (at > url.ptr && at[-1] != '/')
        at--;
    return tr_str_n(at, (size_t)(url.ptr + url.len - at));
}
