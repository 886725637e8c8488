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

tr_status address_check_database(const char *text, tr_error *error)
{
    for (const char *at = strchr(text, '$'); at; at = strchr(at + 1, '$')) {
        if (strncmp(at, "$db_name", 8) == 0 || strncmp(at, "${db_name}", 10) == 0)
            continue;
        if (at[1] != '$')
            return tr_fail(error, TR_EINVAL,
                           "database has a $ that begins no variable; only $db_name is known "
                           "here, and $$ is a $");
        at++;
    }
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

static void add_url(struct text *out, const char *url)
{
    size_t len = strlen(url);

    while (len > 0 && url[len - 1] == '/')
        len--;
    text_add(out, tr_str_n(url, len));
}

static tr_status render_name(struct job *job, size_t *ret_len)
{
    tr_self *self = job->self;
    struct text *name = &job->scratch;
    tr_status status = TR_EINVAL;

    name->len = 0;
    *ret_len = 0;
    for (size_t room = 256; status == TR_EINVAL; room = *ret_len) {
        if (!text_reserve(name, room))
            return TR_RETRY;
        status = self->tmpl->render(self->database, job->batch, tr_batch_at(job->batch, 0),
                                    name->ptr, name->cap, ret_len);
        if (status == TR_EINVAL && *ret_len <= name->cap)
            return TR_REJECT;
    }
    return status;
}

tr_status address_make(struct job *job, char ret_why[MESSAGE_MAX])
{
    const struct options *options = &job->self->options;
    size_t len = 0;

    add_url(&job->target, options->url);
    if (job->self->database) {
        tr_status status = render_name(job, &len);

        if (status == TR_RETRY)
            return status;
        if (status != TR_OK || !is_name(tr_str_n(job->scratch.ptr, len))) {
            snprintf(ret_why, MESSAGE_MAX,
                     "\"%.*s\" is no name of a database; mend the option database",
                     (int)(len < 100 ? len : 100), len ? job->scratch.ptr : "");
            return TR_REJECT;
        }
        text_add_c(&job->target, "/");
        text_add_percent(&job->target, tr_str_n(job->scratch.ptr, len));
    }
    if (!options->new_edits) {
        add_url(&job->source, options->source_url);
        text_add_c(&job->source, "/");
        text_add_percent(&job->source, job->batch->db);
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
