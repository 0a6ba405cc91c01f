/*
 * memory.c - see memory.h. The names are the linker's: --wrap=malloc makes every call of malloc one
 * of __wrap_malloc, and __real_malloc the one of the library.
 */
#include "sim/memory.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>

/* clang-format off */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
int __real_posix_memalign(void **out, size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
int __wrap_posix_memalign(void **out, size_t alignment, size_t size);
/* clang-format on */

static bool window_open;
static uint32_t fail_in;
static uint64_t failures;

void memory_fail_in(uint32_t allocations)
{
    fail_in = allocations;
}

void memory_window(bool open)
{
    window_open = open;
}

uint64_t memory_failures(void)
{
    return failures;
}

void memory_stays(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024);
    (void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024 * 1024);
}

static bool fails(void)
{
    if (!window_open || fail_in == 0 || --fail_in > 0) {
        return false;
    }
    failures++;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

int __wrap_posix_memalign(void **out, size_t alignment, size_t size)
{
    return fails() ? ENOMEM : __real_posix_memalign(out, alignment, size);
}
