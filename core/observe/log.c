/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs: puts a line together on the stack and writes it at once. Called from every thread.
 *
 * There is no lock: level and format are atomics, the line is the caller's stack, and a write()
 * of one line is not torn by another. What comes from outside (document ids, answers of
 * servers, messages of plugins) can neither end a line nor talk to a terminal: control bytes
 * are escaped in every form, and bytes that are not UTF-8 become U+FFFD.
 */
#include "observe/log.h"

#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 8192,
    VALUE_MAX_BYTES = 2048, /* one long value must not push the others out of the line     */
    TAIL_BYTES = 32         /* kept free for the mark of a cut and what closes the line    */
};

/* How a value is written down. */
enum dress {
    BARE,  /* the message of a text line: control bytes are escaped                        */
    QUOTED /* what stands between quotes, of text or JSON: quotes and backslashes too      */
};

struct line {
    size_t len;
    char bytes[LINE_MAX_BYTES];
};

struct level_look {
    const char *json, *text, *colour;
};

static atomic_int level_shown = LOG_INFO;
static atomic_int format_asked = LOG_FORMAT_AUTO;
static atomic_int format_found = LOG_FORMAT_AUTO; /* what AUTO came to, once it was needed    */
static atomic_bool coloured;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_shown, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&level_shown, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
    atomic_store(&format_asked, (int)format);
    atomic_store(&format_found, LOG_FORMAT_AUTO);
}

bool log_parse_level(tr_str word, enum log_level *ret_level)
{
    static const struct {
        const char *word;
        enum log_level level;
    } known[] = {{"error", LOG_ERROR},   {"warn", LOG_WARN}, {"warning", LOG_WARN},
                 {"notice", LOG_NOTICE}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_eq(word, str_c(known[i].word))) {
            *ret_level = known[i].level;
            return true;
        }
    return false;
}

/* ---- which form ---- */

/* systemd says which socket is the journal's; after a redirection stderr is another file. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static enum log_format current_format(void)
{
    int format = atomic_load(&format_found);

    if (format != LOG_FORMAT_AUTO)
        return (enum log_format)format;
    format = atomic_load(&format_asked);
    if (format == LOG_FORMAT_AUTO) {
        if (isatty(STDERR_FILENO))
            format = LOG_FORMAT_TEXT;
        else
            format = stderr_is_journal() ? LOG_FORMAT_JOURNAL : LOG_FORMAT_JSON;
    }
    atomic_store(&coloured, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
    atomic_store(&format_found, format);
    return (enum log_format)format;
}

static const struct level_look *look_of(enum log_level level)
{
    static const struct level_look error = {"error", "ERROR", "\033[1;31m"},
                                   warn = {"warn", "WARN ", "\033[33m"},
                                   notice = {"notice", "NOTE ", "\033[36m"},
                                   info = {"info", "INFO ", "\033[32m"},
                                   debug = {"debug", "DEBUG", "\033[2m"};

    switch (level) {
    case LOG_ERROR: return &error;
    case LOG_WARN: return &warn;
    case LOG_NOTICE: return &notice;
    case LOG_INFO: return &info;
    case LOG_DEBUG: break;
    }
    return &debug;
}

/* ---- putting bytes into a line ---- */

static bool has_room(const struct line *line, size_t more)
{
    return line->len + more + TAIL_BYTES <= sizeof(line->bytes);
}

/* What goes into the tail too; its length is known to fit. */
static void put_tail(struct line *line, const char *bytes, size_t len)
{
    if (line->len + len <= sizeof(line->bytes)) {
        memcpy(line->bytes + line->len, bytes, len);
        line->len += len;
    }
}

static void put_c(struct line *line, const char *text)
{
    put_tail(line, text, strlen(text));
}

/* The length of the UTF-8 character at the begin of `s`, its code in *ret_code; 0: not UTF-8.
 */
static size_t utf8_length(tr_str s, uint32_t *ret_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)s.ptr[0];
    size_t len = first < 0x80             ? 1
                 : (first & 0xe0) == 0xc0 ? 2
                 : (first & 0xf0) == 0xe0 ? 3
                 : (first & 0xf8) == 0xf0 ? 4
                                          : 0;
    uint32_t code = len == 1 ? first : first & (0xffu >> (len + 1));

    if (len == 0 || len > s.len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)s.ptr[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | ((unsigned char)s.ptr[i] & 0x3f);
    }
    if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret_code = code;
    return len;
}

/* One character, dressed, into `out`; its length. */
static size_t dress_char(uint32_t code, const char *bytes, size_t len, enum dress dress,
                         char out[8])
{
    const char *known = "\"\\\n\t\r", *names = "\"\\ntr";
    const char *hit = code && code < 0x80 ? strchr(known, (int)code) : NULL;

    if (hit && (dress != BARE || code < 0x20)) {
        out[0] = '\\';
        out[1] = names[hit - known];
        return 2;
    }
    /* 0x80 to 0x9f are control characters to a terminal, U+2028 and U+2029 end a line to some.
     */
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029)
        return (size_t)snprintf(out, 8, "\\u%04x", (unsigned)code);
    memcpy(out, bytes, len);
    return len;
}

/* The value, or as much of it as a line bears and then "…". */
static void put_value(struct line *line, tr_str value, enum dress dress)
{
    size_t begin = line->len;

    while (value.len > 0) {
        char piece[8];
        uint32_t code = 0;
        size_t taken = utf8_length(value, &code), len;

        if (taken > 0)
            len = dress_char(code, value.ptr, taken, dress, piece);
        else
            len = dress_char(0xfffd, "\xef\xbf\xbd", 3, dress, piece);
        if (!has_room(line, len) || line->len + len - begin > VALUE_MAX_BYTES) {
            put_c(line, "…");
            return;
        }
        put_tail(line, piece, len);
        value = str_from(value, taken ? taken : 1);
    }
}

static bool needs_quotes(tr_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c == 0x7f)
            return true;
    }
    return value.len == 0;
}

static void put_number(struct line *line, int64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)number);
    put_c(line, text);
}

/* ---- whole lines ---- */

static void put_text_fields(struct line *line, const struct log_field *fields)
{
    for (; fields && fields->key; fields++) {
        if (!has_room(line, strlen(fields->key) + 32))
            return;
        put_c(line, " ");
        put_c(line, fields->key);
        put_c(line, "=");
        if (fields->kind == LOG_NUMBER) {
            put_number(line, fields->number);
        } else if (needs_quotes(fields->text)) {
            put_c(line, "\"");
            put_value(line, fields->text, QUOTED);
            put_c(line, "\"");
        } else {
            put_value(line, fields->text, QUOTED);
        }
    }
}

/* The local time of day: a person reads this form. */
static void put_time_of_day(struct line *line)
{
    int64_t now = clock_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm parts;
    char text[48];

    localtime_r(&seconds, &parts);
    snprintf(text, sizeof(text), "%02d:%02d:%02d.%03d ", parts.tm_hour, parts.tm_min,
             parts.tm_sec, (int)(now % 1000));
    put_c(line, text);
}

static void make_text(struct line *line, enum log_level level, const char *message,
                      const struct log_field *fields)
{
    const struct level_look *look = look_of(level);
    bool colour = atomic_load(&coloured);

    put_time_of_day(line);
    if (colour)
        put_c(line, look->colour);
    put_c(line, look->text);
    if (colour)
        put_c(line, "\033[0m");
    put_c(line, " ");
    put_value(line, str_c(message), BARE);
    put_text_fields(line, fields);
}

static void make_journal(struct line *line, enum log_level level, const char *message,
                         const struct log_field *fields)
{
    put_c(line, "<");
    put_number(line, level);
    put_c(line, ">");
    put_value(line, str_c(message), BARE);
    put_text_fields(line, fields);
}

static void put_json_key(struct line *line, const char *key)
{
    put_c(line, ",\"");
    put_value(line, str_c(key), QUOTED);
    put_c(line, "\":");
}

static void put_json_string(struct line *line, tr_str value)
{
    put_c(line, "\"");
    put_value(line, value, QUOTED);
    put_c(line, "\"");
}

static void make_json(struct line *line, enum log_level level, const char *message,
                      const struct log_field *fields)
{
    char time_text[CLOCK_TEXT];

    clock_format(clock_wall_ms(), time_text);
    put_c(line, "{\"ts\":");
    put_json_string(line, str_c(time_text));
    put_json_key(line, "level");
    put_json_string(line, str_c(look_of(level)->json));
    put_json_key(line, "msg");
    put_json_string(line, str_c(message));
    for (; fields && fields->key; fields++) {
        if (!has_room(line, strlen(fields->key) + 32))
            break;
        put_json_key(line, fields->key);
        if (fields->kind == LOG_NUMBER)
            put_number(line, fields->number);
        else
            put_json_string(line, fields->text);
    }
    put_c(line, "}");
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    int saved_errno = errno; /* a log line must not change what its caller is about to report */
    struct line line;
    ssize_t n;

    line.len = 0;
    switch (current_format()) {
    case LOG_FORMAT_TEXT: make_text(&line, level, message, fields); break;
    case LOG_FORMAT_JOURNAL: make_journal(&line, level, message, fields); break;
    case LOG_FORMAT_AUTO:
    case LOG_FORMAT_JSON: make_json(&line, level, message, fields); break;
    }
    put_c(&line, "\n");
    do
        n = write(STDERR_FILENO, line.bytes, line.len);
    while (n < 0 && errno == EINTR);
    errno = saved_errno;
}
