/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a plugin: from a name to a descriptor that can be trusted to be one.
 *
 * A file is opened only if nobody but root and this user could have put it there. The
 * descriptor and its option table are copied into the host's own sizes, so that the rest of the
 * core need not ask what an older or newer plugin knows of. A plugin is never unloaded: threads
 * of its own may still run, and Go's and C++'s runtimes do not survive it.
 *
 * The main thread loads; a loaded plugin is immutable and read by all.
 */
#ifndef PLUGIN_LOADER_H
#define PLUGIN_LOADER_H

#include "base/arena.h"
#include "base/error.h"

#include <tailrace/plugin.h>

struct plugin {
    char *path;           /* as it was opened, without links                                */
    tr_plugin descriptor; /* a copy, zero where an older plugin has no field                */
    tr_option *options;   /* a copy in the host's stride, as are the tables of its groups   */
    uint32_t options_count;
    struct arena tables; /* owns the copies                                                */
};

/*
 * Loads `name`: a bare name is DIR/NAME.so for the first of `dirs` (ended by NULL) that has it,
 * an absolute path is taken as it is, all else is refused. Loading what is loaded gives the
 * same plugin again. ERR_NOINPUT: no such file; ERR_NOPERM: others could have written it;
 * ERR_SOFTWARE: not a plugin, or of another ABI. The reason stands in `error`.
 */
int plugin_load(tr_str name, const char *const *dirs, const struct plugin **ret_plugin,
                struct error *error);

#endif
