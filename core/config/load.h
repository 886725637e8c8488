/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: the main file and the *.conf files of its conf.d, merged to one tree.
 *
 *     config_load("/etc/tailrace/tailrace.conf", &diags, &config)
 *
 * Files are read whole, by name in strcmp order; only regular files, each of at most 1 MiB, at
 * most 1,000 of them; names that begin with a dot are passed over. Top-level groups (sources,
 * rules, plugins, …) are merged member by member, so that a drop-in adds a rule without
 * touching another file. Whatever is given twice is an error that names both places. The
 * directory is `conf_d` of the main file, taken from where that file is, else "conf.d", which
 * may be absent; `conf_d` stays in the tree as any other setting.
 *
 * Any thread. A loaded config is not changed any more; it is one generation, owned by the
 * caller.
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/diag.h"

enum {
    CONFIG_FILE_MAX = 1024 * 1024, /* bytes                                                */
    CONFIG_FILES_MAX = 1000        /* drop-ins                                             */
};

struct config {
    struct arena arena; /* all nodes and texts                                             */
    const struct config_node *root;
    const char *dir;          /* of the drop-ins; NULL: there is none                      */
    const char *const *files; /* what was read, the main file first                        */
    size_t files_count;
};

/* Reads `main_path`, or standard input when it is "-" (then drop-ins come only from an absolute
 * `conf_d`). 0: no error was found. ERR_NOINPUT, ERR_NOPERM, ERR_IO, ERR_DATA: the main file
 * could not be read. ERR_CONFIG: anything else. The reasons are in `diags`.
 *
 * With ERR_CONFIG *ret_config is set nevertheless if the main file could be understood: what
 * else is wrong with the rest can be reported in the same go. So: start with NULL, always
 * config_free(), and never run what did not give 0. */
int config_load(const char *main_path, struct diags *diags, struct config **ret_config);

/* The same from memory; `name` stands for the file in messages and tells, as if it were the
 * file's path, where a relative `conf_d` is. Without `conf_d` no drop-in is read. */
int config_load_text(const char *name, tr_str text, struct diags *diags,
                     struct config **ret_config);

void config_free(struct config *config);

#endif
