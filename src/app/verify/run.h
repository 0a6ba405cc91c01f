/*
 * run.h - one verification from opening the journal to the last proof. Reads only: nothing in the
 * directory is created, changed or locked, so it may run beside the server and then covers what was
 * written when it began.
 */
#ifndef HAKIKA_APP_VERIFY_RUN_H
#define HAKIKA_APP_VERIFY_RUN_H

#include "app/verify/findings.h"

/* Called about once a second: what is going on and how far it is. May be NULL. */
typedef void (*verify_progress_fn)(void *context, const char *doing, uint64_t position,
                                   uint64_t head);

struct verify_options {
    const char *directory; /* of the journal */
    bool merchant;         /* it is the merchant's */
    verify_progress_fn progress;
    void *context;
};

/*
 * False: the journal could not be read (no journal, no permission, a format of another version, no
 * memory); error says why. Otherwise the report is complete, breaches included.
 */
bool verify_run(const struct verify_options *options, struct verify_report *report,
                struct journal_error *error) MUST_USE;

#endif
