/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option `path`: what it may be, and what it is for a database. [control], worker.
 */
#include "sink.h"

#include <ctype.h>

bool path_is_console(const char *path)
{
    return strcmp(path, "-") == 0 || strcmp(path, "stdout://") == 0;
}

/* Transporter's form of a path. */
static const char *plain(const char *path)
{
    return strncmp(path, "file://", 7) == 0 ? path + 7 : path;
}

/* How long the variable at `at` is; 0: there is none. */
static size_t variable_len(const char *at)
{
    if (strncmp(at, "${db_name}", 10) == 0)
        return 10;
    return strncmp(at, "$db_name", 8) == 0 ? 8 : 0;
}

tr_status path_check(const char *text, tr_error *error)
{
    const char *path = plain(text);

    if (path_is_console(path))
        return TR_OK;
    if (path[0] != '/')
        return tr_fail(error, TR_EINVAL,
                       "path is not absolute; begin it with \"/\", or write \"-\" for standard "
                       "output");
    if (path[strlen(path) - 1] == '/')
        return tr_fail(error, TR_EINVAL, "path names a folder; add the name of a file");
    for (const char *at = strchr(path, '$'); at; at = strchr(at + 1, '$'))
        if (variable_len(at) == 0)
            return tr_fail(
                error, TR_EINVAL,
                "path has a $ that begins no variable; only ${db_name} is known here");
    return TR_OK;
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

char *path_for(const char *text, tr_str db)
{
    const char *path = plain(text);
    size_t room = strlen(path) + 1, len;
    char *result, *at;

    for (const char *from = path; *from; from += len ? len : 1)
        room += (len = variable_len(from)) ? 3 * db.len : 0;
    result = at = malloc(room);
    if (!result)
        return NULL;
    while (*path) {
        len = variable_len(path);
        if (len > 0)
            at += add_name(at, db);
        else
            *at++ = *path;
        path += len ? len : 1;
    }
    *at = '\0';
    return result;
}
