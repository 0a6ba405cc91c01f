/*
 * project_customers.c - the operator's events about what organisations set (C2B URLs, validation,
 * pull, delays), the validation of C2B payments, prompts of requests and scenario rules, into rows.
 * See project.c for how to show a new kind. Tests: tests/unit/test_view.c, tests/agree.
 */
#include <string.h>

#include "view/internal.h"
#include "wire/rules.h"

/* ---- organisations ---- */

static void register_urls(struct projection *p, const struct operator_event *e)
{
    static const char *const types[] = {
        "?", [C2B_COMPLETED] = "Completed", [C2B_CANCELLED] = "Cancelled"};
    (void)RUN(p->store, ORGANISATION_C2B, integer(e->slot), integer(e->version),
              text(types[e->response_type]), text_or_nothing(e->url),
              text_or_nothing(e->validation_url));
}

static void change_organisation(struct projection *p, const struct operator_event *e)
{
    bool nominated = e->nominated != SLAB_NONE;
    (void)RUN(p->store, ORGANISATION_SETTINGS, integer(e->slot), integer(e->active),
              nominated ? integer(e->nominated) : nothing(),
              integer(e->queue_delay_ns / NS_PER_MS));
}

/* ---- the validation of a C2B payment ---- */

void projection_validation_asked(struct projection *p, const struct outbox_event *e)
{
    char receipt[ID_RECEIPT_SIZE];
    bool reserved = p->reserved_for == e->subject;
    if (reserved) {
        id_receipt_format(p->reserved_day, p->reserved_serial, receipt);
    }
    (void)RUN(p->store, VALIDATION_ADD, number(e->subject), number(e->number),
              text(reserved ? receipt : NULL), text(p->at));
}

/* ---- prompts of requests ---- */

static void prompt_for_request(struct projection *p, const struct operator_event *e)
{
    char expires[RFC3339_SIZE];
    (void)RUN(p->store, PROMPT_REQUEST, number(e->number), integer(e->slot), integer(e->reachable),
              text(p->at), projection_time(e->expires_ns, expires));
}

void projection_request_ended(struct projection *p, uint64_t request)
{
    const char *answer = p->frame.cause == COMMAND_REQUEST_APPROVE  ? "pin"
                         : p->frame.cause == COMMAND_REQUEST_CANCEL ? "cancel"
                                                                    : NULL;
    if (answer != NULL) {
        (void)RUN(p->store, PROMPT_REQUEST_END, number(request), text(answer), text(p->at));
    }
    (void)RUN(p->store, VALIDATION_END, number(request), text(p->at));
}

/* ---- scenario rules ---- */

/* A list takes the place of the one before of that origin. False: the bytes are no list. */
static bool set_rules(struct projection *p, const struct operator_event *e)
{
    static const char *const origins[RULE_ORIGINS] = {"user", "magic"};
    uint8_t buffer[VIEW_BODY_MAX];
    if (e->origin >= RULE_ORIGINS || !rule_list_decode(e->orders, &p->rules)) {
        return false;
    }
    (void)RUN(p->store, RULES_REMOVE, text(origins[e->origin]));
    for (uint32_t i = 0; i < p->rules.count; i++) {
        struct writer document = writer_init(buffer, sizeof(buffer));
        rule_render_open(&document, &p->rules.rules[i]);
        json_close(&document, '}');
        CHECK(!document.overflow); /* all of its texts are short */
        struct span json = {(const char *)buffer, document.size};
        (void)RUN(p->store, RULE_ADD, text(origins[e->origin]), integer((int64_t)i + 1),
                  text(p->rules.rules[i].name), text_of(json), text(p->at),
                  number(p->frame.position));
    }
    return true;
}

/* One byte a rule: its place, and as top bit its origin. */
static void count_rules(struct projection *p, const struct operator_event *e)
{
    for (size_t i = 0; i < e->orders.size; i++) {
        uint8_t which = (uint8_t)e->orders.data[i];
        (void)RUN(p->store, RULE_COUNT, text((which & 0x80) != 0 ? "magic" : "user"),
                  integer((which & 0x7f) + 1), integer(which == e->applied));
    }
}

/* ---- events ---- */

bool projection_customers(struct projection *p, const struct operator_event *e, bool *known)
{
    *known = true;
    switch (e->kind) {
    case EVENT_C2B_URLS_KEPT: register_urls(p, e); break;
    case EVENT_VALIDATION_SET:
        (void)RUN(p->store, ORGANISATION_VALIDATES, integer(e->slot), integer(e->validates));
        break;
    case EVENT_BILLER_KEPT:
        (void)RUN(p->store, ORGANISATION_BILLER, integer(e->slot), text_of(e->url));
        break;
    case EVENT_PAYSTACK_KEPT:
        (void)RUN(p->store, ORGANISATION_PAYSTACK, integer(e->slot), text_or_nothing(e->url));
        break;
    case EVENT_PAYSTACK_PHONE_KEPT:
        (void)RUN(p->store, REQUEST_PHONE, number(e->number), number(e->msisdn));
        break;
    case EVENT_INVOICE_KEPT:
        (void)RUN(p->store, INVOICE_PUT, number(e->number), integer(e->short_code),
                  text_of(e->reference), text_of(e->conversation), number(e->msisdn),
                  text_of(e->name), integer(e->amount_minor), text(p->at));
        break;
    case EVENT_INVOICE_PAID:
        (void)RUN(p->store, INVOICE_PAY, number(e->number), integer(e->amount_minor), text(p->at));
        break;
    case EVENT_INVOICE_CANCELLED:
        (void)RUN(p->store, INVOICE_CANCEL, number(e->number), text(p->at));
        break;
    case EVENT_INCOME_ACKNOWLEDGED: break; /* incomes have no table */
    case EVENT_PULL_REGISTERED:
        (void)RUN(p->store, ORGANISATION_PULL, integer(e->slot), number(e->msisdn),
                  text_or_nothing(e->url));
        break;
    case EVENT_ORGANISATION_CHANGED: change_organisation(p, e); break;
    case EVENT_REQUEST_ANSWERED:
        (void)RUN(p->store, VALIDATION_ANSWER, number(e->number), text_of(e->reference));
        break;
    case EVENT_RECEIPT_RESERVED: /* told in a validation of the same frame */
        p->reserved_for = e->number;
        p->reserved_day = e->receipt_day;
        p->reserved_serial = e->receipt;
        break;
    case EVENT_REQUEST_PROMPTED: prompt_for_request(p, e); break;
    case EVENT_RULES_SET: return set_rules(p, e);
    case EVENT_RULES_COUNTED: count_rules(p, e); break;
    default: *known = false; break;
    }
    return true;
}
