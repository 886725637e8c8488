/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: a code to decide by and one line for a person. Any thread.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

int error_set(struct error *error, int code, const char *fmt, ...)
{
    va_list args;

    if (error) {
        error->code = code;
        va_start(args, fmt);
        vsnprintf(error->text, sizeof(error->text), fmt, args);
        va_end(args);
    }
    return code;
}

int error_prefix(struct error *error, const char *fmt, ...)
{
    char old[sizeof(error->text)];
    va_list args;
    size_t len;
    int n;

    if (!error)
        return ERR_SOFTWARE;
    memcpy(old, error->text, sizeof(old));
    va_start(args, fmt);
    n = vsnprintf(error->text, sizeof(error->text), fmt, args);
    va_end(args);
    /* What does not fit is cut at the end, where the least important part stands. */
    len = n < 0 ? 0 : (size_t)n;
    if (len + 2 < sizeof(error->text)) {
        size_t room = sizeof(error->text) - len - 3, more = strlen(old);
        memcpy(error->text + len, ": ", 2);
        memcpy(error->text + len + 2, old, more < room ? more : room);
        error->text[len + 2 + (more < room ? more : room)] = '\0';
    }
    return error->code;
}

int error_exit_code(int code)
{
    static const int codes[] = {
        [0] = EX_OK,
        [-ERR_USAGE] = EX_USAGE,
        [-ERR_CONFIG] = EX_CONFIG,
        [-ERR_DATA] = EX_DATAERR,
        [-ERR_NOINPUT] = EX_NOINPUT,
        [-ERR_UNAVAIL] = EX_UNAVAILABLE,
        [-ERR_SOFTWARE] = EX_SOFTWARE,
        [-ERR_OS] = EX_OSERR,
        [-ERR_IO] = EX_IOERR,
        [-ERR_TEMP] = EX_TEMPFAIL,
        [-ERR_PROTOCOL] = EX_PROTOCOL,
        [-ERR_NOPERM] = EX_NOPERM,
        [-ERR_CANTCREAT] = EX_CANTCREAT,
    };

    if (code > 0 || -code >= (int)(sizeof(codes) / sizeof(codes[0])))
        return EX_SOFTWARE;
    return codes[-code];
}
