/*
 * golden_digest.c - replays golden journals without a test framework, so that any compiler with any
 * optimisation can show that it gives the recorded digests.
 *   golden_digest DIR RECORD     replays DIR, compares with RECORD; exit 1 and a message when not
 *   golden_digest DIR            prints a record of DIR
 */
#include <stdio.h>
#include <stdlib.h>

#include "support/golden.h"

enum { STEP = 100 };

_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "panic: %s:%d: %s\n", file, line, what);
    abort();
}

int main(int argc, char **argv)
{
    static struct golden_record record;
    char message[GOLDEN_MESSAGE_MAX];
    bool good = false;
    if (argc == 3) {
        good = golden_record_read(argv[2], &record, message) &&
               golden_replay(argv[1], &record, 7, message);
    } else if (argc == 2) {
        good = golden_measure(argv[1], STEP, &record, message);
        if (good) {
            golden_record_print(stdout, &record);
        }
    } else {
        (void)snprintf(message, sizeof(message), "usage: golden_digest DIR [RECORD]");
    }
    if (!good) {
        (void)fprintf(stderr, "golden_digest: %s\n", message);
    }
    return good ? 0 : 1;
}
