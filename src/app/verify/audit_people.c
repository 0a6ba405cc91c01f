/*
 * audit_people.c - who is on the network, as the events tell it: numbers, wallets, PINs,
 * organisations and which ledger accounts are whose. See audit.h.
 */
#include <inttypes.h>
#include <string.h>

#include "app/verify/audit.h"
#include "app/verify/audit_numbers.h"

void audit__people_init(struct audit *a)
{
    array_init(&a->subscribers, sizeof(struct audit_subscriber));
    table_init(&a->msisdns, 0);
    array_init(&a->organisations, sizeof(struct audit_organisation));
    table_init(&a->short_codes, sizeof(uint32_t));
}

void audit__people_fini(struct audit *a)
{
    array_fini(&a->subscribers);
    table_fini(&a->msisdns);
    array_fini(&a->organisations);
    table_fini(&a->short_codes);
}

/* Whether an account that a person or organisation is given is theirs. */
static void check_account(struct audit *a, uint32_t index, uint16_t code, uint64_t owner)
{
    const struct audit_account *account = array_at(&a->accounts, index);
    if (account == NULL || account->code != code || account->owner != owner) {
        audit__breach(a, PROOF_MONEY,
                      "account %u is given to owner %" PRIu64 " as kind %u, which it is not", index,
                      owner, code);
    }
}

static void person_kept(struct audit *a, const struct operator_event *e)
{
    const struct audit_subscriber *known = array_at(&a->subscribers, e->slot);
    audit__checked(a, PROOF_REFERENCES);
    if (known != NULL && known->msisdn == e->msisdn && !known->has_wallet) {
        return; /* a number that was asked for before gets a wallet: its name is known only now */
    }
    if (e->slot != a->subscribers.count) {
        audit__breach(a, PROOF_REFERENCES, "person %u is kept where person %" PRIu64 " comes next",
                      e->slot, a->subscribers.count);
        return;
    }
    if (table_find(&a->msisdns, e->msisdn) != NULL) {
        audit__breach(a, PROOF_REFERENCES, "person %u has the phone number of another", e->slot);
    } else if (table_add(&a->msisdns, e->msisdn) == NULL) {
        a->report->no_memory = true;
        return;
    }
    struct audit_subscriber *s = array_add(&a->subscribers);
    if (s == NULL) {
        a->report->no_memory = true;
        return;
    }
    s->msisdn = e->msisdn;
}

static void subscriber_opened(struct audit *a, const struct operator_event *e,
                              struct audit_subscriber *s)
{
    if (s->has_wallet) {
        audit__breach(a, PROOF_REFERENCES, "subscriber %u gets a second wallet", e->slot);
        return;
    }
    s->has_wallet = true;
    s->account = e->account;
    check_account(a, e->account, AUDIT_CODE_WALLET, e->slot);
}

static void pin_tried(struct audit *a, const struct operator_event *e, struct audit_subscriber *s)
{
    if (e->failures != 0 && e->failures != s->pin_failures + 1) {
        audit__breach(a, PROOF_PAYMENTS, "subscriber %u has %u wrong PINs after %u", e->slot,
                      e->failures, s->pin_failures);
    }
    if (e->failures != 0) {
        a->frame.tried_slot = (uint64_t)e->slot + 1;
    }
    s->pin_failures = e->failures;
}

static void subscriber_event(struct audit *a, const struct operator_event *e)
{
    struct audit_subscriber *s = array_at(&a->subscribers, e->slot);
    if (s == NULL) {
        audit__breach(a, PROOF_REFERENCES, "%s names subscriber %u, who does not exist",
                      operator_event_name(e->kind), e->slot);
        return;
    }
    if (!s->has_wallet && e->kind != EVENT_SUBSCRIBER_OPENED && e->kind != EVENT_SUBSCRIBER_SEEN) {
        audit__breach(a, PROOF_REFERENCES, "%s names subscriber %u, who has no wallet",
                      operator_event_name(e->kind), e->slot);
    }
    switch (e->kind) {
    case EVENT_SUBSCRIBER_OPENED: subscriber_opened(a, e, s); break;
    case EVENT_PIN_SET: s->pin_failures = 0; break;
    case EVENT_PIN_TRIED: pin_tried(a, e, s); break;
    case EVENT_SUBSCRIBER_CHANGED:
        if (e->status != SUBSCRIBER_ACTIVE && e->status != SUBSCRIBER_SUSPENDED) {
            audit__breach(a, PROOF_RECORDS, "subscriber %u gets the unknown status %u", e->slot,
                          e->status);
        }
        break;
    default: break; /* seen: the person is all there is */
    }
}

/* Who may act, and whom its requests prompt. */
static void organisation_changed(struct audit *a, const struct operator_event *e)
{
    const struct audit_subscriber *s = array_at(&a->subscribers, e->nominated);
    audit__checked(a, PROOF_REFERENCES);
    if (e->slot >= a->organisations.count) {
        audit__breach(a, PROOF_REFERENCES, "organisation %u is changed, but it does not exist",
                      e->slot);
    }
    if (e->nominated != SLAB_NONE && (s == NULL || !s->has_wallet)) {
        audit__breach(a, PROOF_REFERENCES,
                      "organisation %u nominates subscriber %u, who has no wallet", e->slot,
                      e->nominated);
    }
}

static void organisation_opened(struct audit *a, const struct operator_event *e)
{
    audit__checked(a, PROOF_REFERENCES);
    if (e->slot != a->organisations.count) {
        audit__breach(a, PROOF_REFERENCES,
                      "organisation %u is opened where organisation %" PRIu64 " comes next",
                      e->slot, a->organisations.count);
        return;
    }
    if (table_find(&a->short_codes, e->short_code) != NULL) {
        audit__breach(a, PROOF_REFERENCES, "short code %u is opened a second time", e->short_code);
        return;
    }
    uint32_t *slot = table_add(&a->short_codes, e->short_code);
    struct audit_organisation *g = array_add(&a->organisations);
    if (slot == NULL || g == NULL) {
        a->report->no_memory = true;
        return;
    }
    *slot = e->slot;
    g->short_code = e->short_code;
    for (uint16_t i = 0; i < ORGANISATION_ACCOUNTS; i++) {
        g->accounts[i] = e->accounts[i];
        check_account(a, e->accounts[i], (uint16_t)(AUDIT_CODE_UTILITY + i), e->short_code);
    }
}

static void network_opened(struct audit *a, const struct operator_event *e)
{
    if (a->has_network) {
        audit__breach(a, PROOF_MONEY, "the network gets a second trust account");
        return;
    }
    a->has_network = true;
    a->account_trust = e->account;
    check_account(a, e->account, AUDIT_CODE_TRUST, 0);
}

void audit__people_event(struct audit *a, const struct operator_event *e)
{
    switch (e->kind) {
    case EVENT_PERSON_KEPT: person_kept(a, e); break;
    case EVENT_NETWORK_OPENED: network_opened(a, e); break;
    case EVENT_ORGANISATION_OPENED: organisation_opened(a, e); break;
    case EVENT_ORGANISATION_KEPT:
        if (array_at(&a->organisations, e->slot) == NULL) {
            audit__breach(a, PROOF_REFERENCES, "organisation %u is named but does not exist",
                          e->slot);
        }
        break;
    case EVENT_ORGANISATION_CHANGED: organisation_changed(a, e); break;
    default: subscriber_event(a, e); break;
    }
}
