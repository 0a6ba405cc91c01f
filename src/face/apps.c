/*
 * apps.c - see apps.h. Secrets are unsealed one organisation at a time and wiped at once; what
 * stays in memory is the digest of a key. Tests: tests/unit/test_apps.c,
 * tests/e2e/stories/150-tenants.mjs.
 */
#include "face/apps.h"

#include <stdlib.h>
#include <string.h>

static uint32_t app_of_key(const struct apps *a, struct span key)
{
    struct span parts[2] = {SPAN_LITERAL("hakika application"), key};
    uint8_t digest[16];
    secrets_digest(a->secrets, parts, 2, digest);
    uint32_t app = (uint32_t)digest[0] | (uint32_t)digest[1] << 8 | (uint32_t)digest[2] << 16;
    return app == APPS_ANY ? 1 : app;
}

void apps_init(struct apps *a, struct secrets *secrets, bool strict)
{
    memset(a, 0, sizeof(*a));
    a->secrets = secrets;
    a->strict = strict;
    map_init(&a->first, 0, MAP_HASHED);
    a->public_app = strict ? APPS_ANY : app_of_key(a, SPAN_LITERAL(APPS_PUBLIC_KEY));
}

void apps_fini(struct apps *a)
{
    free(a->owner);
    a->owner = NULL;
    map_fini(&a->first);
}

/* A secret in the clear, for a moment. */
struct plain {
    char text[SECRETS_PLAIN_MAX];
    struct span span; /* empty: the organisation has none */
};

static void unseal_secret(const struct apps *a, const struct operator_state *o,
                          const struct organisation *g, enum organisation_secret which,
                          struct plain *out)
{
    size_t size = 0;
    struct span sealed = operator_text(o, g->secrets[which]);
    bool good =
        sealed.size > 0 && secrets_unseal(a->secrets, sealed, out->text, sizeof(out->text), &size);
    out->span = (struct span){out->text, good ? size : 0};
}

static bool reserve(struct apps *a, uint32_t slots)
{
    if (slots <= a->capacity) {
        return true;
    }
    uint32_t capacity = a->capacity == 0 ? 64 : a->capacity;
    while (capacity < slots) {
        capacity *= 2;
    }
    uint32_t *owner = realloc(a->owner, capacity * sizeof(*owner));
    if (owner == NULL) {
        return false;
    }
    a->owner = owner;
    a->capacity = capacity;
    return true;
}

bool apps_follow(struct apps *a, const struct operator_state *o)
{
    if (a->generation != o->book->generation) {
        map_fini(&a->first);
        map_init(&a->first, 0, MAP_HASHED);
        a->generation = o->book->generation;
        a->read = 0;
    }
    uint32_t end = o->organisations.high_water; /* nobody is ever removed */
    CHECK(a->read <= end);
    if (!reserve(a, end) || !map_reserve(&a->first, end - a->read)) {
        return false;
    }
    for (; a->read < end; a->read++) {
        struct plain key;
        const struct organisation *g = slab_at(&o->organisations, a->read);
        unseal_secret(a, o, g, SECRET_CONSUMER_KEY, &key);
        uint32_t app = key.span.size > 0 ? app_of_key(a, key.span) : APPS_ANY;
        a->owner[a->read] = app;
        if (app != APPS_ANY && map_get(&a->first, app) == MAP_NONE) {
            map_put(&a->first, app, a->read);
        }
        explicit_bzero(&key, sizeof(key));
    }
    return true;
}

/* Does the application's first organisation have exactly this key (and secret)? */
static enum apps_login compare(const struct apps *a, const struct operator_state *o, uint32_t app,
                               struct span key, struct span secret)
{
    uint32_t slot = map_get(&a->first, app);
    if (slot == MAP_NONE) {
        return APPS_UNKNOWN;
    }
    struct plain known[2];
    const struct organisation *g = slab_at(&o->organisations, slot);
    unseal_secret(a, o, g, SECRET_CONSUMER_KEY, &known[0]);
    unseal_secret(a, o, g, SECRET_CONSUMER_SECRET, &known[1]);
    bool same_key = span_equal_secret(known[0].span, key);
    bool same_secret = known[1].span.size > 0 && span_equal_secret(known[1].span, secret);
    explicit_bzero(known, sizeof(known));
    return !same_key ? APPS_UNKNOWN : (same_secret ? APPS_KNOWN : APPS_WRONG);
}

enum apps_login apps_login(const struct apps *a, const struct operator_state *o, struct span key,
                           struct span secret, uint32_t *app_out)
{
    uint32_t app = app_of_key(a, key);
    *app_out = APPS_ANY;
    if (app == a->public_app) {
        return APPS_UNKNOWN; /* it owns nothing: as good as any other key */
    }
    enum apps_login result = compare(a, o, app, key, secret);
    *app_out = result == APPS_KNOWN ? app : APPS_ANY;
    return result;
}

bool apps_may_act(const struct apps *a, uint32_t app, uint32_t organisation)
{
    CHECK(organisation < a->read);
    uint32_t owner = a->owner[organisation];
    if (!a->strict && (owner == APPS_ANY || owner == a->public_app)) {
        return true;
    }
    return owner != APPS_ANY && owner == app;
}

const char *apps_objection(const struct apps *a, const struct operator_state *o, struct span key,
                           struct span secret)
{
    if (key.size == 0 && secret.size == 0) {
        return NULL;
    }
    if (key.size == 0 || secret.size == 0) {
        return "consumer_key and consumer_secret belong together: give both or neither";
    }
    if (span_is(key, "invalid")) {
        return "consumer_key invalid is the one that never gets a token; choose another";
    }
    uint32_t app = app_of_key(a, key);
    if (map_get(&a->first, app) == MAP_NONE || app == a->public_app) {
        return NULL;
    }
    switch (compare(a, o, app, key, secret)) {
    case APPS_KNOWN: return NULL; /* one more short code of the same application */
    case APPS_WRONG:
        return "this consumer_key belongs to an organisation with another consumer_secret; give "
               "that secret, or choose another key";
    case APPS_UNKNOWN: break;
    }
    return "this consumer_key cannot be told from another organisation's; choose another";
}
