/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sugar for plugins that transform, in a header only: paths to fields as an option, and what
 * check() has to say about them. It needs C99 or C++11, <tailrace/sdk.h> and tr.doc/1.
 *
 *     {.name = "fields", .type = TR_TYPE_STRING, .flags = TR_OPTION_REQUIRED | TR_OPTION_LIST,
 *      .offset = TR_NO_OFFSET, .help = "paths such as \"author.name\""}
 *
 *     tr_paths_bind(host, doc_api, config, "fields", &self->fields, error)
 */
#ifndef TAILRACE_TRANSFORM_H
#define TAILRACE_TRANSFORM_H

#include <tailrace/ext/doc.h>
#include <tailrace/sdk.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Compiled paths, as tr_doc_api.keep() takes them. Zeroed: none. */
typedef struct tr_paths {
    const tr_path **items;
    uint32_t count;
} tr_paths;

/* The next byte of a key of the path at *at; -1: its step ends here, -2: and so does the path.
 */
static inline int tr_path_byte_(const char **at, const char *end)
{
    if (*at == end)
        return -2;
    if (**at == '.') {
        ++*at;
        return -1;
    }
    if (**at == '\\' && end - *at > 1 && ((*at)[1] == '.' || (*at)[1] == '\\'))
        ++*at;
    return (unsigned char)*(*at)++;
}

/* Whether `inner` is `outer`, or leads into it, as "author.name" into "author". */
static inline int tr_path_is_within(tr_str inner, tr_str outer)
{
    const char *a = inner.ptr, *b = outer.ptr, *a_end = a + inner.len, *b_end = b + outer.len;

    for (;;) {
        int in = tr_path_byte_(&a, a_end), out = tr_path_byte_(&b, b_end);

        if (out == -2)
            return in < 0;
        if (in != out)
            return 0;
    }
}

/* TR_EINVAL, with an error text, if one of two paths of an option makes the other useless. */
TR_UNUSED_ static tr_status tr_paths_apart_(const char *option, tr_str a, tr_str b,
                                            tr_error *error)
{
    int a_within_b = tr_path_is_within(a, b), b_within_a = tr_path_is_within(b, a);

    if (a_within_b && b_within_a)
        return tr_fail(error, TR_EINVAL, "%s: \"%.*s\" is there twice; take one out", option,
                       (int)a.len, a.ptr);
    if (a_within_b)
        return tr_paths_apart_(option, b, a, error);
    if (b_within_a)
        return tr_fail(error, TR_EINVAL,
                       "%s: \"%.*s\" lies within \"%.*s\"; take out one of them", option,
                       (int)b.len, b.ptr, (int)a.len, a.ptr);
    return TR_OK;
}

/* Frees the paths; there are none then.                                           [control] */
TR_UNUSED_ static void tr_paths_unbind(const tr_doc_api *api, tr_paths *paths)
{
    while (paths->count > 0)
        api->path_free((tr_path *)(uintptr_t)paths->items[--paths->count]);
    free((void *)(uintptr_t)paths->items);
    paths->items = NULL;
}

/* The text number `idx` of an option; TR_ENOENT: it has no more. */
static inline tr_status tr_option_text_(const tr_host *host, const tr_config *config,
                                        const char *option, uint32_t idx, tr_str *ret_text)
{
    tr_value value;
    tr_status status;

    memset(&value, 0, sizeof(value));
    value.size = (uint32_t)sizeof(value);
    status = host->config_get(config, option, idx, &value);
    if (status == TR_OK)
        *ret_text = value.s;
    return status;
}

/* Compiles the path number `paths->count` of the option, which is apart from those before. */
TR_UNUSED_ static tr_status tr_paths_add_(const tr_host *host, const tr_doc_api *api,
                                          const tr_config *config, const char *option,
                                          tr_paths *paths, tr_str text, tr_error *error)
{
    const tr_path **grown;
    tr_path *path = NULL;
    tr_str other;
    uint32_t i;
    tr_status status = TR_OK;

    for (i = 0; i < paths->count && status == TR_OK; i++)
        if (tr_option_text_(host, config, option, i, &other) == TR_OK)
            status = tr_paths_apart_(option, other, text, error);
    if (status == TR_OK)
        status = api->path_new(text, &path, error);
    if (status != TR_OK)
        return status;
    grown = (const tr_path **)realloc((void *)(uintptr_t)paths->items,
                                      (paths->count + 1) * sizeof(*grown));
    if (!grown) {
        api->path_free(path);
        return tr_fail(error, TR_EAGAIN, "out of memory");
    }
    grown[paths->count++] = path;
    paths->items = grown;
    return TR_OK;
}

/*
 * Compiles the paths of a list option. TR_EINVAL, with an error text: there is none, one is no
 * path, or two make each other useless. Call tr_paths_unbind() when done, also after an error.
 * Binding again frees what was there before.                                       [control]
 */
TR_UNUSED_ static tr_status tr_paths_bind(const tr_host *host, const tr_doc_api *api,
                                          const tr_config *config, const char *option,
                                          tr_paths *paths, tr_error *error)
{
    tr_str text;
    tr_status status = TR_OK;

    tr_paths_unbind(api, paths);
    while (status == TR_OK &&
           tr_option_text_(host, config, option, paths->count, &text) == TR_OK)
        status = tr_paths_add_(host, api, config, option, paths, text, error);
    if (status == TR_OK && paths->count == 0)
        return tr_fail(error, TR_EINVAL, "%s is empty; name a field, such as \"author.name\"",
                       option);
    return status;
}

#ifdef __cplusplus
}
#endif

#endif
