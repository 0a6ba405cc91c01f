/*
 * actors.c - the people: clients that push payments and ask again, phones that answer rightly,
 * wrongly, twice, too early, too late or never, an operator who funds, suspends, repairs and rarely
 * resets, and a reader of the event stream. They know only what they were told.
 */
#include <string.h>

#include "sim/world.h"

typedef unsigned long long ull;

#define MS ((int64_t)1000000)
#define S  ((int64_t)1000000000)

/* What a phone is going to do, packed into a moment. */
struct gesture {
    uint32_t generation;
    uint16_t pin; /* added to the right one: 0 is right */
    uint8_t cancels;
    uint8_t tries; /* RACES: together with a push, so that the pipeline has work */
};

enum { RACES = 128, TRIES_MAX = 5, RACE_NS = 50000 };

static uint64_t gesture_pack(struct gesture g)
{
    return (uint64_t)g.generation << 32 | (uint64_t)g.pin << 16 | (uint64_t)g.cancels << 8 |
           g.tries;
}

static struct gesture gesture_unpack(uint64_t packed)
{
    struct gesture g = {(uint32_t)(packed >> 32), (uint16_t)(packed >> 16), packed >> 8 & 255,
                        packed & 255};
    return g;
}

/* ---- clients ---- */

static int64_t amount_of(struct world *w, struct client *c, uint32_t phone)
{
    int64_t usual = w->cast.phones[phone].balance_minor / 20 + 100;
    int64_t most = w->auditor.settings[0].payment_max_minor;
    int64_t amount = dice_between(&c->dice, 1, usual);
    if (dice_chance(&c->dice, 60)) {
        amount = dice_between(&c->dice, usual, usual * 30); /* more than there is, perhaps */
    }
    amount = amount / 100 * 100 + 100;
    return amount < most ? amount : most;
}

static struct ask new_push(struct world *w, struct client *c)
{
    uint32_t phone = (uint32_t)dice_below(&c->dice, w->cast.phone_count);
    uint32_t shop = (uint32_t)dice_below(&c->dice, w->cast.shop_count);
    struct ask ask = {
        .kind = ASK_PUSH,
        .phone = phone,
        .shop = shop,
        .payee = shop,
        .product = w->cast.shops[shop].type == ORGANISATION_TILL ? 2 : 1,
        .reference = dice_chance(&c->dice, 300) ? 7 : ++w->next_reference,
        .amount_minor = amount_of(w, c, phone),
    };
    if (dice_chance(&c->dice, 15)) {
        ask.shop = w->cast.shop_count;
    }
    if (dice_chance(&c->dice, 30)) {
        ask.payee = (uint32_t)dice_below(&c->dice, w->cast.shop_count + 1);
    }
    if (dice_chance(&c->dice, 20)) {
        ask.product = 3 - ask.product;
    }
    return ask;
}

static void count_push(struct world *w, const struct client *c, const struct reply *reply)
{
    w->tally.acts[ACT_PUSH_REPEATED] += c->repeated;
    w->tally.acts[ACT_PUSH] += reply->status == ENGINE_APPLIED;
    w->tally.acts[ACT_PUSH_DUPLICATE] += reply->refusal == OPERATOR_DUPLICATE;
    w->tally.acts[ACT_PUSH_LOCKED] += reply->refusal == OPERATOR_SUBSCRIBER_LOCKED;
    w->tally.acts[ACT_PUSH_UNKNOWN] += reply->refusal == OPERATOR_MERCHANT_UNKNOWN;
}

/* One answer on the phone, now. False: nobody was there to take it. */
static bool phone_taps(struct world *w, uint64_t number, struct gesture g)
{
    const struct audited_payment *p = auditor_payment(&w->auditor, number);
    uint32_t pin = p != NULL ? w->auditor.phones[p->phone].pin : 0;
    struct ask ask = {
        .kind = g.cancels ? ASK_CANCEL : ASK_APPROVE,
        .number = number,
        .pin = pin + g.pin,
    };
    struct reply reply = world_ask(w, ENGINE_CONTINUATION, &ask);
    if (reply.status != ENGINE_APPLIED && reply.status != ENGINE_REFUSED) {
        return false;
    }
    TELL(w, "phone: %s payment %llu%s -> %d", g.cancels ? "cancels" : "approves", (ull)number,
         g.pin != 0 ? " with a wrong PIN" : "", reply.refusal);
    w->tally.acts[ACT_ANSWER_REFUSED] += reply.refusal != OPERATOR_DONE;
    struct waiting waiting = {
        .wait_position = reply.wait_position,
        .rests_on = reply.rests_on,
        .client = WORLD_CLIENTS_MAX,
        .refusal = reply.refusal,
    };
    if (reply.number != 0 && world_look(w, number, &waiting.told)) {
        waiting.tells_payment = true;
        waiting.told.says_state = false;
        waiting.told.outcome = STK_OPEN;
        memset(waiting.told.receipt, 0, sizeof(waiting.told.receipt));
        waiting.told.position = reply.rests_on;
    }
    world_wait(w, &waiting);
    return true;
}

void client_turn(struct world *w, uint32_t index)
{
    struct client *c = &w->clients[index];
    if (w->repaired || c->waits) {
        return;
    }
    if (!c->has_ask) {
        c->ask = new_push(w, c);
        c->has_ask = true;
    }
    struct reply reply = world_ask(w, ENGINE_NEW_WORK, &c->ask);
    if (reply.status != ENGINE_APPLIED && reply.status != ENGINE_REFUSED) {
        TELL(w, "client %u: not now (%d)", index, reply.status);
        world_plan(w, dice_span_ns(&c->dice, 50 * MS, 2 * S), MOMENT_CLIENT, index, 0);
        return;
    }
    count_push(w, c, &reply);
    TELL(w, "client %u: asks phone %u for %lld -> payment %llu, refusal %d", index, c->ask.phone,
         (long long)c->ask.amount_minor, (ull)reply.number, reply.refusal);
    c->waits = true;
    struct waiting waiting = {
        .wait_position = reply.wait_position,
        .rests_on = reply.rests_on,
        .client = index,
        .refusal = reply.refusal,
    };
    if (reply.number != 0 && world_look(w, reply.number, &waiting.told)) {
        waiting.tells_payment = true;
        waiting.told.says_state = false;
        waiting.told.outcome = STK_OPEN;
        memset(waiting.told.receipt, 0, sizeof(waiting.told.receipt));
        waiting.told.position = reply.rests_on;
    }
    if (reply.status == ENGINE_APPLIED && dice_chance(&c->dice, 60)) {
        /* Somebody taps before the pipeline has had its turn. */
        struct gesture g = {.pin = dice_chance(&c->dice, 200),
                            .cancels = dice_chance(&c->dice, 300)};
        w->tally.acts[ACT_EARLY]++;
        (void)phone_taps(w, reply.number, g);
    }
    world_wait(w, &waiting);
    if (reply.status == ENGINE_APPLIED && dice_chance(&c->dice, 60)) {
        struct reply again = world_ask(w, ENGINE_NEW_WORK, &c->ask); /* a double click */
        count_push(w, c, &again);
        if (again.status == ENGINE_REFUSED) {
            waiting.client = WORLD_CLIENTS_MAX;
            waiting.wait_position = again.wait_position;
            waiting.told.position = again.rests_on;
            world_wait(w, &waiting);
        }
    }
}

/* What the phone will do with the prompt. */
static void plan_phone(struct world *w, struct client *c, const struct told *told)
{
    struct gesture g = {.generation = (uint32_t)told->generation};
    uint64_t roll = dice_below(&c->dice, 100);
    int64_t after_ns = dice_span_ns(&c->dice, 2 * MS, 16 * S);
    if (roll < 8) {
        w->tally.acts[ACT_SILENCE]++;
        return;
    }
    if (roll < 14) {
        const struct audited_payment *p = auditor_payment(&w->auditor, told->number);
        int64_t left_ns = p == NULL ? 0 : p->expires_ns - engine_now(w->node.engine);
        w->tally.acts[ACT_LATE]++;
        after_ns = dice_between(&c->dice, 3 * S, 70 * S);
        if (left_ns > 0 && dice_chance(&c->dice, 600)) {
            /* At the very end of the prompt; or a push just before it and the tap just after. */
            bool races = left_ns > RACE_NS && dice_chance(&c->dice, 800);
            g.tries = races ? RACES : 0;
            after_ns = races ? left_ns - RACE_NS : left_ns + (int64_t)dice_below(&c->dice, 3) - 1;
        }
    } else if (roll < 20) {
        g.pin = 1;
    } else if (roll < 28) {
        g.cancels = 1;
    } else if (roll < 36) {
        w->tally.acts[ACT_TWICE]++;
        struct gesture second = g;
        second.cancels = dice_chance(&c->dice, 500);
        second.pin = dice_chance(&c->dice, 500);
        world_plan(w, dice_span_ns(&c->dice, MS, 4 * S), MOMENT_PHONE, told->number,
                   gesture_pack(second));
    }
    w->tally.acts[ACT_PIN_WRONG] += g.pin != 0;
    w->tally.acts[ACT_CANCEL] += g.cancels != 0;
    w->tally.acts[ACT_PIN_RIGHT] += g.pin == 0 && g.cancels == 0;
    world_plan(w, after_ns, MOMENT_PHONE, told->number, gesture_pack(g));
}

void client_heard(struct world *w, const struct waiting *heard)
{
    struct client *c = &w->clients[heard->client];
    c->waits = false;
    c->has_ask = false;
    c->repeated = false;
    if (heard->refusal == OPERATOR_DONE) {
        plan_phone(w, c, &heard->told);
        if (dice_chance(&c->dice, 400)) {
            world_plan(w, dice_span_ns(&c->dice, 100 * MS, 30 * S), MOMENT_QUERY,
                       heard->told.number, heard->told.generation << 8);
        }
    }
    world_plan(w, dice_span_ns(&c->dice, MS, 4 * S), MOMENT_CLIENT, heard->client, 0);
}

void client_lost(struct world *w, uint32_t index)
{
    struct client *c = &w->clients[index];
    c->waits = false;
    c->repeated = dice_chance(&c->dice, 700);
    c->has_ask = c->repeated; /* asks the same again, or gives up */
    world_plan(w, dice_span_ns(&c->dice, 100 * MS, 20 * S), MOMENT_CLIENT, index, 0);
}

/* ---- phones ---- */

void phone_answers(struct world *w, uint64_t number, uint64_t packed)
{
    struct gesture g = gesture_unpack(packed);
    if (w->node.running && w->node.book->generation != g.generation) {
        return; /* the prompt is of a world that is gone */
    }
    if ((g.tries & RACES) != 0) {
        struct ask push = new_push(w, &w->clients[0]);
        g.tries = 0;
        (void)world_ask(w, ENGINE_NEW_WORK, &push); /* nobody waits for the answer */
        world_plan(w, RACE_NS + (int64_t)dice_below(&w->dice, RACE_NS), MOMENT_PHONE, number,
                   gesture_pack(g));
        return;
    }
    if (phone_taps(w, number, g) || g.tries++ == TRIES_MAX) {
        return;
    }
    world_plan(w, dice_span_ns(&w->dice, 100 * MS, 4 * S), MOMENT_PHONE, number, gesture_pack(g));
}

/* ---- queries ---- */

void query_asked(struct world *w, uint64_t number, uint64_t packed)
{
    uint64_t generation = packed >> 8;
    uint64_t tries = packed & 255;
    if (w->node.running && w->node.book->generation == generation) {
        struct waiting waiting = {.client = WORLD_CLIENTS_MAX, .tells_payment = true};
        bool found = world_look(w, number, &waiting.told);
        EXPECT(found, "payment %llu was told to a client and a query does not find it (A2)",
               (ull)number);
        waiting.wait_position = waiting.told.position;
        TELL(w, "query: payment %llu is %d", (ull)number, waiting.told.outcome);
        w->tally.acts[ACT_QUERY]++;
        world_wait(w, &waiting);
    }
    if (tries < 3 && !w->repaired) {
        world_plan(w, dice_span_ns(&w->dice, S, 60 * S), MOMENT_QUERY, number, packed + 1);
    }
}

/* ---- the operator ---- */

static void operator_asks(struct world *w, const struct ask *ask, enum sim_act act)
{
    struct reply reply = world_ask(w, ENGINE_CONTINUATION, ask);
    bool decided = reply.status == ENGINE_APPLIED || reply.status == ENGINE_REFUSED;
    w->tally.acts[act] += reply.status == ENGINE_APPLIED;
    w->tally.acts[ACT_CHANGE_REFUSED] += reply.status == ENGINE_REFUSED;
    TELL(w, "operator: %d -> %d, refusal %d/%d", ask->kind, reply.status, reply.refusal,
         reply.outcome);
    if (decided) {
        struct waiting waiting = {
            .wait_position = reply.wait_position,
            .rests_on = reply.rests_on,
            .client = WORLD_CLIENTS_MAX,
        };
        world_wait(w, &waiting);
    }
}

static struct ask change_of(struct world *w)
{
    struct dice *d = &w->dice_operator;
    struct ask ask = {.kind = ASK_CHANGE, .phone = (uint32_t)dice_below(d, w->cast.phone_count)};
    const struct audited_phone *phone = auditor_phone(&w->auditor, ask.phone);
    uint64_t roll = dice_below(d, 100);
    if (roll < 45) {
        ask.fields = CHANGE_BALANCE;
        ask.amount_minor = dice_between(d, -400000, 900000) / 100 * 100 + 50;
    } else if (roll < 60) {
        ask.fields = CHANGE_PIN;
        ask.pin = (uint32_t)dice_between(d, 1000, 9999);
    } else if (roll < 75) {
        ask.fields = CHANGE_STATUS | CHANGE_REACHABLE;
        ask.status = phone != NULL && phone->status == SUBSCRIBER_SUSPENDED ? SUBSCRIBER_ACTIVE
                                                                            : SUBSCRIBER_SUSPENDED;
        ask.reachable = true;
    } else if (roll < 95) {
        ask.fields = CHANGE_REACHABLE;
        ask.reachable = phone == NULL || !phone->reachable;
    } else {
        ask.fields = CHANGE_SIM_SWAPPED;
    }
    return ask;
}

static struct ask fund_of(struct world *w)
{
    struct dice *d = &w->dice_operator;
    struct ask ask = {
        .kind = ASK_FUND,
        .shop = (uint32_t)dice_below(d, w->cast.shop_count + 1),
        .account = (uint8_t)dice_below(d, 2),
        .amount_minor = dice_between(d, 0, 50) * 1000,
        .key = ++w->next_key,
    };
    if (dice_chance(d, 400) && w->auditor.key_count > 0) {
        /* a request that was sent before; mostly the very same */
        const struct audited_step *step = NULL;
        for (uint64_t i = w->auditor.position; i > 0 && step == NULL; i--) {
            step = w->auditor.steps[i - 1].ask.kind == ASK_FUND ? &w->auditor.steps[i - 1] : NULL;
        }
        ask = step != NULL ? step->ask : ask;
        ask.amount_minor += dice_chance(d, 200) ? 1000 : 0;
    } else if (dice_chance(d, 200)) {
        ask.key = 0;
    }
    return ask;
}

/* The first thing of the cast that is not there yet, or any that is. */
static void operator_opens(struct world *w)
{
    struct dice *d = &w->dice_operator;
    struct ask ask = {.kind = dice_chance(d, 600) ? ASK_OPEN_PHONE : ASK_OPEN_SHOP};
    ask.phone = (uint32_t)dice_below(d, w->cast.phone_count);
    ask.shop = (uint32_t)dice_below(d, w->cast.shop_count);
    operator_asks(w, &ask, ACT_OPENED);
}

static void operator_revives(struct world *w)
{
    struct dice *d = &w->dice_operator;
    struct ask ask = {.kind = ASK_REVIVE, .number = dice_below(d, w->auditor.message_count + 2)};
    operator_asks(w, &ask, ACT_REVIVED);
}

/* Most people get their wallets before anything else happens. */
static void operator_opens_early(struct world *w)
{
    for (uint32_t i = w->cast.phones_seeded; i < w->cast.phone_count; i++) {
        struct ask ask = {.kind = ASK_OPEN_PHONE, .phone = i};
        if (dice_chance(&w->dice_operator, 850)) {
            operator_asks(w, &ask, ACT_OPENED);
        }
    }
}

/* Transfers between bare accounts: new ones, repeated ones, holds and their ends, linked or not. */
static struct transfer transfer_of(struct world *w, uint64_t id)
{
    struct dice *d = &w->dice_operator;
    const struct bank *b = &w->auditor.bank;
    struct transfer t = {
        .id = id,
        .kind = (uint16_t)dice_between(d, TRANSFER_POST, TRANSFER_VOID_HOLD),
        .code = 9,
        .reference = id % 5,
        .amount_minor = dice_chance(d, 30) ? 0 : dice_between(d, 1, 1000),
        .debit_account = b->accounts[dice_below(d, b->account_count)].index,
        .credit_account = b->accounts[dice_below(d, b->account_count)].index,
    };
    if (dice_chance(d, 30)) {
        t.debit_account = 1000000;
    }
    if (t.kind == TRANSFER_HOLD && dice_chance(d, 700)) {
        t.expires_ns = engine_now(w->node.engine) + dice_span_ns(d, MS, 120 * S);
    }
    for (uint32_t i = 0; t.kind > TRANSFER_HOLD && i < 8 && b->entry_count > 0; i++) {
        const struct bank_entry *e = &b->entries[dice_below(d, b->entry_count)];
        t.hold_id = e->t.id;
        if (e->state == ENTRY_HOLD_OPEN) {
            break;
        }
    }
    return t;
}

static bool id_is_in(const struct bank_order *order, uint64_t id)
{
    for (uint32_t i = 0; i < order->count; i++) {
        if (order->transfers[i].id == id) {
            return true;
        }
    }
    return false;
}

static void operator_banks(struct world *w)
{
    struct dice *d = &w->dice_operator;
    const struct bank *b = &w->auditor.bank;
    if (b->account_count < 3 || (dice_chance(d, 100) && b->account_count < BANK_ACCOUNTS_MAX)) {
        static const uint16_t flags[] = {0,
                                         0,
                                         ACCOUNT_DEBITS_LIMITED,
                                         ACCOUNT_DEBITS_LIMITED,
                                         ACCOUNT_CREDITS_LIMITED,
                                         ACCOUNT_CLOSED};
        struct ask open = {.kind = ASK_BANK_OPEN,
                           .flags = flags[dice_below(d, b->account_count < 2 ? 1 : 6)],
                           .currency = dice_chance(d, 900) ? LEDGER_CURRENCY_KES : 840};
        operator_asks(w, &open, ACT_OPENED);
        return;
    }
    struct bank_order order = {0};
    uint64_t count = (uint64_t)dice_span_ns(d, 1, BANK_ORDER_MAX);
    while (order.count < count && b->entry_count + order.count < BANK_ENTRIES_MAX) {
        struct transfer t = transfer_of(w, ++w->next_transfer);
        if (dice_chance(d, 200) && b->entry_count > 0) {
            const struct bank_entry *e = &b->entries[dice_below(d, b->entry_count)];
            t = e->t; /* asked before, perhaps with another amount */
            t.amount_minor += dice_chance(d, 200);
        }
        if (w->next_transfer % 64 == 13) {
            t.id |= (1 + w->next_transfer / 64 % 3) << 60; /* one that is not for clients */
        }
        if (!id_is_in(&order, t.id)) {
            order.linked[order.count] = dice_chance(d, 300);
            order.transfers[order.count++] = t;
        }
    }
    struct ask ask = {.kind = ASK_BANK, .bank = &order};
    if (order.count > 0) {
        operator_asks(w, &ask, ACT_TRANSFERS);
    }
}

void operator_acts(struct world *w)
{
    struct dice *d = &w->dice_operator;
    uint64_t roll = dice_below(d, 100);
    struct ask ask = {.kind = ASK_CHECKPOINT};
    if (w->repaired) {
        return;
    }
    world_plan(w, dice_span_ns(d, 50 * MS, 4 * S), MOMENT_OPERATOR, 0, 0);
    if (!w->node.running || w->auditor.generation == 0) {
        return;
    }
    if (!w->wallets_open) {
        w->wallets_open = true;
        operator_opens_early(w);
    } else if (roll < 40) {
        ask = change_of(w);
        operator_asks(w, &ask, ACT_CHANGED);
    } else if (roll < 55) {
        ask = fund_of(w);
        operator_asks(w, &ask, ACT_FUNDED);
    } else if (roll < 67) {
        operator_opens(w);
    } else if (roll < 75) {
        operator_revives(w);
    } else if (roll < 97) {
        operator_banks(w);
        operator_banks(w);
    } else {
        operator_asks(w, &ask, ACT_CHANGED);
    }
}

/* ---- the event stream ---- */

void reader_reads(struct world *w)
{
    if (!w->repaired) {
        world_plan(w, dice_span_ns(&w->dice, 100 * MS, 30 * S), MOMENT_READER, 0, 0);
    }
    if (!w->node.running) {
        return;
    }
    const uint8_t *data;
    size_t size;
    if (!engine_recent(w->node.engine, w->stream_position + 1, &data, &size)) {
        w->stream_position = engine_durable(w->node.engine); /* too old: reads the journal */
        return;
    }
    struct reader r = reader_init(data, size);
    struct frame_reader f;
    while (frame_next(&r, &f)) {
        EXPECT(f.info.position == w->stream_position + 1,
               "the stream goes from position %llu to %llu", (ull)w->stream_position,
               (ull)f.info.position);
        w->stream_position++;
        w->tally.acts[ACT_STREAMED]++;
    }
    EXPECT(!r.bad, "the stream holds a broken frame");
    EXPECT(w->stream_position == engine_durable(w->node.engine),
           "the stream ends at %llu, the disk has %llu", (ull)w->stream_position,
           (ull)engine_durable(w->node.engine));
    auditor_told(&w->auditor, w->stream_position);
}

/* ---- a tester with a virtual clock ---- */

void tester_moves(struct world *w)
{
    struct dice *d = &w->dice_operator;
    world_plan(w, dice_span_ns(d, 100 * MS, 8 * S), MOMENT_TESTER, 0, 0);
    if (!w->node.running || engine_advancing(w->node.engine)) {
        return;
    }
    w->advance_until_idle = w->repaired || dice_chance(d, 300);
    w->advance_by_ns = w->repaired ? WORLD_REST_NS : dice_span_ns(d, MS, 600 * S);
    bool begun = engine_advance(w->node.engine, w->advance_by_ns, w->advance_until_idle);
    EXPECT(begun, "a virtual clock that stands cannot be moved");
    TELL(w, "tester: moves the clock by %lld ms%s", (long long)(w->advance_by_ns / MS),
         w->advance_until_idle ? " or until nothing is due" : "");
    node_turn_soon(w);
}

/* ---- the beginning ---- */

void actors_begin(struct world *w)
{
    for (uint32_t i = 0; i < w->client_count; i++) {
        w->clients[i] = (struct client){.dice = dice_init(w->options.seed, 1000 + i)};
        world_plan(w, dice_span_ns(&w->clients[i].dice, MS, 4 * S), MOMENT_CLIENT, i, 0);
    }
    world_plan(w, 5 * MS, MOMENT_OPERATOR, 0, 0);
    world_plan(w, S, MOMENT_READER, 0, 0);
    if (w->is_virtual) {
        world_plan(w, 2 * S, MOMENT_TESTER, 0, 0);
    }
}
