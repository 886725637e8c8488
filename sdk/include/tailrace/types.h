/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scalar types of the plugin ABI: strings, statuses, tickets, and the rule by which structs
 * grow.
 *
 * Every struct that crosses the border and may grow starts with `size`, set by whoever owns the
 * memory to its own sizeof. Fields are only ever appended, so the other side looks whether a
 * field lies inside `size` before it touches it: TR_ROOM asks that, TR_HAS asks also that it is
 * not 0. Nothing here is an enum or bool field, a long, or a type of another library, so that
 * any language with a C interface reads it alike.
 */
#ifndef TAILRACE_TYPES_H
#define TAILRACE_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TR_ABI_MAJOR = 1, TR_ABI_MINOR = 2 };

/* Whether field `f` of type `T` lies inside what the owner of `*p` knows of. */
#define TR_ROOM(p, T, f) ((p)->size >= offsetof(T, f) + sizeof(((T *)0)->f))

/* Whether it does, and is set. */
#define TR_HAS(p, T, f) (TR_ROOM(p, T, f) && (p)->f)

#if defined(__GNUC__)
#define TR_EXPORT __attribute__((visibility("default")))
#else
#define TR_EXPORT
#endif

/* Bytes with a length: UTF-8, not ended by NUL, borrowed unless a comment says otherwise. */
typedef struct tr_str {
    const char *ptr;
    size_t len;
} tr_str;

/* The answer of a call. 0 is success, negative values are errors of the caller, positive values
 * are verdicts on a batch or an item. */
typedef int32_t tr_status;

/* Names one dispatched batch until its outcome is given. 0 is invalid; a value is never reused.
 */
typedef uint64_t tr_ticket;

enum {
    TR_OK = 0,      /* settled downstream, durably: the checkpoint may pass         */
    TR_PENDING = 1, /* process() only: complete() follows, exactly once             */
    TR_RETRY = 2,   /* transient: back off, deliver again                           */
    TR_REJECT = 3,  /* permanent for this data: to the dead letters                 */
    TR_FATAL = 4,   /* the instance is broken: stop it and hold its checkpoint      */
    TR_SKIP = 5,    /* transform() only: the change goes no further, and is settled */

    TR_EINVAL = -1, /* an argument is wrong; the error text says which              */
    TR_ENOSYS = -2, /* this host or plugin does not do that                         */
    TR_ESTALE = -3, /* the ticket or id is not open (any more); nothing was done    */
    TR_ENOENT = -4, /* there is no such thing                                       */
    TR_EAGAIN = -5  /* not now: a bound is reached; try again later                 */
};

/* Where an error text goes: the caller's buffer of `cap` bytes. Write at most cap - 1 bytes and
 * end them with NUL. `buf` is never NULL when a host passes a tr_error. */
typedef struct tr_error {
    uint32_t size, cap;
    char *buf;
} tr_error;

#ifdef __cplusplus
}
#endif

#endif
