/*
 * test_apps.c - whose token may act for whom (face/apps.h, A1 to A3).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "face/apps.h"
#include "support/world.h"

static const uint8_t KEY[32] = {1, 2, 3};

struct scene {
    struct world world;
    struct secrets *secrets;
    struct apps apps;
};

static void scene_start(struct scene *s, bool strict)
{
    world_start(&s->world, true);
    s->secrets = secrets_from_key(KEY);
    assert_non_null(s->secrets);
    apps_init(&s->apps, s->secrets, strict);
}

static void scene_end(struct scene *s)
{
    apps_fini(&s->apps);
    secrets_close(s->secrets);
    world_end(&s->world);
}

static const struct operator_state *state(const struct scene *s)
{
    return operator_of(s->world.book);
}

/* Opens an organisation with these credentials; its slot. */
static uint32_t open_with(struct scene *s, uint32_t short_code, const char *key, const char *secret)
{
    uint8_t sealed[2][OPERATOR_SECRET_MAX];
    struct operator_reply reply;
    struct organisation_command c;
    memset(&c, 0, sizeof(c));
    c.short_code = short_code;
    c.type = ORGANISATION_PAYBILL;
    c.charges = CHARGES_CUSTOMER;
    const char *plain[2] = {key, secret};
    for (int i = 0; i < 2; i++) {
        if (plain[i] != NULL) {
            size_t size =
                secrets_seal(s->secrets, span_from(plain[i]), sealed[i], OPERATOR_SECRET_MAX);
            c.secrets[SECRET_CONSUMER_KEY + i] = (struct span){(const char *)sealed[i], size};
        }
    }
    assert_true(world_do(&s->world, COMMAND_ORGANISATION_OPEN, &c, &reply) > 0);
    assert_true(apps_follow(&s->apps, state(s)));
    return reply.slot;
}

static enum apps_login login(struct scene *s, const char *key, const char *secret, uint32_t *app)
{
    assert_true(apps_follow(&s->apps, state(s)));
    return apps_login(&s->apps, state(s), span_from(key), span_from(secret), app);
}

static void test_a_key_opens_its_own_short_codes(void **unused)
{
    (void)unused;
    for (int strict = 0; strict < 2; strict++) {
        struct scene s;
        uint32_t one;
        uint32_t two;
        uint32_t app;
        scene_start(&s, strict != 0);
        uint32_t first = open_with(&s, 700001, "key-one", "secret-one");
        uint32_t again = open_with(&s, 700002, "key-one", "secret-one");
        uint32_t other = open_with(&s, 700003, "key-two", "secret-two");
        uint32_t public = open_with(&s, 700004, APPS_PUBLIC_KEY, APPS_PUBLIC_KEY);
        uint32_t nobody = open_with(&s, 700005, NULL, NULL);
        assert_int_equal(login(&s, "key-one", "secret-one", &one), APPS_KNOWN);
        assert_int_equal(login(&s, "key-two", "secret-two", &two), APPS_KNOWN);
        assert_int_not_equal(one, two);
        assert_int_equal(login(&s, "key-one", "secret-two", &app), APPS_WRONG);
        assert_int_equal(app, APPS_ANY);
        assert_int_equal(login(&s, "key-one", "", &app), APPS_WRONG);
        assert_int_equal(login(&s, "key-three", "secret-one", &app), APPS_UNKNOWN);
        assert_int_equal(login(&s, "", "", &app), APPS_UNKNOWN);
        assert_true(apps_may_act(&s.apps, one, first));
        assert_true(apps_may_act(&s.apps, one, again));
        assert_false(apps_may_act(&s.apps, one, other));
        assert_true(apps_may_act(&s.apps, two, other));
        assert_false(apps_may_act(&s.apps, two, first));
        assert_false(apps_may_act(&s.apps, APPS_ANY, first));
        assert_int_equal(apps_may_act(&s.apps, APPS_ANY, public), strict == 0); /* A3 */
        assert_int_equal(apps_may_act(&s.apps, one, nobody), strict == 0);
        assert_int_equal(login(&s, APPS_PUBLIC_KEY, APPS_PUBLIC_KEY, &app),
                         strict != 0 ? APPS_KNOWN : APPS_UNKNOWN);
        assert_int_equal(apps_may_act(&s.apps, app, public), 1);
        assert_false(apps_may_act(&s.apps, app, first));
        scene_end(&s);
    }
}

static void test_what_a_new_organisation_may_name(void **unused)
{
    (void)unused;
    static const struct {
        const char *key, *secret;
        bool fits;
    } cases[] = {
        {"", "", true},          {"key-one", "secret-one", true}, {"key-one", "another", false},
        {"key-one", "", false},  {"", "secret-one", false},       {"key-two", "secret-one", true},
        {"invalid", "x", false}, {APPS_PUBLIC_KEY, "any", true},
    };
    struct scene s;
    scene_start(&s, false);
    (void)open_with(&s, 700001, "key-one", "secret-one");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *words =
            apps_objection(&s.apps, state(&s), span_from(cases[i].key), span_from(cases[i].secret));
        assert_int_equal(words == NULL, cases[i].fits);
    }
    scene_end(&s);
}

/* Tokens outlive a reset: an application keeps its number, and nobody inherits it. */
static void test_a_reset_forgets_owners_and_keeps_numbers(void **unused)
{
    (void)unused;
    struct scene s;
    uint32_t before;
    uint32_t after;
    scene_start(&s, false);
    (void)open_with(&s, 700001, "key-one", "secret-one");
    assert_int_equal(login(&s, "key-one", "secret-one", &before), APPS_KNOWN);
    struct seed_command seed;
    struct operator_reply reply;
    memset(&seed, 0, sizeof(seed));
    assert_true(world_do(&s.world, COMMAND_SEED, &seed, &reply) > 0);
    assert_int_equal(login(&s, "key-one", "secret-one", &after), APPS_UNKNOWN);
    uint32_t slot = open_with(&s, 700002, "key-two", "secret-two");
    assert_false(apps_may_act(&s.apps, before, slot));
    slot = open_with(&s, 700003, "key-one", "secret-three");
    assert_int_equal(login(&s, "key-one", "secret-three", &after), APPS_KNOWN);
    assert_int_equal(after, before);
    assert_true(apps_may_act(&s.apps, after, slot));
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_opens_its_own_short_codes),
        cmocka_unit_test(test_what_a_new_organisation_may_name),
        cmocka_unit_test(test_a_reset_forgets_owners_and_keeps_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
