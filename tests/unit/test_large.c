/*
 * test_large.c - memory for large tables (base/large.h): a slab that has grown into regions, pages
 * of 2 MiB from the system, and tables that a child after a fork does without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/large.h"
#include "base/slab.h"

enum { MEBIBYTE = 1024 * 1024 };

enum { SLOTS = 700 * 1000, SLOT_BYTES = 104 }; /* 73 MB: a part of a third region */

/* No slot moves, all begin as zeros, and (under the address sanitizer) each piece of memory is
 * freed once. */
static void grow(uint32_t slots, uint32_t step)
{
    struct slab slab;
    slab_init(&slab, SLOT_BYTES, slots);
    uint64_t **places = calloc(slots, sizeof(*places));
    assert_non_null(places);
    for (uint32_t i = 0; i < slots; i++) {
        assert_true(i % step != 0 || slab_reserve(&slab, slots - i < step ? slots - i : step));
        uint32_t index = slab_take(&slab);
        assert_int_equal(index, i);
        places[i] = slab_at(&slab, index);
        assert_int_equal(places[i][0] | places[i][SLOT_BYTES / 8 - 1], 0);
        places[i][0] = i;
        places[i][SLOT_BYTES / 8 - 1] = ~(uint64_t)i;
    }
    for (uint32_t i = 0; i < slots; i++) {
        assert_ptr_equal(slab_at(&slab, i), places[i]);
        assert_int_equal(places[i][0], i);
        assert_int_equal(places[i][SLOT_BYTES / 8 - 1], ~(uint64_t)i);
    }
    slab_check(&slab);
    assert_false(slab_reserve(&slab, 1));
    slab_fini(&slab);
    free(places);
}

/* From the first chunks, which come in pieces of as many as were asked for, into regions. */
static void test_a_slab_grows_into_regions(void **state)
{
    (void)state;
    grow(SLOTS, 1);
    /* 256 slots a chunk, 16 first chunks: less than one, several, some first and some not, all. */
    static const uint32_t steps[] = {100, 700, 3000, 5000, 10000};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        grow(10000, steps[i]);
    }
}

/* The flags that the kernel keeps for the mapping that `address` is in; false: it is not listed. */
static bool mapping_flags(const void *address, char flags[256])
{
    char line[512];
    bool is_inside = false;
    FILE *maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps) != NULL) {
        uintptr_t from;
        uintptr_t to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) { /* NOLINT(cert-err34-c) */
            is_inside = (uintptr_t)address >= from && (uintptr_t)address < to;
        } else if (is_inside && strncmp(line, "VmFlags:", 8) == 0) {
            (void)snprintf(flags, 256, "%.250s", line);
            (void)fclose(maps);
            return true;
        }
    }
    (void)fclose(maps);
    return false;
}

static void test_the_system_is_asked_for_huge_pages(void **state)
{
    char flags[256];
    (void)state;
    FILE *setting = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
    if (setting == NULL) {
        skip(); /* a kernel without them */
    }
    (void)fclose(setting);
    for (size_t size = 1; size <= (size_t)64 * MEBIBYTE; size *= 2) {
        size_t count = ((size_t)8 * MEBIBYTE + size - 1) / size;
        uint8_t *memory = large_zeroed(count, size);
        assert_non_null(memory);
        assert_int_equal(memory[0] | memory[8 * MEBIBYTE - 1], 0);
        assert_true(mapping_flags(memory + (size_t)4 * MEBIBYTE, flags));
        assert_non_null(strstr(flags, " hg"));
        free(memory);
    }
}

static bool is_excluded(const void *address)
{
    char flags[256];
    assert_true(mapping_flags(address, flags));
    return strstr(flags, " dc") != NULL;
}

/* All of it but its ends; and whoever has the memory next has it in children, too. */
static void test_excluded_from_fork(void **state)
{
    (void)state;
    for (size_t bytes = LARGE_EXCLUDED_BYTES; bytes <= (size_t)64 * MEBIBYTE; bytes *= 2) {
        uint8_t *memory = large_zeroed(1, bytes);
        assert_non_null(memory);
        assert_false(is_excluded(memory + bytes / 2));
        large_exclude_from_fork(memory, bytes);
        assert_true(is_excluded(memory + bytes / 2));
        assert_true(is_excluded(memory + 4096));
        assert_true(is_excluded(memory + bytes - 2 * 4096));
        assert_int_equal(memory[bytes - 1], 0);
        large_free_excluded(memory, bytes);
        void *next = malloc(bytes);
        assert_non_null(next);
        memset(next, 1, bytes);
        assert_false(is_excluded((uint8_t *)next + bytes / 2));
        free(next);
    }
    uint8_t *little = calloc(1, LARGE_EXCLUDED_BYTES - 1);
    assert_non_null(little);
    large_exclude_from_fork(little, LARGE_EXCLUDED_BYTES - 1);
    assert_false(is_excluded(little + LARGE_EXCLUDED_BYTES / 2));
    large_free_excluded(little, LARGE_EXCLUDED_BYTES - 1);
    large_exclude_from_fork(NULL, LARGE_EXCLUDED_BYTES);
    large_free_excluded(NULL, LARGE_EXCLUDED_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slab_grows_into_regions),
        cmocka_unit_test(test_the_system_is_asked_for_huge_pages),
        cmocka_unit_test(test_excluded_from_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
