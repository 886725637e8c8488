/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option `path`: what it may be, and what it is for a database at a time. [control],
 * worker.
 */
#include "sink.h"

#include <ctype.h>

enum { TIME_ROOM = 48 };

/* What a path may hold: the name of the database, or the time in UTC. */
enum variable { DB_NAME, DATE, YEAR, MONTH, DAY, HOUR, VARIABLES_COUNT, NO_VARIABLE = -1 };

static const char *const names[VARIABLES_COUNT] = {
    [DB_NAME] = "db_name", [DATE] = "date", [YEAR] = "year",
    [MONTH] = "month",     [DAY] = "day",   [HOUR] = "hour",
};

bool path_is_console(const char *path)
{
    return strcmp(path, "-") == 0 || strcmp(path, "stdout://") == 0;
}

/* Transporter's form of a path. */
static const char *plain(const char *path)
{
    return strncmp(path, "file://", 7) == 0 ? path + 7 : path;
}

/* The variable that begins at `at`, as ${name} or $name, and its length. */
static enum variable variable_at(const char *at, size_t *ret_len)
{
    bool braces = at[0] == '$' && at[1] == '{';

    for (int i = 0; at[0] == '$' && i < VARIABLES_COUNT; i++) {
        const char *name = at + (braces ? 2 : 1);
        size_t len = strlen(names[i]);

        if (strncmp(name, names[i], len) != 0 || (braces && name[len] != '}'))
            continue;
        *ret_len = len + (braces ? 3 : 1);
        return (enum variable)i;
    }
    return NO_VARIABLE;
}

tr_status path_check(const char *text, tr_error *error)
{
    const char *path = plain(text);
    size_t len;

    if (path_is_console(path))
        return TR_OK;
    if (path[0] != '/')
        return tr_fail(error, TR_EINVAL,
                       "path is not absolute; begin it with \"/\", or write \"-\" for standard "
                       "output");
    if (path[strlen(path) - 1] == '/')
        return tr_fail(error, TR_EINVAL, "path names a folder; add the name of a file");
    for (const char *at = strchr(path, '$'); at; at = strchr(at + 1, '$'))
        if (variable_at(at, &len) == NO_VARIABLE)
            return tr_fail(error, TR_EINVAL,
                           "path has a $ that begins no variable; ${db_name}, ${date}, "
                           "${year}, ${month}, ${day} and ${hour} are known here");
    return TR_OK;
}

bool path_has_time(const char *path)
{
    size_t len;

    for (const char *at = strchr(path, '$'); at; at = strchr(at + 1, '$'))
        if (variable_at(at, &len) > DB_NAME)
            return true;
    return false;
}

/* A database's name as a part of a file's: what leads elsewhere is written as %XX. */
static size_t add_name(char *to, tr_str name)
{
    char *at = to;

    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];

        if (isalnum(c) || strchr("_-+()~,=@", c) || (c == '.' && i > 0))
            *at++ = (char)c;
        else
            at += sprintf(at, "%%%02X", c);
    }
    return (size_t)(at - to);
}

static size_t add_time(char *to, enum variable variable, time_t now)
{
    struct tm utc = {0};
    int number = 0;

    (void)gmtime_r(&now, &utc);
    switch (variable) {
    case DATE:
        return (size_t)snprintf(to, TIME_ROOM, "%04d-%02d-%02d", utc.tm_year + 1900,
                                utc.tm_mon + 1, utc.tm_mday);
    case YEAR: number = utc.tm_year + 1900; break;
    case MONTH: number = utc.tm_mon + 1; break;
    case DAY: number = utc.tm_mday; break;
    default: number = utc.tm_hour; break;
    }
    return (size_t)snprintf(to, TIME_ROOM, "%02d", number);
}

char *path_for(const char *text, tr_str db, time_t now)
{
    const char *path = plain(text);
    size_t room = strlen(path) + 1, len;
    enum variable variable;
    char *result, *at;

    for (const char *from = path; *from; from++)
        if (*from == '$')
            room += 3 * db.len + TIME_ROOM;
    result = at = malloc(room);
    if (!result)
        return NULL;
    while (*path) {
        variable = variable_at(path, &len);
        if (variable == NO_VARIABLE) {
            *at++ = *path++;
            continue;
        }
        at += variable == DB_NAME ? add_name(at, db) : add_time(at, variable, now);
        path += len;
    }
    *at = '\0';
    return result;
}

size_t path_fixed(const char *text)
{
    const char *path = plain(text);
    size_t len = strcspn(path, "$");

    while (len > 0 && path[len] != '/')
        len--;
    return len;
}
