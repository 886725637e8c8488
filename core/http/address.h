/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses a request may reach. Asked with the address that is about to be connected to,
 * so neither an odd spelling nor a name that resolves to something else gets around it. Any
 * thread.
 */
#ifndef HTTP_ADDRESS_H
#define HTTP_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

enum address_kind {
    ADDRESS_PUBLIC,
    ADDRESS_PRIVATE, /* loopback, private, shared, reserved, multicast: refused on demand  */
    ADDRESS_LOCAL    /* link-local and the metadata service of clouds: refused always      */
};

/* IPv4 inside IPv6 (mapped, compatible, NAT64, 6to4) is judged as the IPv4 address that it is.
 * What is neither IPv4 nor IPv6 is ADDRESS_LOCAL. */
enum address_kind address_judge(const struct sockaddr *address);

/* The same for a host as struct url has it. False: it is a name. */
bool address_judge_text(const char *host, enum address_kind *ret_kind);

#endif
