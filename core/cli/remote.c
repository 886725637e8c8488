/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ends, and the way to them. Main thread.
 */
#include "cli/remote.h"

#include "base/mem.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/site.h"
#include "rule/regex.h"
#include "json/value.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sysexits.h>

enum { CONNECTIONS = 16 };

const char *const remote_words[REMOTES] = {"source", "target"};

/* ---- URLs ---- */

/* The last segment of the path is the database; what stands before it is of the server. */
static int split_database(struct remote *remote, const char *text, struct error *error)
{
    char *path = remote->server.path, *last;
    size_t len = strlen(path);
    struct arena arena;

    while (len > 1 && path[len - 1] == '/')
        path[--len] = '\0';
    last = strrchr(path, '/');
    if (!last[1])
        return error_set(error, ERR_USAGE,
                         "%s names no database: http://USER@HOST/DATABASE is wanted, or "
                         "--all-dbs",
                         text);
    arena_init(&arena, 256);
    buf_add_str(&remote->db, url_decode(str_c(last + 1), &arena));
    arena_fini(&arena);
    *last = '\0';
    return 0;
}

static int read_url(struct remote *remote, const char *text, bool is_server,
                    struct error *error)
{
    url_redact(&remote->shown, str_c(text));
    if (url_parse(str_c(text), &remote->server, error) < 0)
        return ERR_USAGE;
    if (remote->server.password)
        return error_set(error, ERR_USAGE,
                         "%s has a password in it, which everybody on this machine can see: "
                         "put it into a file, {\"HOST\":{\"USER\":\"PASSWORD\"}} with mode "
                         "600, and name that by --passwords",
                         remote->shown.ptr);
    if (remote->server.query)
        return error_set(error, ERR_USAGE, "%s has a query, which a database has not",
                         remote->shown.ptr);
    return is_server ? 0 : split_database(remote, remote->shown.ptr, error);
}

static int read_urls(struct remotes *remotes, const struct args *args)
{
    struct error error;

    for (int i = 0; i < REMOTES; i++)
        if (read_url(&remotes->ends[i], args->operands[i], args_has(args, "all-dbs"), &error) <
            0)
            return args_wrong(args, "%s", error.text);
    if (args_has(args, "databases") && !args_has(args, "all-dbs"))
        return args_wrong(args, "--databases goes with --all-dbs");
    if (args_has(args, "system") && !args_has(args, "all-dbs"))
        return args_wrong(args, "--system goes with --all-dbs");
    return EX_OK;
}

bool remotes_are_same(const struct remotes *remotes)
{
    struct buf urls[REMOTES] = {{0}, {0}};
    struct url plain;
    bool same;

    for (int i = 0; i < REMOTES; i++) {
        plain = remotes->ends[i].server;
        plain.user = NULL;
        url_join(&plain, buf_str(&remotes->ends[i].db), STR(""), STR(""), &urls[i]);
    }
    same = str_eq(buf_str(&urls[0]), buf_str(&urls[1]));
    buf_fini(&urls[0]);
    buf_fini(&urls[1]);
    return same;
}

/* ---- passwords ---- */

static void take_given(struct remotes *remotes, const struct args *args)
{
    char real[PATH_MAX];
    size_t count = 0;

    for (size_t i = 0; i < args->given_count; i++) {
        const char *path = args->given[i].value;
        if (strcmp(args->given[i].name, "passwords") != 0)
            continue;
        /* A file that is not there is told of when it is read. */
        if (realpath(path, real))
            path = real;
        remotes->passwords[count++] = arena_cstr(&remotes->arena, str_c(path));
    }
}

/* Those of the configuration, which need not be there. */
static int take_configured(struct remotes *remotes, const struct args *args)
{
    struct site site;
    int code = site_init(&site, args);
    tr_value value = {.size = sizeof(value)};

    for (uint32_t i = 0;
         code == EX_OK && site.main.values && i < ARGS_GIVEN_MAX &&
         config_values_get(site.main.values, "passwords_file", i, &value) == TR_OK;
         i++)
        remotes->passwords[i] = arena_cstr(&remotes->arena, value.s);
    site_fini(&site);
    return code;
}

static int load_passwords(struct remotes *remotes, const struct args *args)
{
    struct error error;
    int code = EX_OK;

    remotes->secrets = secrets_new();
    remotes->passwords = arena_zero(&remotes->arena,
                                    (ARGS_GIVEN_MAX + 1) * sizeof(*remotes->passwords));
    if (!remotes->ends[0].server.user && !remotes->ends[1].server.user)
        return EX_OK;
    if (args_has(args, "passwords"))
        take_given(remotes, args);
    else
        code = take_configured(remotes, args);
    if (code == EX_OK && remotes->passwords[0] &&
        secrets_load_all(remotes->secrets, remotes->passwords, &error) < 0)
        code = print_failure(&error);
    return code;
}

static int find_password(struct remotes *remotes, const struct remote *remote)
{
    const struct url *url = &remote->server;
    struct secret secret = {0};

    if (!url->user ||
        secrets_password(remotes->secrets, str_c(url->host), str_c(url->user), &secret)) {
        secret_fini(&secret);
        return EX_OK;
    }
    print_error("no password is known for %s at %s: put it into a file, "
                "{\"%s\":{\"%s\":\"PASSWORD\"}} with mode 600, and name that by --passwords",
                url->user, url->host, url->host, url->user);
    return EX_NOPERM;
}

/* ---- connecting ---- */

static void stop(struct signals *signals, int number)
{
    struct remotes *remotes = list_entry(signals, struct remotes, signals);

    remotes->stopped = number;
}

static int connect_to(struct remotes *remotes, const struct args *args, struct error *error)
{
    const char *ca_file = args_value(args, "ca-file");
    struct http_options options = {
        .secrets = remotes->secrets,
        .ca_file = str_c(ca_file),
        .insecure = args_has(args, "insecure"),
        .max_connections = CONNECTIONS,
    };
    int rc = loop_new(&remotes->loop, error);

    if (rc == 0)
        rc = http_new(remotes->loop, "tailrace/" TAILRACE_VERSION, &remotes->http, error);
    for (int i = 0; rc == 0 && i < REMOTES; i++)
        rc = http_pool_new(remotes->http, &options, &remotes->ends[i].pool, error);
    remotes->signals.came = stop;
    if (rc == 0)
        rc = signals_watch(&remotes->signals, remotes->loop, error);
    return rc;
}

int remotes_open(struct remotes *remotes, const struct args *args)
{
    struct error error;
    int code;

    *remotes = (struct remotes){.stopped = 0};
    arena_init(&remotes->arena, 1024);
    code = read_urls(remotes, args);
    if (code == EX_OK)
        code = load_passwords(remotes, args);
    for (int i = 0; code == EX_OK && i < REMOTES; i++)
        code = find_password(remotes, &remotes->ends[i]);
    if (code == EX_OK && connect_to(remotes, args, &error) < 0)
        code = print_failure(&error);
    return code;
}

void remotes_close(struct remotes *remotes)
{
    for (int i = 0; i < REMOTES; i++) {
        http_pool_free(remotes->ends[i].pool);
        url_fini(&remotes->ends[i].server);
        buf_fini(&remotes->ends[i].db);
        buf_fini(&remotes->ends[i].shown);
    }
    http_free(remotes->http);
    if (remotes->loop) {
        signals_unwatch(&remotes->signals, remotes->loop);
        loop_free(remotes->loop);
    }
    secrets_free(remotes->secrets);
    arena_fini(&remotes->arena);
}

/* ---- databases ---- */

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const tr_str *)a, *(const tr_str *)b);
}

/* 1: it is wanted; 0: it is not. */
static int is_wanted(const struct regex *regex, bool system, tr_str name, struct error *error)
{
    enum verdict verdict = VERDICT_MATCH;

    if (!system && str_starts(name, STR("_")))
        return 0;
    if (regex)
        verdict = regex_match(regex, name, error);
    return verdict == VERDICT_ERROR ? ERR_CONFIG : verdict == VERDICT_MATCH;
}

static int take_names(tr_str raw, const struct regex *regex, bool system,
                      struct remote_names *names, struct error *error)
{
    size_t cursor = 0, room = 0;
    tr_str key, item, name;
    int wanted = 0;

    while (wanted >= 0 && json_next(raw, &cursor, &key, &item)) {
        if (!json_decode(item, &names->arena, &name))
            continue;
        wanted = is_wanted(regex, system, name, error);
        if (wanted <= 0)
            continue;
        if (names->count == room) {
            room = room ? room * 2 : 64;
            names->names = mem_resize(names->names, room * sizeof(*names->names));
        }
        names->names[names->count++] = arena_str(&names->arena, name);
    }
    if (names->count > 0)
        qsort(names->names, names->count, sizeof(*names->names), by_name);
    return wanted < 0 ? wanted : 0;
}

int remotes_list(struct remotes *remotes, const struct args *args, int end,
                 struct remote_names *names)
{
    const char *pattern = args_value(args, "databases");
    struct remote *remote = &remotes->ends[end];
    struct request request = {.loop = remotes->loop,
                              .pool = remote->pool,
                              .server = &remote->server,
                              .stopped = &remotes->stopped,
                              .rest = "_all_dbs"};
    struct regex *regex = NULL;
    struct buf body = {0};
    struct error error;
    int rc = 0;

    *names = (struct remote_names){.count = 0};
    arena_init(&names->arena, 4096);
    if (pattern && regex_new(str_c(pattern), &regex, &error) < 0)
        return args_wrong(args, "--databases: %s", error.text);
    rc = request_send(&request, &body, NULL, &error);
    if (rc == 0)
        rc = take_names(str_trim(buf_str(&body)), regex, args_has(args, "system"), names,
                        &error);
    regex_free(regex);
    buf_fini(&body);
    return rc < 0 ? print_failure(&error) : EX_OK;
}

void remote_names_fini(struct remote_names *names)
{
    free(names->names);
    arena_fini(&names->arena);
}

bool remote_names_have(const struct remote_names *names, tr_str name)
{
    return names->count > 0 &&
           bsearch(&name, names->names, names->count, sizeof(name), by_name) != NULL;
}
