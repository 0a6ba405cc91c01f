/*
 * address.h - which network addresses a delivery may connect to (private to delivery/).
 *
 * Guarantees: without exceptions, only globally reachable unicast addresses pass; anything that is
 * not IPv4 or IPv6 is refused. Addresses that carry an IPv4 address inside (v4-mapped, NAT64) are
 * judged by what they carry. The rule looks at the address that is connected to, never at a name,
 * so a name that resolves differently the second time gains nothing.
 * Tests: tests/unit/test_delivery.c.
 */
#ifndef HAKIKA_DELIVERY_ADDRESS_H
#define HAKIKA_DELIVERY_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/check.h"

enum { ADDRESS_EXCEPTIONS_MAX = 32 };

struct address_range {
    uint8_t bytes[16]; /* IPv4 in its v4-mapped form */
    uint8_t bits;      /* of the prefix, out of 128 */
};

/* One address and port that may be connected to, although it is private. */
struct address_peer {
    uint8_t bytes[16];
    uint16_t port; /* 0: there is none */
};

struct address_rules {
    bool allow_all;
    struct address_peer peer;
    uint32_t exceptions_count;
    struct address_range exceptions[ADDRESS_EXCEPTIONS_MAX];
};

/* Reads "127.0.0.0/8,::1/128" (an address alone means that address); NULL or "" is no exception.
   False: malformed or too many. */
bool delivery__address_rules_parse(struct address_rules *rules, bool allow_all,
                                   const char *allow_cidrs) MUST_USE;

/* Is it exactly this address that may be connected to? False: it is none. */
bool delivery__address_peer_set(struct address_rules *rules, const char *address,
                                uint16_t port) MUST_USE;

bool delivery__address_allowed(const struct address_rules *rules, const struct sockaddr *address);

#endif
