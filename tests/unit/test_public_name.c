/*
 * test_public_name.c - names for strangers (face/secrets.h): the address of a payer's page.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "face/secrets.h"

static const uint8_t KEY[32] = {1, 2, 3};
static const uint8_t OTHER_KEY[32] = {1, 2, 4};

static void test_a_name_leads_back_and_is_the_same_each_time(void **state)
{
    (void)state;
    struct secrets *s = secrets_from_key(KEY);
    struct secrets *again = secrets_from_key(KEY);
    const uint64_t numbers[] = {1, 2, 255, 256, UINT64_C(1) << 40, UINT64_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uint8_t name[16];
        uint8_t same[16];
        uint64_t number = 0;
        uint64_t generation = 0;
        secrets_name_make(s, numbers[i], i, name);
        secrets_name_make(again, numbers[i], i, same);
        assert_memory_equal(name, same, 16);
        secrets_name_read(again, name, &number, &generation);
        assert_int_equal(number, numbers[i]);
        assert_int_equal(generation, i);
    }
    secrets_close(s);
    secrets_close(again);
}

/* Neighbours look unrelated: of 128 bits about half differ, never few. */
static uint32_t differing_bits(const uint8_t a[16], const uint8_t b[16])
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < 128; i++) {
        bits += ((a[i / 8] ^ b[i / 8]) >> (i % 8) & 1) != 0;
    }
    return bits;
}

static void test_a_name_tells_nothing_about_its_number(void **state)
{
    (void)state;
    struct secrets *s = secrets_from_key(KEY);
    struct secrets *other = secrets_from_key(OTHER_KEY);
    uint8_t before[16];
    secrets_name_make(s, 1, 1, before);
    for (uint64_t number = 2; number < 1000; number++) {
        uint8_t name[16];
        uint8_t elsewhere[16];
        secrets_name_make(s, number, 1, name);
        secrets_name_make(other, number, 1, elsewhere);
        assert_in_range(differing_bits(name, before), 32, 96);
        assert_in_range(differing_bits(name, elsewhere), 32, 96);
        memcpy(before, name, 16);
    }
    secrets_close(s);
    secrets_close(other);
}

/* One bit off names something that no book has. */
static void test_a_changed_name_names_nothing(void **state)
{
    (void)state;
    struct secrets *s = secrets_from_key(KEY);
    uint8_t name[16];
    secrets_name_make(s, 7, 1, name);
    for (uint32_t bit = 0; bit < 128; bit++) {
        uint64_t number;
        uint64_t generation;
        name[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        secrets_name_read(s, name, &number, &generation);
        assert_true(number > UINT32_MAX && generation > UINT32_MAX);
        name[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    secrets_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_leads_back_and_is_the_same_each_time),
        cmocka_unit_test(test_a_name_tells_nothing_about_its_number),
        cmocka_unit_test(test_a_changed_name_names_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
