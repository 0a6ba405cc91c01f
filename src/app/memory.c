/*
 * memory.c - see base/large.h. Tests: tests/unit/test_large.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/large.h"

/* In whole pages, so that pieces that lie side by side become one range; an error is no matter. */
static void advise_huge_pages(void *memory, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)memory / page * page;
    uintptr_t to = ((uintptr_t)memory + bytes + page - 1) / page * page;
    (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}

void *large_zeroed(size_t count, size_t size)
{
    CHECK(size > 0);
    void *memory = calloc(count, size);
    if (memory != NULL && count >= (LARGE_BYTES + size - 1) / size) {
        advise_huge_pages(memory, count * size);
    }
    return memory;
}
