/*
 * replay.h - the second half of verification: the program's own replay of the journal, compared
 * with its invariants, with the auditor's sums, with the recorded digests and with the snapshots on
 * disk.
 *
 * The state machine stops the process when something cannot be (CHECK), and a damaged journal is
 * exactly what may be given here. So it runs in a child; what stops the child becomes a breach.
 * Must be called from a process without other threads.
 */
#ifndef HAKIKA_APP_VERIFY_REPLAY_H
#define HAKIKA_APP_VERIFY_REPLAY_H

#include "app/verify/audit.h"

/* Called about once a second with the position that replay has reached. May be NULL. */
typedef void (*replay_progress_fn)(void *context, uint64_t position);

struct replay_options {
    struct journal *journal;
    const struct audit *audit; /* finished */
    struct verify_report *report;
    uint64_t snapshot_files; /* that lie beside the journal, usable or not */
    replay_progress_fn progress;
    void *context;
};

void replay_verify(const struct replay_options *options);

#endif
