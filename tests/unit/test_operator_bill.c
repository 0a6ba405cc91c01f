/*
 * test_operator_bill.c - bill manager in the book: opting in, invoices, payments of every kind that
 * pay them, pushes, acknowledgements, cancelling. Every world is proved at its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/world.h"

#define KES(shillings) ((int64_t)(shillings)*100)

static enum operator_refusal opts_in(struct world *w, uint32_t short_code, bool change)
{
    const struct biller_command c = {
        .short_code = short_code,
        .change = change,
        .reminders = true,
        .url = SPAN_LITERAL("https://shop.example/bill"),
        .email = SPAN_LITERAL("bills@shop.example"),
        .contact = SPAN_LITERAL("0722000000"),
        .target = change ? 92 : 91,
    };
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(w, COMMAND_BILLER, &c, &reply);
    return reply.refusal;
}

static enum operator_refusal bills(struct world *w, const char *reference, const char *account,
                                   int64_t amount_minor, bool change)
{
    const struct invoice_command c = {
        .short_code = WORLD_PAYBILL,
        .change = change,
        .msisdn = WORLD_ANNA,
        .amount_minor = amount_minor,
        .due_day = 20500,
        .reference = span_from(reference),
        .account = span_from(account),
        .name = SPAN_LITERAL("Anna"),
        .period = SPAN_LITERAL("August 2021"),
        .title = SPAN_LITERAL("water"),
        .items = SPAN_LITERAL("[{\"itemName\":\"food\",\"amount\":\"1\"}]"),
    };
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(w, COMMAND_INVOICE, &c, &reply);
    return reply.refusal;
}

static enum operator_refusal cancels(struct world *w, const char *reference)
{
    const struct invoice_cancel_command c = {WORLD_PAYBILL, span_from(reference)};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(w, COMMAND_INVOICE_CANCEL, &c, &reply);
    return reply.refusal;
}

static enum operator_refusal acknowledges(struct world *w, const char *receipt)
{
    const struct acknowledge_command c = {WORLD_PAYBILL, span_from(receipt)};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(w, COMMAND_ACKNOWLEDGE, &c, &reply);
    return reply.refusal;
}

static const struct invoice *invoice(const struct world *w, const char *reference)
{
    const struct invoice *i =
        operator_invoice_by_reference(world_operator(w), WORLD_PAYBILL, span_from(reference));
    assert_non_null(i);
    return i;
}

/* C2B, with a reference. */
static uint64_t pays(struct world *w, const char *account, int64_t amount_minor)
{
    struct request_command c;
    memset(&c, 0, sizeof(c));
    c.kind = REQUEST_C2B;
    c.command = C2B_PAY_BILL;
    c.short_code = WORLD_PAYBILL;
    c.party = WORLD_ANNA;
    c.amount_minor = amount_minor;
    c.reference = span_from(account);
    uint64_t number = world_ask(w, &c);
    assert_int_equal(world_request(w, number)->outcome, REQUEST_DONE);
    return number;
}

static uint32_t pushes(const struct world *w)
{
    uint32_t count = 0;
    for (uint64_t i = 1; outbox_item(&w->book->outbox, i) != NULL; i++) {
        count += outbox_item(&w->book->outbox, i)->kind == MESSAGE_BILL;
    }
    return count;
}

static void opting_in(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(bills(&w, "1", "A1", KES(1), false), OPERATOR_NOT_FOUND);
    assert_int_equal(opts_in(&w, 123456, false), OPERATOR_NOT_FOUND);
    assert_int_equal(opts_in(&w, WORLD_PAYBILL, true), OPERATOR_NOT_FOUND);
    assert_int_equal(opts_in(&w, WORLD_PAYBILL, false), OPERATOR_DONE);
    assert_int_equal(opts_in(&w, WORLD_PAYBILL, false), OPERATOR_EXISTS);
    assert_int_equal(opts_in(&w, WORLD_PAYBILL, true), OPERATOR_DONE);
    world_restart(&w);
    const struct organisation *g = operator_organisation(world_operator(&w), WORLD_PAYBILL);
    assert_true(g->biller.opted && g->biller.reminders);
    assert_int_equal(g->biller.target, 92);
    world_end(&w);
}

static void invoices_are_sent_changed_and_cancelled(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(opts_in(&w, WORLD_PAYBILL, false), OPERATOR_DONE);
    assert_int_equal(bills(&w, "1107", "A1", KES(2000), false), OPERATOR_DONE);
    assert_int_equal(bills(&w, "1107", "A1", KES(2000), false), OPERATOR_EXISTS);
    assert_int_equal(bills(&w, "1108", "A1", KES(5), true), OPERATOR_NOT_FOUND);
    assert_int_equal(bills(&w, "1107", "B2", KES(1500), true), OPERATOR_DONE);
    assert_int_equal(invoice(&w, "1107")->amount_minor, KES(1500));
    assert_int_equal(cancels(&w, "none"), OPERATOR_NOT_FOUND);
    assert_int_equal(cancels(&w, "1107"), OPERATOR_DONE);
    assert_int_equal(cancels(&w, "1107"), OPERATOR_NOT_FOUND);
    assert_int_equal(bills(&w, "1107", "A1", KES(1), true), OPERATOR_ALREADY_ENDED);
    assert_int_equal(bills(&w, "1107", "A1", KES(1), false), OPERATOR_EXISTS); /* for ever */
    assert_string_equal(invoice_state_name(invoice(&w, "1107")->state), "cancelled");
    (void)pays(&w, "B2", KES(10)); /* pays nothing that is open */
    assert_int_equal(invoice(&w, "1107")->paid_minor, 0);
    world_end(&w);
}

static void payments_pay_the_oldest(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(opts_in(&w, WORLD_PAYBILL, false), OPERATOR_DONE);
    assert_int_equal(bills(&w, "1", "A1", KES(100), false), OPERATOR_DONE);
    assert_int_equal(bills(&w, "2", "A1", KES(100), false), OPERATOR_DONE);
    assert_int_equal(bills(&w, "3", "A1", KES(100), false), OPERATOR_DONE);
    assert_int_equal(cancels(&w, "2"), OPERATOR_DONE);
    (void)pays(&w, "A1", KES(40));
    assert_int_equal(invoice(&w, "1")->state, INVOICE_PARTLY_PAID);
    assert_int_equal(cancels(&w, "1"), OPERATOR_ALREADY_ENDED);
    assert_int_equal(bills(&w, "1", "A1", KES(1), true), OPERATOR_ALREADY_ENDED);
    world_restart(&w);
    (void)pays(&w, "A1", KES(70)); /* ten too much: the rest is the organisation's matter */
    assert_int_equal(invoice(&w, "1")->state, INVOICE_PAID);
    assert_int_equal(invoice(&w, "1")->paid_minor, KES(100));
    assert_int_equal(invoice(&w, "3")->paid_minor, 0);
    (void)pays(&w, "other", KES(5));
    assert_int_equal(pushes(&w), 3);
    assert_int_equal(operator_income(world_operator(&w), 1)->invoice, 1);
    assert_int_equal(operator_income(world_operator(&w), 2)->invoice, 1);
    assert_int_equal(operator_income(world_operator(&w), 3)->invoice, 0);
    /* STK push and standing order, with C2B URLs registered: told after the confirmation. */
    struct c2b_register_command urls = {
        .short_code = WORLD_PAYBILL,
        .version = 2,
        .response_type = C2B_COMPLETED,
        .confirmation_url = SPAN_LITERAL("https://shop.example/confirmation"),
        .confirmation_target = 71,
    };
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(&w, COMMAND_C2B_REGISTER, &urls, &reply);
    assert_int_equal(bills(&w, "4", "INV-1", KES(7), false), OPERATOR_DONE);
    uint64_t number = world_push(&w, WORLD_ANNA, KES(7));
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(invoice(&w, "4")->state, INVOICE_PAID);
    const struct income *i = operator_income(world_operator(&w), 4);
    assert_int_equal(i->notice, i->confirmation + 1);
    (void)pays(&w, "A1", KES(100));
    i = operator_income(world_operator(&w), 5);
    assert_int_equal(i->confirmation, 0); /* it tells by itself */
    assert_int_equal(outbox_item(&w.book->outbox, i->notice)->kind, MESSAGE_BILL);
    assert_int_equal(invoice(&w, "3")->state, INVOICE_PAID);
    world_end(&w);
}

/* Numbers are the order of payment, whatever was changed, and after a restart as before it (N3). */
static void a_changed_invoice_keeps_its_place(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(opts_in(&w, WORLD_PAYBILL, false), OPERATOR_DONE);
    assert_int_equal(bills(&w, "1", "A1", KES(100), false), OPERATOR_DONE);
    assert_int_equal(bills(&w, "2", "A1", KES(100), false), OPERATOR_DONE);
    assert_int_equal(bills(&w, "3", "B1", KES(100), false), OPERATOR_DONE);
    assert_int_equal(bills(&w, "4", "A1", KES(100), false), OPERATOR_DONE);
    assert_int_equal(bills(&w, "1", "A1", KES(90), true), OPERATOR_DONE);
    operator_check(world_operator(&w));
    (void)pays(&w, "A1", KES(90));
    assert_int_equal(invoice(&w, "1")->state, INVOICE_PAID);
    assert_int_equal(bills(&w, "3", "A1", KES(50), true), OPERATOR_DONE); /* in the middle */
    operator_check(world_operator(&w));
    (void)pays(&w, "A1", KES(100));
    assert_int_equal(invoice(&w, "2")->state, INVOICE_PAID);
    (void)pays(&w, "A1", KES(50));
    assert_int_equal(invoice(&w, "3")->state, INVOICE_PAID);
    assert_int_equal(bills(&w, "5", "A1", KES(10), false), OPERATOR_DONE);
    assert_int_equal(bills(&w, "4", "B1", KES(10), true), OPERATOR_DONE); /* the head leaves */
    assert_int_equal(bills(&w, "4", "A1", KES(10), true), OPERATOR_DONE); /* and is it again */
    world_restart(&w);
    (void)pays(&w, "A1", KES(10));
    assert_int_equal(invoice(&w, "4")->state, INVOICE_PAID);
    assert_int_equal(invoice(&w, "5")->paid_minor, 0);
    world_end(&w);
}

static void pushed_five_times_and_acknowledged(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(opts_in(&w, WORLD_PAYBILL, false), OPERATOR_DONE);
    const struct operator_request *r = world_request(&w, pays(&w, "A1", KES(40)));
    char receipt[ID_RECEIPT_SIZE];
    request_transaction_id(r, receipt);
    uint64_t notice = operator_income(world_operator(&w), 1)->notice;
    for (uint32_t i = 1; i <= 5; i++) {
        assert_int_equal(world_take(&w), notice);
        assert_int_equal(world_report(&w, notice, 500, 0), BOOK_DONE);
        assert_int_equal(outbox_item(&w.book->outbox, notice)->state,
                         i == 5 ? OUTBOX_DEAD : OUTBOX_WAITING);
        world_pass(&w, 2 * 3600 * WORLD_S);
    }
    assert_int_equal(acknowledges(&w, "TK60708BHZ"), OPERATOR_NOT_FOUND);
    assert_int_equal(acknowledges(&w, "nonsense"), OPERATOR_NOT_FOUND);
    assert_int_equal(acknowledges(&w, receipt), OPERATOR_DONE);
    assert_int_equal(acknowledges(&w, receipt), OPERATOR_REPEATED);
    world_pass(&w, 100 * 3600 * WORLD_S); /* what was pushed is never forgotten */
    request_transaction_id(world_request(&w, pays(&w, "A1", KES(1))), receipt);
    world_restart(&w); /* by its receipt among others, after a restart as well */
    assert_int_equal(acknowledges(&w, receipt), OPERATOR_DONE);
    assert_int_not_equal(operator_income(world_operator(&w), 2)->acknowledged_ns, 0);
    const struct acknowledge_command other = {WORLD_TILL, span_from(receipt)};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(&w, COMMAND_ACKNOWLEDGE, &other, &reply);
    assert_int_equal(reply.refusal, OPERATOR_NOT_FOUND); /* another organisation's */
    assert_int_not_equal(operator_income(world_operator(&w), 1)->acknowledged_ns, 0);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opting_in),
        cmocka_unit_test(invoices_are_sent_changed_and_cancelled),
        cmocka_unit_test(payments_pay_the_oldest),
        cmocka_unit_test(a_changed_invoice_keeps_its_place),
        cmocka_unit_test(pushed_five_times_and_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
