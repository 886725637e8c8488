/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options, and the file of a script. [control]
 */
#include "script.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRIPT_MAX = 1 << 20 };

static const char *const libraries[] = {"safe", "all", NULL};

#define AT(member_) offsetof(struct options, member_)

const tr_option options_table[OPTIONS_COUNT] = {
    {.name = "script",
     .type = TR_TYPE_PATH,
     .flags = TR_OPTION_OPERATOR,
     .offset = AT(script),
     .help = "the file of the script"},
    {.name = "code",
     .type = TR_TYPE_STRING,
     .flags = TR_OPTION_OPERATOR,
     .offset = AT(code),
     .help = "the script itself, in place of a file"},
    {.name = "time_limit",
     .type = TR_TYPE_DURATION,
     .flags = TR_OPTION_OPERATOR,
     .dflt = "100ms",
     .min = 1,
     .max = 60000,
     .offset = AT(time_limit_ms),
     .help = "how long it may work on a change, in time of the processor"},
    {.name = "memory_limit",
     .type = TR_TYPE_SIZE,
     .flags = TR_OPTION_OPERATOR,
     .dflt = "64MB",
     .min = 1 << 20,
     .max = INT64_C(4) << 30,
     .offset = AT(memory_limit),
     .help = "how much memory it may hold, garbage included"},
    {.name = "libraries",
     .type = TR_TYPE_ENUM,
     .flags = TR_OPTION_OPERATOR,
     .choices = libraries,
     .dflt = "safe",
     .offset = AT(libraries),
     .help = "\"all\" adds io, os and require: files and commands of the daemon's user"},
    {.name = "params",
     .type = TR_TYPE_GROUP,
     .offset = TR_NO_OFFSET,
     .help = "what the script finds as its table params"},
};

/* ---- the file ---- */

/* It runs in the daemon: nobody may have written it who could not have changed the daemon. */
static tr_status judge(const char *path, const struct stat *st, tr_error *error)
{
    if (!S_ISREG(st->st_mode))
        return tr_fail(error, TR_EINVAL, "%s is not a regular file; name a file of Lua", path);
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return tr_fail(error, TR_EINVAL, "%s belongs to user %u; chown it to root", path,
                       (unsigned)st->st_uid);
    if (st->st_mode & 022)
        return tr_fail(error, TR_EINVAL,
                       "%s is writable by others (mode %03o); run chmod go-w on it", path,
                       (unsigned)st->st_mode & 0777);
    if (st->st_size > SCRIPT_MAX)
        return tr_fail(error, TR_EINVAL, "%s has %lld bytes; at most %d are read", path,
                       (long long)st->st_size, SCRIPT_MAX);
    return TR_OK;
}

static tr_status read_all(int fd, const char *path, struct options *options, tr_error *error)
{
    options->text = malloc(SCRIPT_MAX + 1);
    if (!options->text)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    while (options->text_len <= SCRIPT_MAX) {
        ssize_t n = read(fd, options->text + options->text_len,
                         SCRIPT_MAX + 1 - options->text_len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return tr_fail(error, TR_EINVAL, "%s cannot be read: %s", path, strerror(errno));
        if (n == 0)
            return TR_OK;
        options->text_len += (size_t)n;
    }
    return tr_fail(error, TR_EINVAL, "%s has more than %d bytes", path, SCRIPT_MAX);
}

static tr_status read_file(struct options *options, tr_error *error)
{
    const char *path = options->script;
    struct stat st;
    tr_status status;
    /* O_NONBLOCK: the open of a FIFO without a writer would wait for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return tr_fail(error, TR_EINVAL, "%s cannot be opened: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0)
        status = tr_fail(error, TR_EINVAL, "%s: %s", path, strerror(errno));
    else
        status = judge(path, &st, error);
    if (status == TR_OK)
        status = read_all(fd, path, options, error);
    close(fd);
    return status;
}

static tr_status read_text(struct options *options, tr_error *error)
{
    if (!options->script == !options->code)
        return tr_fail(error, TR_EINVAL,
                       options->script ? "script and code are both set; take out one of them"
                                       : "there is no script; name its file by `script`, or "
                                         "write it as `code`");
    if (asprintf(&options->name, "%s%s", options->script ? "@" : "=",
                 options->script ? options->script : "code") < 0) {
        options->name = NULL;
        return tr_fail(error, TR_EAGAIN, "out of memory");
    }
    if (options->script)
        return read_file(options, error);
    options->text = strdup(options->code);
    if (!options->text)
        return tr_fail(error, TR_EAGAIN, "out of memory");
    options->text_len = strlen(options->text);
    return TR_OK;
}

/* ---- params ---- */

static tr_status read_params(struct options *options, const tr_json *json,
                             const tr_config *config, tr_error *error)
{
    tr_json_value *tree = NULL;
    size_t len = 2;
    tr_status status = json->from_config(config, "params", &tree);

    if (status == TR_OK)
        (void)json->dump(tree, NULL, 0, &len);
    else if (status != TR_ENOENT)
        return tr_fail(error, status, "params cannot be read");
    options->params = malloc(len + 1);
    if (!options->params) {
        json->free(tree);
        return tr_fail(error, TR_EAGAIN, "out of memory");
    }
    if (tree)
        (void)json->dump(tree, options->params, len, &len);
    else
        memcpy(options->params, "{}", len);
    options->params[len] = '\0';
    json->free(tree);
    return TR_OK;
}

tr_status options_read(struct options *options, const tr_host *host, const tr_json *json,
                       const tr_config *config, tr_error *error)
{
    tr_status status;

    options_fini(options);
    status = tr_bind(host, config, options_table, OPTIONS_COUNT, options, error);
    if (status == TR_OK)
        status = read_params(options, json, config, error);
    if (status == TR_OK)
        status = read_text(options, error);
    return status;
}

void options_fini(struct options *options)
{
    tr_unbind(options_table, OPTIONS_COUNT, options);
    free(options->text);
    free(options->name);
    free(options->params);
    *options = (struct options){0};
}
