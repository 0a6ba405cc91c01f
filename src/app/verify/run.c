/*
 * run.c - see run.h. Two passes: the auditor reads every event; then a child replays everything.
 * Tests: tests/unit/test_verify.c, tests/unit/test_golden.c.
 */
#include "app/verify/run.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/monotonic.h"
#include "app/verify/audit.h"
#include "app/verify/replay.h"

enum {
    BEAT_FRAMES = 4096, /* look at the clock so often */
    BEAT_MS = 1000,
};

struct run {
    const struct verify_options *options;
    struct verify_report *report;
    struct journal *journal;
    struct audit audit;
    uint64_t next_look; /* at the clock, in frames */
    int64_t beat_ms;    /* of the last word about progress */
};

static void tell(struct run *run, const char *doing, uint64_t position)
{
    if (run->options->progress != NULL) {
        run->options->progress(run->options->context, doing, position,
                               run->report->totals.head.position);
    }
}

static enum journal_status open_journal(struct run *run, struct journal_error *error)
{
    struct journal_options options = {
        .directory = run->options->directory,
        .verify_bytes = UINT64_MAX,
    };
    (void)snprintf(options.book, sizeof(options.book), "%s",
                   run->options->merchant ? "merchant" : "operator");
    return journal_open_beside(&options, &run->journal, error);
}

static bool audit_one(void *context, const struct journal_read_batch *batch)
{
    struct run *run = context;
    if (run->report->totals.frames >= run->next_look) {
        run->next_look = run->report->totals.frames + BEAT_FRAMES;
        if (monotonic_ms() - run->beat_ms >= BEAT_MS) {
            run->beat_ms = monotonic_ms();
            tell(run, "auditing", run->audit.position);
        }
    }
    return audit_batch(&run->audit, batch);
}

static void replay_beat(void *context, uint64_t position)
{
    tell(context, "replaying", position);
}

static uint64_t count_snapshots(const char *directory)
{
    uint64_t count = 0;
    DIR *names = opendir(directory);
    if (names == NULL) {
        return 0;
    }
    for (const struct dirent *name = readdir(names); name != NULL; name = readdir(names)) {
        size_t size = strlen(name->d_name);
        count += strncmp(name->d_name, "snapshot-", 9) == 0 && size > 5 &&
                 strcmp(name->d_name + size - 5, ".snap") == 0;
    }
    (void)closedir(names);
    return count;
}

/* The head that the walk reached is the journal's. */
static void check_head(struct run *run)
{
    const struct journal_head *head = &run->report->totals.head;
    run->report->place = (struct verify_place){0, 0, 0};
    if (run->audit.position != head->position || run->report->totals.batches != head->batch) {
        findings_breach(run->report, PROOF_CHAIN,
                        "the journal ends at position %llu in batch %llu, but %llu frames in %llu "
                        "batches were read",
                        (unsigned long long)head->position, (unsigned long long)head->batch,
                        (unsigned long long)run->audit.position,
                        (unsigned long long)run->report->totals.batches);
    }
}

/* The auditor's pass and the replay; false: could not be read. */
static bool run_proofs(struct run *run, struct journal_error *error)
{
    struct verify_report *report = run->report;
    report->totals.head = journal_head(run->journal);
    enum journal_status status = journal_read(run->journal, 1, audit_one, run, error);
    if (status != JOURNAL_OK && status != JOURNAL_CORRUPT) {
        return false;
    }
    report->proofs[PROOF_CHAIN].done = true;
    if (status == JOURNAL_CORRUPT) {
        report->place = (struct verify_place){0, 0, 0};
        findings_breach(report, PROOF_CHAIN, "%s", error->message);
        return true;
    }
    audit_finish(&run->audit);
    if (!report->no_memory) {
        check_head(run);
        struct replay_options options = {
            .journal = run->journal,
            .audit = &run->audit,
            .report = report,
            .snapshot_files = count_snapshots(run->options->directory),
            .progress = replay_beat,
            .context = run,
        };
        replay_verify(&options);
    }
    if (report->no_memory) {
        error->status = JOURNAL_IO_ERROR;
        (void)snprintf(error->message, sizeof(error->message),
                       "memory ran out at position %llu; verify on a machine with more",
                       (unsigned long long)run->audit.position);
    }
    if (report->unreadable[0] != '\0') {
        error->status = JOURNAL_IO_ERROR;
        (void)snprintf(error->message, sizeof(error->message), "%s", report->unreadable);
    }
    return !report->no_memory && report->unreadable[0] == '\0';
}

bool verify_run(const struct verify_options *options, struct verify_report *report,
                struct journal_error *error)
{
    findings_init(report);
    struct run *run = calloc(1, sizeof(*run));
    if (run == NULL) {
        (void)snprintf(error->message, sizeof(error->message), "out of memory");
        return false;
    }
    run->options = options;
    run->report = report;
    run->beat_ms = monotonic_ms();
    audit_init(&run->audit, report, options->merchant);
    enum journal_status status = open_journal(run, error);
    bool good = false;
    if (status == JOURNAL_CORRUPT) {
        report->proofs[PROOF_CHAIN].done = true;
        findings_breach(report, PROOF_CHAIN, "%s", error->message);
        good = true;
    } else if (status == JOURNAL_OK) {
        good = run_proofs(run, error);
    }
    journal_close(run->journal);
    audit_fini(&run->audit);
    free(run);
    return good;
}
