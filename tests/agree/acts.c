/*
 * acts.c - see acts.h.
 */
#include "agree/acts.h"

#include <stdio.h>
#include <string.h>

#include "base/caltime.h"

const uint64_t phones[PHONES] = {254708374149, 254711000001, 254711000002, 254711000003};
const uint32_t codes[CODES] = {174379, 600000, 5551234};

const char *const act_names[ACT_COUNT] = {
#define X(name, weight) #name,
    ACTS(X)
#undef X
};

static uint32_t any(struct history *h, uint32_t end)
{
    return random_below(&h->random, end);
}

static bool chance(struct history *h, uint32_t percent)
{
    return random_percent(&h->random, percent);
}

/* A deal of this kind (or of any, for -1) that is known, and has ended or not; NULL: none drawn. */
static struct deal *some_deal(struct history *h, int kind)
{
    struct deals *d = h->deals;
    for (uint32_t i = 0; i < 8 && d->count > 0; i++) {
        struct deal *deal = &d->list[any(h, d->count)];
        if (kind < 0 || deal->kind == (enum deal_kind)kind) {
            return deal;
        }
    }
    return NULL;
}

/* ---- payments ---- */

static void act_push(struct history *h)
{
    char password[TOWN_PASSWORD_MAX];
    char id[ID_MAX];
    uint32_t code = codes[any(h, CODES)];
    bool till = (code == 5551234) != chance(h, 4); /* now and then the wrong product */
    int64_t shillings = chance(h, 10) ? 90000 + any(h, 30000) : 1 + any(h, 3) * 500;
    town_password(code, password);
    uint64_t phone = phones[any(h, PHONES)];
    struct wire_reply reply =
        town_post(h->town, "/mpesa/stkpush/v1/processrequest",
                  "{\"BusinessShortCode\":%u,\"Password\":\"%s\",\"Timestamp\":\"20260101120000\","
                  "\"TransactionType\":\"%s\",\"Amount\":%lld,\"PartyA\":%llu,\"PartyB\":%u,"
                  "\"PhoneNumber\":%llu,\"CallBackURL\":\"http://10.0.0.1/stk\","
                  "\"AccountReference\":\"INV-%u\","
                  "\"TransactionDesc\":\"Test\"}",
                  code, password, till ? "CustomerBuyGoodsOnline" : "CustomerPayBillOnline",
                  (long long)shillings, (unsigned long long)phone, code, (unsigned long long)phone,
                  any(h, 50));
    struct json_object *o = town_json(h->town, reply);
    bool bent = ears_rule_of_answer(h->ears) != NULL;
    if (o == NULL || !member_text(h->town, o, "CheckoutRequestID", id, sizeof(id))) {
        return; /* refused (one prompt a phone, R1.4), or a rule bent the answer: found later */
    }
    struct deal *deal = deal_find(h->deals, id); /* a rule may have had its callback heard first */
    if (deal == NULL || (deal->ended && !bent && deal->amount_minor != shillings * 100)) {
        contradiction("a push was accepted as %s, which nobody knows", id);
    }
    deal_claim(h->deals, deal,
               &(struct claim){"push", deal->asked_moment, true, NULL, NULL, shillings * 100});
}

static void act_answer(struct history *h)
{
    char path[128];
    struct deal *deal = NULL;
    for (uint32_t i = h->deals->count; i > 0 && deal == NULL; i--) {
        struct deal *candidate = &h->deals->list[i - 1];
        bool open = candidate->kind == DEAL_PUSH && !candidate->ended;
        deal = open && chance(h, 70) ? candidate : NULL;
    }
    if (deal == NULL) {
        return;
    }
    bool cancels = chance(h, 15);
    (void)snprintf(path, sizeof(path), "/sim/v1/prompts/%s/%s", deal->wire_id,
                   cancels ? "cancel" : "approve");
    const char *pin = chance(h, 88) ? "{\"pin\":\"1234\"}" : "{\"pin\":\"4321\"}";
    (void)town_ask(h->town, "POST", path, NULL, cancels ? "{}" : pin);
}

static void act_pay(struct history *h)
{
    char path[128];
    char id[24];
    uint32_t code = codes[any(h, CODES)];
    (void)snprintf(path, sizeof(path), "/sim/v1/subscribers/%llu/pay",
                   (unsigned long long)phones[any(h, PHONES)]);
    struct wire_reply reply = town_post(
        h->town, path, "{\"short_code\":%u,\"amount\":%u,\"reference\":\"ACC\",\"pin\":\"%s\"}",
        code, 100 * (1 + any(h, 900)), chance(h, 92) ? "1234" : "9999");
    if (member_text(h->town, town_json(h->town, reply), "id", id, sizeof(id))) {
        (void)deal_find(h->deals, id);
    }
}

static void act_simulate(struct history *h)
{
    uint32_t code = codes[any(h, CODES)];
    (void)town_post(h->town, "/mpesa/c2b/v2/simulate",
                    "{\"ShortCode\":%u,\"CommandID\":\"%s\",\"Amount\":\"%u\",\"Msisdn\":%llu,"
                    "\"BillRefNumber\":\"R\"}",
                    code, code == 5551234 ? "CustomerBuyGoodsOnline" : "CustomerPayBillOnline",
                    1 + any(h, 500), (unsigned long long)phones[any(h, PHONES)]);
}

/* A request with an initiator is accepted: by its OriginatorConversationID. */
static struct deal *accepted(struct history *h, struct wire_reply reply)
{
    char id[ID_MAX];
    char asked[32];
    struct json_object *o = town_json(h->town, reply);
    if (o == NULL || !member_text(h->town, o, "OriginatorConversationID", id, sizeof(id))) {
        return NULL;
    }
    /* The control API knows requests by number: the last one is it. */
    struct json_object *list =
        town_json(h->town, town_ask(h->town, "GET", "/sim/v1/requests", "limit=1", NULL));
    struct json_object *first = list == NULL ? NULL : json_item(json_member(list, "data"), 0);
    if (!member_text(h->town, first, "id", asked, sizeof(asked))) {
        contradiction("a request was accepted as %s and is not in the list", id);
    }
    struct deal *deal = deal_find(h->deals, asked);
    if (deal == NULL || strcmp(deal->wire_id, id) != 0) {
        contradiction("the request %s is %s to the control API", id, asked);
    }
    return deal;
}

#define INITIATED                                                                              \
    "\"Initiator\":\"testapi\",\"InitiatorName\":\"testapi\",\"SecurityCredential\":\"eA==\"," \
    "\"Remarks\":\"r\",\"Occasion\":\"o\",\"QueueTimeOutURL\":\"http://10.0.0.1/late\","       \
    "\"ResultURL\":\"http://10.0.0.1/result\""

static void act_payout(struct history *h)
{
    uint32_t code = codes[any(h, 2)];
    int64_t shillings = chance(h, 15) ? 200000 : 10 + any(h, 2000);
    (void)accepted(h, town_post(h->town, "/mpesa/b2c/v1/paymentrequest",
                                "{" INITIATED ",\"CommandID\":\"BusinessPayment\",\"Amount\":%lld,"
                                "\"PartyA\":%u,\"PartyB\":%llu}",
                                (long long)shillings, code,
                                (unsigned long long)phones[any(h, PHONES)]));
}

static void act_between(struct history *h)
{
    uint32_t from = any(h, 2);
    (void)accepted(h, town_post(h->town, "/mpesa/b2b/v1/paymentrequest",
                                "{" INITIATED ",\"CommandID\":\"BusinessPayBill\",\"Amount\":%u,"
                                "\"SenderIdentifierType\":4,\"RecieverIdentifierType\":4,"
                                "\"PartyA\":%u,\"PartyB\":%u,\"AccountReference\":\"A\"}",
                                10 + any(h, 90000), codes[from], codes[1 - from]));
}

static void act_reverse(struct history *h)
{
    struct deal *about = some_deal(h, chance(h, 60) ? DEAL_PUSH : DEAL_C2B);
    if (about == NULL || about->receipt[0] == '\0') {
        return;
    }
    uint32_t index = (uint32_t)(about - h->deals->list);
    struct deal *deal = accepted(
        h,
        town_post(h->town, "/mpesa/reversal/v1/request",
                  "{" INITIATED ",\"CommandID\":\"TransactionReversal\",\"TransactionID\":\"%s\","
                  "\"Amount\":%lld,\"ReceiverParty\":%u,\"RecieverIdentifierType\":\"11\"}",
                  about->receipt, (long long)(about->amount_minor / 100), about->short_code));
    if (deal != NULL) {
        deal->about = index + 1;
    }
}

/* ---- questions ---- */

static void act_status(struct history *h)
{
    struct deal *about = some_deal(h, -1);
    if (about == NULL || about->kind == DEAL_STATUS || about->kind == DEAL_BALANCE) {
        return;
    }
    bool by_receipt = about->receipt[0] != '\0' && chance(h, 60);
    if (about->kind == DEAL_C2B && !by_receipt) {
        return; /* it has no id that a merchant knows */
    }
    uint32_t index = (uint32_t)(about - h->deals->list);
    uint64_t asked = ++h->deals->moment;
    struct deal *deal = accepted(
        h, town_post(h->town, "/mpesa/transactionstatus/v1/query",
                     "{" INITIATED ",\"CommandID\":\"TransactionStatusQuery\",\"%s\":\"%s\","
                     "\"PartyA\":%u,\"IdentifierType\":\"4\"}",
                     by_receipt ? "TransactionID" : "OriginatorConversationID",
                     by_receipt ? about->receipt : about->wire_id, about->short_code));
    if (deal != NULL) {
        deal->about = index + 1;
        deal->asked_moment = asked;
    }
}

static void act_balance(struct history *h)
{
    (void)accepted(h, town_post(h->town, "/mpesa/accountbalance/v1/query",
                                "{" INITIATED ",\"CommandID\":\"AccountBalance\",\"PartyA\":%u,"
                                "\"IdentifierType\":\"4\"}",
                                codes[any(h, CODES)]));
}

static void act_query(struct history *h)
{
    struct deal *deal = some_deal(h, DEAL_PUSH);
    if (deal != NULL) {
        ears_query(h->ears, deal);
    }
}

static void act_pull(struct history *h)
{
    ears_pull(h->ears, codes[any(h, CODES)], false);
}

static void act_view(struct history *h)
{
    struct deal *deal = some_deal(h, -1);
    if (deal != NULL) {
        ears_view(h->ears, deal);
    }
}

/* ---- time, phones, settings ---- */

static void act_time(struct history *h)
{
    static const uint32_t ms[] = {1, 1000, 4000, 20000, 60000, 120000, 3600000, 4 * 3600000};
    char body[64];
    (void)snprintf(body, sizeof(body), "{\"advance_ms\":%u}", ms[any(h, 8)]);
    struct wire_reply reply = town_ask(h->town, "POST", "/sim/v1/clock", NULL, body);
    if (reply.status != 200) {
        contradiction("the clock does not move: %u", reply.status);
    }
    town_authorize(h->town);
}

static void act_phone(struct history *h)
{
    static const char *const changes[] = {"{\"reachable\":false}", "{\"reachable\":true}",
                                          "{\"status\":\"suspended\"}", "{\"status\":\"active\"}",
                                          "{\"pin\":\"1234\"}"};
    char path[64];
    (void)snprintf(path, sizeof(path), "/sim/v1/subscribers/%llu",
                   (unsigned long long)phones[any(h, PHONES)]);
    (void)town_ask(h->town, "PATCH", path, NULL, changes[any(h, 5)]);
}

static void act_settings(struct history *h)
{
    static const char *const changes[] = {
        "{\"external_validation\":true}", "{\"external_validation\":false}",
        "{\"queue_delay_ms\":5000}",      "{\"queue_delay_ms\":40000}",
        "{\"queue_delay_ms\":0}",         "{\"active\":true}",
        "{\"external_validation\":true}", "{\"queue_delay_ms\":35000}"};
    char path[64];
    (void)snprintf(path, sizeof(path), "/sim/v1/organisations/%u", codes[any(h, CODES)]);
    (void)town_ask(h->town, "PATCH", path, NULL, changes[any(h, 8)]);
}

static void act_restart(struct history *h)
{
    town_restart(h->town);
}

/* ---- rules ---- */

/* What a rule is for: FOR_REQUEST is what organisations and customers ask for. */
enum ruled_call { FOR_PUSH, FOR_QUERY, FOR_REQUEST, FOR_MESSAGE };

/* What a rule orders (JSON of "then"), and what may be said because of it. */
struct order {
    const char *then;
    struct lie lie;
    enum ruled_call call;
};

#define TRUTH .callback_amount_minor = -1

static const struct order orders[] = {
    {"\"outcome\":{\"code\":\"1025\"}", {TRUTH}, FOR_PUSH},
    {"\"outcome\":{\"code\":\"17\",\"text\":\"Later\",\"delay_ms\":5000}", {TRUTH}, FOR_PUSH},
    {"\"outcome\":{\"code\":\"1032\"}", {TRUTH}, FOR_PUSH},
    {"\"outcome\":{\"code\":\"0\"}", {TRUTH}, FOR_PUSH},
    {"\"prompt\":{\"act\":\"approve\",\"delay_ms\":20000}", {TRUTH}, FOR_PUSH},
    {"\"prompt\":{\"act\":\"wrong_pin\"}", {TRUTH}, FOR_PUSH},
    {"\"prompt\":{\"act\":\"cancel\",\"delay_ms\":3000}", {TRUTH}, FOR_PUSH},
    {"\"prompt\":{\"act\":\"ignore\"}", {TRUTH}, FOR_PUSH},
    {"\"prompt\":{\"act\":\"unreachable\"}", {TRUTH}, FOR_PUSH},
    {"\"callback\":{\"never\":true}", {TRUTH, .callback_never = true}, FOR_PUSH},
    {"\"callback\":{\"delay_ms\":120000}", {TRUTH}, FOR_PUSH},
    {"\"callback\":{\"times\":3,\"spacing_ms\":10000}", {TRUTH, .callbacks = 3}, FOR_PUSH},
    {"\"callback\":{\"hold_for_next\":true}", {TRUTH, .held = true}, FOR_PUSH},
    {"\"outcome\":{\"code\":\"0\"},\"callback\":{\"before_answer\":true}", {TRUTH}, FOR_PUSH},
    {"\"callback\":{\"amount\":99900}", {.callback_amount_minor = 99900}, FOR_PUSH},
    {"\"callback\":{\"metadata\":false}", {TRUTH, .no_metadata = true}, FOR_PUSH},
    {"\"callback\":{\"cut\":true}", {TRUTH, .cut = true}, FOR_PUSH},
    {"\"callback\":{\"code\":\"1032\"}", {TRUTH, .callback_code = "1032"}, FOR_PUSH},
    {"\"callback\":{\"code\":\"0\"}", {TRUTH, .callback_code = "0"}, FOR_PUSH},
    {"\"prompt\":{\"act\":\"approve\"},\"callback\":{\"code\":\"1037\"}",
     {TRUTH, .callback_code = "1037"},
     FOR_PUSH},
    {"\"callback\":{\"fail_first\":2}", {TRUTH}, FOR_PUSH},
    {"\"query\":{\"code\":\"1037\"}", {TRUTH, .query_code = "1037"}, FOR_PUSH},
    {"\"query\":{\"pending\":true}", {TRUTH, .query_pending = true}, FOR_PUSH},
    {"\"answer\":{\"error\":\"500.001.1001\",\"accepted\":true}",
     {TRUTH, .answer_bent = true},
     FOR_PUSH},
    {"\"answer\":{\"error\":\"500.003.02\"}", {TRUTH, .answer_bent = true}, FOR_PUSH},
    {"\"answer\":{\"status\":503}", {TRUTH, .answer_bent = true}, FOR_PUSH},
    {"\"answer\":{\"connection\":\"reset\"}", {TRUTH, .answer_bent = true}, FOR_PUSH},
    {"\"answer\":{\"connection\":\"half_body\"}", {TRUTH, .answer_bent = true}, FOR_PUSH},
    {"\"answer\":{\"delay_ms\":30000}", {TRUTH, .answer_bent = true}, FOR_PUSH},
    {"\"query\":{\"code\":\"1032\"}", {TRUTH, .query_code = "1032"}, FOR_QUERY},
    {"\"query\":{\"pending\":true}", {TRUTH, .query_pending = true}, FOR_QUERY},
    {"\"answer\":{\"connection\":\"empty_body\"}", {TRUTH, .answer_bent = true}, FOR_QUERY},
    {"\"outcome\":{\"code\":\"17\"}", {TRUTH}, FOR_REQUEST},
    {"\"outcome\":{\"code\":\"26\",\"delay_ms\":5000}", {TRUTH}, FOR_REQUEST},
    {"\"callback\":{\"never\":true}", {TRUTH, .callback_never = true}, FOR_REQUEST},
    {"\"callback\":{\"times\":2,\"spacing_ms\":9000}", {TRUTH, .callbacks = 2}, FOR_REQUEST},
    {"\"callback\":{\"delay_ms\":60000}", {TRUTH}, FOR_REQUEST},
    {"\"callback\":{\"fail_first\":2}", {TRUTH}, FOR_REQUEST},
    {"\"callback\":{\"code\":\"2001\"}", {TRUTH, .callback_code = "2001"}, FOR_REQUEST},
    {"\"callback\":{\"cut\":true}", {TRUTH, .cut = true}, FOR_REQUEST},
    {"\"callback\":{\"never\":true}", {TRUTH}, FOR_MESSAGE},
    {"\"callback\":{\"delay_ms\":9000}", {TRUTH}, FOR_MESSAGE},
    {"\"callback\":{\"times\":3,\"spacing_ms\":2000}", {TRUTH}, FOR_MESSAGE},
    {"\"callback\":{\"hold_for_next\":true,\"fail_first\":1}", {TRUTH}, FOR_MESSAGE},
};

/* Which call a rule is for. A lie about a C2B payment would need ears of its own. */
static const char *api_of(struct history *h, const struct order *o)
{
    static const char *const apis[] = {"b2c", "b2b", "reversal", "status", "balance", "c2b"};
    if (o->call == FOR_MESSAGE) {
        return chance(h, 50) ? "queue_timeout" : "c2b_validation";
    }
    bool lies = o->lie.cut || o->lie.callback_code[0] != '\0';
    if (o->call != FOR_REQUEST) {
        return o->call == FOR_QUERY ? "stk_query" : "stk_push";
    }
    return apis[any(h, lies ? 5 : 6)];
}

/* One or two rules take the place of those before; a name is used once in a history, so that what
 * was ordered for a payment stays known. */
static void act_rules(struct history *h)
{
    static const char *const matches[] = {"", ",\"every\":2", ",\"first\":2",
                                          ",\"phone\":{\"suffix\":\"1\"}",
                                          ",\"probability\":{\"per_million\":500000,\"seed\":7}"};
    char body[1024];
    int size = snprintf(body, sizeof(body), "{\"rules\":[");
    uint32_t count = chance(h, 20) ? 0 : 1 + any(h, 2);
    for (uint32_t i = 0; i < count && h->rules_used < LIES_MAX; i++) {
        const struct order *o = &orders[any(h, sizeof(orders) / sizeof(orders[0]))];
        h->deals->rules[h->rules_used] = o->lie;
        size +=
            snprintf(body + size, sizeof(body) - (size_t)size,
                     "%s{\"name\":\"r%u\",\"match\":{\"api\":\"%s\"%s},\"then\":{%s}}",
                     i == 0 ? "" : ",", h->rules_used, api_of(h, o), matches[any(h, 5)], o->then);
        h->rules_used++;
    }
    (void)snprintf(body + size, sizeof(body) - (size_t)size, "]}");
    struct wire_reply reply = town_ask(h->town, "PUT", "/sim/v1/rules", NULL, body);
    if (reply.status != 200) {
        contradiction("rules are refused: %.*s: %s", (int)reply.body.size, reply.body.data, body);
    }
}

/* ---- a history ---- */

static void act(struct history *h)
{
    static const struct {
        uint32_t weight;
        void (*play)(struct history *h);
    } acts[ACT_COUNT] = {
#define X(name, weight) {weight, act_##name},
        ACTS(X)
#undef X
    };
    uint32_t all = 0;
    for (uint32_t i = 0; i < ACT_COUNT; i++) {
        all += acts[i].weight;
    }
    uint32_t dice = any(h, all);
    uint32_t which = 0;
    while (dice >= acts[which].weight) {
        dice -= acts[which++].weight;
    }
    told_doing = act_names[which];
    trace("%llu: %s", (unsigned long long)h->random.step, told_doing);
    h->acts[which]++;
    acts[which].play(h);
    if (chance(h, 85)) { /* otherwise what is due waits for the next */
        town_settle(h->town);
    }
    ears_listen(h->ears);
}

static void set_up(struct history *h)
{
    for (uint32_t i = 1; i < PHONES; i++) {
        struct wire_reply reply =
            town_post(h->town, "/sim/v1/subscribers",
                      "{\"msisdn\":%llu,\"pin\":\"1234\",\"balance\":10000000}",
                      (unsigned long long)phones[i]);
        CHECK(reply.status == 201);
    }
    for (uint32_t i = 0; i < CODES; i++) {
        struct wire_reply reply = town_post(
            h->town, "/mpesa/c2b/v2/registerurl",
            "{\"ShortCode\":%u,\"ResponseType\":\"%s\",\"ConfirmationURL\":\"http://10.0.0.2/c\","
            "\"ValidationURL\":\"http://10.0.0.2/v\"}",
            codes[i], chance(h, 50) ? "Completed" : "Cancelled");
        CHECK(reply.status == 200);
        reply = town_post(h->town, "/pulltransactions/v1/register",
                          "{\"ShortCode\":\"%u\",\"RequestType\":\"Pull\",\"NominatedNumber\":"
                          "\"254711000001\",\"CallBackURL\":\"http://10.0.0.2/p\"}",
                          codes[i]);
        CHECK(reply.status == 200);
    }
}

void history_live(struct history *h, uint64_t seed)
{
    h->random = random_from(seed);
    h->rules_used = 0;
    told_random = &h->random;
    told_doing = "start";
    h->ears->random = &h->random;
    h->ears->faithful = false;
    deals_begin(h->deals, h->town);
    town_begin(h->town, seed % 2 == 0);
    h->started_ns = engine_now(h->town->engine);
    set_up(h);
    uint32_t steps = 10 + any(h, 22);
    for (h->random.step = 1; h->random.step <= steps; h->random.step++) {
        act(h);
    }
    told_doing = "the end";
    history_audit(h);
    town_end(h->town);
    h->histories++;
}
