/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a plugin: find the file, judge who could have written it, dlopen, shake hands.
 * Called on the main thread, by `check`, `plugins`, and by the engine for each rule.
 */
#include "plugin/loader.h"

#include "base/map.h"
#include "base/mem.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPTIONS_MAX = 512, GROUPS_DEEP = 8 };

static struct map loaded; /* real path -> struct plugin; for the process's life               */

/* ---- who could have written it ---- */

static int judge_one(const char *path, struct error *error)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return error_set(error, ERR_NOINPUT, "%s: %s", path, strerror(errno));
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return error_set(error, ERR_NOPERM,
                         "plugin refused: %s belongs to user %u; chown it to root", path,
                         (unsigned)st.st_uid);
    /* In a sticky folder others may add files but not replace this one. */
    if ((st.st_mode & 022) && !(S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX)))
        return error_set(error, ERR_NOPERM,
                         "plugin refused: %s is writable by others (mode %03o); run chmod go-w "
                         "on it",
                         path, (unsigned)st.st_mode & 0777);
    return 0;
}

/* dlopen() of a pipe would wait for its other end for ever. */
static int judge_kind(const char *path, struct error *error)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return error_set(error, ERR_NOINPUT, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_set(error, ERR_NOINPUT,
                         "plugin refused: %s is not a regular file; name a .so", path);
    return 0;
}

/* Whether the file has all that its table of segments says; if not, errno is 0 or why it could
 * not be read. What is no ELF file is left to dlopen() to judge. */
static bool is_whole(int fd, off_t size)
{
    ElfW(Ehdr) head;
    ElfW(Phdr) part;

    if (pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
        return true;
    for (unsigned i = 0; i < head.e_phnum; i++) {
        off_t at = (off_t)(head.e_phoff + i * sizeof(part));
        errno = 0;
        if (pread(fd, &part, sizeof(part), at) != (ssize_t)sizeof(part))
            return false;
        if (part.p_type == PT_LOAD &&
            (part.p_offset > (uint64_t)size || part.p_filesz > (uint64_t)size - part.p_offset))
            return false;
    }
    return true;
}

/* dlopen() maps a file that was cut short and dies of SIGBUS. */
static int judge_length(const char *path, struct error *error)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool whole = fd < 0 || fstat(fd, &st) < 0 || is_whole(fd, st.st_size);
    int why = errno;

    if (fd >= 0)
        close(fd);
    if (whole)
        return 0;
    if (why != 0)
        return error_set(error, ERR_IO, "plugin refused: %s cannot be read: %s", path,
                         strerror(why));
    return error_set(error, ERR_SOFTWARE,
                     "plugin refused: %s is cut short; copy or build it again", path);
}

/* The file and every folder above it. */
static int judge_road(const char *real, struct error *error)
{
    char path[PATH_MAX];
    int rc = judge_kind(real, error);

    if (rc < 0)
        return rc;
    snprintf(path, sizeof(path), "%s", real);
    for (;;) {
        char *slash;

        rc = judge_one(path, error);
        if (rc < 0)
            return rc;
        slash = strrchr(path, '/');
        if (!slash || (slash == path && path[1] == '\0'))
            return 0;
        slash[slash == path] = '\0';
    }
}

/* ---- where it is ---- */

static bool is_bare_name(tr_str name)
{
    if (name.len == 0 || name.len > 64 || name.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '/' || (unsigned char)name.ptr[i] <= ' ')
            return false;
    return true;
}

static int find_file(tr_str name, const char *const *dirs, char real[PATH_MAX],
                     struct error *error)
{
    char path[PATH_MAX];

    if (name.len >= sizeof(path))
        return error_set(error, ERR_CONFIG, "a plugin's path is longer than %d bytes",
                         PATH_MAX);
    if (name.len > 0 && name.ptr[0] == '/') {
        snprintf(path, sizeof(path), STR_FMT, STR_ARG(name));
        if (realpath(path, real))
            return 0;
        return error_set(error, ERR_NOINPUT, "plugin %s: %s", path, strerror(errno));
    }
    if (!is_bare_name(name))
        return error_set(error, ERR_CONFIG,
                         "\"" STR_FMT "\" is not a plugin's name; give a name such as "
                         "\"file-sink\" or an absolute path",
                         STR_ARG(name));
    for (size_t i = 0; dirs[i]; i++) {
        snprintf(path, sizeof(path), "%s/" STR_FMT ".so", dirs[i], STR_ARG(name));
        if (realpath(path, real))
            return 0;
    }
    return error_set(error, ERR_NOINPUT,
                     "there is no plugin \"" STR_FMT "\" in %s; `tailrace plugins` lists what "
                     "there is",
                     STR_ARG(name), dirs[0] ? dirs[0] : "any plugin directory");
}

/* ---- the handshake ---- */

typedef const tr_plugin *(*entry_fn)(void);

static entry_fn find_entry(void *handle)
{
    entry_fn entry = NULL;
    void *symbol = dlsym(handle, "tr_plugin_v1");

    /* ISO C has no cast from object to function pointer; POSIX promises that this works. */
    memcpy(&entry, &symbol, sizeof(entry));
    return entry;
}

/* One entry of the plugin's, of whatever length, as ours. */
static tr_option option_at(const struct plugin *plugin, const tr_option *table, uint32_t i)
{
    size_t stride = plugin->descriptor.options_stride;
    tr_option option = {0};

    memcpy(&option, (const char *)table + i * stride,
           stride < sizeof(option) ? stride : sizeof(option));
    return option;
}

/* Copies a table, and those of its groups, which have the same stride. */
static int copy_table(struct plugin *plugin, const tr_option *table, uint32_t count, int depth,
                      tr_option **ret_copy, struct error *error)
{
    tr_option *copy = arena_zero(&plugin->tables, (count + 1) * sizeof(*copy));

    if (count > OPTIONS_MAX || depth > GROUPS_DEEP)
        return error_set(error, ERR_SOFTWARE,
                         "plugin %s: its option table has more than %d entries or %d groups in "
                         "one another; end each group's table with an entry without a name",
                         plugin->path, OPTIONS_MAX, GROUPS_DEEP);
    for (uint32_t i = 0; i < count; i++) {
        tr_option *inner;
        uint32_t inner_count = 0;
        int rc;

        copy[i] = option_at(plugin, table, i);
        if (!copy[i].name || copy[i].type == 0)
            return error_set(error, ERR_SOFTWARE,
                             "plugin %s: option number %u has no name or type", plugin->path,
                             i);
        if (copy[i].type != TR_TYPE_GROUP || !copy[i].group)
            continue;
        while (inner_count <= OPTIONS_MAX && option_at(plugin, copy[i].group, inner_count).name)
            inner_count++;
        rc = copy_table(plugin, copy[i].group, inner_count, depth + 1, &inner, error);
        if (rc < 0)
            return rc;
        copy[i].group = inner;
    }
    *ret_copy = copy;
    return 0;
}

static int copy_options(struct plugin *plugin, struct error *error)
{
    const tr_plugin *d = &plugin->descriptor;
    int rc;

    if (d->options_count == 0)
        return 0;
    if (!d->options || d->options_stride < offsetof(tr_option, dflt))
        return error_set(error, ERR_SOFTWARE,
                         "plugin %s: its option table is malformed (%u options of %u bytes); "
                         "set options_count and options_stride as TR_OPTIONS() does",
                         plugin->path, d->options_count, d->options_stride);
    rc = copy_table(plugin, d->options, d->options_count, 0, &plugin->options, error);
    if (rc == 0)
        plugin->options_count = d->options_count;
    return rc;
}

static int shake_hands(struct plugin *plugin, const tr_plugin *given, struct error *error)
{
    size_t n;

    if (!given || given->size < offsetof(tr_plugin, flush))
        return error_set(
            error, ERR_SOFTWARE,
            "plugin %s: its descriptor is malformed or of a draft of the ABI; build "
            "it again with the headers of this release",
            plugin->path);
    n = given->size < sizeof(tr_plugin) ? given->size : sizeof(tr_plugin);
    memcpy(&plugin->descriptor, given, n);
    plugin->descriptor.size = sizeof(tr_plugin);
    if (!plugin->descriptor.name || !plugin->descriptor.version)
        return error_set(error, ERR_SOFTWARE, "plugin %s: it has no name or version",
                         plugin->path);
    if (!plugin->descriptor.open || !plugin->descriptor.close ||
        (!plugin->descriptor.process && !plugin->descriptor.transform))
        return error_set(
            error, ERR_SOFTWARE,
            "plugin %s: open, close and one of process and transform are required, "
            "and one is missing",
            plugin->path);
    return copy_options(plugin, error);
}

static int open_file(struct plugin *plugin, struct error *error)
{
    void *handle;
    entry_fn entry;
    int rc;

    handle = dlopen(plugin->path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return error_set(error, ERR_SOFTWARE, "plugin cannot be loaded: %s", dlerror());
    entry = find_entry(handle);
    if (!entry)
        return error_set(
            error, ERR_SOFTWARE,
            "%s is not a plugin for this release: it exports no tr_plugin_v1; build "
            "it with the SDK of ABI %d",
            plugin->path, TR_ABI_MAJOR);
    rc = shake_hands(plugin, entry(), error);
    if (rc < 0)
        return rc;
    if (plugin->descriptor.global_init && plugin->descriptor.global_init() != TR_OK)
        return error_set(error, ERR_SOFTWARE, "plugin %s: its global_init failed",
                         plugin->path);
    return 0;
}

/* Only of one that was refused: what is loaded stays. */
static void plugin_free(struct plugin *plugin)
{
    arena_fini(&plugin->tables);
    free(plugin->path);
    free(plugin);
}

int plugin_load(tr_str name, const char *const *dirs, const struct plugin **ret_plugin,
                struct error *error)
{
    char real[PATH_MAX];
    struct plugin *plugin;
    int rc;

    rc = find_file(name, dirs, real, error);
    if (rc < 0)
        return rc;
    plugin = map_get(&loaded, str_c(real));
    if (plugin)
        goto found;
    rc = judge_road(real, error);
    if (rc == 0)
        rc = judge_length(real, error);
    if (rc < 0)
        return rc;
    plugin = mem_new(struct plugin);
    arena_init(&plugin->tables, 1024);
    plugin->path = str_dup(str_c(real));
    rc = open_file(plugin, error);
    if (rc < 0) {
        plugin_free(plugin);
        return rc;
    }
    map_set(&loaded, str_c(real), plugin);
found:
    *ret_plugin = plugin;
    return 0;
}
