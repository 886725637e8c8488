/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framing: where an answer of HTTP/1 ends. It cuts what comes off a socket into the lines of
 * the head and the bytes of the body (RFC 9112), and knows whether the connection can be used
 * again.
 *
 * wire.c feeds it. Where two readers of the same bytes could disagree about the end, so that a
 * part of one answer were taken for the next one, it reads on as well as it can and says that
 * the connection cannot be kept. No I/O; loop thread.
 */
#ifndef HTTP_FRAMING_H
#define HTTP_FRAMING_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* Who gets what was cut. Fewer bytes taken than given, or false, stops it. */
struct http_framing_sink {
    size_t (*line)(char *line, size_t size, size_t count, void *data); /* with its line end */
    /* All lines of a head, the blank one too, where it is remembered; never of a 1xx. */
    bool (*head)(tr_str head, int status, void *data);
    size_t (*body)(char *bytes, size_t size, size_t count, void *data);
};

struct http_framing_memory;

struct http_framing {
    enum http_framing_state {
        FRAMING_HEAD,
        FRAMING_LENGTH,   /* a body of `left` bytes                                        */
        FRAMING_TO_CLOSE, /* a body up to the end of the connection                        */
        FRAMING_CHUNK_SIZE,
        FRAMING_CHUNK, /* `left` bytes of it                                               */
        FRAMING_CHUNK_END,
        FRAMING_TRAILERS,
        FRAMING_WHOLE
    } state;
    int status;   /* 0: its line has not come; of the last head that began                  */
    bool to_head; /* the request was HEAD: no body, whatever the head says                  */
    bool keep;    /* once whole: the connection may be used again                           */
    bool doubt;   /* it must not, whatever else is said                                     */
    bool old, asks_keep; /* HTTP/1.0; it keeps connections only if it says so               */
    bool has_length, has_encoding, chunked;
    uint64_t left;
    size_t lines_bytes; /* of all lines since the last chunk: they have a bound             */
    struct buf line;    /* the begin of one whose end has not come                          */
    struct http_framing_memory *memory; /* borrowed; NULL: none                            */
};

/* The last head that came in one piece, and what was made of it: a server says the same again
 * and again, but for the date. Storage of the caller, for any number of connections; a zeroed
 * one is empty. */
struct http_framing_memory {
    struct buf head;
    struct http_framing after;
};

void http_framing_memory_fini(struct http_framing_memory *memory);

/* Ready for the next answer; a zeroed one is ready too. */
void http_framing_reset(struct http_framing *framing, bool to_head);
void http_framing_fini(struct http_framing *framing);

enum { FRAMING_NOT_HTTP = -1, FRAMING_STOPPED = -2 };

/* Takes bytes up to the end of the answer; *ret_used is how many those were. 0,
 * FRAMING_NOT_HTTP, or FRAMING_STOPPED by the sink. */
int http_framing_take(struct http_framing *framing, const struct http_framing_sink *sink,
                      void *data, char *bytes, size_t len, size_t *ret_used);

/* The connection has ended: whether the answer is whole by that. */
bool http_framing_end(struct http_framing *framing);

#endif
