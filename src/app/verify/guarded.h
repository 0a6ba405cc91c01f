/*
 * guarded.h - runs a function in a forked child and tells how it ended, with what it wrote on
 * standard error (a failed CHECK says there what was wrong).
 */
#ifndef HAKIKA_APP_VERIFY_GUARDED_H
#define HAKIKA_APP_VERIFY_GUARDED_H

#include <stdbool.h>
#include <stddef.h>

enum { GUARDED_TEXT_MAX = 2048 };

struct guarded_end {
    bool ran;                    /* false: no child could be started */
    bool good;                   /* the function returned */
    char text[GUARDED_TEXT_MAX]; /* its standard error, cut */
};

/* Memory that parent and child share; zeroed. NULL: none. */
void *guarded_share(size_t size);
void guarded_unshare(void *shared, size_t size);

/* `beat` is called about once a second while the child runs; may be NULL. */
void guarded_run(void (*function)(void *context), void (*beat)(void *context), void *context,
                 struct guarded_end *end);

#endif
