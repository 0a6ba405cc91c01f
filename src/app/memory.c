/*
 * memory.c - see base/large.h. Tests: tests/unit/test_large.c.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/large.h"

enum {
    HUGE_PAGE_BYTES = 2 * 1024 * 1024,
    ALIGNED_BYTES_MAX = 4 * HUGE_PAGE_BYTES, /* cleared in a millisecond or two */
};

/* In whole pages, so that pieces that lie side by side become one range; an error is no matter. */
static void advise_huge_pages(void *memory, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)memory / page * page;
    uintptr_t to = ((uintptr_t)memory + bytes + page - 1) / page * page;
    (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}

/* On a boundary of huge pages, so that all of it can be of them; touched at once, which is why it
 * is not for the largest: those lose up to a page at each end. */
static void *aligned_zeroed(size_t bytes)
{
    void *memory = NULL;
    CHECK(bytes <= ALIGNED_BYTES_MAX);
    if (posix_memalign(&memory, HUGE_PAGE_BYTES, bytes) != 0) {
        return NULL;
    }
    advise_huge_pages(memory, bytes);
    memset(memory, 0, bytes);
    return memory;
}

/* The whole pages of it: what lies beside it in the first and the last one stays. */
static bool advise_whole_pages(void *memory, size_t bytes, int advice)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)memory + page - 1) / page * page;
    uintptr_t to = ((uintptr_t)memory + bytes) / page * page;
    return madvise((void *)from, to - from, advice) == 0;
}

void large_exclude_from_fork(void *memory, size_t bytes)
{
    if (memory != NULL && bytes >= LARGE_EXCLUDED_BYTES) {
        (void)advise_whole_pages(memory, bytes, MADV_DONTFORK);
    }
}

/* Who gets the memory next does not know of it. If the kernel has no room to write down that it is
 * as it was, it is never used again. */
void large_free_excluded(void *memory, size_t bytes)
{
    if (memory == NULL || bytes < LARGE_EXCLUDED_BYTES ||
        advise_whole_pages(memory, bytes, MADV_DOFORK)) {
        free(memory);
    }
}

void *large_zeroed(size_t count, size_t size)
{
    CHECK(size > 0);
    if (count < (LARGE_BYTES + size - 1) / size) {
        return calloc(count, size);
    }
    if (count <= ALIGNED_BYTES_MAX / size) {
        return aligned_zeroed(count * size);
    }
    void *memory = calloc(count, size);
    if (memory != NULL) {
        advise_huge_pages(memory, count * size);
    }
    return memory;
}
