/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wires: kept-alive connections that the client itself writes requests to and reads answers
 * from. libcurl opens them, and with it come name look-up, the judging of addresses, deadlines
 * and words for what failed; then the socket is ours. For a small request libcurl's own
 * transfer costs more than three times what the kernel takes for both system calls.
 *
 * Only where nothing is lost by it: http:// without a proxy, in pools that are `direct` and
 * follow no redirects, for calls without on_head, on_data and source. All else is libcurl's.
 * Private to http/; loop thread.
 */
#ifndef HTTP_WIRE_H
#define HTTP_WIRE_H

#include "http/pool.h"

struct http_wire;

/* Whether the slot's call goes by wire. */
bool http_wire_fits(const struct http_slot *slot);

/* Writes the head of the request to slot->lines; slot->url is of the target. */
void http_wire_compose(struct http_slot *slot, const struct http_target *target);

/* Sends what was composed on a connection that is idle, or asks libcurl for a new one. False:
 * libcurl does not take it. */
bool http_wire_send(struct http_slot *slot);

/* libcurl has connected for the slot: takes the socket over and sends. False: slot->end says
 * why not. */
bool http_wire_adopt(struct http_slot *slot);

/* Closes the connection under a slot, if there is one. */
void http_wire_drop(struct http_slot *slot);

/* Closes the idle ones. */
void http_wires_fini(struct http_pool *pool);

#endif
