/*
 * scrub.c - damage anywhere in the history ends the process, wherever it is: opening verifies the
 * newest segments so that a start stays quick; this thread verifies all of them, once, at the
 * lowest priority, through a read-only opening of its own.
 */

#include "app/scrub.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "journal/journal.h"

static void *scrub_main(void *context)
{
    const struct scrub *scrub = context;
    struct sched_param none;
    struct journal *journal = NULL;
    struct journal_error error;
    struct journal_options options = {.directory = scrub->journal_path, .verify_bytes = UINT64_MAX};
    (void)snprintf(options.book, sizeof(options.book), "%s", scrub->book);
    memset(&none, 0, sizeof(none));
    (void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
    if (journal_open_beside(&options, &journal, &error) == JOURNAL_CORRUPT) {
        (void)fprintf(stderr, "hakika: %s\n", error.message);
        _exit(1); /* as after kill -9: what was acknowledged is in the journal */
    }
    journal_close(journal);
    return NULL;
}

void scrub_start(struct scrub *scrub)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, scrub_main, scrub) == 0) {
        (void)pthread_detach(thread);
    }
}
