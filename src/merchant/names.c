/*
 * names.c - the names by which payments that have left are found in the index of old ids, and what
 * of them each command is about: that comes home before the command is decided (closing.h).
 *
 * Guarantees
 *  - whatever a decision may find by a look-up in memory is named here first: the payment, what a
 *    claim says of it (ids, receipts, its notice's key), the payment that a refund gives back, and
 *    all payments for an order of which one may be paid or asked for.
 *  - a name begins with what lies together: account, then the text as it was given, so that an
 *    index of names grows where it grew last.
 * Tests: tests/unit/test_merchant_closing.c.
 */
#include <string.h>

#include "base/hash.h"
#include "base/matching.h"
#include "merchant/internal.h"

enum {
    HASH_BYTES = 8,
    TEXT_SHOWN = OLD_NAME_BYTES - 4 - HASH_BYTES, /* of a text; what is longer is in the hash */
};

/* ---- making them ---- */

static struct old_name bytes_name(uint8_t space, const uint8_t bytes[16])
{
    struct old_name name = {.space = space, .size = 16};
    memcpy(name.bytes, bytes, 16);
    return name;
}

static struct old_name text_name(uint8_t space, uint32_t scope, struct span text)
{
    struct old_name name = {.space = space};
    size_t shown = text.size < TEXT_SHOWN ? text.size : TEXT_SHOWN;
    CHECK(text.size > 0);
    old_name_put(&name, scope, 4);
    memcpy(name.bytes + name.size, text.data, shown);
    name.size = (uint8_t)(name.size + shown);
    old_name_put(&name, gateway__text_key(scope, text), HASH_BYTES);
    return name;
}

struct old_name gateway_payment_name(uint64_t number)
{
    return old_name_of(OLD_SPACE_GATEWAY_PAYMENT, number);
}

struct old_name gateway_token_name(const uint8_t token[16])
{
    return bytes_name(OLD_SPACE_TOKEN, token);
}

struct old_name gateway_receipt_name(uint32_t provider, struct span receipt)
{
    return text_name(OLD_SPACE_GATEWAY_RECEIPT, provider, receipt);
}

struct old_name gateway_order_name(uint32_t merchant, struct span order)
{
    return text_name(OLD_SPACE_ORDER, merchant, order);
}

struct old_name gateway_notice_name(uint64_t number)
{
    return old_name_of(OLD_SPACE_NOTICE, number);
}

/* Which quarter of an hour. */
static uint64_t quarter_of(int64_t at_ns)
{
    return at_ns < 0 ? 0 : (uint64_t)(at_ns / MATCHING_WINDOW_NS);
}

static struct old_name payer_name(uint32_t provider, uint64_t phone, uint64_t quarter,
                                  int64_t amount_minor)
{
    struct old_name name = {.space = OLD_SPACE_PAYER};
    old_name_put(&name, provider, 4);
    old_name_put(&name, quarter, 8);
    old_name_put(&name, phone, 8);
    old_name_put(&name, (uint64_t)amount_minor, 8);
    return name;
}

static struct old_name shown_name(uint32_t provider, struct span reference, uint64_t quarter,
                                  int64_t amount_minor)
{
    struct old_name name = {.space = OLD_SPACE_SHOWN};
    old_name_put(&name, provider, 4);
    old_name_put(&name, quarter, 8);
    old_name_put(&name, (uint64_t)amount_minor, 8);
    old_name_put(&name, gateway__text_key(provider, reference), HASH_BYTES);
    return name;
}

void gateway__names_of(const struct gateway *g, const struct gateway_payment *p,
                       struct old_names *out)
{
    struct old_name name = gateway_token_name(p->token);
    old_names_add(out, &name);
    if (!gateway_pays_out(p->method) && p->after == 0) { /* else the next one has that name */
        name = gateway_order_name(p->merchant, gateway_text(g, p->order));
        old_names_add(out, &name);
    }
    if (p->provider_id != TEXT_NONE) {
        name = text_name(OLD_SPACE_PROVIDER_ID, p->provider, gateway_text(g, p->provider_id));
        old_names_add(out, &name);
    }
    if (p->receipt != TEXT_NONE) {
        name = gateway_receipt_name(p->provider, gateway_text(g, p->receipt));
        old_names_add(out, &name);
    }
    if (gateway__is_doubtful(p)) {
        name = payer_name(p->provider, p->phone, quarter_of(p->entered_ns[GATEWAY_SUBMITTED]),
                          p->amount_minor);
        old_names_add(out, &name);
    }
    if (p->shown) { /* paid, and nobody said under which receipt: a row may not tell the phone */
        name = shown_name(p->provider, gateway_account_reference(g, p),
                          quarter_of(p->entered_ns[GATEWAY_SUBMITTED]), p->amount_minor);
        old_names_add(out, &name);
    }
    for (uint32_t i = p->first_notice; i != SLAB_NONE; i = notice_at(g, i)->next) {
        name = gateway_notice_name(notice_at(g, i)->number);
        old_names_add(out, &name);
        name = bytes_name(OLD_SPACE_NOTICE_KEY, notice_at(g, i)->key);
        old_names_add(out, &name);
    }
}

/* ---- are they in memory? ---- */

static bool notice_key_known(const struct gateway *g, const uint8_t key[16])
{
    uint32_t slot = map_get(&g->notice_by_key, gateway__bytes_key(key));
    return slot != MAP_NONE && memcmp(notice_at(g, slot)->key, key, 16) == 0;
}

/* By its hash, and then by the name of what lies there. */
static bool text_known(const struct gateway *g, const struct map *m, enum gateway_text which,
                       const struct old_name *name)
{
    if (name->size < 4 + HASH_BYTES) {
        return false;
    }
    uint64_t key = old_name_at(name, name->size - HASH_BYTES, HASH_BYTES);
    for (uint32_t slot = map_get(m, key); slot != MAP_NONE; slot = map_get(m, ++key)) {
        const struct gateway_payment *p = payment_slot(g, slot);
        uint32_t text = which == TEXT_OF_ORDER         ? p->order
                        : which == TEXT_OF_PROVIDER_ID ? p->provider_id
                                                       : p->receipt;
        uint32_t scope = which == TEXT_OF_ORDER ? gateway__order_scope(p) : p->provider;
        struct old_name known = text_name(name->space, scope, gateway_text(g, text));
        if (old_name_equal(&known, name)) {
            return true;
        }
    }
    return false;
}

bool gateway__holds(const void *state, const struct old_name *name)
{
    const struct gateway *g = state;
    uint32_t slot;
    switch (name->space) {
    case OLD_SPACE_GATEWAY_PAYMENT:
        return gateway__payment_slot(g, old_name_number(name)) != MAP_NONE;
    case OLD_SPACE_NOTICE: return map_get(&g->notice_by_number, old_name_number(name)) != MAP_NONE;
    case OLD_SPACE_TOKEN:
        slot = name->size == 16 ? map_get(&g->by_token, gateway__bytes_key(name->bytes)) : MAP_NONE;
        return slot != MAP_NONE && memcmp(payment_slot(g, slot)->token, name->bytes, 16) == 0;
    case OLD_SPACE_NOTICE_KEY: return name->size == 16 && notice_key_known(g, name->bytes);
    case OLD_SPACE_ORDER: return text_known(g, &g->by_order, TEXT_OF_ORDER, name);
    case OLD_SPACE_PROVIDER_ID: return text_known(g, &g->by_provider_id, TEXT_OF_PROVIDER_ID, name);
    case OLD_SPACE_GATEWAY_RECEIPT: return text_known(g, &g->by_receipt, TEXT_OF_RECEIPT, name);
    default: return false; /* of a payer's, or shown alike, there may be others than in memory */
    }
}

/* ---- what a command is about ---- */

static void name_payment(uint64_t number, struct old_names *out)
{
    struct old_name name = gateway_payment_name(number);
    if (number != 0) {
        old_names_add(out, &name);
    }
}

static const struct gateway_payment *at_home(const struct gateway *g, uint64_t number)
{
    uint32_t slot = gateway__payment_slot(g, number);
    return slot == MAP_NONE ? NULL : payment_slot(g, slot);
}

/* All payments for the order of this one: of each direction the next that is not at home. */
static void name_chain(const struct gateway *g, const struct gateway_payment *p,
                       struct old_names *out)
{
    const struct gateway_payment *at = p;
    uint64_t number = p->after;
    while (number != 0 && (at = at_home(g, number)) != NULL) {
        number = at->after;
    }
    name_payment(number, out);
    number = p->before;
    while (number != 0 && (at = at_home(g, number)) != NULL) {
        number = at->before;
    }
    name_payment(number, out);
}

static void name_order(const struct gateway *g, uint32_t merchant, struct span order,
                       struct old_names *out)
{
    uint32_t slot = gateway__find(g, TEXT_OF_ORDER, merchant, order);
    if (slot != MAP_NONE) {
        name_chain(g, payment_slot(g, slot), out);
    } else if (order.size > 0) {
        struct old_name name = gateway_order_name(merchant, order);
        old_names_add(out, &name);
    }
}

static void name_text(uint8_t space, uint32_t provider, struct span text, struct old_names *out)
{
    if (text.size > 0) {
        struct old_name name = text_name(space, provider, text);
        old_names_add(out, &name);
    }
}

/* The other side of a refund, and what else a success of it looks at. */
static void name_around(const struct gateway *g, const struct gateway_payment *p, bool may_succeed,
                        struct old_names *out)
{
    if (gateway_is_refund(p->method)) {
        name_payment(p->overrides, out);
    } else {
        name_payment(p->refund, out);
    }
    bool was_paid = p->state == GATEWAY_SUCCEEDED || p->state == GATEWAY_REVERSED;
    if (may_succeed && !was_paid && !gateway_pays_out(p->method)) {
        name_chain(g, p, out);
        name_text(OLD_SPACE_GATEWAY_RECEIPT, p->provider, gateway__unproven_receipt(g, p), out);
    }
}

/* Those whose money it can be when nothing but the payer, or what was shown to the payer, tells. */
static void name_arrival(const struct gateway *g, uint32_t provider,
                         const struct observation *claim, int64_t now_ns, struct old_names *out)
{
    uint64_t quarter = quarter_of(claim->at_ns != 0 ? claim->at_ns : now_ns);
    name_order(g, provider_at(g, provider)->merchant, claim->account_reference, out);
    for (uint64_t i = quarter == 0 ? 0 : quarter - 1; i <= quarter + 1; i++) {
        struct old_name payer = payer_name(provider, claim->phone, i, claim->amount_minor);
        struct old_name shown =
            shown_name(provider, claim->account_reference, i, claim->amount_minor);
        if (claim->phone != 0) {
            old_names_add(out, &payer);
        }
        if (claim->account_reference.size > 0) {
            old_names_add(out, &shown);
        }
    }
}

/* The payment at home that a claim names, as far as its texts go. */
static const struct gateway_payment *told_by(const struct gateway *g, uint32_t provider,
                                             const struct observation *claim)
{
    uint32_t slot = gateway__find(g, TEXT_OF_RECEIPT, provider, claim->receipt);
    slot =
        slot != MAP_NONE ? slot : gateway__find(g, TEXT_OF_PROVIDER_ID, provider, claim->reference);
    slot = slot != MAP_NONE ? slot
                            : gateway__find(g, TEXT_OF_RECEIPT, provider, claim->original_receipt);
    return slot == MAP_NONE ? NULL : payment_slot(g, slot);
}

static void name_claim(const struct gateway *g, const struct notice_command *c, int64_t now_ns,
                       struct old_names *out)
{
    const struct observation claim = gateway__cut(c->claim);
    bool paid = claim.verdict == OBSERVED_SUCCEEDED;
    name_payment(c->payment, out);
    name_text(OLD_SPACE_PROVIDER_ID, c->provider, claim.reference, out);
    name_text(OLD_SPACE_GATEWAY_RECEIPT, c->provider, claim.receipt, out);
    if (claim.kind == OBSERVED_REFUND) {
        name_text(OLD_SPACE_GATEWAY_RECEIPT, c->provider, claim.original_receipt, out);
    }
    const struct gateway_payment *p = at_home(g, c->payment);
    const struct gateway_payment *told = told_by(g, c->provider, &claim);
    if (p != NULL) {
        name_around(g, p, paid, out);
    }
    if (told != NULL && told != p) {
        name_around(g, told, paid, out);
    }
    bool arrived = gateway__arrived(g, c->provider, &claim);
    if (arrived && p == NULL && told == NULL) {
        name_arrival(g, c->provider, &claim, now_ns, out);
    }
    /* A refund's word may name its payment, which is here, and be about a refund that left. */
    if ((p == NULL && told == NULL) || claim.kind == OBSERVED_REFUND) {
        struct old_name key = bytes_name(OLD_SPACE_NOTICE_KEY, c->key);
        old_names_add(out, &key);
    }
}

/* The answer to one of our calls. */
static void name_result(const struct gateway *g, const struct book_command *command,
                        struct old_names *out)
{
    const struct delivery_result_command *c = command->body;
    const struct gateway_reading *reading = c->reading;
    const struct outbox_item *item = outbox_item(&g->book->outbox, c->number);
    bool asks = item != NULL && (merchant_call_moves_money(item->kind) ||
                                 item->kind == CALL_QUERY || item->kind == CALL_STATUS);
    if (!asks) {
        return;
    }
    name_payment(item->subject, out);
    const struct gateway_payment *p = at_home(g, item->subject);
    if (p == NULL || reading == NULL || c->error != 0) {
        return;
    }
    const struct observation answer = gateway__cut(&reading->answer);
    name_text(OLD_SPACE_PROVIDER_ID, p->provider, answer.reference, out);
    name_around(g, p, true, out);
    gateway__name_orphans(g, p, answer.reference, out);
    if (reading->notice.claim != NULL) {
        name_claim(g, &reading->notice, command->now_ns, out);
    }
}

/* The receipt that is booked with it: the one that was claimed, or that the person saw. */
static void name_judged(const struct gateway *g, const struct judgement_command *c,
                        struct old_names *out)
{
    const struct gateway_payment *p = at_home(g, c->number);
    const struct gateway_notice *n = p == NULL ? NULL : gateway_mismatch_claim(g, p);
    name_payment(c->number, out);
    if (p != NULL) {
        name_around(g, p, true, out);
        name_text(OLD_SPACE_GATEWAY_RECEIPT, p->provider, c->receipt, out);
    }
    if (n != NULL) {
        name_text(OLD_SPACE_GATEWAY_RECEIPT, p->provider, gateway_text(g, n->receipt), out);
    }
}

/* A refund of it may hold its money. */
static void name_released(const struct gateway *g, uint64_t number, struct old_names *out)
{
    const struct gateway_payment *p = at_home(g, number);
    name_payment(number, out);
    if (p != NULL) {
        name_payment(p->refund, out);
    }
}

/* True: what the key stands for is known, or asked for first (book_fetch), and decides alone. */
static bool name_key(const struct gateway *g, const uint8_t key[16], struct old_names *out)
{
    struct old_name name = bytes_name(OLD_SPACE_KEY, key);
    old_names_add(out, &name);
    return book_key(g->book, key) != NULL;
}

static void name_made(const struct gateway *g, const struct book_command *command,
                      struct old_names *out)
{
    if (command->kind == COMMAND_PAYMENT_CREATE) {
        const struct payment_create_command *c = command->body;
        if (!name_key(g, c->key, out)) {
            name_order(g, c->merchant, c->order, out);
        }
        return;
    }
    const struct payout_command *c = command->body;
    if (name_key(g, c->key, out) || c->refunds == 0) {
        return;
    }
    const struct gateway_payment *p = at_home(g, c->refunds);
    name_payment(c->refunds, out);
    if (p != NULL) {
        name_payment(p->refund, out);
    }
}

void gateway__named(const void *state, const struct book_command *command, struct old_names *out)
{
    const struct gateway *g = state;
    switch (command->kind) {
    case COMMAND_PAYMENT_CREATE:
    case COMMAND_PAYOUT_CREATE: name_made(g, command, out); break;
    case COMMAND_NOTICE: name_claim(g, command->body, command->now_ns, out); break;
    case COMMAND_DELIVERY_RESULT: name_result(g, command, out); break;
    case COMMAND_PAYMENT_JUDGE: name_judged(g, command->body, out); break;
    case COMMAND_PAYMENT_RELEASE: /* not RESOLVE: of what has left nothing is asked */
        name_released(g, ((const struct payment_command *)command->body)->number, out);
        break;
    case COMMAND_DISAGREE:
        name_payment(((const struct discrepancy_command *)command->body)->payment, out);
        break;
    default: break;
    }
}
