/*
 * tally.h - what can go wrong, what people do, and how often it happened: one table each, so that
 * a campaign can show that every kind really occurred.
 */
#ifndef HAKIKA_SIM_TALLY_H
#define HAKIKA_SIM_TALLY_H

#include <stdint.h>

/* X(NAME, "name on the command line", "what happens") */
/* clang-format off */
#define SIM_FAULTS(X)                                                                            \
    X(POWER_CUT, "power-cut", "the power fails while the disk is quiet")                         \
    X(CUT_APPEND, "cut-append", "the power fails inside an append")                              \
    X(CUT_START, "cut-start", "the power fails while the journal is opened and read")            \
    X(CUT_SNAPSHOT, "cut-snapshot", "the power fails while a snapshot is written")               \
    X(KILL, "kill", "the process is killed")                                                     \
    X(KILL_APPEND, "kill-append", "the process is killed inside an append")                      \
    X(WRITE_ERROR, "write-error", "a write of the journal fails")                                \
    X(SYNC_ERROR, "sync-error", "a sync of the journal fails")                                   \
    X(START_ERROR, "start-error", "the disk refuses something while the journal is opened")      \
    X(SNAPSHOT_ERROR, "snapshot-error", "the disk refuses something while a snapshot is written") \
    X(DISK_FULL, "disk-full", "the disk is full for a while")                                    \
    X(SLOW_SYNC, "slow-sync", "a sync takes up to 3 s")                                          \
    X(NO_MEMORY, "no-memory", "an allocation fails")                                             \
    X(CLOCK_FORWARD, "clock-forward", "the clock is ahead after a restart, up to 2 days")        \
    X(CLOCK_BACK, "clock-back", "the clock is behind after a restart")                           \
    X(SETTINGS, "settings", "the process is restarted with other settings")                      \
    X(SHUTDOWN, "shutdown", "the process stops as asked, with a snapshot, and starts again")     \
    X(SNAPSHOT, "snapshot", "a snapshot is written while work goes on")                          \
    X(RESET, "reset", "the operator empties the book: a new generation")                         \
    X(SITE_DEAD, "site-dead", "a receiver refuses connections for a while")                      \
    X(SITE_SLOW, "site-slow", "a receiver answers slowly for a while")                           \
    X(SITE_ERRORS, "site-errors", "a receiver answers 500, 404 or nonsense for a while")         \
    X(REQUEST_LOST, "request-lost", "a callback does not reach its receiver")                    \
    X(ANSWER_LOST, "answer-lost", "a callback arrives and its answer does not come back")        \
    X(REPORT_LATE, "report-late", "what came of a callback is known late")                       \
    X(REPORT_TWICE, "report-twice", "what came of a callback is reported twice")

#define SIM_ACTS(X)                                                       \
    X(PUSH, "pushes accepted")                                            \
    X(PUSH_DUPLICATE, "pushes refused as duplicates")                     \
    X(PUSH_LOCKED, "pushes refused because a prompt is open")             \
    X(PUSH_UNKNOWN, "pushes by unknown merchants")                        \
    X(PUSH_REPEATED, "pushes repeated because the answer was lost")       \
    X(PIN_RIGHT, "right PINs")                                            \
    X(PIN_WRONG, "wrong PINs")                                            \
    X(CANCEL, "cancels")                                                  \
    X(SILENCE, "prompts that nobody answers")                             \
    X(EARLY, "answers before the prompt")                                 \
    X(LATE, "answers after the prompt's end")                             \
    X(TWICE, "second answers")                                            \
    X(ANSWER_REFUSED, "answers refused")                                  \
    X(QUERY, "queries answered")                                          \
    X(CALLBACK, "callbacks that arrived")                                 \
    X(CALLBACK_AGAIN, "callbacks that arrived more than once")            \
    X(DEAD_LETTER, "callbacks given up")                                  \
    X(REVIVED, "callbacks sent again by hand")                            \
    X(FUNDED, "organisations funded")                                     \
    X(CHANGED, "subscribers changed")                                     \
    X(CHANGE_REFUSED, "changes refused")                                  \
    X(OPENED, "wallets and organisations opened")                         \
    X(REFUSED_BUSY, "refused: cannot keep up")                            \
    X(REFUSED_FULL, "refused: disk full")                                 \
    X(REFUSED_MEMORY, "refused: no memory")                               \
    X(REFUSED_DOWN, "refused: no process")                                \
    X(ADVANCED, "moves of a virtual clock")                               \
    X(TRANSFERS, "batches of transfers between bare accounts")            \
    X(STREAMED, "frames read from the stream")                            \
    X(LEFT, "payments that left memory")                                  \
    X(CAME_HOME, "payments that came home")

#define SIM_WORK(X)                                               \
    X(RECOVERIES, "recoveries")                                   \
    X(RECOVERIES_SNAPSHOT, "recoveries from a snapshot")          \
    X(LOST_DECISIONS, "decisions lost in crashes, none promised") \
    X(FRAMES, "decisions")                                        \
    X(BATCHES, "batches")                                         \
    X(RECORDS, "records in the index of old ids")                 \
    X(REPLAYS, "full replays compared")                           \
    X(CHECKS, "full checks of the book")                          \
    X(COMPARISONS, "full comparisons with the auditor")           \
    X(MOMENTS, "moments")                                         \
    X(VIRTUAL_S, "virtual seconds")                               \
    X(TWICE_RUN, "runs repeated, equal trace")
/* clang-format on */

enum sim_fault {
#define X(name, option, text) FAULT_##name,
    SIM_FAULTS(X)
#undef X
        FAULT_COUNT,
};

enum sim_act {
#define X(name, text) ACT_##name,
    SIM_ACTS(X)
#undef X
        ACT_COUNT,
};

enum sim_work {
#define X(name, text) WORK_##name,
    SIM_WORK(X)
#undef X
        WORK_COUNT,
};

enum { OUTCOMES_COUNTED = 16 };

struct tally {
    uint64_t faults[FAULT_COUNT];
    uint64_t acts[ACT_COUNT];
    uint64_t work[WORK_COUNT];
    uint64_t outcomes[OUTCOMES_COUNTED]; /* of payments at the end of runs */
};

#endif
