/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sugar for plugin authors, in headers only: formatted logs and errors, options bound to a
 * struct, and the entry point as one line. It needs C99 or C++11 and the C library, nothing of
 * the host. Any thread calls what names none.
 */
#ifndef TAILRACE_SDK_H
#define TAILRACE_SDK_H

#include <tailrace/plugin.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#define TR_PRINTF_(fmt, args) __attribute__((format(printf, fmt, args), unused))
#define TR_UNUSED_            __attribute__((unused))
#else
#define TR_PRINTF_(fmt, args)
#define TR_UNUSED_
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A tr_str of a string literal; of `len` bytes; of a NUL-ended string, of which NULL is empty.
 * All borrow. */
#define TR_STR(lit) tr_str_n("" lit "", sizeof(lit) - 1)

static inline tr_str tr_str_n(const char *ptr, size_t len)
{
    tr_str s;
    s.ptr = ptr;
    s.len = len;
    return s;
}

static inline tr_str tr_str_c(const char *text)
{
    return tr_str_n(text, text ? strlen(text) : 0);
}

/* Whether both are the same bytes. */
static inline int tr_str_eq(tr_str a, tr_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Logs a formatted line of at most 1,023 bytes, formatted only if the level is shown. */
TR_PRINTF_(3, 4)
static void tr_logf(const tr_host *host, int32_t level, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    int n;

    if (level > host->log_level(host))
        return;
    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0)
        return;
    host->log(host, level,
              tr_str_n(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1));
}

/* Writes an error text and returns `status`, so that a function can end with it. */
TR_PRINTF_(3, 4)
static tr_status tr_fail(tr_error *error, tr_status status, const char *fmt, ...)
{
    va_list args;

    if (error && error->cap > 0) {
        va_start(args, fmt);
        (void)vsnprintf(error->buf, error->cap, fmt, args);
        va_end(args);
    }
    return status;
}

/* The table of an extension that the plugin cannot do without; NULL, with an error text, if the
 * host lacks it. */
TR_UNUSED_ static const void *tr_need_ext(const tr_host *host, const char *id, tr_error *error)
{
    const void *table = host->get_ext(host, id);

    if (!table)
        (void)tr_fail(error, TR_ENOSYS, "this host lacks the extension %s", id);
    return table;
}

/* check() of a plugin whose configure() reaches for nothing but memory: an instance is opened,
 * configured and closed again, and what is wrong with the options is what they say. The three
 * are those of the descriptor; `close` is not NULL.                              [control] */
TR_UNUSED_ static tr_status tr_check_instance(
    tr_status (*open)(const tr_host *, tr_self **, tr_error *),
    tr_status (*configure)(tr_self *, const tr_config *, tr_error *), void (*close)(tr_self *),
    const tr_host *host, const tr_config *config, tr_error *error)
{
    tr_self *self = NULL;
    tr_status status = open(host, &self, error);

    if (status != TR_OK)
        return status;
    status = configure(self, config, error);
    close(self);
    return status;
}

/* Sets an outcome for the whole batch; `message` is a literal or outlives the call. */
TR_UNUSED_ static tr_status tr_finish(tr_outcome *outcome, tr_status status,
                                      const char *message)
{
    outcome->status = status;
    outcome->message = tr_str_c(message);
    return status;
}

/*
 * Fills the struct at `base` from the options of the table: each value goes to its `offset`.
 *     STRING URL PATH REGEX SECRET   char *    a copy made with malloc; NULL if not set
 *     INT DURATION SIZE              int64_t
 *     FLOAT                          double
 *     BOOL ENUM                      int32_t   0 or 1; the place in `choices`
 * Options that are lists or groups, and those of offset TR_NO_OFFSET, are left to the plugin,
 * and what is not set stays as it is. TR_EAGAIN: there is no memory; another error is that of
 * config_get(). Call tr_unbind() when done, also after an error. Binding again frees what was
 * there before.                                                                  [control]
 */
#define TR_NO_OFFSET ((size_t)-1)

static inline int tr_is_text_(uint32_t type)
{
    return type == TR_TYPE_STRING || type == TR_TYPE_URL || type == TR_TYPE_PATH ||
           type == TR_TYPE_REGEX || type == TR_TYPE_SECRET;
}

static inline int tr_is_bound_(const tr_option *option)
{
    return option->offset != TR_NO_OFFSET && option->type != TR_TYPE_GROUP &&
           !(option->flags & TR_OPTION_LIST);
}

/* Frees the copies of texts that tr_bind() made, and sets them to NULL. */
TR_UNUSED_ static void tr_unbind(const tr_option *options, uint32_t count, void *base)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        char **field;
        if (!tr_is_bound_(&options[i]) || !tr_is_text_(options[i].type))
            continue;
        field = (char **)(void *)((char *)base + options[i].offset);
        free(*field);
        *field = NULL;
    }
}

TR_UNUSED_ static tr_status tr_bind_one_(const tr_option *option, const tr_value *value,
                                         char *field)
{
    switch (option->type) {
    case TR_TYPE_FLOAT: *(double *)(void *)field = value->f; return TR_OK;
    case TR_TYPE_BOOL:
    case TR_TYPE_ENUM: *(int32_t *)(void *)field = (int32_t)value->i; return TR_OK;
    case TR_TYPE_INT:
    case TR_TYPE_DURATION:
    case TR_TYPE_SIZE: *(int64_t *)(void *)field = value->i; return TR_OK;
    default: break;
    }
    {
        char *copy = (char *)malloc(value->s.len + 1);
        if (!copy)
            return TR_EAGAIN;
        if (value->s.len)
            memcpy(copy, value->s.ptr, value->s.len);
        copy[value->s.len] = '\0';
        *(char **)(void *)field = copy;
    }
    return TR_OK;
}

/* `prefix` and the option's name are its path. */
TR_UNUSED_ static tr_status tr_bind_at_(const tr_host *host, const tr_config *config,
                                        const char *prefix, const tr_option *options,
                                        uint32_t count, void *base, tr_error *error)
{
    char path[256];
    uint32_t i;

    tr_unbind(options, count, base);
    for (i = 0; i < count; i++) {
        tr_value value;
        tr_status status;

        if (!tr_is_bound_(&options[i]))
            continue;
        memset(&value, 0, sizeof(value));
        value.size = (uint32_t)sizeof(value);
        (void)snprintf(path, sizeof(path), "%s%s", prefix, options[i].name);
        status = host->config_get(config, path, 0, &value);
        if (status == TR_ENOENT)
            continue;
        if (status == TR_OK)
            status = tr_bind_one_(&options[i], &value, (char *)base + options[i].offset);
        if (status != TR_OK)
            return tr_fail(error, status, "option %s cannot be read", path);
    }
    return TR_OK;
}

/* See above; `options` is the table, `base` the struct that its offsets are in.    [control] */
TR_UNUSED_ static tr_status tr_bind(const tr_host *host, const tr_config *config,
                                    const tr_option *options, uint32_t count, void *base,
                                    tr_error *error)
{
    return tr_bind_at_(host, config, "", options, count, base, error);
}

/* How many items a list has that is set or has a default; a single value is a list of one.
 *                                                                                [control] */
TR_UNUSED_ static uint32_t tr_list_count(const tr_host *host, const tr_config *config,
                                         const char *list)
{
    tr_value value;
    uint32_t count = 0;

    memset(&value, 0, sizeof(value));
    value.size = (uint32_t)sizeof(value);
    while (host->config_get(config, list, count, &value) == TR_OK)
        count++;
    return count;
}

/* As tr_bind(), for the group number `idx` of the list; `options` is the table of its members.
 *                                                                                [control] */
TR_UNUSED_ static tr_status tr_bind_item(const tr_host *host, const tr_config *config,
                                         const char *list, uint32_t idx,
                                         const tr_option *options, uint32_t count, void *base,
                                         tr_error *error)
{
    char prefix[128];

    (void)snprintf(prefix, sizeof(prefix), "%s.%u.", list, (unsigned)idx);
    return tr_bind_at_(host, config, prefix, options, count, base, error);
}

/* The fields that every descriptor starts with; name the rest behind it. C only. */
#define TR_DESCRIPTOR(name_, version_, summary_)                                               \
    .size = sizeof(tr_plugin), .abi_minor = TR_ABI_MINOR, .name = (name_),                     \
    .version = (version_), .summary = (summary_)

/* The option table of a descriptor. C only. */
#define TR_OPTIONS(table_)                                                                     \
    .options = (table_), .options_count = sizeof(table_) / sizeof((table_)[0]),                \
    .options_stride = sizeof((table_)[0])

/* The entry point: TR_PLUGIN(descriptor). */
#define TR_PLUGIN(descriptor_)                                                                 \
    TR_EXPORT const tr_plugin *tr_plugin_v1(void)                                              \
    {                                                                                          \
        return &(descriptor_);                                                                 \
    }

#ifdef __cplusplus
}
#endif

#endif
