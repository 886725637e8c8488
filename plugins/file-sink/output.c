/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that lines are appended to. The lock makes this its only writer, so its length is
 * known: a batch that cannot be written as a whole is cut off again, and so is what a crash
 * left of a line. Worker.
 */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((format(printf, 2, 3))) static tr_status later(char *message, const char *fmt,
                                                             ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, MESSAGE_MAX, fmt, args);
    va_end(args);
    return TR_RETRY;
}

bool output_init(struct output *output, const struct output_settings *settings,
                 const char *path)
{
    *output = (struct output){
        .settings = settings, .fd = -1, .cut_to = -1, .path = strdup(path)};
    return output->path != NULL;
}

static void close_file(struct output *output)
{
    if (output->fd >= 0)
        close(output->fd);
    output->fd = -1;
    output->dirty = false;
    output->cut_to = -1;
}

static tr_status sync_unless_never(struct output *output, char *message)
{
    return output->settings->fsync == FSYNC_NEVER ? TR_OK : output_sync(output, message);
}

void output_fini(struct output *output)
{
    char message[MESSAGE_MAX];

    (void)sync_unless_never(output, message);
    close_file(output);
    free(output->path);
    output->path = NULL;
}

tr_status output_sync(struct output *output, char message[MESSAGE_MAX])
{
    if (!output->dirty)
        return TR_OK;
    /* After a failure the kernel may have dropped the pages: a second try would lie. */
    if (output->lost == 0 && fdatasync(output->fd) != 0)
        output->lost = errno;
    if (output->lost != 0) {
        (void)later(message,
                    "%.120s cannot be made durable: %s; what the disk has of it is not known, "
                    "check the disk and restart",
                    output->path, strerror(output->lost));
        return TR_FATAL;
    }
    output->dirty = false;
    output->synced_ms = now_ms();
    return TR_OK;
}

/* ---- mending ---- */

/* Where the last line that has an end ends; 0 without one; -1: it cannot be read. */
static off_t whole_length(int fd, off_t length)
{
    char block[4096];

    while (length > 0) {
        size_t size = length < (off_t)sizeof(block) ? (size_t)length : sizeof(block);
        ssize_t n = pread(fd, block, size, length - (off_t)size);

        if (n != (ssize_t)size)
            return -1;
        for (size_t i = size; i > 0; i--)
            if (block[i - 1] == '\n')
                return length - (off_t)(size - i);
        length -= (off_t)size;
    }
    return 0;
}

static bool begins_like_ours(int fd)
{
    char first;

    return pread(fd, &first, 1, 0) == 1 && first == '{';
}

/* Cuts off what stands behind the last line end. */
static tr_status mend(struct output *output, off_t length, char *message)
{
    off_t whole = whole_length(output->fd, length);

    if (whole == length)
        return TR_OK;
    if (whole < 0)
        return later(message, "%.160s cannot be read: %s", output->path, strerror(errno));
    if (whole == 0 && !begins_like_ours(output->fd))
        return later(message,
                     "%.120s holds something else than lines of JSON; move it away, or "
                     "set another path",
                     output->path);
    if (ftruncate(output->fd, whole) != 0)
        return later(message, "%.120s ends in half a line that cannot be cut off: %s",
                     output->path, strerror(errno));
    tr_logf(output->settings->host, TR_LOG_NOTICE,
            "%s ended in half a line, left by a crash: its %lld bytes were cut off",
            output->path, (long long)(length - whole));
    return TR_OK;
}

/* ---- opening ---- */

static void sync_folder(const char *path)
{
    char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
    int fd;

    if (slash) {
        slash[slash == folder ? 1 : 0] = '\0';
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
            (void)fsync(fd);
            close(fd);
        }
    }
    free(folder);
}

static bool is_at_path(const struct output *output, const struct stat *file)
{
    struct stat there;

    return stat(output->path, &there) == 0 && there.st_dev == file->st_dev &&
           there.st_ino == file->st_ino;
}

static tr_status judge_file(struct output *output, struct stat *ret_file, char *message)
{
    if (fstat(output->fd, ret_file) != 0)
        return later(message, "%.160s cannot be examined: %s", output->path, strerror(errno));
    if (!S_ISREG(ret_file->st_mode))
        return later(message,
                     "%.120s is not a regular file; set another path, or \"-\" for "
                     "standard output",
                     output->path);
    if (flock(output->fd, LOCK_EX | LOCK_NB) != 0)
        return later(message,
                     "%.100s is locked: another rule or another tailrace writes to it; "
                     "give each a path of its own",
                     output->path);
    if (!is_at_path(output, ret_file))
        return later(message, "%.120s was moved away while it was opened", output->path);
    /* Only now does it not grow any more. */
    if (fstat(output->fd, ret_file) != 0)
        return later(message, "%.160s cannot be examined: %s", output->path, strerror(errno));
    return mend(output, ret_file->st_size, message);
}

/* Who may read the files may look into their folders. */
static mode_t folder_mode(mode_t mode)
{
    return mode | (mode & 0444) >> 2 | 0700;
}

static tr_status make_folders(const struct output *output, char *message)
{
    const struct output_settings *settings = output->settings;
    char *path = strdup(output->path);
    tr_status status = path ? TR_OK : later(message, "out of memory");

    for (char *end = path ? strchr(path + settings->fixed + 1, '/') : NULL;
         end && status == TR_OK; end = strchr(end + 1, '/')) {
        *end = '\0';
        if (mkdir(path, folder_mode(settings->mode)) == 0) {
            if (settings->fsync != FSYNC_NEVER)
                sync_folder(path);
        } else if (errno != EEXIST) {
            status = later(message, "the folder %.120s cannot be made: %s%s", path,
                           strerror(errno), errno == ENOENT ? "; make the one above it" : "");
        }
        *end = '/';
    }
    free(path);
    return status;
}

/* Not to block on a FIFO; reading is for the last line. */
static int open_path(const struct output *output)
{
    return open(output->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
                output->settings->mode);
}

static tr_status open_file(struct output *output, char *message)
{
    const struct output_settings *settings = output->settings;
    struct stat file;
    tr_status status;

    output->fd = open_path(output);
    if (output->fd < 0 && errno == ENOENT) {
        status = make_folders(output, message);
        if (status != TR_OK)
            return status;
        output->fd = open_path(output);
    }
    if (output->fd < 0)
        return later(message, "%.120s cannot be opened: %s%s", output->path, strerror(errno),
                     errno == ENOENT ? "; make its folder" : "");
    status = judge_file(output, &file, message);
    if (status != TR_OK)
        close_file(output);
    else if (file.st_size == 0 && settings->fsync != FSYNC_NEVER)
        sync_folder(output->path);
    return status;
}

/* ---- rotating ---- */

/* PATH.N to PATH.N+1 for all N, from the last one on, and PATH to PATH.1. */
static tr_status rotate(struct output *output, char *message)
{
    size_t room = strlen(output->path) + 16;
    char *from = malloc(room), *to = malloc(room);
    tr_status status = from && to ? TR_OK : later(message, "out of memory");

    for (int n = output->settings->rotate_keep - 1; n >= 0 && status == TR_OK; n--) {
        snprintf(from, room, n > 0 ? "%s.%d" : "%s", output->path, n);
        snprintf(to, room, "%s.%d", output->path, n + 1);
        if (rename(from, to) != 0 && errno != ENOENT)
            status = later(message, "%.120s cannot be rotated: %s", output->path,
                           strerror(errno));
    }
    free(from);
    free(to);
    if (status != TR_OK)
        return status;
    close_file(output);
    return open_file(output, message);
}

/* ---- appending ---- */

/* Takes back what a failed write left; when even that fails, the next append tries again. */
static void cut_back(struct output *output, off_t length)
{
    output->cut_to = ftruncate(output->fd, length) == 0 ? -1 : length;
}

static tr_status write_lines(struct output *output, const struct lines *lines, off_t length,
                             char *message)
{
    size_t done = 0;

    while (done < lines->len) {
        ssize_t n = write(output->fd, lines->ptr + done, lines->len - done);
        int reason = errno;

        if (n > 0) {
            done += (size_t)n;
            continue;
        }
        if (n < 0 && reason == EINTR)
            continue;
        cut_back(output, length);
        return later(message, "%.120s cannot be written: %s; nothing of this batch is in it",
                     output->path, n < 0 ? strerror(reason) : "the disk takes no more");
    }
    output->dirty = true;
    return TR_OK;
}

static tr_status make_whole(struct output *output, char *message)
{
    if (output->cut_to >= 0)
        cut_back(output, output->cut_to);
    return output->cut_to < 0
               ? TR_OK
               : later(message, "%.120s cannot be cut back to its last whole batch: %s",
                       output->path, strerror(errno));
}

/* The file is open, is still the one at its path, and ends in a whole line. */
static tr_status make_ready(struct output *output, struct stat *ret_file, char *message)
{
    tr_status status;

    if (output->fd >= 0 && fstat(output->fd, ret_file) == 0 && is_at_path(output, ret_file)) {
        if (output->cut_to < 0)
            return TR_OK;
        status = make_whole(output, message);
    } else {
        status = sync_unless_never(output, message);
        if (status != TR_OK)
            return status;
        close_file(output);
        status = open_file(output, message);
    }
    if (status == TR_OK && fstat(output->fd, ret_file) != 0)
        status = later(message, "%.160s cannot be examined: %s", output->path, strerror(errno));
    return status;
}

static bool is_due(const struct output *output)
{
    const struct output_settings *settings = output->settings;

    return settings->fsync == FSYNC_BATCH ||
           (settings->fsync == FSYNC_INTERVAL &&
            now_ms() - output->synced_ms >= settings->fsync_interval_ms);
}

tr_status output_append(struct output *output, const struct lines *lines,
                        char message[MESSAGE_MAX])
{
    off_t most = output->settings->rotate_size;
    struct stat file;
    tr_status status = make_ready(output, &file, message);

    if (status == TR_OK && most > 0 && file.st_size > 0 &&
        file.st_size + (off_t)lines->len > most) {
        status = sync_unless_never(output, message);
        if (status == TR_OK)
            status = rotate(output, message);
        file.st_size = 0;
    }
    if (status == TR_OK)
        status = write_lines(output, lines, file.st_size, message);
    if (status == TR_OK && is_due(output))
        status = output_sync(output, message);
    return status;
}

tr_status output_end(struct output *output, char message[MESSAGE_MAX])
{
    tr_status status = make_whole(output, message);

    if (status == TR_OK)
        status = sync_unless_never(output, message);
    if (status == TR_OK)
        output_fini(output);
    return status;
}
