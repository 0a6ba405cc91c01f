/*
 * fuzz_audit.c - any bytes as the payload of a batch, under a checksum that is right: what hakika
 * verify audits when a program with a bug, or a hand, wrote the journal.
 *
 * Must hold: the auditor survives, what it counted fits what it was given, and the same bytes give
 * the same verdict.
 */
#include <stddef.h>
#include <stdint.h>

#include "app/verify/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct verify_report report;
static struct audit audit;

/* As many frames as there are, and the time of the last: the batch header is honest. */
static struct journal_read_batch batch_of(const uint8_t *data, size_t size)
{
    struct journal_read_batch batch = {
        .batch = 1, .first_position = 1, .segment = 1, .offset = 4096};
    struct reader r = reader_init(data, size);
    struct frame_reader f;
    batch.payload = data;
    batch.payload_size = size;
    while (frame_next(&r, &f)) {
        batch.frame_count++;
        batch.time_ns = f.info.time_ns;
    }
    return batch;
}

static uint64_t audit_all(const struct journal_read_batch *batch)
{
    uint64_t breaches = 0;
    findings_init(&report);
    audit_init(&audit, &report, batch->payload_size % 2 == 1); /* of either book */
    CHECK(audit_batch(&audit, batch));
    audit_finish(&audit);
    for (int p = 0; p < PROOF_COUNT; p++) {
        CHECK(report.proofs[p].kept <= report.proofs[p].breaches);
        breaches += report.proofs[p].breaches;
    }
    CHECK(report.totals.frames == batch->frame_count);
    CHECK(report.totals.open <= report.totals.payments);
    CHECK(report.totals.waiting <= report.totals.deliveries);
    audit_fini(&audit);
    return breaches;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct journal_read_batch batch = batch_of(data, size);
    uint64_t breaches = audit_all(&batch);
    CHECK(audit_all(&batch) == breaches);
    return 0;
}
