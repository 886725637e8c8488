/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies in parts of plugins' requests: copied from the plugin's words to http/parts.h, and
 * what became of them back. For ext_http.c. A parcel belongs to its request: it is made and
 * freed on the worker, and used on the loop in between.
 */
#ifndef PLUGIN_PARCEL_H
#define PLUGIN_PARCEL_H

#include "http/client.h"

#include <tailrace/ext/http.h>

struct parcel;

/* No byte of them could end a line. */
bool parcel_headers_are_clean(const tr_http_header *headers, uint32_t count);

/* False: the request has parts that cannot be sent. `*ret_parcel` is NULL when it has none.
 * Everything is copied. */
bool parcel_new(const tr_http_request *given, struct parcel **ret_parcel);
void parcel_free(struct parcel *parcel);

/* Makes the call one with this body. NULL: does nothing. */
void parcel_attach(struct parcel *parcel, struct http_call *call);

/* Loop: bytes of it that went out so far. NULL: none. */
uint64_t parcel_moved(const struct parcel *parcel);

/* Loop, in on_done: says in the response which part failed, if one did. NULL: does nothing. */
void parcel_report(const struct parcel *parcel, tr_http_response *response);

#endif
