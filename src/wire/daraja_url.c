/*
 * daraja_url.c - see daraja_url.h.
 *
 * The readers of a URL disagree at its edges (WHATWG's, RFC 3986's, curl's), and attackers live
 * there. So the edges are refused: spaces, control characters, backslashes, users, hosts that are
 * numbers in disguise.
 */
#include "wire/daraja_url.h"

#include <stdint.h>

#include "wire/ascii.h"

struct url_parts {
    bool https;
    bool bracketed; /* an IPv6 address, brackets taken off */
    struct span host;
};

/* Against lower-case text. */
static bool equal_ignoring_case(struct span text, struct span expected)
{
    if (text.size != expected.size) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (ascii_lower(text.data[i]) != expected.data[i]) {
            return false;
        }
    }
    return true;
}

static struct span span_from_offset(struct span text, size_t offset)
{
    return (struct span){text.data + offset, text.size - offset};
}

/* Up to the first of the characters, or all of it. */
static struct span span_until(struct span text, const char *stops)
{
    size_t size = 0;
    while (size < text.size && strchr(stops, text.data[size]) == NULL) {
        size++;
    }
    return (struct span){text.data, size};
}

static bool characters_are_plain(struct span url)
{
    for (size_t i = 0; i < url.size; i++) {
        if (url.data[i] <= ' ' || url.data[i] > '~' || url.data[i] == '\\') {
            return false;
        }
    }
    return true;
}

/* Nothing, or a colon and 1 to 65535. */
static bool port_is_valid(struct span port)
{
    uint64_t number;
    if (port.size == 0) {
        return true;
    }
    return port.data[0] == ':' && port.size <= 6 &&
           span_parse_u64(span_from_offset(port, 1), &number) && number >= 1 && number <= 65535;
}

/* Four decimal numbers up to 255 without leading zeros, as readers of octal would see others. */
static bool ipv4_parse(struct span text, uint32_t *out)
{
    uint32_t address = 0;
    for (unsigned i = 0; i < 4; i++) {
        struct span part = i < 3 ? span_until(text, ".") : text;
        uint64_t number;
        if (part.size > 3 || (part.size > 1 && part.data[0] == '0') ||
            !span_parse_u64(part, &number) || number > 255 || (i < 3 && part.size == text.size)) {
            return false;
        }
        address = address << 8 | (uint32_t)number;
        text = span_from_offset(text, i < 3 ? part.size + 1 : part.size);
    }
    *out = address;
    return true;
}

static bool hex_group_parse(struct span text, uint16_t *out)
{
    uint32_t value = 0;
    if (text.size < 1 || text.size > 4) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        char c = ascii_lower(text.data[i]);
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
        value = value << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *out = (uint16_t)value;
    return true;
}

/*
 * Groups between colons, "::" once. Only the first group matters to us, and whether the form is
 * right. An IPv4 tail counts as two groups.
 */
static bool ipv6_parse(struct span text, uint16_t *first_out)
{
    uint32_t groups = 0;
    bool gap = false;
    bool colon_due = false; /* between two groups, but not after "::" */
    uint16_t group = 0;
    uint32_t tail;
    *first_out = 0;
    while (text.size > 0) {
        if (span_starts_with(text, SPAN_LITERAL("::")) && !gap) {
            gap = true;
            colon_due = false;
            text = span_from_offset(text, 2);
            continue;
        }
        if (colon_due) {
            text = span_from_offset(text, 1);
        }
        struct span part = span_until(text, ":");
        if (part.size == text.size && ipv4_parse(part, &tail)) {
            groups += 2;
        } else if (hex_group_parse(part, &group)) {
            *first_out = groups == 0 && !gap ? group : *first_out;
            groups++;
        } else {
            return false;
        }
        colon_due = true;
        text = span_from_offset(text, part.size);
    }
    return gap ? groups < 8 : groups == 8;
}

static bool label_is_valid(struct span label)
{
    if (label.size < 1 || label.size > 63) {
        return false;
    }
    for (size_t i = 0; i < label.size; i++) {
        char c = ascii_lower(label.data[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) {
            return false;
        }
    }
    return true;
}

/* What many readers take for a number: digits, or 0x and whatever follows. */
static bool label_is_numeric(struct span label)
{
    struct span digits =
        span_until(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_");
    return digits.size == label.size ||
           (label.size >= 2 && label.data[0] == '0' && ascii_lower(label.data[1]) == 'x');
}

/* A domain name, or an IPv4 address in its usual form and no other. */
static bool name_is_valid(struct span host)
{
    uint32_t address;
    struct span rest = host;
    struct span label = SPAN_EMPTY;
    if (rest.size > 1 && rest.data[rest.size - 1] == '.') {
        rest.size--; /* the root may be written */
    }
    if (rest.size < 1 || rest.size > 253) {
        return false;
    }
    for (;;) {
        label = span_until(rest, ".");
        if (!label_is_valid(label)) {
            return false;
        }
        if (label.size == rest.size) {
            break;
        }
        rest = span_from_offset(rest, label.size + 1);
    }
    return !label_is_numeric(label) || ipv4_parse(host, &address);
}

/* NULL, or what is wrong. */
static const char *url_split(struct span url, struct url_parts *parts)
{
    struct span scheme = span_until(url, ":/?#");
    parts->https = equal_ignoring_case(scheme, SPAN_LITERAL("https"));
    if (!parts->https && !equal_ignoring_case(scheme, SPAN_LITERAL("http"))) {
        return "must start with http:// or https://";
    }
    struct span rest = span_from_offset(url, scheme.size);
    if (!span_starts_with(rest, SPAN_LITERAL("://"))) {
        return "must start with http:// or https://";
    }
    struct span authority = span_until(span_from_offset(rest, 3), "/?#");
    if (authority.size > 0 && memchr(authority.data, '@', authority.size) != NULL) {
        return "must not hold a user name or password";
    }
    parts->bracketed = authority.size > 0 && authority.data[0] == '[';
    parts->host = span_until(authority, parts->bracketed ? "]" : ":");
    size_t used = parts->host.size;
    if (parts->bracketed) {
        if (used == authority.size) {
            return "has an IPv6 address without its closing bracket";
        }
        parts->host = (struct span){parts->host.data + 1, parts->host.size - 1};
        used++;
    }
    if (!port_is_valid(span_from_offset(authority, used))) {
        return "has a port that is not 1 to 65535";
    }
    return parts->host.size == 0 ? "has no host" : NULL;
}

static bool ipv4_is_public(uint32_t address)
{
    static const struct {
        uint32_t prefix;
        uint32_t bits;
    } refused[] = {
        {0x00000000, 8},  /* this network */
        {0x0a000000, 8},  /* private */
        {0x64400000, 10}, /* behind a carrier's translation */
        {0x7f000000, 8},  /* loopback */
        {0xa9fe0000, 16}, /* link-local; where clouds keep their secrets */
        {0xac100000, 12}, /* private */
        {0xc0a80000, 16}, /* private */
        {0xe0000000, 3},  /* multicast, reserved, broadcast */
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if ((address ^ refused[i].prefix) >> (32 - refused[i].bits) == 0) {
            return false;
        }
    }
    return true;
}

static bool ends_with(struct span host, struct span suffix)
{
    return host.size > suffix.size &&
           equal_ignoring_case(span_from_offset(host, host.size - suffix.size), suffix);
}

static bool name_is_public(struct span host)
{
    uint32_t address;
    if (ipv4_parse(host, &address)) {
        return ipv4_is_public(address);
    }
    if (host.data[host.size - 1] == '.') {
        host.size--;
    }
    return memchr(host.data, '.', host.size) != NULL &&
           !ends_with(host, SPAN_LITERAL(".localhost")) &&
           !ends_with(host, SPAN_LITERAL(".local")) && !ends_with(host, SPAN_LITERAL(".internal"));
}

static const char *host_refusal(const struct url_parts *parts, bool public_only)
{
    static const char *const private_host =
        "must be reachable from outside: no localhost, bare name or private address";
    uint16_t first;
    if (parts->bracketed) {
        if (!ipv6_parse(parts->host, &first)) {
            return "has a malformed IPv6 address";
        }
        /* Global unicast is 2000::/3; 2002 carries any IPv4 address inside. */
        bool global = first >> 13 == 1 && first != 0x2002;
        return public_only && !global ? private_host : NULL;
    }
    if (!name_is_valid(parts->host)) {
        return "has a malformed host";
    }
    return public_only && !name_is_public(parts->host) ? private_host : NULL;
}

const char *daraja_url_refusal(struct span url, const struct daraja_url_rule *rule)
{
    struct url_parts parts;
    if (url.size == 0) {
        return "is empty";
    }
    if (url.size > DARAJA_URL_BYTES_MAX) {
        return "is longer than 1024 bytes";
    }
    if (!characters_are_plain(url)) {
        return "holds a space, a backslash, a control or a non-ASCII character";
    }
    const char *refusal = url_split(url, &parts);
    if (refusal != NULL) {
        return refusal;
    }
    if (rule->https_only && !parts.https) {
        return "must start with https:// in this profile";
    }
    return host_refusal(&parts, rule->public_only);
}
