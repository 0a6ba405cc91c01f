/*
 * panic.c - the end of a process that has found a bug in itself: says where, and aborts. A
 * supervisor restarts it; the journal holds everything that was acknowledged.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    (void)fprintf(stderr,
                  "hakika: broken promise at %s:%d: %s\n"
                  "hakika: stopping now, so that nothing wrong is written; everything acknowledged "
                  "is in the journal. Please report this line; then start again.\n",
                  file, line, what);
    abort();
}
