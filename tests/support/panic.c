/*
 * panic.c - what a false CHECK does in a test program: it says where and aborts, so that the test
 * fails with a core to look at. A test that expects a CHECK to fail defines a hakika_panic of its
 * own, which takes the place of this one, as this one takes that of app/panic.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "panic: %s:%d: %s\n", file, line, what);
    abort();
}
