/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two ends of `verify` and `copy`: a database each, or with --all-dbs a server each, that
 * the command line names by a URL. What connects to them and where their passwords come from,
 * for commands that need no configuration. Main thread.
 */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "base/arena.h"
#include "cli/args.h"
#include "cli/signals.h"
#include "http/client.h"

enum { REMOTE_SOURCE, REMOTE_TARGET, REMOTES };

/* The word for an end in messages: "source", "target". */
extern const char *const remote_words[REMOTES];

struct remote {
    struct url server;
    struct buf db;    /* its name; empty with --all-dbs                                    */
    struct buf shown; /* the URL as a person may see it                                    */
    struct http_pool *pool;
};

struct remotes {
    struct loop *loop;
    struct http *http;
    struct secrets *secrets;
    struct remote ends[REMOTES];
    struct arena arena;
    const char **passwords; /* the files' paths, ended by NULL                             */
    struct signals signals;
    int stopped; /* the number of the signal that came; 0: none                            */
};

/* Options that both commands have, for their tables. */
#define REMOTE_OPTIONS                                                                         \
    {"all-dbs", 'a', NULL, "SOURCE and TARGET are servers: all databases of SOURCE"},          \
        {"databases", 'd', "REGEX", "of those only the ones that match"},                      \
        {"system", 0, NULL, "with --all-dbs: also _users, _replicator, …"},                    \
        {"passwords", 'p', "FILE", "passwords file; again for more"},                          \
        {"ca-file", 0, "FILE", "PEM; instead of the system's certificates"},                   \
        {"insecure", 0, NULL, "do not verify certificates"},

/* Reads both URLs of the operands and the options above, and makes ready to connect, with
 * signals_block() called before. What is wrong is printed; gives the exit code. To be given
 * back by remotes_close() in either case. */
int remotes_open(struct remotes *remotes, const struct args *args);
void remotes_close(struct remotes *remotes);

/* They name the same database, or server. */
bool remotes_are_same(const struct remotes *remotes);

/* Databases in order of name. */
struct remote_names {
    struct arena arena;
    tr_str *names;
    size_t count;
};

/* Those of an end that --databases lets pass, and without --system none with an underscore in
 * front. Failures are printed; gives the exit code. Give it back by remote_names_fini() in
 * either case. */
int remotes_list(struct remotes *remotes, const struct args *args, int end,
                 struct remote_names *names);
void remote_names_fini(struct remote_names *names);
bool remote_names_have(const struct remote_names *names, tr_str name);

#endif
