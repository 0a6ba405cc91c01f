/*
 * test_verify_requests.c - hakika verify (R6.8) on forged requests of organisations: accepted
 * without what belongs to them, a phone number where none belongs (R2.8), numbers out of order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "operator/operator.h"
#include "support/verify_rig.h"

#define PHONE ((uint64_t)254700000001)

static void event(struct forge *f, uint16_t kind, uint64_t number, uint64_t party,
                  uint8_t party_type)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = kind;
    e.number = number;
    e.party = party;
    e.party_type = party_type;
    e.request_kind = REQUEST_B2C;
    e.command = 1;
    e.short_code = FORGE_SHORT_CODE;
    e.amount_minor = AMOUNT;
    e.outcome = REQUEST_NO_MONEY;
    forge_operator(f, &e);
}

static void request(struct forge *f, uint64_t number)
{
    forge_frame(f, COMMAND_REQUEST);
    event(f, EVENT_REQUEST_TEXTS_KEPT, number, 0, 0);
}

/* Fails without a result URL: nobody is told. */
static void ended(struct forge *f, uint64_t number)
{
    forge_frame(f, COMMAND_REQUEST_ADVANCE);
    event(f, EVENT_REQUEST_ENDED, number, 0, 0);
}

static void test_honest_requests(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    request(&f, 1);
    event(&f, EVENT_REQUEST_PARTY_KEPT, 1, PHONE, 0);
    event(&f, EVENT_REQUEST_ACCEPTED, 1, 0, PARTY_MSISDN);
    request(&f, 2);
    event(&f, EVENT_REQUEST_ACCEPTED, 2, FORGE_SHORT_CODE, PARTY_SHORT_CODE);
    request(&f, 3); /* as older programs wrote it */
    event(&f, EVENT_REQUEST_ACCEPTED_1, 3, PHONE, PARTY_MSISDN);
    ended(&f, 1);
    ended(&f, 2);
    ended(&f, 3);
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds();
    forge_remove(&f);
}

static void test_phone_numbers_that_do_not_belong(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    request(&f, 1);
    event(&f, EVENT_REQUEST_ACCEPTED, 1, 0, PARTY_MSISDN);
    expect(&f, PROOF_REFERENCES, "without a phone number of its own");
    open_story(&f);
    request(&f, 1);
    event(&f, EVENT_REQUEST_PARTY_KEPT, 1, PHONE, 0);
    event(&f, EVENT_REQUEST_ACCEPTED, 1, FORGE_SHORT_CODE, PARTY_SHORT_CODE);
    expect(&f, PROOF_REFERENCES, "with a phone number of its own");
    open_story(&f);
    request(&f, 1);
    event(&f, EVENT_REQUEST_PARTY_KEPT, 1, PHONE, 0);
    event(&f, EVENT_REQUEST_ACCEPTED_1, 1, PHONE, PARTY_MSISDN);
    expect(&f, PROOF_REFERENCES, "with a phone number of its own");
    open_story(&f);
    request(&f, 1);
    event(&f, EVENT_REQUEST_PARTY_KEPT, 1, PHONE, 0);
    event(&f, EVENT_REQUEST_PARTY_KEPT, 1, PHONE, 0);
    event(&f, EVENT_REQUEST_ACCEPTED, 1, 0, PARTY_MSISDN);
    expect(&f, PROOF_REFERENCES, "kept where it does not belong");
}

static void test_accepted_out_of_order(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    request(&f, 2);
    expect(&f, PROOF_REFERENCES, "request 2 follows request 0");
    open_story(&f);
    forge_frame(&f, COMMAND_REQUEST);
    event(&f, EVENT_REQUEST_ACCEPTED, 1, 0, PARTY_MSISDN);
    expect(&f, PROOF_PAYMENTS, "is accepted without its texts");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest_requests),
        cmocka_unit_test(test_phone_numbers_that_do_not_belong),
        cmocka_unit_test(test_accepted_out_of_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
