/*
 * ears.c - see ears.h. Sources: callback, result, status, balance, confirmation, query, pull, view.
 */
#include "agree/ears.h"

#include <stdio.h>
#include <string.h>

#include "operator/operator.h"
#include "wire/daraja_stk.h"

typedef unsigned long long ull;

/* ---- arrival ---- */

static struct town_receipt answer_validation(struct ears *e)
{
    static const char *const answers[] = {
        "{\"ResultCode\":\"0\",\"ResultDesc\":\"Accepted\",\"ThirdPartyTransID\":\"T1\"}",
        "{\"ResultCode\":0}", "{\"ResultCode\":\"C2B00012\",\"ResultDesc\":\"Rejected\"}",
        "not json"};
    const char *answer = answers[e->faithful ? 0 : random_below(e->random, 4)];
    return (struct town_receipt){true, 200, answer};
}

struct town_receipt ears_receive(void *context, const struct town_message *message)
{
    struct ears *e = context;
    bool arrives = e->faithful || !random_percent(e->random, 8);
    bool answered = e->faithful || random_percent(e->random, 85);
    trace("  %s delivery %llu (kind %u, %.*s): %.*s", arrives ? "->" : "-x", (ull)message->number,
          message->kind, (int)message->url.size, message->url.data, (int)message->body.size,
          message->body.data);
    if (!arrives) {
        return (struct town_receipt){false, 0, NULL};
    }
    CHECK(e->count < HEARD_MAX && e->bytes + message->body.size < HEARD_BYTES);
    e->heard[e->count++] =
        (struct heard){message->number, message->subject, ++e->deals->moment,
                       message->kind,   e->bytes,         (uint32_t)message->body.size};
    memcpy(e->arena + e->bytes, message->body.data, message->body.size);
    e->bytes += (uint32_t)message->body.size;
    if (message->kind == MESSAGE_VALIDATION) {
        return answer_validation(e);
    }
    uint16_t status = e->faithful || random_percent(e->random, 80) ? 200 : 500;
    return (struct town_receipt){answered, status, "{}"};
}

/* ---- funds that a message tells ---- */

static uint64_t end_position(struct ears *e, const struct deal *deal)
{
    const struct operator_state *o = operator_of(e->town->book);
    if (deal->kind == DEAL_PUSH) {
        return operator_payment(o, deal->number)->step_position[STEP_ENDED];
    }
    return operator_request(o, deal->number)->step_position[REQUEST_ENDED];
}

/* What was in an account right after the deal had ended is what the view's entries add up to. */
static void funds(struct ears *e, const struct deal *deal, const char *source, const char *account,
                  int64_t told_minor)
{
    int64_t added_minor;
    ull position = (ull)end_position(e, deal);
    (void)view_number(
        e->town, &added_minor,
        "SELECT coalesce(sum(CASE direction WHEN 'credit' THEN amount ELSE -amount END), 0) "
        "FROM entries WHERE account = (SELECT %s_account FROM organisations WHERE short_code = %u) "
        "AND position <= %llu",
        account, deal->short_code, position);
    bool tampered = e->deals->tampered != NULL && strcmp(e->deals->tampered, source) == 0;
    e->deals->tampered_count += tampered;
    e->deals->claims++;
    if (told_minor + (tampered ? 1 : 0) != added_minor) {
        contradiction("%s of %s says that the %s account of %u has %lld, and entries up to "
                      "position %llu add up to %lld",
                      source, deal->id, account, deal->short_code, (long long)told_minor, position,
                      (long long)added_minor);
    }
}

/* "Working Account|KES|700000.00|700000.00|0.00|0.00": the current balance. */
static bool account_text(const char *text, const char *name, int64_t *out)
{
    char money[32];
    const char *at = strstr(text, name);
    size_t size = strlen(name);
    if (at == NULL || strncmp(at + size, "|KES|", 5) != 0) {
        return false;
    }
    at += size + 5;
    size_t length = strcspn(at, "|");
    CHECK(length < sizeof(money));
    memcpy(money, at, length);
    money[length] = '\0';
    *out = minor_of(money, name);
    return true;
}

static void account_texts(struct ears *e, const struct deal *deal, const char *source,
                          const char *text)
{
    static const char *const names[][2] = {{"Working Account", "working"},
                                           {"Utility Account", "utility"},
                                           {"Merchant Account", "utility"},
                                           {"Charges Paid Account", "charges_paid"},
                                           {"Organization Settlement Account", "settlement"}};
    uint32_t found = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int64_t minor;
        if (account_text(text, names[i][0], &minor)) {
            funds(e, deal, source, names[i][1], minor);
            found++;
        }
    }
    if (found == 0) {
        contradiction("%s of %s tells of no account: %s", source, deal->id, text);
    }
}

/* ---- the STK callback ---- */

static void callback_lied(const struct deal *deal, const struct daraja_stk_callback *said)
{
    const struct lie *lie = &deal->lie;
    const char *code = lie->callback_code[0] != '\0' ? lie->callback_code : deal->code;
    int64_t minor =
        lie->callback_amount_minor >= 0 ? lie->callback_amount_minor : deal->amount_minor;
    bool success = strcmp(code, "0") == 0;
    bool has_metadata = success && !lie->no_metadata;
    if (!span_is(said->result_code, code) || (said->receipt.size > 0) != has_metadata ||
        said->has_amount != has_metadata || (has_metadata && said->amount_minor != minor)) {
        contradiction("the callback of %s is not what its rule orders", deal->id);
    }
    bool invented = said->receipt.size == 10 && memcmp(said->receipt.data + 3, "ZZ", 2) == 0;
    if (has_metadata && !deal->paid && !invented) {
        contradiction("the callback of %s, which is not paid, tells a receipt that might be given",
                      deal->id);
    }
    if (has_metadata && deal->paid && !span_is(said->receipt, deal->receipt)) {
        contradiction("the callback of %s tells another receipt", deal->id);
    }
}

static void callback_told(struct ears *e, struct deal *deal, const struct daraja_stk_callback *said,
                          uint64_t moment)
{
    char code[CODE_MAX];
    char receipt[RECEIPT_MAX];
    CHECK(said->result_code.size < sizeof(code) && said->receipt.size < sizeof(receipt));
    (void)snprintf(code, sizeof(code), "%.*s", (int)said->result_code.size, said->result_code.data);
    (void)snprintf(receipt, sizeof(receipt), "%.*s", (int)said->receipt.size,
                   said->receipt.size == 0 ? "" : said->receipt.data);
    deal_claim(e->deals, deal,
               &(struct claim){"callback", moment, false, code, receipt,
                               said->has_amount ? said->amount_minor : -1});
}

static void hear_callback(struct ears *e, const struct heard *h, struct span body)
{
    char id[24];
    struct daraja_stk_callback said;
    (void)snprintf(id, sizeof(id), "txn_%llu", (ull)h->subject);
    struct deal *deal = deal_find(e->deals, id);
    if (deal == NULL) {
        contradiction("a callback came about %s, which nobody knows", id);
    }
    deal_know(e->deals, deal);
    deal->callbacks += message_is_new(e->deals, h->number, body);
    bool whole = daraja_stk_callback_parse(body, e->town->json, &said);
    if (deal->lie.callback_never || whole == deal->lie.cut) {
        contradiction("the callback of %s is %s", id, whole ? "there and whole" : "cut");
    }
    if (!whole) {
        return;
    }
    if (!span_is(said.checkout_request_id, deal->wire_id)) {
        contradiction("the callback of %s has another CheckoutRequestID", id);
    }
    const struct lie *lie = &deal->lie;
    if (lie->callback_code[0] != '\0' || lie->callback_amount_minor >= 0 || lie->no_metadata) {
        callback_lied(deal, &said);
    } else {
        callback_told(e, deal, &said, h->moment);
    }
}

/* ---- results ---- */

/* Value of a Key in ResultParameters. */
static bool parameter(struct ears *e, struct json_object *result, const char *key, char *out,
                      size_t size)
{
    char name[64];
    struct json_object *list = json_member(result, "ResultParameters");
    list = list == NULL ? NULL : json_member(list, "ResultParameter");
    out[0] = '\0';
    for (size_t i = 0; i < json_count(list); i++) {
        struct json_object *item = json_item(list, i);
        if (member_text(e->town, item, "Key", name, sizeof(name)) && strcmp(name, key) == 0) {
            return member_text(e->town, item, "Value", out, size);
        }
    }
    return false;
}

static void hear_payout(struct ears *e, struct deal *deal, struct json_object *result)
{
    static const char *const keys[][2] = {{"B2CUtilityAccountAvailableFunds", "utility"},
                                          {"B2CWorkingAccountAvailableFunds", "working"},
                                          {"B2CChargesPaidAccountAvailableFunds", "charges_paid"}};
    char text[64];
    for (size_t i = 0; i < 3; i++) {
        if (!parameter(e, result, keys[i][0], text, sizeof(text))) {
            contradiction("the result of %s has no %s", deal->id, keys[i][0]);
        }
        funds(e, deal, "result", keys[i][1], minor_of(text, keys[i][0]));
    }
}

/* What a status result says of the transaction that was asked about. */
static void hear_status(struct ears *e, const struct deal *status, struct json_object *result)
{
    char word[32];
    char receipt[RECEIPT_MAX];
    char amount[32];
    if (status->about == 0) {
        return;
    }
    struct deal *deal = &e->deals->list[status->about - 1];
    if (!parameter(e, result, "TransactionStatus", word, sizeof(word)) ||
        !parameter(e, result, "Amount", amount, sizeof(amount))) {
        contradiction("the status of %s has no word for it, or no amount", deal->id);
    }
    (void)parameter(e, result, "ReceiptNo", receipt, sizeof(receipt));
    bool open = strcmp(word, "Pending") == 0;
    bool paid = strcmp(word, "Completed") == 0;
    struct claim c = {"status", status->asked_moment,  open,
                      NULL,     open ? NULL : receipt, minor_of(amount, "Amount of a status")};
    if (!open) {
        deal_know(e->deals, deal);
        c.code = paid ? "0" : deal->code;
        if (!paid && deal->paid) {
            contradiction("status says that %s is %s, after it was paid", deal->id, word);
        }
    }
    deal_claim(e->deals, deal, &c);
}

static void hear_money_of(struct ears *e, struct deal *deal, struct json_object *result,
                          const char *key, int64_t *out)
{
    char text[64];
    if (!parameter(e, result, key, text, sizeof(text))) {
        contradiction("the result of %s has no %s", deal->id, key);
    }
    *out = minor_of(text, key);
}

/* The parts of a success that are its kind's own; the amount that it tells, -1: none. */
static int64_t hear_success(struct ears *e, struct deal *deal, struct json_object *result)
{
    char text[1024];
    int64_t minor = -1;
    switch (deal->kind) {
    case DEAL_B2C:
        hear_money_of(e, deal, result, "TransactionAmount", &minor);
        hear_payout(e, deal, result);
        break;
    case DEAL_B2B:
        hear_money_of(e, deal, result, "Amount", &minor);
        CHECK(parameter(e, result, "DebitPartyAffectedAccountBalance", text, sizeof(text)));
        account_texts(e, deal, "result", text);
        break;
    case DEAL_REVERSAL:
        hear_money_of(e, deal, result, "Amount", &minor);
        CHECK(parameter(e, result, "DebitAccountBalance", text, sizeof(text)));
        account_texts(e, deal, "result", text);
        break;
    case DEAL_BALANCE:
        CHECK(parameter(e, result, "AccountBalance", text, sizeof(text)));
        account_texts(e, deal, "balance", text);
        break;
    case DEAL_STATUS: break; /* hear_status */
    case DEAL_PUSH:
    case DEAL_C2B: contradiction("a result came about %s", deal->id);
    }
    return minor;
}

/* A result that a rule changes: exactly what it orders. False: its words are the truth. */
static bool result_lied(struct ears *e, const struct heard *h, struct span body)
{
    char id[24];
    char code[CODE_MAX];
    const char *why;
    (void)snprintf(id, sizeof(id), "req_%llu", (ull)h->subject);
    struct deal *deal = deal_find(e->deals, id);
    if (deal == NULL) {
        contradiction("a result came about %s, which nobody knows", id);
    }
    deal_know(e->deals, deal);
    const struct lie *lie = &deal->lie;
    if (h->kind == MESSAGE_TIMEOUT || (!lie->cut && lie->callback_code[0] == '\0')) {
        return false;
    }
    deal->callbacks += message_is_new(e->deals, h->number, body);
    struct json_object *root = json_parse(e->town->json, body, &why);
    struct json_object *result = root == NULL ? NULL : json_member(root, "Result");
    bool told = member_text(e->town, result, "ResultCode", code, sizeof(code));
    if (told == lie->cut || (told && strcmp(code, lie->callback_code) != 0)) {
        contradiction("the result of %s is not what its rule orders", id);
    }
    return true;
}

static void hear_result(struct ears *e, const struct heard *h, struct span body)
{
    char id[ID_MAX];
    char code[CODE_MAX];
    char receipt[RECEIPT_MAX];
    const char *why;
    struct json_object *root = json_parse(e->town->json, body, &why);
    struct json_object *result = root == NULL ? NULL : json_member(root, "Result");
    if (!member_text(e->town, result, "OriginatorConversationID", id, sizeof(id)) ||
        !member_text(e->town, result, "ResultCode", code, sizeof(code)) ||
        !member_text(e->town, result, "TransactionID", receipt, sizeof(receipt))) {
        contradiction("a result is none: %.*s", (int)body.size, body.data);
    }
    struct deal *deal = deal_by_wire(e->deals, id);
    if (deal == NULL) {
        contradiction("a result came about %s, which nobody asked for", id);
    }
    bool fresh = message_is_new(e->deals, h->number, body);
    if (h->kind == MESSAGE_TIMEOUT) {
        return; /* says nothing but that its result may still come */
    }
    deal->callbacks += fresh;
    if (deal->lie.callback_never) {
        contradiction("%s was told, against its rule", deal->id);
    }
    if (!fresh) {
        return;
    }
    deal_know(e->deals, deal);
    root = json_parse(e->town->json, body, &why);
    result = json_member(root, "Result");
    bool success = strcmp(code, "0") == 0;
    bool zeros = strcmp(receipt + 3, "0000000") == 0;
    bool moves = deal->kind != DEAL_STATUS && deal->kind != DEAL_BALANCE;
    struct claim c = {deal->kind == DEAL_BALANCE ? "balance" : "result",
                      h->moment,
                      false,
                      code,
                      moves && !zeros ? receipt : "",
                      -1};
    c.amount_minor = success ? hear_success(e, deal, result) : -1;
    deal_claim(e->deals, deal, &c);
    if (success && deal->kind == DEAL_STATUS) {
        root = json_parse(e->town->json, body, &why);
        hear_status(e, deal, json_member(root, "Result"));
    } else if (deal->kind == DEAL_STATUS && deal->about != 0 && !deal->ruled) {
        contradiction("status says %s of %s, which is there", code,
                      e->deals->list[deal->about - 1].id);
    }
}

/* ---- C2B ---- */

static void hear_c2b(struct ears *e, const struct heard *h, struct span body)
{
    char receipt[RECEIPT_MAX];
    char amount[32];
    char balance[32];
    char id[24];
    const char *why;
    struct json_object *o = json_parse(e->town->json, body, &why);
    if (!member_text(e->town, o, "TransID", receipt, sizeof(receipt)) ||
        !member_text(e->town, o, "TransAmount", amount, sizeof(amount)) ||
        !member_text(e->town, o, "OrgAccountBalance", balance, sizeof(balance))) {
        contradiction("a C2B message is none: %.*s", (int)body.size, body.data);
    }
    bool fresh = message_is_new(e->deals, h->number, body);
    (void)snprintf(id, sizeof(id), "req_%llu", (ull)h->subject);
    if (h->kind == MESSAGE_VALIDATION) {
        struct deal *asked = deal_find(e->deals, id);
        if (asked == NULL || asked->kind != DEAL_C2B) {
            contradiction("a validation came about %s, which is no C2B payment", id);
        }
        (void)snprintf(asked->reserved, sizeof(asked->reserved), "%s", receipt);
        return;
    }
    struct deal *deal = deal_find(e->deals, receipt);
    if (deal == NULL) {
        contradiction("a confirmation tells of %s, which nobody knows", receipt);
    }
    deal->callbacks += fresh && deal->kind == DEAL_C2B;
    deal_know(e->deals, deal);
    deal_claim(e->deals, deal,
               &(struct claim){"confirmation", h->moment, false, "0", receipt,
                               minor_of(amount, "TransAmount")});
    funds(e, deal, "confirmation", "utility", minor_of(balance, "OrgAccountBalance"));
}

void ears_listen(struct ears *e)
{
    for (uint32_t i = 0; i < e->count; i++) {
        struct heard h = e->heard[i];
        struct span body = {e->arena + h.at, h.size};
        if (h.kind == MESSAGE_STK_CALLBACK) {
            hear_callback(e, &h, body);
        } else if (h.kind == MESSAGE_VALIDATION || h.kind == MESSAGE_CONFIRMATION ||
                   (h.size > 18 && memcmp(body.data, "{\"TransactionType\"", 18) == 0)) {
            hear_c2b(e, &h, body);
        } else if (!result_lied(e, &h, body)) {
            hear_result(e, &h, body);
        }
    }
    e->count = 0;
    e->bytes = 0;
}

/* ---- the STK query ---- */

const struct lie *ears_rule_of_answer(struct ears *e)
{
    static const char start[] = "scenario rule \"r";
    const char *words = wire_explained(e->town->wire);
    if (strncmp(words, start, sizeof(start) - 1) != 0) {
        return NULL;
    }
    return &e->deals->rules[(words[sizeof(start) - 1] - '0') % LIES_MAX];
}

static void query_answered(struct ears *e, struct deal *deal, const struct lie *lie, uint64_t asked,
                           const char *code)
{
    bool pending = strcmp(code, "4999") == 0;
    bool bent = lie != NULL && deal->ended && (lie->query_pending || lie->query_code[0] != '\0');
    if (bent && deal->ended_moment < asked) {
        const char *ordered = lie->query_pending ? "4999" : lie->query_code;
        if (strcmp(ordered, code) != 0) {
            contradiction("the query about %s says %s where a rule orders %s", deal->id, code,
                          ordered);
        }
        return;
    }
    deal_claim(e->deals, deal,
               &(struct claim){"query", asked, pending, pending ? NULL : code, NULL, -1});
}

void ears_query(struct ears *e, struct deal *deal)
{
    char code[CODE_MAX];
    deal_look(e->deals, deal);
    uint64_t asked = ++e->deals->moment;
    char password[TOWN_PASSWORD_MAX];
    town_password(deal->short_code, password);
    struct wire_reply reply =
        town_post(e->town, "/mpesa/stkpushquery/v1/query",
                  "{\"BusinessShortCode\":%u,\"Password\":\"%s\",\"Timestamp\":\"20260101120000\","
                  "\"CheckoutRequestID\":\"%s\"}",
                  deal->short_code, password, deal->wire_id);
    const struct lie *lie = ears_rule_of_answer(e);
    struct json_object *o = town_json(e->town, reply);
    if (lie != NULL && lie->answer_bent) {
        return;
    }
    if (o == NULL || !member_text(e->town, o, "ResultCode", code, sizeof(code))) {
        contradiction("the query about %s is answered %u %.*s", deal->id, reply.status,
                      (int)reply.body.size, reply.body.data);
    }
    query_answered(e, deal, lie != NULL ? lie : &deal->lie, asked, code);
}

/* ---- pull ---- */

static uint32_t pulled(struct ears *e, uint32_t short_code, uint64_t asked)
{
    char receipts[DEALS_MAX][RECEIPT_MAX];
    int64_t amounts_minor[DEALS_MAX];
    char amount[32];
    struct wire_reply reply = town_post(e->town, "/pulltransactions/v1/query",
                                        "{\"ShortCode\":\"%u\",\"StartDate\":\"2025-12-31 "
                                        "00:00:00\",\"EndDate\":\"2026-12-31 00:00:00\","
                                        "\"OffSetValue\":\"0\"}",
                                        short_code);
    struct json_object *o = town_json(e->town, reply);
    struct json_object *rows = o == NULL ? NULL : json_member(o, "Response");
    if (rows == NULL) {
        contradiction("pull is answered %u %.*s", reply.status, (int)reply.body.size,
                      reply.body.data);
    }
    rows = json_item(rows, 0);
    uint32_t count = (uint32_t)json_count(rows);
    CHECK(count < DEALS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct json_object *row = json_item(rows, i);
        CHECK(member_text(e->town, row, "transactionId", receipts[i], RECEIPT_MAX));
        CHECK(member_text(e->town, row, "amount", amount, sizeof(amount)));
        amounts_minor[i] = minor_of(amount, "amount of a pulled row");
    }
    for (uint32_t i = 0; i < count; i++) {
        struct deal *deal = deal_find(e->deals, receipts[i]);
        if (deal == NULL) {
            contradiction("pull tells of %s, which nobody knows", receipts[i]);
        }
        deal_claim(e->deals, deal,
                   &(struct claim){"pull", asked, false, "0", receipts[i], amounts_minor[i]});
    }
    return count;
}

void ears_pull(struct ears *e, uint32_t short_code, bool complete)
{
    uint64_t asked = ++e->deals->moment;
    uint32_t count = pulled(e, short_code, asked);
    uint32_t known = 0;
    for (uint32_t i = 0; i < e->deals->count; i++) {
        const struct deal *deal = &e->deals->list[i];
        bool income = deal->kind == DEAL_PUSH || deal->kind == DEAL_C2B;
        known += income && deal->paid && deal->short_code == short_code;
    }
    if (complete && count != known) {
        contradiction("pull has %u payments to %u, and %u are known", count, short_code, known);
    }
}

/* ---- the view ---- */

void ears_view(struct ears *e, struct deal *deal)
{
    char status[TOWN_TEXT_MAX];
    char code[TOWN_TEXT_MAX];
    char receipt[TOWN_TEXT_MAX];
    char reversed[TOWN_TEXT_MAX];
    char rule[TOWN_TEXT_MAX];
    int64_t minor;
    const char *table = deal->kind == DEAL_PUSH ? "transactions" : "requests";
    deal_look(e->deals, deal);
    ull n = (ull)deal->number;
    uint64_t asked = ++e->deals->moment;
    if (!view_text(e->town, status, "SELECT status FROM %s WHERE number = %llu", table, n)) {
        contradiction("the view has no %s", deal->id);
    }
    bool coded =
        view_text(e->town, code, "SELECT result_code FROM %s WHERE number = %llu", table, n);
    (void)view_text(e->town, receipt, "SELECT receipt FROM %s WHERE number = %llu", table, n);
    bool is_reversed =
        view_text(e->town, reversed, "SELECT reversed_by FROM %s WHERE number = %llu", table, n);
    (void)view_number(e->town, &minor, "SELECT amount FROM %s WHERE number = %llu", table, n);
    bool open = strcmp(status, "PENDING") == 0 || strcmp(status, "PROCESSING") == 0;
    if (view_text(e->town, rule, "SELECT ruled_by FROM %s WHERE number = %llu", table, n) !=
        deal->ruled) {
        contradiction("the view has %s as ruled by \"%s\"", deal->id, rule);
    }
    if (coded == open || is_reversed != deal->reversed) {
        contradiction("the view has %s as %s, code \"%s\", reversed by \"%s\"", deal->id, status,
                      code, reversed);
    }
    deal_claim(
        e->deals, deal,
        &(struct claim){"view", asked, open, coded ? code : NULL, open ? NULL : receipt, minor});
}
