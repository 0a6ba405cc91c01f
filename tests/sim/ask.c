/*
 * ask.c - asking the operator: an ask in the auditor's words becomes a command of the engine, the
 * auditor says what must come of it, and the answer waits until the disk has what it rests on.
 */
#include <stdio.h>
#include <string.h>

#include "sim/memory.h"
#include "sim/world.h"

typedef unsigned long long ull;

static uint32_t code_of(const struct world *w, uint32_t shop)
{
    return shop < w->cast.shop_count ? w->cast.shops[shop].short_code : 999999;
}

/* What the face would compute from a PIN with its key. */
static void verifier_of(uint64_t msisdn, uint32_t pin, uint8_t out[PIN_VERIFIER_BYTES])
{
    uint64_t parts[2] = {hash_u64(msisdn, pin), hash_u64(pin, ~msisdn)};
    memcpy(out, parts, PIN_VERIFIER_BYTES);
}

/* The texts and command bodies of one ask; they live until the engine has decided. */
struct asked {
    char url[64];
    char reference[32];
    char answer[64];
    union {
        struct seed_command seed;
        struct stk_push_command push;
        struct stk_answer_command answered;
        struct subscriber_command subscriber;
        struct subscriber_change_command change;
        struct organisation_command organisation;
        struct fund_command fund;
        struct delivery_result_command result;
        struct delivery_revive_command revive;
        struct checkpoint_command checkpoint;
        struct open_accounts_command open;
        struct transfers_command transfers;
    } body;
    uint8_t results[BANK_ORDER_MAX];
};

static struct subscriber_command subscriber_of(const struct world *w, uint32_t phone)
{
    const struct cast_phone *as = &w->cast.phones[phone];
    struct subscriber_command c = {
        .msisdn = as->msisdn,
        .name = SPAN_LITERAL("Wanjiku"),
        .key_version = 1,
        .balance_minor = as->balance_minor,
        .approves = as->approves,
    };
    verifier_of(as->msisdn, as->pin, c.verifier);
    return c;
}

static struct organisation_command organisation_of(const struct world *w, uint32_t shop)
{
    const struct cast_shop *as = &w->cast.shops[shop];
    struct organisation_command c = {
        .short_code = as->short_code,
        .name = SPAN_LITERAL("Duka la Amani"),
        .type = as->type,
        .charges = CHARGES_CUSTOMER,
        .initiator = SPAN_LITERAL("apiop"),
        .secrets = {SPAN_LITERAL("sealed-passkey"), SPAN_LITERAL("sealed-key"), SPAN_EMPTY,
                    SPAN_EMPTY},
        .utility_minor = as->utility_minor,
        .working_minor = as->working_minor,
    };
    return c;
}

static uint16_t ask_seed(const struct world *w, struct asked *out)
{
    struct seed_command *c = &out->body.seed;
    memset(c, 0, sizeof(*c));
    c->organisation_count = w->cast.shops_seeded;
    c->subscriber_count = w->cast.phones_seeded;
    for (uint32_t i = 0; i < c->organisation_count; i++) {
        c->organisations[i] = organisation_of(w, i);
    }
    for (uint32_t i = 0; i < c->subscriber_count; i++) {
        c->subscribers[i] = subscriber_of(w, i);
    }
    return COMMAND_SEED;
}

static uint16_t ask_push(const struct world *w, const struct ask *ask, struct asked *out)
{
    struct stk_push_command *c = &out->body.push;
    uint32_t site = ask->shop < w->cast.shop_count ? w->cast.shops[ask->shop].site : 0;
    (void)snprintf(out->url, sizeof(out->url), "http://site%u.example/callback", site);
    (void)snprintf(out->reference, sizeof(out->reference), "ORDER-%u", ask->reference);
    memset(c, 0, sizeof(*c));
    c->short_code = code_of(w, ask->shop);
    c->party_b = code_of(w, ask->payee);
    c->type = ask->product;
    c->amount_minor = ask->amount_minor;
    c->msisdn = w->cast.phones[ask->phone].msisdn;
    c->url = span_from(out->url);
    c->reference = span_from(out->reference);
    c->description = SPAN_LITERAL("Malipo");
    c->target = hash_u64(site, 77);
    uint64_t parts[2] = {hash_u64(c->msisdn, c->short_code),
                         hash_u64((uint64_t)ask->amount_minor, ask->reference)};
    parts[0] ^= parts[1];
    memcpy(c->fingerprint, parts, sizeof(c->fingerprint));
    return COMMAND_STK_PUSH;
}

static uint16_t ask_answer(const struct world *w, const struct ask *ask, struct asked *out)
{
    struct stk_answer_command *c = &out->body.answered;
    memset(c, 0, sizeof(*c));
    c->number = ask->number;
    const struct audited_payment *p = auditor_payment(&w->auditor, ask->number);
    if (p != NULL) {
        verifier_of(w->auditor.phones[p->phone].msisdn, ask->pin, c->verifier);
    }
    return ask->kind == ASK_APPROVE ? COMMAND_STK_APPROVE : COMMAND_STK_CANCEL;
}

static uint16_t ask_change(const struct world *w, const struct ask *ask, struct asked *out)
{
    struct subscriber_change_command *c = &out->body.change;
    memset(c, 0, sizeof(*c));
    c->msisdn = w->cast.phones[ask->phone].msisdn;
    c->fields = ask->fields;
    c->reachable = ask->reachable;
    c->status = ask->status;
    c->key_version = 1;
    c->sim_swapped_ns = w->wall_ns;
    c->adjust_minor = ask->amount_minor;
    verifier_of(c->msisdn, ask->pin, c->verifier);
    return COMMAND_SUBSCRIBER_CHANGE;
}

static uint16_t ask_fund(const struct world *w, const struct ask *ask, struct asked *out)
{
    struct fund_command *c = &out->body.fund;
    memset(c, 0, sizeof(*c));
    c->short_code = code_of(w, ask->shop);
    c->account = ask->account;
    c->amount_minor = ask->amount_minor;
    c->has_key = ask->key != 0;
    uint64_t key = hash_u64(ask->key, 5);
    memcpy(c->key, &key, sizeof(key));
    uint64_t request[2] = {hash_u64(c->short_code, (uint64_t)ask->amount_minor), ask->account};
    memcpy(c->request, request, sizeof(c->request));
    return COMMAND_ORGANISATION_FUND;
}

static uint16_t ask_report(const struct ask *ask, struct asked *out)
{
    struct delivery_result_command *c = &out->body.result;
    memset(c, 0, sizeof(*c));
    c->number = ask->number;
    c->generation = ask->generation;
    c->status = ask->http;
    c->error = ask->error;
    c->duration_ms = 12;
    c->retry_after_ms = ask->retry_after_ms;
    memset(out->answer, 'a', sizeof(out->answer));
    CHECK(ask->answer_size <= sizeof(out->answer));
    c->answer = (struct span){out->answer, ask->answer_size};
    return COMMAND_DELIVERY_RESULT;
}

/* Fills the body and returns the kind of command. */
static uint16_t ask_command(struct world *w, const struct ask *ask, struct asked *out)
{
    switch (ask->kind) {
    case ASK_SEED: return ask_seed(w, out);
    case ASK_PUSH: return ask_push(w, ask, out);
    case ASK_APPROVE:
    case ASK_CANCEL: return ask_answer(w, ask, out);
    case ASK_OPEN_PHONE:
        out->body.subscriber = subscriber_of(w, ask->phone);
        return COMMAND_SUBSCRIBER_OPEN;
    case ASK_CHANGE: return ask_change(w, ask, out);
    case ASK_OPEN_SHOP:
        out->body.organisation = organisation_of(w, ask->shop);
        return COMMAND_ORGANISATION_OPEN;
    case ASK_FUND: return ask_fund(w, ask, out);
    case ASK_REPORT: return ask_report(ask, out);
    case ASK_REVIVE: out->body.revive.number = ask->number; return COMMAND_DELIVERY_REVIVE;
    case ASK_CHECKPOINT:
        out->body.checkpoint.position = w->node.book->position;
        out->body.checkpoint.digest = book_digest(w->node.book);
        return COMMAND_CHECKPOINT;
    case ASK_BANK_OPEN:
        out->body.open = (struct open_accounts_command){
            .count = 1, .code = 99, .flags = ask->flags, .currency = ask->currency};
        return COMMAND_OPEN_ACCOUNTS;
    case ASK_BANK:
        out->body.transfers = (struct transfers_command){.transfers = ask->bank->transfers,
                                                         .linked = ask->bank->linked,
                                                         .results = out->results,
                                                         .count = ask->bank->count};
        return COMMAND_TRANSFERS;
    case ASK_NOTHING:
    case ASK_LEAVE:
    case ASK_INTERNAL: break;
    }
    UNREACHABLE("an ask that cannot be asked");
}

/* What the auditor says to the reply; takes the decision into its own books. */
static void ask_audit(struct world *w, const struct ask *ask, struct reply *reply,
                      const uint8_t *results, int64_t now_ns)
{
    struct auditor *a = &w->auditor;
    bool decided = reply->status == ENGINE_APPLIED || reply->status == ENGINE_REFUSED;
    if (!decided) {
        return;
    }
    struct verdict v = auditor_judge(a, ask, now_ns);
    if (reply->status == ENGINE_REFUSED && v.applies) {
        v = auditor_judge(a, ask, engine_now(w->node.engine)); /* the clock went on meanwhile */
    }
    EXPECT(v.applies == (reply->status == ENGINE_APPLIED),
           "ask %d was %s, it should be %s (A1; refusal %d, expected %d)", ask->kind,
           reply->status == ENGINE_APPLIED ? "applied" : "refused",
           v.applies ? "applied" : "refused", reply->refusal, v.refusal);
    EXPECT(reply->refusal == v.refusal && reply->outcome == v.outcome,
           "ask %d was answered with %d/%d, it should be %d/%d (A1)", ask->kind, reply->refusal,
           reply->outcome, v.refusal, v.outcome);
    bool about_payment =
        ask->kind == ASK_PUSH || ask->kind == ASK_APPROVE || ask->kind == ASK_CANCEL;
    EXPECT(!about_payment || reply->number == v.number,
           "ask %d is about payment %llu, it should be %llu (A1)", ask->kind, (ull)reply->number,
           (ull)v.number);
    for (uint32_t i = 0; ask->kind == ASK_BANK && i < ask->bank->count; i++) {
        EXPECT(results[i] == v.results[i],
               "transfer %llu was answered with %d, it should be %d (A1)",
               (ull)ask->bank->transfers[i].id, results[i], v.results[i]);
    }
    reply->rests_on = v.rests_on;
    if (v.applies) {
        auditor_apply(a, ask, now_ns);
        reply->rests_on = a->position;
        if (ask->kind == ASK_REPORT) {
            const struct outbox_item *item = outbox_item(&w->node.book->outbox, ask->number);
            EXPECT(item != NULL, "message %llu is gone", (ull)ask->number);
            auditor_retry_at(a, ask->number, now_ns, item->next_try_ns, ask->retry_after_ms);
        }
    }
}

static void count_refusal(struct world *w, enum engine_status status)
{
    w->tally.acts[ACT_REFUSED_BUSY] += status == ENGINE_BUSY;
    w->tally.acts[ACT_REFUSED_FULL] += status == ENGINE_DISK_FULL;
    w->tally.acts[ACT_REFUSED_MEMORY] += status == ENGINE_NO_MEMORY;
}

/* E3: new work was taken only while the oldest decision was not kept waiting for too long, and
 * while the open batch was small. */
static void check_admission(const struct world *w, uint64_t applied_before, uint32_t batch_bytes)
{
    EXPECT(batch_bytes <= w->limits.batch_bytes_max,
           "new work was taken although %u bytes wait for the next batch (E3)", batch_bytes);
    if (applied_before == w->auditor.confirmed) {
        return;
    }
    int64_t waits_ns = w->now_ns - w->frame_ns[w->auditor.confirmed + 1];
    EXPECT(waits_ns <= w->limits.stall_ns_max + 1000000,
           "new work was taken although a decision has waited for the disk for %lld ms (E3)",
           (long long)(waits_ns / 1000000));
}

struct reply world_ask(struct world *w, enum engine_class class, const struct ask *ask)
{
    struct reply reply = {.status = ENGINE_POISONED, .down = true};
    struct node *n = &w->node;
    if (!n->running) {
        w->tally.acts[ACT_REFUSED_DOWN]++;
        return reply;
    }
    struct asked asked;
    uint16_t kind = ask_command(w, ask, &asked);
    struct operator_reply answered = {OPERATOR_DONE, 0, 0};
    enum book_outcome outcome = BOOK_DONE;
    void *into = kind >= COMMAND_DOMAIN_FIRST ? (void *)&answered : (void *)&outcome;
    uint64_t before = engine_applied(n->engine);
    uint64_t recalled = n->book->recalled;
    uint32_t batch_bytes = engine_counters(n->engine).batch_bytes;
    int64_t now_ns = engine_now(n->engine);
    uint64_t no_memory = memory_failures();
    memory_window(true);
    struct engine_result result = engine_execute(n->engine, class, kind, &asked.body, into);
    memory_window(false);
    no_memory = memory_failures() - no_memory;
    w->tally.faults[FAULT_NO_MEMORY] += no_memory;
    EXPECT(result.status != ENGINE_NO_MEMORY || no_memory > 0, "out of memory without a reason");
    reply = (struct reply){
        .status = result.status,
        .wait_position = result.wait_position,
        .refusal = answered.refusal,
        .outcome = outcome,
        .number = answered.number,
    };
    count_refusal(w, result.status);
    w->tally.acts[ACT_CAME_HOME] += n->book->recalled - recalled;
    bool decided = result.status == ENGINE_APPLIED || result.status == ENGINE_REFUSED;
    if (class == ENGINE_NEW_WORK && decided) {
        check_admission(w, before, batch_bytes);
    }
    uint64_t own = result.status == ENGINE_APPLIED;
    node_watch(w, before, now_ns, own);
    now_ns = engine_applied(n->engine) > before ? n->book->time_ns : now_ns;
    ask_audit(w, ask, &reply, asked.results, now_ns);
    auditor_compare_touched(&w->auditor, n->book);
    world_note(w, ask->kind, reply.status, reply.number << 8 | (uint64_t)reply.refusal);
    node_turn_soon(w);
    return reply;
}

/* ---- looking ---- */

bool world_look(struct world *w, uint64_t number, struct told *out)
{
    memset(out, 0, sizeof(*out));
    const struct operator_state *o = operator_of(w->node.book);
    struct old_name name = operator_payment_name(number);
    (void)engine_reach(w->node.engine, &name);
    const struct stk_payment *p = operator_payment(o, number);
    if (p == NULL) {
        return false;
    }
    out->generation = w->node.book->generation;
    out->number = number;
    out->position = engine_read_position(w->node.engine);
    out->amount_minor = p->amount_minor;
    out->says_state = true;
    out->outcome = p->outcome;
    payment_checkout_id(o, p, out->checkout_id);
    payment_receipt(p, out->receipt);
    return true;
}

/* ---- answers that wait (E1) ---- */

static void heard(struct world *w, const struct waiting *waiting)
{
    if (waiting->tells_payment) {
        auditor_told_payment(&w->auditor, &waiting->told);
    } else {
        auditor_told(&w->auditor, waiting->rests_on);
    }
    if (waiting->client < WORLD_CLIENTS_MAX) {
        client_heard(w, waiting);
    }
}

void world_wait(struct world *w, const struct waiting *waiting)
{
    if (waiting->wait_position <= engine_durable(w->node.engine)) {
        heard(w, waiting);
        return;
    }
    CHECK(w->waiting_count < WORLD_WAITING_MAX);
    w->waiting[w->waiting_count++] = *waiting;
}

void world_release(struct world *w)
{
    uint64_t durable = engine_durable(w->node.engine);
    uint32_t released = 0;
    while (released < w->waiting_count && w->waiting[released].wait_position <= durable) {
        released++;
    }
    if (released == 0) {
        return;
    }
    for (uint32_t i = 0; i < released; i++) {
        heard(w, &w->waiting[i]); /* nobody asks anything in here: replies lead to plans */
    }
    w->waiting_count -= released;
    memmove(&w->waiting[0], &w->waiting[released], w->waiting_count * sizeof(w->waiting[0]));
}

void world_connections_lost(struct world *w)
{
    for (uint32_t i = 0; i < w->waiting_count; i++) {
        if (w->waiting[i].client < WORLD_CLIENTS_MAX) {
            client_lost(w, w->waiting[i].client);
        }
    }
    w->waiting_count = 0;
}
