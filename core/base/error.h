/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: a code to decide by and one line for a person.
 *
 * A function that can fail takes a `struct error *` last, which may be NULL, and returns 0 or a
 * negative code; error_set() fills the line and gives the code back, so a failure is one
 * statement. The line says what, where, and what to do about it. Any thread; plain storage.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stddef.h>

/* Codes; the cli maps them to those of sysexits.h. */
enum {
    ERR_USAGE = -1,     /* the command line                     EX_USAGE       */
    ERR_CONFIG = -2,    /* the configuration                    EX_CONFIG      */
    ERR_DATA = -3,      /* what was read makes no sense         EX_DATAERR     */
    ERR_NOINPUT = -4,   /* a file or database is not there      EX_NOINPUT     */
    ERR_UNAVAIL = -5,   /* a server or service does not answer  EX_UNAVAILABLE */
    ERR_SOFTWARE = -6,  /* a bug, or a plugin's                 EX_SOFTWARE    */
    ERR_OS = -7,        /* the system refused something         EX_OSERR       */
    ERR_IO = -8,        /* reading or writing failed            EX_IOERR       */
    ERR_TEMP = -9,      /* not now, later                       EX_TEMPFAIL    */
    ERR_PROTOCOL = -10, /* the other side does not follow it   EX_PROTOCOL    */
    ERR_NOPERM = -11,   /* not allowed                          EX_NOPERM      */
    ERR_CANTCREAT = -12 /* a file cannot be made               EX_CANTCREAT   */
};

struct error {
    int code;
    char text[512];
};

/* Fills `error` (if not NULL) and returns `code`. */
int error_set(struct error *error, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "…: " in front of the text that is there; returns its code. */
int error_prefix(struct error *error, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The exit code of sysexits.h for a code; EX_OK for 0. */
int error_exit_code(int code);

#endif
