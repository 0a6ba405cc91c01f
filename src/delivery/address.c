/*
 * address.c - the rule of address.h: everything is compared as 128-bit prefixes, IPv4 in its
 * v4-mapped form, so that one table and one comparison serve both families.
 */
#include "delivery/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/span.h"
#include "delivery/delivery.h"

enum {
    V4_OFFSET_BYTES = 12,
    V4_OFFSET_BITS = 96,
    CIDR_TEXT_MAX = INET6_ADDRSTRLEN + 4,
};

static const uint8_t V4_MAPPED[V4_OFFSET_BYTES] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
static const uint8_t NAT64[V4_OFFSET_BYTES] = {0, 0x64, 0xff, 0x9b};

/* IANA's special-purpose registry: what is not globally reachable. */
/* clang-format off */
static const struct {
    uint8_t bytes[4];
    uint8_t bits;
} V4_REFUSED[] = {
    {{  0,   0,   0, 0},  8}, /* this network */
    {{ 10,   0,   0, 0},  8}, /* private */
    {{100,  64,   0, 0}, 10}, /* carrier-grade NAT */
    {{127,   0,   0, 0},  8}, /* loopback */
    {{169, 254,   0, 0}, 16}, /* link-local, and the clouds' metadata services */
    {{172,  16,   0, 0}, 12}, /* private */
    {{192,   0,   0, 0}, 24}, /* protocol assignments */
    {{192,   0,   2, 0}, 24}, /* documentation */
    {{192,  88,  99, 0}, 24}, /* 6to4 relays */
    {{192, 168,   0, 0}, 16}, /* private */
    {{198,  18,   0, 0}, 15}, /* benchmarks */
    {{198,  51, 100, 0}, 24}, /* documentation */
    {{203,   0, 113, 0}, 24}, /* documentation */
    {{224,   0,   0, 0},  4}, /* multicast */
    {{240,   0,   0, 0},  4}, /* reserved, broadcast */
};

/* Of IPv6 only 2000::/3 is global unicast; these parts of it are not for us. */
static const struct {
    uint8_t bytes[4];
    uint8_t bits;
} V6_REFUSED[] = {
    {{0x20, 0x01, 0x00, 0x00}, 23}, /* protocol assignments, Teredo, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02, 0x00, 0x00}, 16}, /* 6to4: carries any IPv4 address */
    {{0x3f, 0xff, 0x00, 0x00}, 20}, /* documentation */
};
/* clang-format on */

static bool prefix_equal(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
    uint32_t whole = bits / 8;
    uint32_t rest = bits % 8;
    if (memcmp(a, b, whole) != 0) {
        return false;
    }
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/* The address as 16 bytes; false for other families. */
static bool address_bytes(const struct sockaddr *address, uint8_t out[16])
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        memcpy(out, V4_MAPPED, V4_OFFSET_BYTES);
        memcpy(out + V4_OFFSET_BYTES, &v4.sin_addr, 4);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        memcpy(out, &v6.sin6_addr, 16);
        return true;
    }
    return false;
}

static bool v4_public(const uint8_t bytes[4])
{
    for (size_t i = 0; i < sizeof(V4_REFUSED) / sizeof(V4_REFUSED[0]); i++) {
        if (prefix_equal(bytes, V4_REFUSED[i].bytes, V4_REFUSED[i].bits)) {
            return false;
        }
    }
    return true;
}

static bool address_public(const uint8_t bytes[16])
{
    if (memcmp(bytes, V4_MAPPED, V4_OFFSET_BYTES) == 0 ||
        memcmp(bytes, NAT64, V4_OFFSET_BYTES) == 0) {
        return v4_public(bytes + V4_OFFSET_BYTES);
    }
    if ((bytes[0] & 0xe0) != 0x20) {
        return false;
    }
    for (size_t i = 0; i < sizeof(V6_REFUSED) / sizeof(V6_REFUSED[0]); i++) {
        if (prefix_equal(bytes, V6_REFUSED[i].bytes, V6_REFUSED[i].bits)) {
            return false;
        }
    }
    return true;
}

static uint16_t port_of(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        return ntohs(v4.sin_port);
    }
    memcpy(&v6, address, sizeof(v6));
    return ntohs(v6.sin6_port);
}

static bool is_peer(const struct address_rules *rules, const struct sockaddr *address,
                    const uint8_t bytes[16])
{
    return rules->peer.port != 0 && port_of(address) == rules->peer.port &&
           memcmp(rules->peer.bytes, bytes, sizeof(rules->peer.bytes)) == 0;
}

bool delivery__address_allowed(const struct address_rules *rules, const struct sockaddr *address)
{
    uint8_t bytes[16];
    if (!address_bytes(address, bytes)) {
        return false;
    }
    if (rules->allow_all || address_public(bytes) || is_peer(rules, address, bytes)) {
        return true;
    }
    CHECK(rules->exceptions_count <= ADDRESS_EXCEPTIONS_MAX);
    for (uint32_t i = 0; i < rules->exceptions_count; i++) {
        if (prefix_equal(bytes, rules->exceptions[i].bytes, rules->exceptions[i].bits)) {
            return true;
        }
    }
    return false;
}

/* "10.0.0.0/8" or "::1"; text ends in NUL. */
static bool range_parse(char *text, struct address_range *out)
{
    char *slash = strchr(text, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    bool v4 = inet_pton(AF_INET, text, out->bytes + V4_OFFSET_BYTES) == 1;
    if (v4) {
        memcpy(out->bytes, V4_MAPPED, V4_OFFSET_BYTES);
    } else if (inet_pton(AF_INET6, text, out->bytes) != 1) {
        return false;
    }
    uint64_t bits = v4 ? 32 : 128;
    if (slash != NULL) {
        uint64_t given = 0;
        if (!span_parse_u64(span_from(slash + 1), &given) || given > bits) {
            return false;
        }
        bits = given;
    }
    out->bits = (uint8_t)(bits + (v4 ? V4_OFFSET_BITS : 0));
    return true;
}

bool delivery__address_peer_set(struct address_rules *rules, const char *address, uint16_t port)
{
    struct address_range range;
    char text[CIDR_TEXT_MAX + 1];
    size_t size = strlen(address);
    if (size > CIDR_TEXT_MAX) {
        return false;
    }
    memcpy(text, address, size + 1);
    if (strchr(text, '/') != NULL || !range_parse(text, &range)) {
        return false;
    }
    memcpy(rules->peer.bytes, range.bytes, sizeof(range.bytes));
    rules->peer.port = port;
    return true;
}

bool delivery_networks_good(const char *cidrs)
{
    struct address_rules rules;
    return delivery__address_rules_parse(&rules, false, cidrs);
}

bool delivery_networks_contain(const char *cidrs, struct span address)
{
    struct address_rules rules;
    struct address_range range;
    char text[CIDR_TEXT_MAX + 1];
    if (address.size == 0 || address.size > CIDR_TEXT_MAX ||
        !delivery__address_rules_parse(&rules, false, cidrs)) {
        return false;
    }
    memcpy(text, address.data, address.size);
    text[address.size] = '\0';
    if (strchr(text, '/') != NULL || !range_parse(text, &range)) {
        return false;
    }
    for (uint32_t i = 0; i < rules.exceptions_count; i++) {
        if (prefix_equal(range.bytes, rules.exceptions[i].bytes, rules.exceptions[i].bits)) {
            return true;
        }
    }
    return false;
}

bool delivery__address_rules_parse(struct address_rules *rules, bool allow_all,
                                   const char *allow_cidrs)
{
    memset(rules, 0, sizeof(*rules));
    rules->allow_all = allow_all;
    const char *at = allow_cidrs == NULL ? "" : allow_cidrs;
    while (*at != '\0') {
        size_t size = strcspn(at, ",");
        struct span part = span_trim((struct span){at, size});
        char text[CIDR_TEXT_MAX + 1];
        if (part.size == 0 || part.size > CIDR_TEXT_MAX ||
            rules->exceptions_count == ADDRESS_EXCEPTIONS_MAX) {
            return false;
        }
        memcpy(text, part.data, part.size);
        text[part.size] = '\0';
        if (!range_parse(text, &rules->exceptions[rules->exceptions_count])) {
            return false;
        }
        rules->exceptions_count++;
        at += size;
        at += *at == ',' ? 1 : 0;
    }
    return true;
}

bool delivery_address_public(const struct sockaddr *address)
{
    struct address_rules rules = {.allow_all = false};
    return delivery__address_allowed(&rules, address);
}
