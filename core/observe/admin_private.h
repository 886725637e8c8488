/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the admin endpoint share: admin.c has its life and the hand-over between
 * the two threads, admin_answer.c what clients are answered, page/ the files of the page.
 * Private to observe/.
 */
#ifndef OBSERVE_ADMIN_PRIVATE_H
#define OBSERVE_ADMIN_PRIVATE_H

#include "observe/admin.h"

#include <microhttpd.h>
#include <pthread.h>

/* The last that the loop has made. */
struct admin_text {
    struct buf text;
    bool is_good;
    uint64_t number; /* of times that it was made                                          */
    int64_t made_ms;
};

struct admin {
    struct admin_options options;
    struct MHD_Daemon *daemon;
    struct watch asked; /* an eventfd: the loop is to look at `wanted`                     */

    pthread_mutex_t lock; /* guards all below                                              */
    pthread_cond_t made;
    bool waiting, ending; /* the loop was asked and has not answered; admin_free()         */
    int64_t asked_ms;     /* since when                                                    */
    bool wanted[ADMIN_DOCUMENTS];
    struct admin_text texts[ADMIN_DOCUMENTS];
};

/* Asks the loop for the document. False: it did not answer in time. Endpoint's thread. */
bool admin_ask(struct admin *admin, enum admin_document document, struct buf *ret_text,
               bool *ret_is_good);

/* libmicrohttpd's handler of requests. */
enum MHD_Result admin_answer(void *admin, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *body,
                             size_t *body_size, void **request);

/* The files of the page, made at build time from those in page/; ended by a NULL path. */
struct admin_file {
    const char *path, *type;
    const unsigned char *bytes;
    size_t size;
};
extern const struct admin_file admin_files[];

#endif
