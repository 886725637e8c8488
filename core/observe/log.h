/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs: one line an event, with fields. Text with colours on a terminal, else JSON, else (under
 * systemd, when stderr is the journal) text with the <N> level prefix that journald reads.
 *
 * Any thread; a line is written whole by one write(). Secrets never reach a log: URLs go
 * through the one printer of http/ that redacts.
 */
#ifndef OBSERVE_LOG_H
#define OBSERVE_LOG_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* The numbers of syslog, as TR_LOG_… of the SDK. */
enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_NOTICE = 5, LOG_INFO = 6, LOG_DEBUG = 7 };

enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNAL };

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_set_format(enum log_format format);

/* False for an unknown word. */
bool log_parse_level(tr_str word, enum log_level *ret_level);

/* A field of a line; an array of them ends with a NULL key. */
struct log_field {
    const char *key;
    enum { LOG_TEXT, LOG_NUMBER } kind;
    tr_str text;
    int64_t number;
};

#define LOG_S(key_, str_)                                                                      \
    (struct log_field)                                                                         \
    {                                                                                          \
        .key = (key_), .kind = LOG_TEXT, .text = (str_)                                        \
    }
#define LOG_C(key_, cstr_) LOG_S(key_, str_c(cstr_))
#define LOG_I(key_, int_)                                                                      \
    (struct log_field)                                                                         \
    {                                                                                          \
        .key = (key_), .kind = LOG_NUMBER, .number = (int64_t)(int_)                           \
    }

void log_write(enum log_level level, const char *message, const struct log_field *fields);

/* log_info("feed opened", LOG_S("db", db), LOG_I("rows", n)); without fields: log_info("x").
 * The fields are not evaluated when the level is not shown. */
#define log_at(level_, message_, ...)                                                          \
    do {                                                                                       \
        if ((level_) <= log_get_level())                                                       \
            log_write((level_), (message_),                                                    \
                      (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}});    \
    } while (0)
#define log_error(...)  log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)   log_at(LOG_WARN, __VA_ARGS__)
#define log_notice(...) log_at(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)   log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...)  log_at(LOG_DEBUG, __VA_ARGS__)

#endif
