/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets: the passwords file in a map under a lock, and references. The engine loads, the
 * client and the workers of plugins look up; any thread.
 */
#include "http/secrets.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "json/value.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

enum { PASSWORDS_MAX = 8 << 20, SECRET_MAX = 64 << 10 };

struct secrets {
    pthread_mutex_t lock; /* guards the entries                                            */
    struct map entries;   /* "host\0user" -> struct secret                                 */
    _Atomic uint64_t generation;
};

void secret_fini(struct secret *secret)
{
    if (secret->ptr)
        explicit_bzero(secret->ptr, secret->len);
    free(secret->ptr);
    *secret = (struct secret){0};
}

static struct secret copy_secret(tr_str text)
{
    return (struct secret){.ptr = str_dup(text), .len = text.len};
}

static void free_entries(struct map *entries)
{
    size_t cursor = 0;
    tr_str key;
    void *value;

    while (map_next(entries, &cursor, &key, &value)) {
        secret_fini(value);
        free(value);
    }
    map_fini(entries);
}

struct secrets *secrets_new(void)
{
    struct secrets *secrets = mem_new(struct secrets);

    pthread_mutex_init(&secrets->lock, NULL);
    return secrets;
}

void secrets_free(struct secrets *secrets)
{
    if (!secrets)
        return;
    free_entries(&secrets->entries);
    pthread_mutex_destroy(&secrets->lock);
    free(secrets);
}

/* ---- reading ---- */

static void wipe_buf(struct buf *buf)
{
    if (buf->ptr)
        explicit_bzero(buf->ptr, buf->cap);
    buf_fini(buf);
}

/* The file with room taken first, so that growing leaves no copies in freed memory. */
static int read_private(const char *path, size_t max, unsigned flags, struct buf *buf,
                        struct error *error)
{
    struct stat st;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (uintmax_t)st.st_size <= max)
        buf_reserve(buf, (size_t)st.st_size + 32768);
    return file_read(path, max, flags, buf, error);
}

/* The path of a systemd credential. */
static int credential_path(tr_str name, struct buf *ret_path, struct error *error)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");

    if (name.len == 0 || str_find(name, '/') < name.len || str_find(name, '\0') < name.len ||
        name.ptr[0] == '.')
        return error_set(error, ERR_CONFIG,
                         "\"cred:" STR_FMT "\" names no credential; it is one word, no path",
                         STR_ARG(name));
    if (!folder || !folder[0])
        return error_set(error, ERR_NOINPUT,
                         "\"cred:" STR_FMT
                         "\": no credentials were passed to this process; use "
                         "LoadCredential= of systemd",
                         STR_ARG(name));
    buf_addf(ret_path, "%s/" STR_FMT, folder, STR_ARG(name));
    return 0;
}

static void make_key(struct buf *key, tr_str host, tr_str user)
{
    buf_clear(key);
    for (size_t i = 0; i < host.len; i++)
        buf_add_char(key, (char)tolower((unsigned char)host.ptr[i]));
    buf_add_char(key, '\0');
    buf_add_str(key, user);
}

static tr_str quoted(tr_str raw_key)
{
    return str_n(raw_key.ptr - 1, raw_key.len + 2);
}

/* What one file says; where another says otherwise, neither is believed: a wrong password tried
 * a few times locks the account. */
struct reading {
    struct map *earlier, *entries; /* of the files before, of this one                     */
    struct arena arena;
    struct buf key;
    const char *path;
    struct error *error;
};

static int add_entry(struct reading *reading, tr_str host, tr_str user, tr_str password)
{
    struct secret *secret, *old;

    make_key(&reading->key, host, user);
    old = map_get(reading->earlier, buf_str(&reading->key));
    if (old && !str_eq(str_n(old->ptr, old->len), password))
        return error_set(reading->error, ERR_DATA,
                         "%s: another password of \"" STR_FMT "\" at \"" STR_FMT
                         "\" stands in a passwords file before it; take the wrong one out",
                         reading->path, STR_ARG(user), STR_ARG(host));
    secret = mem_new(struct secret);
    *secret = copy_secret(password);
    old = map_set(reading->entries, buf_str(&reading->key), secret);
    if (old)
        secret_fini(old);
    free(old);
    return 0;
}

/* json_next() stops at the end and at what is malformed alike: is it the closing brace? */
static bool is_at_end(tr_str object, size_t cursor)
{
    object = str_trim(object);
    return str_eq(str_trim(str_from(object, cursor ? cursor : 1)), STR("}"));
}

static int malformed(const char *path, struct error *error)
{
    return error_set(error, ERR_DATA,
                     "%s is not JSON of the form {\"host\": {\"user\": \"password\"}}", path);
}

static int take_users(struct reading *reading, tr_str host, tr_str users)
{
    struct arena *arena = &reading->arena;
    size_t cursor = 0;
    tr_str raw_user, user, raw, password;
    int rc = 0;

    while (rc == 0 && json_next(users, &cursor, &raw_user, &raw)) {
        if (json_type_of(raw) != JSON_STRING || !json_decode(quoted(raw_user), arena, &user) ||
            !json_decode(raw, arena, &password) || str_find(password, '\0') < password.len)
            return error_set(reading->error, ERR_DATA,
                             "%s: the password of \"" STR_FMT "\" at \"" STR_FMT
                             "\" is not a string",
                             reading->path, STR_ARG(raw_user), STR_ARG(host));
        rc = add_entry(reading, host, user, password);
        explicit_bzero((char *)(uintptr_t)password.ptr, password.len);
    }
    if (rc == 0 && !is_at_end(users, cursor))
        rc = malformed(reading->path, reading->error);
    return rc;
}

static int take_hosts(struct reading *reading, tr_str text)
{
    size_t cursor = 0;
    tr_str raw_host, host, users;
    int rc = 0;

    text = str_trim(text);
    if (json_type_of(text) != JSON_OBJECT)
        return malformed(reading->path, reading->error);
    while (rc == 0 && json_next(text, &cursor, &raw_host, &users)) {
        if (json_type_of(users) != JSON_OBJECT ||
            !json_decode(quoted(raw_host), &reading->arena, &host))
            rc = error_set(reading->error, ERR_DATA,
                           "%s: \"" STR_FMT "\" must be a host with an object of users",
                           reading->path, STR_ARG(raw_host));
        else
            rc = take_users(reading, host, users);
    }
    if (rc == 0 && !is_at_end(text, cursor))
        rc = malformed(reading->path, reading->error);
    return rc;
}

/* Moves all of `from`, also what is there already: it is the same. */
static void move_entries(struct map *to, struct map *from)
{
    struct secret *old;
    size_t cursor = 0;
    tr_str key;
    void *value;

    while (map_next(from, &cursor, &key, &value)) {
        old = map_set(to, key, value);
        if (old)
            secret_fini(old);
        free(old);
    }
    map_fini(from);
}

static int load_file(struct map *entries, const char *path, struct error *error)
{
    struct buf text = {0}, real = {0};
    struct map fresh = {0};
    struct reading reading = {.earlier = entries, .entries = &fresh, .error = error};
    unsigned flags = FILE_PRIVATE;
    int rc = 0;

    if (str_starts(str_c(path), STR("cred:"))) {
        flags = 0;
        rc = credential_path(str_from(str_c(path), 5), &real, error);
    } else {
        buf_add_c(&real, path);
    }
    if (rc == 0)
        rc = read_private(real.ptr, PASSWORDS_MAX, flags, &text, error);
    if (rc == 0) {
        reading.path = real.ptr;
        arena_init(&reading.arena, 4096);
        rc = take_hosts(&reading, buf_str(&text));
        arena_fini(&reading.arena);
    }
    if (rc == 0)
        move_entries(entries, &fresh);
    else
        free_entries(&fresh);
    buf_fini(&reading.key);
    wipe_buf(&text);
    buf_fini(&real);
    return rc;
}

int secrets_load_all(struct secrets *secrets, const char *const *paths, struct error *error)
{
    struct map entries = {0}, old;
    int rc = 0;

    for (; rc == 0 && *paths; paths++)
        rc = load_file(&entries, *paths, error);
    if (rc == 0) {
        pthread_mutex_lock(&secrets->lock);
        old = secrets->entries;
        secrets->entries = entries;
        atomic_fetch_add(&secrets->generation, 1);
        pthread_mutex_unlock(&secrets->lock);
        entries = old;
    }
    free_entries(&entries);
    return rc;
}

int secrets_load(struct secrets *secrets, const char *path, struct error *error)
{
    const char *const paths[] = {path, NULL};

    return secrets_load_all(secrets, paths, error);
}

/* ---- looking up ---- */

bool secrets_password(struct secrets *secrets, tr_str host, tr_str user,
                      struct secret *ret_secret)
{
    struct buf key = {0};
    struct secret *found;

    if (!secrets)
        return false;
    make_key(&key, host, user);
    pthread_mutex_lock(&secrets->lock);
    found = map_get(&secrets->entries, buf_str(&key));
    if (found)
        *ret_secret = copy_secret(str_n(found->ptr, found->len));
    pthread_mutex_unlock(&secrets->lock);
    buf_fini(&key);
    return found != NULL;
}

uint64_t secrets_generation(struct secrets *secrets)
{
    return secrets ? atomic_load(&secrets->generation) : 0;
}

/* ---- references ---- */

bool secret_is_reference(tr_str text)
{
    return str_starts(text, STR("file:")) || str_starts(text, STR("env:")) ||
           str_starts(text, STR("cred:"));
}

static int resolve_env(tr_str name, struct secret *ret_secret, struct error *error)
{
    char *copy = str_dup(name);
    const char *value = getenv(copy);

    free(copy);
    if (!value)
        return error_set(error, ERR_NOINPUT,
                         "\"env:" STR_FMT "\": there is no such environment variable",
                         STR_ARG(name));
    *ret_secret = copy_secret(str_c(value));
    return 0;
}

static int resolve_file(const char *path, unsigned flags, struct secret *ret_secret,
                        struct error *error)
{
    struct buf text = {0};
    tr_str secret;
    int rc = read_private(path, SECRET_MAX, flags, &text, error);

    if (rc < 0)
        goto out;
    secret = buf_str(&text);
    if (str_ends(secret, STR("\n")))
        secret.len--;
    if (str_ends(secret, STR("\r")))
        secret.len--;
    if (str_find(secret, '\0') < secret.len)
        rc = error_set(error, ERR_DATA, "%s holds a NUL byte; a secret is text", path);
    else
        *ret_secret = copy_secret(secret);
out:
    wipe_buf(&text);
    return rc;
}

int secret_resolve(tr_str reference, struct secret *ret_secret, struct error *error)
{
    struct buf path = {0};
    tr_str rest, kind = str_cut(reference, ':', &rest);
    int rc;

    if (str_eq(kind, STR("env")) && rest.len > 0)
        return resolve_env(rest, ret_secret, error);
    if (str_eq(kind, STR("file")) && rest.len > 0 && rest.ptr[0] == '/') {
        buf_add_str(&path, rest);
        rc = resolve_file(path.ptr, FILE_PRIVATE, ret_secret, error);
    } else if (str_eq(kind, STR("cred"))) {
        rc = credential_path(rest, &path, error);
        if (rc == 0)
            rc = resolve_file(path.ptr, 0, ret_secret, error);
    } else {
        /* The text is not shown: it may be the secret itself. */
        rc = error_set(error, ERR_CONFIG,
                       "not a reference to a secret; write file:/path, env:NAME or cred:NAME");
    }
    buf_fini(&path);
    return rc;
}
