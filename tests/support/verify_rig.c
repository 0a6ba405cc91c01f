/*
 * verify_rig.c - see verify_rig.h.
 */
#include "support/verify_rig.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct verify_report report;

void verify(const struct forge *f)
{
    struct journal_error error;
    struct verify_options options = {.directory = f->directory,
                                     .merchant = strcmp(f->book, "merchant") == 0};
    if (!verify_run(&options, &report, &error)) {
        print_error("%s\n", error.message);
        fail();
    }
}

void assert_every_proof_holds(void)
{
    for (int p = 0; p < PROOF_COUNT; p++) {
        const struct verify_verdict *v = &report.proofs[p];
        if (!v->done || v->breaches > 0) {
            print_error("%s: %s\n", verify_proof_name((enum verify_proof)p),
                        v->kept > 0 ? v->findings[0].text : "not done");
        }
        assert_true(v->done);
        assert_int_equal(v->breaches, 0);
    }
    assert_true(findings_hold(&report));
}

void assert_breach(enum verify_proof proof, uint64_t position, const char *what)
{
    const struct verify_verdict *v = &report.proofs[proof];
    assert_true(v->done);
    assert_false(findings_hold(&report));
    for (uint32_t i = 0; i < v->kept; i++) {
        const struct verify_finding *finding = &v->findings[i];
        if (strstr(finding->text, what) != NULL &&
            (position == 0 || finding->place.position == position)) {
            assert_true(position == 0 || finding->place.segment == 1);
            assert_true(position == 0 || finding->place.offset % JOURNAL_BLOCK_BYTES == 0);
            return;
        }
    }
    for (int p = 0; p < PROOF_COUNT; p++) {
        for (uint32_t i = 0; i < report.proofs[p].kept; i++) {
            const struct verify_finding *finding = &report.proofs[p].findings[i];
            print_error("%s at %" PRIu64 ": %s\n", verify_proof_name((enum verify_proof)p),
                        finding->place.position, finding->text);
        }
    }
    print_error("expected of %s at %" PRIu64 ": %s\n", verify_proof_name(proof), position, what);
    fail();
}

void expect(struct forge *f, enum verify_proof proof, const char *what)
{
    uint64_t position = f->position;
    forge_close(f);
    verify(f);
    assert_breach(proof, position, what);
    forge_remove(f);
}

void open_story(struct forge *f)
{
    forge_open(f);
    forge_seed(f, 1);
    (void)forge_payment(f, 0, AMOUNT);
    forge_commit(f);
}

uint64_t open_prompt(struct forge *f, uint32_t slot)
{
    uint64_t number = forge_push(f, slot, AMOUNT);
    forge_prompted(f, number);
    forge_commit(f);
    return number;
}
