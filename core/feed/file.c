/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file feed: lines of a file, a pipe or stdin as rows. Called through feed.c on the loop
 * thread.
 *
 * epoll knows no regular files, so these are read a bounded piece a turn, by a timer of 0 ms,
 * and at their end looked at twice a second; pipes and terminals are watched. Descriptors stay
 * as they are (blocking): a read after epoll said that there is something never waits, and
 * stdin is shared with other processes.
 */
#include "feed/chunk.h"
#include "feed/file_row.h"
#include "feed/private.h"

#include "base/buf.h"
#include "base/mem.h"
#include "feed/build.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_MIN = 2048, READ_MAX = 256 << 10, POLL_MS = 500 };

struct file_feed {
    struct feed feed; /* first: a feed is a file feed by its kind                          */
    char *path;
    size_t max_row;
    int fd; /* -1: not opened yet                                                          */
    bool is_stdin;
    bool is_stream; /* watched by the loop; it has no offsets to begin at, and an end   */
    bool watched;
    struct watch watch;
    struct timer timer;

    struct buf position; /* behind the last row, as JSON                                   */
    struct chunk *chunk; /* from `at` on: a line that is not whole; no LF before `seen`    */
    size_t at, seen;
    struct chunk *head; /* of a line that is too long, while its end is looked for        */
    int64_t offset;     /* of what comes next behind the chunk's bytes                    */
    int64_t line;       /* number of the line at `at`; only true when read from 0         */
    bool from_start;
};

static struct file_feed *file_of(struct feed *feed)
{
    return (struct file_feed *)(void *)feed;
}

/* ---- when to read ---- */

static void disarm(struct file_feed *file)
{
    loop_clear_timer(file->feed.loop, &file->timer);
    if (file->watched)
        loop_unwatch(file->feed.loop, &file->watch);
    file->watched = false;
}

/* To be called again: when the stream has something, or by a timer. */
static void arm(struct file_feed *file, int64_t after_ms)
{
    if (file->feed.paused || feed_is_done(&file->feed))
        return;
    if (!file->is_stream)
        loop_set_timer(file->feed.loop, &file->timer, after_ms);
    else if (!file->watched)
        file->watched = loop_watch(file->feed.loop, &file->watch, EPOLLIN, NULL) == 0;
}

/* ---- ends ---- */

static const char *name_of(const struct file_feed *file)
{
    return file->is_stdin ? "standard input" : file->path;
}

static void end_with(struct file_feed *file, enum feed_end end, int code, const char *what)
{
    struct error error = {0};

    error_set(&error, code, "%s: %s", name_of(file), what);
    feed_say_end(&file->feed, end, &error);
}

static void refuse_line(struct file_feed *file, int64_t at, struct error *error)
{
    if (file->from_start)
        error_prefix(error, "%s, line %" PRId64 " (byte %" PRId64 ")", name_of(file),
                     file->line, at);
    else
        error_prefix(error, "%s, byte %" PRId64, name_of(file), at);
    feed_say_end(&file->feed, FEED_REFUSED, error);
}

/* ---- lines into a segment ---- */

static int64_t offset_at(const struct file_feed *file, size_t place)
{
    return file->offset - (int64_t)(file->chunk->used - place);
}

static void add_row(struct segment *segment, struct file_feed *file, const tr_change *row,
                    struct chunk *chunk)
{
    segment_add(segment, row, chunk);
    buf_clear(&file->position);
    buf_add_str(&file->position, row->seq);
}

/* The line from `at` up to `end`. False: it is bad, or (in `ret_part`) only a part of a row. */
static bool take_line(struct file_feed *file, size_t end, struct segment *segment,
                      bool *ret_part, struct error *error)
{
    tr_str line = str_n(file->chunk->data + file->at, end - file->at);
    int64_t behind = offset_at(file, end);
    struct arena *arena = segment_arena(segment);
    enum file_row result = FILE_NO_ROW;
    tr_change row;

    *ret_part = false;
    if (line.len > file->max_row) {
        line.len = file->max_row < ROW_HEAD_MAX ? file->max_row : ROW_HEAD_MAX;
        row = file_row_of_head(line, behind, arena);
        result = FILE_ROW;
    } else {
        line = str_trim(line);
        if (line.len > 0)
            result = file_row_read(line, behind, arena, &row, error);
    }
    if (result == FILE_PART)
        *ret_part = true;
    if (result == FILE_PART || result == FILE_BAD)
        return false;
    if (result == FILE_ROW)
        add_row(segment, file, &row, file->chunk);
    return true;
}

/* The rest of the bytes belongs to a line that is too long: only its head stays. */
static void begin_cutting(struct file_feed *file)
{
    size_t len = file->max_row < ROW_HEAD_MAX ? file->max_row : ROW_HEAD_MAX;

    file->head = chunk_new(len ? len : 1);
    memcpy(file->head->data, file->chunk->data + file->at, len);
    file->head->used = len;
    file->at = file->seen = file->chunk->used;
}

static void end_cutting(struct file_feed *file, size_t end, struct segment *segment)
{
    tr_change row = file_row_of_head(str_n(file->head->data, file->head->used),
                                     offset_at(file, end), segment_arena(segment));

    add_row(segment, file, &row, file->head);
    chunk_unref(file->head);
    file->head = NULL;
}

/* All whole lines. False: one of them is bad, and `at` is where it begins. */
static bool take_lines(struct file_feed *file, struct segment *segment, struct error *error)
{
    struct chunk *chunk = file->chunk;
    const char *lf;
    bool part;

    while ((lf = memchr(chunk->data + file->seen, '\n', chunk->used - file->seen))) {
        size_t end = (size_t)(lf - chunk->data) + 1;

        if (file->head) {
            end_cutting(file, end, segment);
        } else if (!take_line(file, end, segment, &part, error)) {
            if (part)
                error_set(error, ERR_DATA,
                          "the line ends in the middle of an object; each must be on one line");
            return false;
        }
        file->at = file->seen = end;
        file->line++;
    }
    file->seen = chunk->used;
    if (file->head)
        file->at = chunk->used;
    else if (chunk->used - file->at > file->max_row)
        begin_cutting(file);
    return true;
}

/* What stands behind the last line end when the file ends. False as above. */
static bool take_last_line(struct file_feed *file, bool final, struct segment *segment,
                           struct error *error)
{
    bool part;

    if (file->head && final)
        end_cutting(file, file->chunk->used, segment);
    if (file->head || !file->chunk || file->at == file->chunk->used)
        return true;
    if (take_line(file, file->chunk->used, segment, &part, error)) {
        file->at = file->seen = file->chunk->used;
        return true;
    }
    if (part && final)
        error_set(error, ERR_DATA, "it ends in the middle of an object; is it whole?");
    return part && !final;
}

/* False: the feed is done. */
static bool hand_out(struct file_feed *file, struct segment *segment, bool good,
                     struct error *error)
{
    if (segment->count > 0) {
        segment_finish(segment, buf_str(&file->position));
        feed_say_rows(&file->feed, segment);
    } else {
        segment_unref(segment);
    }
    if (!good && !feed_is_done(&file->feed))
        refuse_line(file, offset_at(file, file->at), error);
    return !feed_is_done(&file->feed);
}

/* ---- reading ---- */

/* The file is another one than was opened, or shorter than what was read of it. */
static bool is_replaced(const struct file_feed *file)
{
    struct stat now, here;

    if (fstat(file->fd, &now) < 0 || now.st_size < file->offset)
        return true;
    /* No file of that name: it may be on its way to a new one. */
    return !file->is_stdin && stat(file->path, &here) == 0 &&
           (here.st_ino != now.st_ino || here.st_dev != now.st_dev);
}

static void on_end_of_file(struct file_feed *file)
{
    struct error error = {0};
    bool final = file->feed.mode == FEED_ONCE || file->is_stream;
    struct segment *segment = segment_new(buf_str(&file->position), 1);
    bool good = take_last_line(file, final, segment, &error);

    if (!hand_out(file, segment, good, &error))
        return;
    if (final) {
        feed_say_end(&file->feed, FEED_COMPLETE, NULL);
    } else if (is_replaced(file)) {
        end_with(file, FEED_REPLACED, ERR_NOINPUT, "it was replaced or became shorter");
    } else {
        feed_say_state(&file->feed, FEED_LIVE, NULL);
        arm(file, POLL_MS);
    }
}

/* How much to make room for: no more than is there. */
static size_t expect_bytes(const struct file_feed *file)
{
    struct stat now;

    if (!file->is_stream && fstat(file->fd, &now) == 0 && S_ISREG(now.st_mode) &&
        now.st_size - file->offset < READ_MAX)
        return now.st_size - file->offset > READ_MIN ? (size_t)(now.st_size - file->offset)
                                                     : READ_MIN;
    return READ_MAX;
}

static void read_on(struct file_feed *file)
{
    struct error error = {0};
    size_t want = expect_bytes(file), kept = file->chunk ? file->at : 0, room;
    struct segment *segment;
    ssize_t n;
    bool good;

    file->chunk = chunk_room(file->chunk, &file->at, want);
    file->seen -= kept - file->at;
    room = file->chunk->size - file->chunk->used;
    n = read(file->fd, file->chunk->data + file->chunk->used, room < want ? room : want);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        arm(file, 0);
        return;
    }
    if (n < 0) {
        end_with(file, FEED_REFUSED, ERR_IO, strerror(errno));
        return;
    }
    if (n == 0) {
        on_end_of_file(file);
        return;
    }
    file->chunk->used += (size_t)n;
    file->offset += n;
    segment = segment_new(buf_str(&file->position), 64);
    good = take_lines(file, segment, &error);
    if (hand_out(file, segment, good, &error))
        arm(file, 0);
}

/* ---- opening ---- */

/* A position is a plain number of bytes. */
static bool parse_offset(tr_str since, int64_t *ret_offset)
{
    int64_t offset = 0;

    if (since.len == 0 || since.len > 18)
        return false;
    for (size_t i = 0; i < since.len; i++) {
        if (since.ptr[i] < '0' || since.ptr[i] > '9')
            return false;
        offset = offset * 10 + (since.ptr[i] - '0');
    }
    *ret_offset = offset;
    return true;
}

/* Goes to the position in a regular file. False: the feed is done. */
static bool seek_position(struct file_feed *file, const struct stat *info)
{
    int64_t offset;

    if (!parse_offset(buf_str(&file->position), &offset)) {
        end_with(file, FEED_REFUSED, ERR_CONFIG,
                 "the position in a file is the number of bytes before it");
        return false;
    }
    if (offset > info->st_size) {
        end_with(file, FEED_REPLACED, ERR_NOINPUT,
                 "it is shorter than the position up to which it was read");
        return false;
    }
    if (offset > 0 && lseek(file->fd, offset, SEEK_SET) < 0) {
        end_with(file, FEED_REFUSED, ERR_IO, strerror(errno));
        return false;
    }
    file->offset = offset;
    file->from_start = offset == 0;
    return true;
}

/* False: the feed is done. */
static bool open_file(struct file_feed *file)
{
    struct stat info;

    /* Not blocking only for the opening: a FIFO would wait for a writer there. */
    file->fd = file->is_stdin ? STDIN_FILENO
                              : open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file->fd < 0) {
        end_with(file, errno == ENOENT ? FEED_GONE : FEED_REFUSED,
                 errno == EACCES ? ERR_NOPERM : ERR_NOINPUT, strerror(errno));
        return false;
    }
    if (fstat(file->fd, &info) < 0 || S_ISDIR(info.st_mode) || S_ISBLK(info.st_mode)) {
        end_with(file, FEED_REFUSED, ERR_NOINPUT, "not a file or pipe that can be read");
        return false;
    }
    file->line = 1;
    file->from_start = true;
    file->watch.fd = file->fd;
    if (S_ISREG(info.st_mode) && !file->is_stdin)
        return seek_position(file, &info);
    buf_clear(&file->position);
    buf_add_c(&file->position, "0");
    /* What epoll does not take (files, /dev/null) is read by turns. */
    file->watched = loop_watch(file->feed.loop, &file->watch, EPOLLIN, NULL) == 0;
    file->is_stream = file->watched;
    return true;
}

static void on_timer(struct timer *timer)
{
    struct file_feed *file = list_entry(timer, struct file_feed, timer);

    feed_enter(&file->feed);
    if (file->fd >= 0) {
        read_on(file);
    } else if (open_file(file)) {
        feed_say_state(&file->feed, FEED_CATCHING_UP, NULL);
        arm(file, 0);
    }
    feed_leave(&file->feed);
}

static void on_ready(struct watch *watch, uint32_t events)
{
    struct file_feed *file = list_entry(watch, struct file_feed, watch);

    (void)events; /* an error or a hang-up shows in what read() says */
    feed_enter(&file->feed);
    read_on(file);
    feed_leave(&file->feed);
}

/* ---- as a feed ---- */

static void file_start(struct feed *feed)
{
    if (!feed->paused)
        loop_set_timer(feed->loop, &file_of(feed)->timer, 0);
}

static void file_pause(struct feed *feed)
{
    disarm(file_of(feed));
}

static void file_resume(struct feed *feed)
{
    if (feed->started)
        arm(file_of(feed), 0);
}

static void file_stop(struct feed *feed)
{
    disarm(file_of(feed));
}

static void file_free(struct feed *feed)
{
    struct file_feed *file = file_of(feed);

    if (file->fd >= 0 && !file->is_stdin)
        close(file->fd);
    chunk_unref(file->chunk);
    chunk_unref(file->head);
    buf_fini(&file->position);
    free(file->path);
    free(file);
}

static const struct feed_kind file_kind = {
    file_start, file_pause, file_resume, file_stop, file_free,
};

struct feed *feed_file_new(const struct feed_options *options, const char *path, size_t max_row)
{
    struct file_feed *file = mem_new(struct file_feed);

    feed_init(&file->feed, &file_kind, options);
    file->path = str_dup(str_c(path));
    file->is_stdin = strcmp(path, "-") == 0;
    file->max_row = max_row ? max_row : (size_t)64 << 20;
    file->fd = -1;
    file->timer.fire = on_timer;
    file->watch.ready = on_ready;
    buf_add_str(&file->position, options->since.len > 0 ? options->since : STR("0"));
    return &file->feed;
}
