/*
 * findings.c - see findings.h. Tests: tests/unit/test_verify.c.
 */
#include "app/verify/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *holds;
    const char *advice;
} PROOFS[PROOF_COUNT] = {
#define X(name, json, holds, advice) {json, holds, advice},
    VERIFY_PROOFS(X)
#undef X
};

const char *verify_proof_name(enum verify_proof proof)
{
    CHECK(proof < PROOF_COUNT);
    return PROOFS[proof].name;
}

const char *verify_proof_holds(enum verify_proof proof)
{
    CHECK(proof < PROOF_COUNT);
    return PROOFS[proof].holds;
}

const char *verify_proof_advice(enum verify_proof proof)
{
    CHECK(proof < PROOF_COUNT);
    return PROOFS[proof].advice;
}

void findings_init(struct verify_report *r)
{
    memset(r, 0, sizeof(*r));
}

void findings_breach(struct verify_report *r, enum verify_proof proof, const char *format, ...)
{
    CHECK(proof < PROOF_COUNT);
    struct verify_verdict *v = &r->proofs[proof];
    v->breaches++;
    if (v->kept == FINDINGS_KEPT) {
        return;
    }
    struct verify_finding *f = &v->findings[v->kept++];
    f->place = r->place;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(f->text, sizeof(f->text), format, arguments);
    va_end(arguments);
}

uint64_t findings_total(const struct verify_report *r)
{
    uint64_t total = 0;
    for (int p = 0; p < PROOF_COUNT; p++) {
        total += r->proofs[p].breaches;
    }
    return total;
}

bool findings_hold(const struct verify_report *r)
{
    for (int p = 0; p < PROOF_COUNT; p++) {
        if (!r->proofs[p].done || r->proofs[p].breaches > 0) {
            return false;
        }
    }
    return true;
}
