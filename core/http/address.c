/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses a request may reach: the special ranges of IANA's registries. Asked by the
 * client for every socket that it opens. Any thread.
 */
#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct range {
    uint8_t prefix[16];
    uint8_t bits;
    enum address_kind kind;
};

static const struct range ranges4[] = {
    {{169, 254}, 16, ADDRESS_LOCAL},
    {{0}, 8, ADDRESS_PRIVATE}, /* "this host": Linux connects it to loopback               */
    {{10}, 8, ADDRESS_PRIVATE},
    {{100, 64}, 10, ADDRESS_PRIVATE}, /* carrier-grade NAT                                 */
    {{127}, 8, ADDRESS_PRIVATE},
    {{172, 16}, 12, ADDRESS_PRIVATE},
    {{192, 0, 0}, 24, ADDRESS_PRIVATE},
    {{192, 168}, 16, ADDRESS_PRIVATE},
    {{198, 18}, 15, ADDRESS_PRIVATE}, /* benchmarks                                        */
    {{224}, 3, ADDRESS_PRIVATE},      /* multicast, reserved, broadcast                    */
};

static const struct range ranges6[] = {
    {{0xfe, 0x80}, 10, ADDRESS_LOCAL},
    {{0xfd, 0x00, 0x0e, 0xc2}, 32, ADDRESS_LOCAL}, /* a cloud's metadata service           */
    {{0xfc}, 7, ADDRESS_PRIVATE},                  /* unique local                         */
    {{0xfe, 0xc0}, 10, ADDRESS_PRIVATE},           /* site-local, of old                   */
    {{0xff}, 8, ADDRESS_PRIVATE},                  /* multicast                            */
    {{0x01}, 8, ADDRESS_PRIVATE},                  /* discard only                         */
};

/* Where an IPv4 address stands inside IPv6 ones. */
static const struct {
    uint8_t prefix[16];
    uint8_t bits, at;
} carriers[] = {
    {{[10] = 0xff, [11] = 0xff}, 96, 12},           /* ::ffff:a.b.c.d                       */
    {{0}, 96, 12},                                  /* ::a.b.c.d, also :: and ::1           */
    {{[8] = 0xff, [9] = 0xff}, 96, 12},             /* ::ffff:0:a.b.c.d                     */
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12},             /* 64:ff9b::a.b.c.d                     */
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, 12}, /* local-use NAT64                     */
    {{0x20, 0x02}, 16, 2},                          /* 6to4                                 */
};

static bool within(const uint8_t *address, const uint8_t *prefix, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(address, prefix, whole) != 0)
        return false;
    return rest == 0 || ((address[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

static enum address_kind judge4(const uint8_t *address)
{
    for (size_t i = 0; i < sizeof(ranges4) / sizeof(ranges4[0]); i++)
        if (within(address, ranges4[i].prefix, ranges4[i].bits))
            return ranges4[i].kind;
    return ADDRESS_PUBLIC;
}

static enum address_kind judge6(const uint8_t *address)
{
    for (size_t i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++)
        if (within(address, carriers[i].prefix, carriers[i].bits))
            return judge4(address + carriers[i].at);
    for (size_t i = 0; i < sizeof(ranges6) / sizeof(ranges6[0]); i++)
        if (within(address, ranges6[i].prefix, ranges6[i].bits))
            return ranges6[i].kind;
    return ADDRESS_PUBLIC;
}

enum address_kind address_judge(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return judge4(
            (const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr);
    if (address->sa_family == AF_INET6)
        return judge6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
    return ADDRESS_LOCAL;
}

bool address_judge_text(const char *host, enum address_kind *ret_kind)
{
    uint8_t bytes[16];

    if (inet_pton(AF_INET, host, bytes) == 1)
        *ret_kind = judge4(bytes);
    else if (inet_pton(AF_INET6, host, bytes) == 1)
        *ret_kind = judge6(bytes);
    else
        return false;
    return true;
}
