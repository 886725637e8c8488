/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading files and drop-ins. Called by the cli and, on a reload, by the engine; the thread
 * that calls does all of it.
 */
#include "config/load.h"

#include "base/file.h"
#include "base/mem.h"
#include "config/build.h"
#include "config/merge.h"
#include "config/parse.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

struct names {
    char **items;
    size_t count;
};

struct loader {
    struct config *config;
    struct diags *diags;
    struct merge merge;
    const char **files; /* config->files while it grows                                     */
};

static int read_stdin(struct buf *text, struct error *error)
{
    for (;;) {
        ssize_t n = read(STDIN_FILENO, buf_reserve(text, 16384), 16384);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(error, ERR_IO, "cannot be read: %s", strerror(errno));
        if (n == 0)
            return 0;
        text->len += (size_t)n;
        if (text->len > CONFIG_FILE_MAX)
            return error_set(error, ERR_DATA, "has more than %d bytes", CONFIG_FILE_MAX);
    }
}

/* The error of base/file.h begins with the path, as the diagnostic does. */
static void report_file(struct loader *loader, const char *path, const struct error *error)
{
    const char *text = error->text;
    size_t len = strlen(path);

    if (strncmp(text, path, len) == 0 && text[len] == ' ')
        text += len + 1;
    diag_add(loader->diags, DIAG_ERROR, path, 0, NULL, "%s", text);
}

static int add_text(struct loader *loader, const char *name, tr_str text,
                    struct config_node **ret_root)
{
    struct config *config = loader->config;
    const char *file = arena_cstr(&config->arena, str_c(name));
    int rc;

    loader->files[config->files_count++] = file;
    rc = config_parse(text, file, &config->arena, loader->diags, ret_root);
    return rc;
}

static int add_file(struct loader *loader, const char *path, struct config_node **ret_root)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct error error = {0};
    struct buf text = {0};
    int rc;

    rc = is_stdin ? read_stdin(&text, &error)
                  : file_read(path, CONFIG_FILE_MAX, 0, &text, &error);
    if (rc < 0)
        report_file(loader, is_stdin ? "(standard input)" : path, &error);
    else
        rc = add_text(loader, is_stdin ? "(standard input)" : path, buf_str(&text), ret_root);
    buf_fini(&text);
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_fini(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

/* All *.conf of the directory, one more than is allowed at most. */
static void names_read(struct names *names, DIR *dir)
{
    struct dirent *entry;

    names->items = mem_new_array(char *, CONFIG_FILES_MAX + 1);
    while (names->count <= CONFIG_FILES_MAX && (entry = readdir(dir))) {
        tr_str name = str_c(entry->d_name);
        if (name.ptr[0] != '.' && str_ends(name, STR(".conf")))
            names->items[names->count++] = str_dup(name);
    }
    qsort(names->items, names->count, sizeof(char *), by_text);
}

static void add_drop_in(struct loader *loader, const char *dir, const char *name)
{
    struct config_node *root = NULL;
    const struct config_node *conf_d;
    struct buf path = {0};
    struct diag *diag;

    buf_addf(&path, "%s/%s", dir, name);
    if (add_file(loader, path.ptr, &root) == 0) {
        conf_d = config_member(root, STR("conf_d"));
        if (conf_d) {
            diag = diag_at(loader->diags, DIAG_ERROR, conf_d, "only the main file may say it");
            diag_remedy(loader->diags, diag, "move it to %s", loader->files[0]);
        }
        merge_add(&loader->merge, root);
    }
    buf_fini(&path);
}

static void add_dir(struct loader *loader, const char *dir, const struct config_node *said)
{
    DIR *handle = opendir(dir);
    struct names names = {0};
    struct diag *diag;

    if (!handle && errno == ENOENT && !said)
        return;
    if (!handle) {
        int problem = errno;
        diag = said ? diag_at(loader->diags, DIAG_ERROR, said, "%s cannot be opened: %s", dir,
                              strerror(problem))
                    : diag_add(loader->diags, DIAG_ERROR, dir, 0, NULL, "cannot be opened: %s",
                               strerror(problem));
        diag_remedy(loader->diags, diag, "make it a directory that this user may read");
        return;
    }
    loader->config->dir = arena_cstr(&loader->config->arena, str_c(dir));
    names_read(&names, handle);
    closedir(handle);
    if (names.count > CONFIG_FILES_MAX) {
        diag = diag_add(loader->diags, DIAG_ERROR, dir, 0, NULL,
                        "has more than %d *.conf files", CONFIG_FILES_MAX);
        diag_remedy(loader->diags, diag, "put several rules into one file");
    } else {
        for (size_t i = 0; i < names.count; i++)
            add_drop_in(loader, dir, names.items[i]);
    }
    names_fini(&names);
}

/* The directory of `path` with its "/" at the end; empty for a bare name. */
static tr_str dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? str_n(path, (size_t)(slash - path) + 1) : STR("");
}

static void add_drop_ins(struct loader *loader, const char *main_path, bool by_default)
{
    const struct config_node *said = config_member(loader->config->root, STR("conf_d"));
    const char *dir = said ? said->text.ptr : "conf.d";
    struct buf path = {0};

    if (said && (said->type != CONFIG_STRING || said->text.len == 0)) {
        diag_remedy(loader->diags,
                    diag_at(loader->diags, DIAG_ERROR, said, "is not the name of a directory"),
                    "write conf_d = \"conf.d\";");
        return;
    }
    if (!said && !by_default)
        return;
    if (*dir != '/')
        buf_add_str(&path, dir_of(main_path));
    buf_add_c(&path, dir);
    if (*dir == '/' || strcmp(main_path, "-") != 0)
        add_dir(loader, path.ptr, said);
    else if (said)
        diag_remedy(loader->diags,
                    diag_at(loader->diags, DIAG_ERROR, said, "standard input has no directory"),
                    "write the whole path");
    buf_fini(&path);
}

/* `text` is NULL: `name` is a path. */
static int load(const char *name, const tr_str *text, struct diags *diags,
                struct config **ret_config)
{
    struct loader loader = {.config = mem_new(struct config), .diags = diags};
    struct config *config = loader.config;
    size_t errors = diags->errors;
    struct config_node *root, *main_root = NULL;
    int rc;

    arena_init(&config->arena, 16384);
    loader.files = arena_zero(&config->arena, (CONFIG_FILES_MAX + 1) * sizeof(const char *));
    config->files = loader.files;
    root = config_node_new(&config->arena, CONFIG_GROUP, STR(""));
    config->root = root;
    merge_init(&loader.merge, root, &config->arena, diags);

    rc = text ? add_text(&loader, name, *text, &main_root)
              : add_file(&loader, name, &main_root);
    if (rc < 0) {
        config_free(config);
        goto out;
    }
    root->file = main_root->file;
    root->line = main_root->line;
    merge_add(&loader.merge, main_root);
    add_drop_ins(&loader, name, !text);
    rc = diags->errors > errors ? ERR_CONFIG : 0;
    *ret_config = config;
out:
    merge_fini(&loader.merge);
    return rc;
}

int config_load(const char *main_path, struct diags *diags, struct config **ret_config)
{
    return load(main_path, NULL, diags, ret_config);
}

int config_load_text(const char *name, tr_str text, struct diags *diags,
                     struct config **ret_config)
{
    return load(name, &text, diags, ret_config);
}

void config_free(struct config *config)
{
    if (!config)
        return;
    arena_fini(&config->arena);
    free(config);
}
