/*
 * config.c - see config.h. One table of settings serves flags, environment and the help text.
 */
#include "app/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/span.h"
#include "delivery/delivery.h"
#include "merchant/merchant.h"
#include "wire/daraja_url.h"

/* A secret is never repeated in a message. */
enum setting_kind { SETTING_TEXT, SETTING_NUMBER, SETTING_SWITCH, SETTING_CHOICE, SETTING_SECRET };

struct setting {
    const char *flag; /* without "--" */
    enum setting_kind kind;
    bool (*set)(struct config *c, const char *value);
};

static bool copy_text(char *out, size_t room, const char *value)
{
    size_t size = strlen(value);
    if (size == 0 || size >= room) {
        return false;
    }
    memcpy(out, value, size + 1);
    return true;
}

static bool read_number(const char *value, uint64_t max, uint64_t *out)
{
    return span_parse_u64(span_from(value), out) && *out <= max;
}

static bool set_data(struct config *c, const char *value)
{
    return copy_text(c->data, sizeof(c->data), value);
}

static bool set_listen(struct config *c, const char *value)
{
    return copy_text(c->listen, sizeof(c->listen), value);
}

static bool set_public_host(struct config *c, const char *value)
{
    return copy_text(c->public_host, sizeof(c->public_host), value);
}

static bool set_admin_key(struct config *c, const char *value)
{
    return strlen(value) >= 16 && copy_text(c->admin_key, sizeof(c->admin_key), value);
}

static bool set_merchant_key(struct config *c, const char *value)
{
    return strlen(value) >= 16 && copy_text(c->merchant_key, sizeof(c->merchant_key), value);
}

static bool set_callback_allow(struct config *c, const char *value)
{
    return copy_text(c->callback_allow, sizeof(c->callback_allow), value);
}

static bool set_shadow_of(struct config *c, const char *value)
{
    struct daraja_url_rule rule = {.https_only = false, .public_only = false};
    size_t size = strlen(value);
    bool good = strcmp(value, "operator") == 0 ||
                (daraja_url_refusal(span_from(value), &rule) == NULL && value[size - 1] != '/');
    return good && copy_text(c->shadow_of, sizeof(c->shadow_of), value);
}

static bool set_callback_from(struct config *c, const char *value)
{
    return delivery_networks_good(value) &&
           copy_text(c->callback_from, sizeof(c->callback_from), value);
}

static bool set_trusted_proxies(struct config *c, const char *value)
{
    return delivery_networks_good(value) &&
           copy_text(c->trusted_proxies, sizeof(c->trusted_proxies), value);
}

static bool set_confirm_from(struct config *c, const char *value)
{
    uint64_t number;
    if (!read_number(value, GATEWAY_AMOUNT_MAX, &number)) {
        return false;
    }
    c->confirm_minor = (int64_t)number;
    return true;
}

static bool set_private_targets(struct config *c, const char *value)
{
    (void)value;
    c->private_targets = true;
    return true;
}

static bool set_port(struct config *c, const char *value)
{
    uint64_t number;
    if (!read_number(value, 65535, &number)) {
        return false;
    }
    c->port = (uint16_t)number;
    return true;
}

static bool set_merchant_port(struct config *c, const char *value)
{
    uint64_t number;
    if (!read_number(value, 65535, &number)) {
        return false;
    }
    c->merchant_port = (uint16_t)number;
    c->merchant_port_given = true;
    return true;
}

static bool set_merchant_url(struct config *c, const char *value)
{
    struct daraja_url_rule rule = {.https_only = false, .public_only = false};
    size_t size = strlen(value);
    return daraja_url_refusal(span_from(value), &rule) == NULL && value[size - 1] != '/' &&
           copy_text(c->merchant_url, sizeof(c->merchant_url), value);
}

static bool set_paystack_key_file(struct config *c, const char *value)
{
    return copy_text(c->paystack_key_file, sizeof(c->paystack_key_file), value);
}

static bool set_api_key_file(struct config *c, const char *value)
{
    return copy_text(c->api_key_file, sizeof(c->api_key_file), value);
}

static bool set_profile(struct config *c, const char *value)
{
    c->profile_given = true;
    for (int p = PROFILE_DEV; p <= PROFILE_PRODUCTION; p++) {
        if (strcmp(value, profile_name((enum profile)p)) == 0) {
            c->profile = (enum profile)p;
            return true;
        }
    }
    return false;
}

static bool set_clock(struct config *c, const char *value)
{
    c->virtual_clock = strcmp(value, "virtual") == 0;
    return c->virtual_clock || strcmp(value, "real") == 0;
}

static bool set_book(struct config *c, const char *value)
{
    bool merchant = strcmp(value, "merchant") == 0;
    bool both = strcmp(value, "both") == 0;
    c->books = merchant ? BOOKS_MERCHANT : both ? BOOKS_BOTH : BOOKS_OPERATOR;
    return merchant || both || strcmp(value, "operator") == 0;
}

static bool set_ephemeral(struct config *c, const char *value)
{
    (void)value;
    c->ephemeral = true;
    return true;
}

static bool set_in_flight(struct config *c, const char *value)
{
    c->in_flight_is_500 = strcmp(value, "500") == 0;
    return c->in_flight_is_500 || strcmp(value, "4999") == 0;
}

static bool set_magic(struct config *c, const char *value)
{
    (void)value;
    c->magic = true;
    return true;
}

static bool set_rules(struct config *c, const char *value)
{
    return copy_text(c->rules, sizeof(c->rules), value);
}

static bool set_connections(struct config *c, const char *value)
{
    uint64_t number;
    if (!read_number(value, 8192, &number) || number < 8) {
        return false;
    }
    c->connections_max = (uint32_t)number;
    return true;
}

static bool set_delivery_timeout(struct config *c, const char *value)
{
    uint64_t number;
    if (!read_number(value, 120000, &number) || number < 50) {
        return false;
    }
    c->total_ms = (uint32_t)number;
    return true;
}

static bool set_view(struct config *c, const char *value)
{
    c->view = strcmp(value, "on") == 0;
    return c->view || strcmp(value, "off") == 0;
}

static bool set_snapshot(struct config *c, const char *value)
{
    return read_number(value, UINT64_MAX / 2, &c->snapshot_bytes) && c->snapshot_bytes > 0;
}

/* "90s", "15m", "1h", "2d"; "0" is off. */
static bool set_keep_closed(struct config *c, const char *value)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    struct span digits = span_from(value);
    uint64_t number;
    int64_t seconds = 0;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && digits.size > 0; i++) {
        if (digits.data[digits.size - 1] == units[i].letter) {
            seconds = units[i].seconds;
        }
    }
    digits.size -= seconds != 0;
    bool good = span_parse_u64(digits, &number) && number <= 36500;
    c->keep_closed_ns = good ? (int64_t)number * seconds * 1000 * 1000 * 1000 : 0;
    return good && (seconds != 0) == (number != 0);
}

static bool set_keep_closed_max(struct config *c, const char *value)
{
    uint64_t number;
    if (!read_number(value, UINT32_MAX / 2, &number)) {
        return false;
    }
    c->keep_closed_max = (uint32_t)number;
    return true;
}

static const struct setting SETTINGS[] = {
    {"data", SETTING_TEXT, set_data},
    {"listen", SETTING_TEXT, set_listen},
    {"port", SETTING_NUMBER, set_port},
    {"merchant-port", SETTING_NUMBER, set_merchant_port},
    {"merchant-url", SETTING_TEXT, set_merchant_url},
    {"merchant-key", SETTING_SECRET, set_merchant_key},
    {"api-key-file", SETTING_TEXT, set_api_key_file},
    {"paystack-key-file", SETTING_TEXT, set_paystack_key_file},
    {"profile", SETTING_CHOICE, set_profile},
    {"book", SETTING_CHOICE, set_book},
    {"clock", SETTING_CHOICE, set_clock},
    {"ephemeral", SETTING_SWITCH, set_ephemeral},
    {"in-flight", SETTING_CHOICE, set_in_flight},
    {"rules", SETTING_TEXT, set_rules},
    {"magic", SETTING_SWITCH, set_magic},
    {"public-host", SETTING_TEXT, set_public_host},
    {"admin-key", SETTING_SECRET, set_admin_key},
    {"callback-allow", SETTING_TEXT, set_callback_allow},
    {"shadow-of", SETTING_TEXT, set_shadow_of},
    {"callback-from", SETTING_TEXT, set_callback_from},
    {"trusted-proxies", SETTING_TEXT, set_trusted_proxies},
    {"confirm-from", SETTING_NUMBER, set_confirm_from},
    {"allow-private-targets", SETTING_SWITCH, set_private_targets},
    {"connections", SETTING_NUMBER, set_connections},
    {"callback-timeout-ms", SETTING_NUMBER, set_delivery_timeout},
    {"snapshot-bytes", SETTING_NUMBER, set_snapshot},
    {"keep-closed", SETTING_TEXT, set_keep_closed},
    {"keep-closed-max", SETTING_NUMBER, set_keep_closed_max},
    {"view", SETTING_CHOICE, set_view},
};
enum { SETTING_COUNT = sizeof(SETTINGS) / sizeof(SETTINGS[0]) };

const char *config_help(void)
{
    return "  --data DIR             where the journal lives (default: hakika-data)\n"
           "  --listen ADDRESS       address to listen on (default: 127.0.0.1)\n"
           "  --port N               operator's port; 0 picks a free one (default: 8254)\n"
           "  --merchant-port N      merchant gateway's port (default: 8255; 0 when --port is 0)\n"
           "  --merchant-url URL     where providers reach the merchant's port (default: as it\n"
           "                         listens)\n"
           "  --merchant-key KEY     API key that a new merchant book begins with, at least 16\n"
           "                         characters (default: sk_test_hakika; production needs one)\n"
           "  --api-key-file FILE    holds the merchant's first API key (production; first start)\n"
           "  --paystack-key-file FILE  holds the merchant's secret key at Paystack\n"
           "  --profile NAME         dev, sandbox, daraja-strict or production (default: dev;\n"
           "                         sandbox with --ephemeral)\n"
           "  --book NAME            operator, merchant or both (default: both)\n"
           "  --clock real|virtual   a virtual clock moves only when told (default: real)\n"
           "  --ephemeral            keep the journal in a temporary folder, removed at exit\n"
           "  --in-flight 4999|500   form of the STK query answer while a payment is open\n"
           "  --rules FILE           scenario rules: outcomes, answers and callbacks on demand\n"
           "  --magic                outcomes by phone number and amount (built-in rules)\n"
           "  --public-host NAME     another Host under which the control API answers\n"
           "  --admin-key KEY        key for the control API, at least 16 characters; needed away\n"
           "                         from loopback\n"
           "  --callback-allow CIDR  callback targets allowed although private (daraja-strict)\n"
           "  --shadow-of URL        forward Daraja's paths there unchanged, and only watch;\n"
           "                         operator: the book next door\n"
           "  --callback-from LIST   networks that callbacks of providers come from, like\n"
           "                         196.201.214.0/24,52.31.139.75 (default: any)\n"
           "  --trusted-proxies LIST  networks of the proxies whose X-Forwarded-For is believed\n"
           "  --confirm-from CENTS   from this amount on Daraja's callback alone is no success:\n"
           "                         the provider is asked (default: 0, off)\n"
           "  --allow-private-targets  the gateway may call private addresses (sandbox; dev does)\n"
           "  --connections N        connections at once (default: 2048)\n"
           "  --callback-timeout-ms N  time limit of one callback attempt (default: 10000)\n"
           "  --snapshot-bytes N     journal bytes between snapshots (default: 64 MiB)\n"
           "  --keep-closed TIME     how long a closed payment stays in memory before only the\n"
           "                         index of old ids has it: 90s, 15m, 1h, 2d; 0: for ever\n"
           "                         (default: 1h)\n"
           "  --keep-closed-max N    more closed payments than this leave earlier (default:\n"
           "                         100000)\n"
           "  --view on|off          keep the SQL view (hakika query) up to date (default: on)\n"
           "\n"
           "Each flag can also be set in the environment: --data is HAKIKA_DATA, and so on; one\n"
           "that takes no value is on with 1, off with 0.\n";
}

/* name: as it was given, a flag or a variable of the environment. */
static bool apply(struct config *c, const struct setting *s, const char *value, const char *name,
                  char error[256])
{
    if (s->set(c, value)) {
        return true;
    }
    if (s->kind == SETTING_SECRET) {
        (void)snprintf(error, 256,
                       "%s takes 16 to 127 characters, not %zu; see hakika serve --help", name,
                       strlen(value));
        return false;
    }
    (void)snprintf(error, 256,
                   "%s: \"%.60s\" is not a value that it takes; see hakika serve --help", name,
                   value);
    return false;
}

/* "admin-key" -> "HAKIKA_ADMIN_KEY" */
static void environment_name(const struct setting *s, char out[64])
{
    size_t at = (size_t)snprintf(out, 64, "HAKIKA_");
    for (const char *f = s->flag; *f != '\0' && at < 63; f++) {
        out[at++] = *f == '-' ? '_' : (char)(*f - 'a' + 'A');
    }
    out[at] = '\0';
}

/* A switch is on or off there: a flag that stands on a command line is on. */
static bool apply_environment(struct config *c, const struct setting *s, const char *value,
                              const char *name, char error[256])
{
    static const char *const words[] = {"", "0", "false", "off", "no", "1", "true", "on", "yes"};
    enum { OFF_WORDS = 5, WORDS = sizeof(words) / sizeof(words[0]) };
    if (s->kind != SETTING_SWITCH) {
        return apply(c, s, value, name, error);
    }
    for (int i = 0; i < WORDS; i++) {
        if (strcasecmp(value, words[i]) == 0) {
            return i < OFF_WORDS || apply(c, s, "", name, error);
        }
    }
    (void)snprintf(error, 256, "%s: \"%.60s\" is not a value that it takes: 1 or 0", name, value);
    return false;
}

static bool apply_argument(int argc, char **argv, int *i, struct config *c, char error[256])
{
    const char *name = argv[*i];
    if (strncmp(name, "--", 2) != 0) {
        (void)snprintf(error, 256, "\"%.60s\" is not a flag; see hakika serve --help", name);
        return false;
    }
    for (int s = 0; s < SETTING_COUNT; s++) {
        if (strcmp(name + 2, SETTINGS[s].flag) != 0) {
            continue;
        }
        if (SETTINGS[s].kind == SETTING_SWITCH) {
            return apply(c, &SETTINGS[s], "", name, error);
        }
        if (*i + 1 == argc) {
            (void)snprintf(error, 256, "%s needs a value; see hakika serve --help", name);
            return false;
        }
        (*i)++;
        return apply(c, &SETTINGS[s], argv[*i], name, error);
    }
    /* What follows a "=" may be a secret. */
    int size = (int)strcspn(name, "=");
    (void)snprintf(error, 256, "there is no flag %.*s%s; see hakika serve --help",
                   size < 60 ? size : 60, name,
                   name[size] == '=' ? " (a value is a word of its own, without \"=\")" : "");
    return false;
}

/* Money is real there: nothing that simulates, and everything that it needs. */
static bool production_allows(const struct config *c, char error[256])
{
    struct daraja_url_rule rule = {.https_only = true, .public_only = true};
    const char *why = c->merchant_url[0] == '\0'
                          ? "must be given"
                          : daraja_url_refusal(span_from(c->merchant_url), &rule);
    if (c->books != BOOKS_MERCHANT) {
        (void)snprintf(error, 256,
                       "the production profile is for the merchant book alone: give --book "
                       "merchant. The operator's book is a simulation");
        return false;
    }
    if (c->ephemeral || c->virtual_clock || c->magic || c->rules[0] != '\0') {
        (void)snprintf(error, 256,
                       "the production profile takes no --ephemeral, --clock virtual, --rules or "
                       "--magic: they are for simulations");
        return false;
    }
    if (why != NULL) {
        (void)snprintf(error, 256,
                       "--merchant-url %s: it is where providers reach the merchant's port in "
                       "production, an https address that all the internet can reach",
                       why);
        return false;
    }
    return true;
}

bool config_parse(int argc, char **argv, struct config *out, char error[256])
{
    memset(out, 0, sizeof(*out));
    (void)copy_text(out->data, sizeof(out->data), "hakika-data");
    (void)copy_text(out->listen, sizeof(out->listen), "127.0.0.1");
    out->port = 8254;
    out->merchant_port = 8255;
    out->connections_max = 2048;
    out->total_ms = 10000;
    out->view = true;
    out->snapshot_bytes = (uint64_t)64 * 1024 * 1024;
    struct keeper_settings keeper = keeper_settings_default();
    out->keep_closed_ns = keeper.closed_ns;
    out->keep_closed_max = keeper.closed_max;
    for (int s = 0; s < SETTING_COUNT; s++) {
        char name[64];
        environment_name(&SETTINGS[s], name);
        const char *value = getenv(name);
        if (value != NULL && !apply_environment(out, &SETTINGS[s], value, name, error)) {
            return false;
        }
    }
    for (int i = 0; i < argc; i++) {
        if (!apply_argument(argc, argv, &i, out, error)) {
            return false;
        }
    }
    if (out->ephemeral && !out->profile_given) {
        out->profile = PROFILE_SANDBOX;
    }
    if (out->port == 0 && !out->merchant_port_given) {
        out->merchant_port = 0;
    }
    if (out->profile == PROFILE_PRODUCTION && !production_allows(out, error)) {
        return false;
    }
    if (out->private_targets && out->profile > PROFILE_SANDBOX) {
        (void)snprintf(error, 256,
                       "--allow-private-targets is for dev and sandbox: name the networks with "
                       "--callback-allow");
        return false;
    }
    bool loopback = strcmp(out->listen, "127.0.0.1") == 0 || strcmp(out->listen, "::1") == 0;
    if (!loopback && out->admin_key[0] == '\0') {
        (void)snprintf(error, 256,
                       "--listen %.60s is not loopback (127.0.0.1 or ::1): the control API moves "
                       "money, so give an --admin-key (or HAKIKA_ADMIN_KEY) of at least 16 "
                       "characters",
                       out->listen);
        return false;
    }
    return true;
}
