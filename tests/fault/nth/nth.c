/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the n-th operation of a kind fail, in a program that knows nothing of it: LD_PRELOAD
 * names this library. tests/fault/nth/program.js sets it up and reads its report; the functions
 * are called by the program and its libraries, on any thread.
 *
 *   NTH_REPORT   a file of sizeof(struct report) bytes; without it nothing fails
 *   NTH_KIND     alloc, file, socket, sqlite or thread: what fails; all kinds are counted
 *   NTH_AT       which one, from 1 on; 0 for none
 *   NTH_TIMES    how many fail from there on; 0 for all
 *   NTH_ERRNO    the error (of sqlite: its result code); 0 for what suits the operation
 *   NTH_LATE     1: what writes is done and fails afterwards, so that its effect is in doubt
 *   NTH_FROM     a library by the beginning of its name: only what it calls itself is counted
 *   NTH_SPARE    a library by the beginning of its name, whose allocations do not fail
 *
 * The report is mapped into memory, so it holds whatever the end of the program was.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { ALLOC, FILES, SOCKETS, SQLITE, THREADS, KINDS, NONE = KINDS };

static const char *const kind_names[KINDS] = {"alloc", "file", "socket", "sqlite", "thread"};

/* program.js reads it by these offsets. */
struct report {
    atomic_uint_least64_t seen[KINDS];
    atomic_uint_least64_t failed;
    char first[216]; /* "write from libsqlite3.so.0.8.6+0x1234" */
};

/* Where the functions of a library are. */
struct code {
    const char *name;
    uintptr_t from, to;
};

static struct {
    struct report *report; /* NULL: not yet, or not at all */
    enum kind kind;
    uint64_t at, times;
    int error;
    bool late;
    const char *from;
    struct code spare, sqlite;
} plan = {.kind = NONE};

/* The fortified forms, which headers declare only for who asks for them. */
ssize_t __read_chk(int fd, void *to, size_t n, size_t room);
ssize_t __recv_chk(int fd, void *to, size_t n, size_t room, int flags);

#define CALLER __builtin_return_address(0)

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Asked each time: a plugin is loaded long after the beginning. */
static bool is_from(const char *name, const void *caller)
{
    Dl_info info = {0};

    return dladdr(caller, &info) && info.dli_fname &&
           strncmp(base_name(info.dli_fname), name, strlen(name)) == 0;
}

static void note(const char *what, const void *caller)
{
    Dl_info info = {0};
    const char *name = "?";
    uintptr_t place = 0;

    if (dladdr(caller, &info) && info.dli_fname) {
        name = base_name(info.dli_fname);
        place = (uintptr_t)caller - (uintptr_t)info.dli_fbase;
    }
    snprintf(plan.report->first, sizeof(plan.report->first), "%s from %s+0x%lx", what, name,
             (unsigned long)place);
}

static bool is_in(const struct code *code, const void *caller)
{
    return (uintptr_t)caller >= code->from && (uintptr_t)caller < code->to;
}

static bool fails(enum kind kind, const char *what, const void *caller)
{
    uint64_t n;

    if (!plan.report || kind == NONE)
        return false;
    /* SQLite among itself looks only at what a failure left in the connection. */
    if ((kind == ALLOC && is_in(&plan.spare, caller)) ||
        (kind == SQLITE && is_in(&plan.sqlite, caller)))
        return false;
    if (plan.from && kind == plan.kind && !is_from(plan.from, caller))
        return false;
    n = atomic_fetch_add(&plan.report->seen[kind], 1) + 1;
    if (kind != plan.kind || plan.at == 0 || n < plan.at ||
        (plan.times > 0 && n - plan.at >= plan.times))
        return false;
    if (atomic_fetch_add(&plan.report->failed, 1) == 0)
        note(what, caller);
    return true;
}

/* ---- the beginning ---- */

static uint64_t number(const char *name)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : 0;
}

static int find_code(struct dl_phdr_info *info, size_t size, void *user)
{
    struct code *code = user;

    (void)size;
    if (strncmp(base_name(info->dlpi_name), code->name, strlen(code->name)) != 0)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        code->from = info->dlpi_addr + part->p_vaddr;
        code->to = code->from + part->p_memsz;
    }
    return 1;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("NTH_REPORT"), *kind = getenv("NTH_KIND"),
               *from = getenv("NTH_FROM"), *spare = getenv("NTH_SPARE");
    void *map;
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

    if (fd < 0)
        return;
    map = mmap(NULL, sizeof(struct report), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return;
    for (int i = 0; kind && i < KINDS; i++)
        if (strcmp(kind, kind_names[i]) == 0)
            plan.kind = (enum kind)i;
    plan.at = number("NTH_AT");
    plan.times = number("NTH_TIMES");
    plan.error = (int)number("NTH_ERRNO");
    plan.late = number("NTH_LATE") > 0;
    plan.from = from && *from ? from : NULL;
    plan.spare.name = spare && *spare ? spare : "-";
    plan.sqlite.name = "libsqlite3.so";
    dl_iterate_phdr(find_code, &plan.spare);
    dl_iterate_phdr(find_code, &plan.sqlite);
    plan.report = map;
}

/* ---- how one is wrapped ---- */

#define REAL(name)                                                                             \
    static __typeof__(name) *real;                                                             \
    if (!real)                                                                                 \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

/* `usual` is the error of this operation; `bad` what it returns then. */
#define WRAP(kind, type, name, params, args, usual, bad)                                       \
    type name params                                                                           \
    {                                                                                          \
        REAL(name);                                                                            \
        if (fails(kind, #name, CALLER)) {                                                      \
            errno = plan.error ? plan.error : (usual);                                         \
            return bad;                                                                        \
        }                                                                                      \
        return real args;                                                                      \
    }

#define WRAP_LATE(kind, type, name, params, args, usual, bad)                                  \
    type name params                                                                           \
    {                                                                                          \
        REAL(name);                                                                            \
        if (fails(kind, #name, CALLER)) {                                                      \
            if (plan.late)                                                                     \
                (void)!real args;                                                              \
            errno = plan.error ? plan.error : (usual);                                         \
            return bad;                                                                        \
        }                                                                                      \
        return real args;                                                                      \
    }

/* ---- allocations: by glibc's other names, since dlsym() itself may want memory ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t size)
{
    return fails(ALLOC, "malloc", CALLER) ? no_memory() : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(ALLOC, "calloc", CALLER) ? no_memory() : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    /* With size 0 it frees, which does not fail. */
    if ((size > 0 || !old) && fails(ALLOC, "realloc", CALLER))
        return no_memory();
    return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size)
{
    return fails(ALLOC, "memalign", CALLER) ? no_memory() : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(ALLOC, "aligned_alloc", CALLER) ? no_memory()
                                                 : __libc_memalign(alignment, size);
}

int posix_memalign(void **ret_ptr, size_t alignment, size_t size)
{
    void *ptr;

    if (fails(ALLOC, "posix_memalign", CALLER))
        return ENOMEM;
    ptr = __libc_memalign(alignment, size);
    if (!ptr)
        return ENOMEM;
    *ret_ptr = ptr;
    return 0;
}

/* Not left to glibc, which would be the caller of malloc() then. Older programs know it by
 * another name too. */
#define WRAP_STRDUP(name)                                                                      \
    char *name(const char *text)                                                               \
    {                                                                                          \
        size_t size = strlen(text) + 1;                                                        \
        void *copy = fails(ALLOC, "strdup", CALLER) ? no_memory() : __libc_malloc(size);       \
                                                                                               \
        return copy ? memcpy(copy, text, size) : NULL;                                         \
    }

#undef strdup
WRAP_STRDUP(strdup)
WRAP_STRDUP(__strdup)

/* ---- files ---- */

/* What is neither (an eventfd, an epoll) has no medium that could fail. */
static enum kind kind_of(int fd)
{
    int saved = errno;
    struct stat st;
    enum kind kind = NONE;

    REAL(fstat);
    if (real(fd, &st) == 0)
        kind = S_ISSOCK(st.st_mode) ? SOCKETS : st.st_mode & S_IFMT ? FILES : NONE;
    errno = saved;
    return kind;
}

/* And stays so: whoever reads on meets the end, as on a connection that was reset indeed. */
static int reset_of(int fd)
{
    (void)shutdown(fd, SHUT_RDWR);
    return ECONNRESET;
}

static int io_error(int fd)
{
    return kind_of(fd) == SOCKETS ? reset_of(fd) : EIO;
}

#define WRAP_OPEN(name, params, ...)                                                           \
    int name params                                                                            \
    {                                                                                          \
        va_list rest;                                                                          \
        mode_t mode = 0;                                                                       \
        REAL(name);                                                                            \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                   \
            va_start(rest, flags);                                                             \
            mode = va_arg(rest, mode_t);                                                       \
            va_end(rest);                                                                      \
        }                                                                                      \
        if (fails(FILES, #name, CALLER)) {                                                     \
            errno = plan.error ? plan.error : EMFILE;                                          \
            return -1;                                                                         \
        }                                                                                      \
        return real(__VA_ARGS__, mode);                                                        \
    }

WRAP_OPEN(open, (const char *path, int flags, ...), path, flags)
WRAP_OPEN(open64, (const char *path, int flags, ...), path, flags)
WRAP_OPEN(openat, (int at, const char *path, int flags, ...), at, path, flags)

static bool unlocks(int command, const void *value)
{
    return (command == F_SETLK || command == F_SETLKW) &&
           ((const struct flock *)value)->l_type == F_UNLCK;
}

/* What unlocks fails alone: who meets that may wait for ever, and the report names the first.
 */
static bool fails_fcntl(const char *name, int command, const void *value, const void *caller)
{
    if (!unlocks(command, value))
        return fails(FILES, name, caller);
    return plan.times == 1 && fails(FILES, "unlock by fcntl", caller);
}

#define WRAP_FCNTL(name)                                                                       \
    int name(int fd, int command, ...)                                                         \
    {                                                                                          \
        va_list rest;                                                                          \
        void *value;                                                                           \
        bool locks = command == F_SETLK || command == F_SETLKW;                                \
        bool doubles = command == F_DUPFD || command == F_DUPFD_CLOEXEC;                       \
        REAL(name);                                                                            \
        va_start(rest, command);                                                               \
        value = va_arg(rest, void *);                                                          \
        va_end(rest);                                                                          \
        if ((locks || doubles) && fails_fcntl(#name, command, value, CALLER)) {                \
            errno = plan.error ? plan.error : locks ? ENOLCK : EMFILE;                         \
            return -1;                                                                         \
        }                                                                                      \
        return real(fd, command, value);                                                       \
    }

WRAP_FCNTL(fcntl)
WRAP_FCNTL(fcntl64)

#define TO_FD kind_of(fd)
WRAP(TO_FD, ssize_t, read, (int fd, void *to, size_t n), (fd, to, n), io_error(fd), -1)
WRAP(TO_FD, ssize_t, __read_chk, (int fd, void *to, size_t n, size_t room), (fd, to, n, room),
     io_error(fd), -1)
WRAP(TO_FD, ssize_t, readv, (int fd, const struct iovec *to, int n), (fd, to, n), io_error(fd),
     -1)
WRAP(FILES, ssize_t, pread, (int fd, void *to, size_t n, off_t at), (fd, to, n, at), EIO, -1)
WRAP(FILES, ssize_t, pread64, (int fd, void *to, size_t n, off64_t at), (fd, to, n, at), EIO,
     -1)
WRAP_LATE(TO_FD, ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n),
          io_error(fd), -1)
WRAP_LATE(TO_FD, ssize_t, writev, (int fd, const struct iovec *from, int n), (fd, from, n),
          io_error(fd), -1)
WRAP_LATE(FILES, ssize_t, pwrite, (int fd, const void *from, size_t n, off_t at),
          (fd, from, n, at), EIO, -1)
WRAP_LATE(FILES, ssize_t, pwrite64, (int fd, const void *from, size_t n, off64_t at),
          (fd, from, n, at), EIO, -1)
WRAP_LATE(FILES, int, fsync, (int fd), (fd), EIO, -1)
WRAP_LATE(FILES, int, fdatasync, (int fd), (fd), EIO, -1)
WRAP_LATE(FILES, int, ftruncate, (int fd, off_t length), (fd, length), EIO, -1)
WRAP_LATE(FILES, int, ftruncate64, (int fd, off64_t length), (fd, length), EIO, -1)
WRAP_LATE(FILES, int, rename, (const char *from, const char *to), (from, to), EIO, -1)
WRAP_LATE(FILES, int, unlink, (const char *path), (path), EIO, -1)
WRAP(FILES, int, mkdir, (const char *path, mode_t mode), (path, mode), ENOSPC, -1)
WRAP(FILES, int, mkostemp, (char *name, int flags), (name, flags), EMFILE, -1)
WRAP(FILES, int, flock, (int fd, int operation), (fd, operation), ENOLCK, -1)
WRAP(FILES, off_t, lseek, (int fd, off_t at, int whence), (fd, at, whence), EIO, -1)
WRAP(FILES, int, stat, (const char *path, struct stat *st), (path, st), EIO, -1)
WRAP(FILES, int, lstat, (const char *path, struct stat *st), (path, st), EIO, -1)
WRAP(TO_FD, int, fstat, (int fd, struct stat *st), (fd, st), EIO, -1)
WRAP(FILES, int, stat64, (const char *path, struct stat64 *st), (path, st), EIO, -1)
WRAP(FILES, int, lstat64, (const char *path, struct stat64 *st), (path, st), EIO, -1)
WRAP(FILES, int, fstat64, (int fd, struct stat64 *st), (fd, st), EIO, -1)
WRAP(FILES, DIR *, opendir, (const char *path), (path), EMFILE, NULL)
WRAP(FILES, FILE *, fopen, (const char *path, const char *mode), (path, mode), EMFILE, NULL)
WRAP(fd >= 0 ? FILES : NONE, void *, mmap,
     (void *at, size_t size, int allow, int flags, int fd, off_t from),
     (at, size, allow, flags, fd, from), ENOMEM, MAP_FAILED)
WRAP(fd >= 0 ? FILES : NONE, void *, mmap64,
     (void *at, size_t size, int allow, int flags, int fd, off64_t from),
     (at, size, allow, flags, fd, from), ENOMEM, MAP_FAILED)

/* As Linux has it: the descriptor is gone, whatever close() says. */
int close(int fd)
{
    enum kind kind = kind_of(fd);
    bool bad;

    REAL(close);
    bad = kind != NONE && fails(kind, "close", CALLER);
    if (real(fd) < 0)
        return -1;
    errno = bad ? plan.error ? plan.error : EIO : errno;
    return bad ? -1 : 0;
}

/* ---- sockets and what waits for them ---- */

WRAP(SOCKETS, int, socket, (int domain, int type, int protocol), (domain, type, protocol),
     EMFILE, -1)
WRAP(SOCKETS, int, socketpair, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds), EMFILE, -1)
WRAP(SOCKETS, int, connect, (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n),
     ECONNREFUSED, -1)
WRAP(SOCKETS, int, bind, (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n),
     EADDRINUSE, -1)
WRAP(SOCKETS, int, listen, (int fd, int n), (fd, n), EADDRINUSE, -1)
WRAP(SOCKETS, int, accept, (int fd, struct sockaddr *from, socklen_t *n), (fd, from, n), EMFILE,
     -1)
WRAP(SOCKETS, int, accept4, (int fd, struct sockaddr *from, socklen_t *n, int flags),
     (fd, from, n, flags), EMFILE, -1)
WRAP_LATE(SOCKETS, ssize_t, send, (int fd, const void *from, size_t n, int flags),
          (fd, from, n, flags), reset_of(fd), -1)
WRAP_LATE(SOCKETS, ssize_t, sendto,
          (int fd, const void *from, size_t n, int flags, const struct sockaddr *to,
           socklen_t to_n),
          (fd, from, n, flags, to, to_n), reset_of(fd), -1)
WRAP_LATE(SOCKETS, ssize_t, sendmsg, (int fd, const struct msghdr *from, int flags),
          (fd, from, flags), reset_of(fd), -1)
WRAP(SOCKETS, ssize_t, recv, (int fd, void *to, size_t n, int flags), (fd, to, n, flags),
     reset_of(fd), -1)
WRAP(SOCKETS, ssize_t, __recv_chk, (int fd, void *to, size_t n, size_t room, int flags),
     (fd, to, n, room, flags), reset_of(fd), -1)
WRAP(SOCKETS, ssize_t, recvfrom,
     (int fd, void *to, size_t n, int flags, struct sockaddr *from, socklen_t *from_n),
     (fd, to, n, flags, from, from_n), reset_of(fd), -1)
WRAP(SOCKETS, ssize_t, recvmsg, (int fd, struct msghdr *to, int flags), (fd, to, flags),
     reset_of(fd), -1)
WRAP(SOCKETS, int, getsockopt, (int fd, int level, int name, void *to, socklen_t *n),
     (fd, level, name, to, n), ENOBUFS, -1)
WRAP(SOCKETS, int, setsockopt, (int fd, int level, int name, const void *from, socklen_t n),
     (fd, level, name, from, n), ENOBUFS, -1)
WRAP(SOCKETS, int, epoll_create1, (int flags), (flags), EMFILE, -1)
WRAP(SOCKETS, int, eventfd, (unsigned count, int flags), (count, flags), EMFILE, -1)
WRAP(what == EPOLL_CTL_ADD ? SOCKETS : NONE, int, epoll_ctl,
     (int fd, int what, int of, struct epoll_event *event), (fd, what, of, event), ENOMEM, -1)
WRAP(SOCKETS, int, epoll_wait, (int fd, struct epoll_event *to, int n, int ms), (fd, to, n, ms),
     EINTR, -1)
WRAP(SOCKETS, int, poll, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms), EINTR, -1)

/* ---- SQLite, threads ---- */

#define SQLITE_BAD (plan.error ? plan.error : SQLITE_IOERR)

#define WRAP_SQLITE(name, params, args)                                                        \
    int name params                                                                            \
    {                                                                                          \
        REAL(name);                                                                            \
        if (fails(SQLITE, #name, CALLER)) {                                                    \
            if (plan.late)                                                                     \
                (void)real args;                                                               \
            return SQLITE_BAD;                                                                 \
        }                                                                                      \
        return real args;                                                                      \
    }

WRAP_SQLITE(sqlite3_step, (sqlite3_stmt * stmt), (stmt))
WRAP_SQLITE(sqlite3_exec,
            (sqlite3 * db, const char *text, int (*row)(void *, int, char **, char **),
             void *user, char **ret_error),
            (db, text, row, user, ret_error))
WRAP_SQLITE(sqlite3_bind_text64,
            (sqlite3_stmt * stmt, int at, const char *text, sqlite3_uint64 n,
             void (*gone)(void *), unsigned char encoding),
            (stmt, at, text, n, gone, encoding))
WRAP_SQLITE(sqlite3_wal_checkpoint_v2,
            (sqlite3 * db, const char *name, int mode, int *ret_log, int *ret_done),
            (db, name, mode, ret_log, ret_done))

/* These have something to return, also when they fail. */
int sqlite3_open_v2(const char *path, sqlite3 **ret_db, int flags, const char *vfs)
{
    bool bad = fails(SQLITE, "sqlite3_open_v2", CALLER);
    int rc;

    REAL(sqlite3_open_v2);
    rc = real(path, ret_db, flags, vfs);
    return bad ? SQLITE_BAD : rc;
}

#define WRAP_PREPARE(name, params, args)                                                       \
    int name params                                                                            \
    {                                                                                          \
        REAL(name);                                                                            \
        if (fails(SQLITE, #name, CALLER)) {                                                    \
            *ret_stmt = NULL;                                                                  \
            return SQLITE_BAD;                                                                 \
        }                                                                                      \
        return real args;                                                                      \
    }

WRAP_PREPARE(sqlite3_prepare_v2,
             (sqlite3 * db, const char *text, int n, sqlite3_stmt **ret_stmt,
              const char **rest),
             (db, text, n, ret_stmt, rest))
WRAP_PREPARE(sqlite3_prepare_v3,
             (sqlite3 * db, const char *text, int n, unsigned flags, sqlite3_stmt **ret_stmt,
              const char **rest),
             (db, text, n, flags, ret_stmt, rest))

int pthread_create(pthread_t *ret_thread, const pthread_attr_t *attr, void *(*run)(void *),
                   void *user)
{
    REAL(pthread_create);
    return fails(THREADS, "pthread_create", CALLER) ? EAGAIN
                                                    : real(ret_thread, attr, run, user);
}
