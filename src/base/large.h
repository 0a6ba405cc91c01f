/*
 * large.h - memory for tables that grow and stay: slabs, hash tables; in huge pages, and without
 * copies after a fork.
 *
 * A kernel hands memory out in pages of 4 KiB, each with a fault of its own; for tables of many
 * megabytes that is a fifth of the time of a transfer, and pages of 2 MiB are had for the asking.
 * Asking is a system call, which pure code does not make: like hakika_panic, this is defined
 * outside the pure directories, in app/memory.c.
 */
#ifndef HAKIKA_BASE_LARGE_H
#define HAKIKA_BASE_LARGE_H

#include <stddef.h>

#include "base/check.h"

enum {
    LARGE_BYTES = 2 * 1024 * 1024,     /* from here on huge pages are asked for */
    LARGE_EXCLUDED_BYTES = 256 * 1024, /* less can hardly matter */
};

/* Like calloc, NULL when there is no memory; free with free(). Takes a millisecond or two at most:
 * memory that would take longer to clear costs nothing until it is touched.
 * Without huge pages, where the system has none or an administrator has turned them off, all works
 * the same, more slowly. */
void *large_zeroed(size_t count, size_t size) MUST_USE;

/*
 * After a fork (a snapshot) the kernel copies each page of the parent that is written to for the
 * first time, while everybody waits; in tables that are written to here and there that is all of
 * them. What a child never looks at is left out: it has no such memory at all, and would die of
 * looking. For indexes, which are made anew from what a snapshot holds, and for buffers.
 * Less than LARGE_EXCLUDED_BYTES is as it was. Afterwards the memory is freed with
 * large_free_excluded and the same size, never with free(). NULL is fine for both.
 */
void large_exclude_from_fork(void *memory, size_t bytes);
void large_free_excluded(void *memory, size_t bytes);

#endif
