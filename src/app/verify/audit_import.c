/*
 * audit_import.c - a world of another journal, as the events bring it: an auditor of its own
 * follows its decisions by the very same rules, and what it knows at the end is what the world
 * holds. See audit_worlds.h.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/verify/audit.h"

enum { IMPORT_NAME_MAX = 64 };

struct audit_import {
    struct audit audit;
    struct verify_report report;
    struct digest digest; /* of the frames as they stand in this journal */
    char name[IMPORT_NAME_MAX];
    uint32_t name_size;
    uint32_t frames, wanted;
    uint64_t size, room;
    int64_t time_ns;
};

struct audit_import *audit_import_create(uint64_t begun)
{
    struct audit_import *m = calloc(1, sizeof(*m));
    if (m != NULL) {
        findings_init(&m->report);
        audit_init(&m->audit, &m->report, false);
        m->audit.position = begun;
        m->audit.imported = true;
        digest_init(&m->digest);
    }
    return m;
}

void audit_import_destroy(struct audit_import *m)
{
    if (m != NULL) {
        audit_fini(&m->audit);
        free(m);
    }
}

void audit_import_frames(struct audit_import *m, struct span frames)
{
    struct reader r = reader_init(frames.data, frames.size);
    struct frame_reader f;
    while (frame_next(&r, &f)) {
        m->report.place.position = f.info.position;
        audit__frame(&m->audit, &f);
        m->frames++;
    }
    if (r.bad) {
        audit__breach(&m->audit, PROOF_RECORDS, "a frame is malformed");
    }
}

/* The first breach, or NULL. */
static const struct verify_finding *first_breach(const struct verify_report *report,
                                                 enum verify_proof *proof)
{
    for (int p = 0; p < PROOF_COUNT; p++) {
        if (report->proofs[p].breaches > 0) {
            *proof = (enum verify_proof)p;
            return &report->proofs[p].findings[0];
        }
    }
    return NULL;
}

const char *audit_import_finish(struct audit_import *m)
{
    enum verify_proof proof;
    audit_finish(&m->audit);
    if (m->report.no_memory) {
        return "out of memory";
    }
    const struct verify_finding *finding = first_breach(&m->report, &proof);
    return finding == NULL ? NULL : finding->text;
}

/* ---- as events of a journal ---- */

static void drop_import(struct audit *a)
{
    audit_import_destroy(a->import);
    a->import = NULL;
}

static void import_begun(struct audit *a, struct reader *r)
{
    drop_import(a); /* one that never ended leaves nothing */
    struct span name = get_text(r);
    int64_t time_ns = get_i64(r);
    uint32_t wanted = get_u32(r);
    uint32_t room = get_u32(r);
    if (!reader_done(r) || name.size == 0 || name.size > IMPORT_NAME_MAX || time_ns < 0 ||
        wanted == 0 || room == 0) {
        audit__breach(a, PROOF_RECORDS, "world_import_begun is malformed");
        return;
    }
    a->import = audit_import_create(a->frame.position);
    if (a->import == NULL) {
        a->report->no_memory = true;
        return;
    }
    memcpy(a->import->name, name.data, name.size);
    a->import->name_size = (uint32_t)name.size;
    a->import->time_ns = time_ns;
    a->import->wanted = wanted;
    a->import->room = room;
}

/* An import is a run of frames with nothing in between. */
static bool goes_on(struct audit *a)
{
    bool good = a->import != NULL && a->import->audit.position + 1 == a->frame.position &&
                a->frame.events == 1;
    if (!good) {
        audit__breach(a, PROOF_ORDER, "a part of an imported world does not follow the one before");
    }
    return good;
}

static void import_frame(struct audit *a, struct reader *r)
{
    struct frame_reader f = {{a->frame.position, get_i64(r), get_u16(r)}, {0}};
    if (r->bad || !goes_on(a)) {
        audit__breach(a, PROOF_RECORDS, "world_import_frame is malformed or out of place");
        return;
    }
    uint8_t header[BOOK_FRAME_HEADER_BYTES];
    struct writer w = writer_init(header, sizeof(header));
    size_t size = r->size - r->at;
    put_u32(&w, (uint32_t)(sizeof(header) + size));
    put_u16(&w, f.info.cause);
    put_u16(&w, 0);
    put_u64(&w, f.info.position);
    put_i64(&w, f.info.time_ns);
    put_u64(&w, 0);
    digest_update(&a->import->digest, header, sizeof(header));
    digest_update(&a->import->digest, r->data + r->at, size);
    a->import->size += sizeof(header) + size;
    a->import->frames++;
    f.events = reader_init(r->data + r->at, size);
    audit__frame(&a->import->audit, &f);
}

/* What its own auditor found, as findings of this journal. */
static void pass_on(struct audit *a, const struct audit_import *m)
{
    enum verify_proof proof;
    const struct verify_finding *finding = first_breach(&m->report, &proof);
    if (finding != NULL) {
        audit__breach(a, proof, "imported world, position %" PRIu64 ": %.300s",
                      finding->place.position, finding->text);
    }
}

static void import_ended(struct audit *a, struct reader *r)
{
    struct span name = get_text(r);
    struct digest_value told = {.high = get_u64(r)};
    told.low = get_u64(r);
    if (!reader_done(r) || !goes_on(a)) {
        audit__breach(a, PROOF_RECORDS, "world_imported is malformed or out of place");
        return;
    }
    struct audit_import *m = a->import;
    audit__checked(a, PROOF_REFERENCES);
    if (m->frames != m->wanted || m->size != m->room || m->audit.time_ns > m->time_ns ||
        !span_equal(name, (struct span){m->name, m->name_size}) ||
        !digest_equal(told, digest_finish(&m->digest))) {
        audit__breach(a, PROOF_REFERENCES,
                      "an imported world is not the one that was begun, or not all of it");
    }
    (void)audit_import_finish(m);
    a->report->no_memory = a->report->no_memory || m->report.no_memory;
    pass_on(a, m);
    audit__keep_world(a, name, &m->audit, m->time_ns);
    drop_import(a);
}

void audit__import_event(struct audit *a, uint16_t kind, struct reader *r)
{
    switch (kind) {
    case EVENT_WORLD_IMPORT_BEGUN: import_begun(a, r); break;
    case EVENT_WORLD_IMPORT_FRAME: import_frame(a, r); break;
    default: import_ended(a, r);
    }
}

void audit__import_fini(struct audit *a)
{
    drop_import(a);
}
