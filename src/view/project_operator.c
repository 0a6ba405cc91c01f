/*
 * project_operator.c - the operator's events into rows: people, organisations, payments, prompts
 * and the messages that tell of them. See project.c for how to show a new kind.
 * Tests: tests/unit/test_view.c.
 */
#include <stdio.h>
#include <string.h>

#include "view/internal.h"
#include "view/schema.h"
#include "wire/daraja_stk.h"
#include "wire/rules.h"

/* ---- people and organisations ---- */

static void change_subscriber(struct projection *p, const struct operator_event *e)
{
    static const char *const statuses[] = {"unregistered", "active", "suspended"};
    char swapped[RFC3339_SIZE];
    (void)RUN(p->store, SUBSCRIBER_CHANGE, integer(e->slot), text(statuses[e->status]),
              integer(e->reachable), projection_time(e->sim_swapped_ns, swapped));
}

static void open_organisation(struct projection *p, const struct operator_event *e)
{
    static const char *const types[] = {"?", "paybill", "till", "bulk"};
    static const char *const charges[] = {"?", "customer", "shared", "business"};
    (void)RUN(p->store, ORGANISATION_ADD, integer(e->slot), integer(e->short_code),
              text(types[e->type]), text(charges[e->charges]),
              integer(e->accounts[ACCOUNT_UTILITY]), integer(e->accounts[ACCOUNT_WORKING]),
              integer(e->accounts[ACCOUNT_CHARGES_PAID]), integer(e->accounts[ACCOUNT_SETTLEMENT]),
              text(p->at));
}

/* ---- the STK payment ---- */

static uint64_t phone_of(struct projection *p, uint32_t slot)
{
    sqlite3_stmt *row = store_look(p->store, STATEMENT_PERSON_LOOK, slot);
    uint64_t msisdn = row == NULL ? 0 : (uint64_t)sqlite3_column_int64(row, 0);
    if (row != NULL) {
        store_done(row);
    }
    return msisdn;
}

/* The texts came in the same frame, just before. */
static void accept_payment(struct projection *p, const struct operator_event *e)
{
    static const char *const types[] = {"?", "CustomerPayBillOnline", "CustomerBuyGoodsOnline"};
    int64_t now_ns = p->frame.time_ns;
    uint64_t msisdn = phone_of(p, e->slot);
    char checkout[ID_TEXT_SIZE];
    char merchant[ID_TEXT_SIZE];
    id_checkout_format(now_ns, e->checkout_serial, msisdn, checkout);
    id_merchant_request_format((uint64_t)now_ns, e->number, merchant);
    (void)RUN(p->store, TRANSACTION_ADD, number(e->number), text("stk_push"),
              text(stk_state_name(STK_PENDING)), text(checkout), text(merchant),
              integer(e->amount_minor), number(msisdn), integer(e->short_code), integer(e->party_b),
              text(types[e->type]), text_of(p->texts.reference), text_of(p->texts.description),
              text_of(p->texts.url), text(p->at), integer(now_ns), number(p->frame.position));
    memset(&p->texts, 0, sizeof(p->texts)); /* its spans end with the frame */
}

static void prompt(struct projection *p, const struct operator_event *e)
{
    char expires[RFC3339_SIZE];
    (void)RUN(p->store, TRANSACTION_STATUS, number(e->number),
              text(stk_state_name(STK_PROCESSING)));
    (void)RUN(p->store, PROMPT_ADD, number(e->number), integer(e->reachable), text(p->at),
              projection_time(e->expires_ns, expires));
}

/* What the phone answered, as far as the cause of the frame tells: NULL for a deadline. */
static const char *answer_of(uint16_t cause)
{
    switch (cause) {
    case COMMAND_STK_APPROVE: return "pin";
    case COMMAND_STK_CANCEL: return "cancel";
    case COMMAND_STK_ADVANCE: return "automatic"; /* unless one was there before its turn */
    default: return NULL;
    }
}

/* What a scenario rule ordered for a payment or request; false: none did. */
static bool order_of(struct projection *p, enum statement look, uint64_t subject, struct ruled *out)
{
    sqlite3_stmt *row = store_look(p->store, look, (int64_t)subject);
    if (row == NULL) {
        return false;
    }
    bool good = operator_ruled_decode(store_bytes(row, 0), out);
    store_done(row);
    return good;
}

/* False: the bytes are no order. */
static bool keep_ruling(struct projection *p, const struct operator_event *e)
{
    bool of_payment = e->kind == EVENT_STK_RULED;
    static const char *const origins[RULE_ORIGINS] = {"user", "magic"};
    uint8_t buffer[VIEW_BODY_MAX];
    struct writer orders = writer_init(buffer, sizeof(buffer));
    struct ruled ruled;
    if (!operator_ruled_decode(e->orders, &ruled)) {
        return false;
    }
    rule_effects_render(&orders, &ruled.effects);
    CHECK(!orders.overflow); /* all of its texts are short */
    struct span json = {(const char *)buffer, orders.size};
    if (of_payment) {
        (void)RUN(p->store, TRANSACTION_RULED, number(e->number), text(ruled.name));
    } else {
        (void)RUN(p->store, REQUEST_RULED, number(e->number), text(ruled.name));
    }
    (void)RUN(p->store, RULING_ADD, of_payment ? number(e->number) : nothing(),
              of_payment ? nothing() : number(e->number), text(ruled.name),
              text(origins[ruled.origin]), integer(ruled.index + 1), number(ruled.revision),
              text_of(json), bytes_of(e->orders), text(p->at), number(p->frame.position));
    return true;
}

static void end_payment(struct projection *p, const struct operator_event *e)
{
    char receipt[ID_RECEIPT_SIZE];
    struct ruled ruled;
    const char *answer = answer_of(p->frame.cause);
    const char *code = stk_outcome_code(e->outcome);
    bool paid = e->outcome == STK_PAID;
    if (e->outcome == STK_RULED && order_of(p, STATEMENT_RULING_LOOK, e->number, &ruled)) {
        code = ruled.effects.outcome_code;
    }
    if (paid) {
        id_receipt_format(e->receipt_day, e->receipt, receipt);
    }
    (void)RUN(p->store, TRANSACTION_END, number(e->number),
              text(stk_state_name(stk_outcome_state(e->outcome))), text(code),
              text(stk_outcome_words(e->outcome)), text(paid ? receipt : NULL), text(p->at),
              integer(p->frame.time_ns));
    p->ended_payment = e->number;
    p->ended_request = 0;
    if (answer != NULL) {
        (void)RUN(p->store, PROMPT_END, number(e->number), text(answer), text(p->at));
    }
}

/* ---- requests of organisations ---- */

static const char *party_type_name(uint8_t type)
{
    switch (type) {
    case PARTY_MSISDN: return "msisdn";
    case PARTY_TILL: return "till";
    case PARTY_SHORT_CODE: return "short_code";
    default: return NULL;
    }
}

static void accept_request(struct projection *p, const struct operator_event *e)
{
    const struct operator_event *t = &p->texts;
    uint64_t party = e->party != 0 ? e->party : t->party; /* a phone has a record of its own */
    int64_t now_ns = p->frame.time_ns;
    bool of_request = (e->original & 1) != 0; /* request_original_request */
    struct value original = e->original != 0 ? number(e->original >> 1) : nothing();
    char conversation[ID_TEXT_SIZE];
    char made[ID_TEXT_SIZE];
    id_conversation_format(now_ns, e->number, conversation);
    id_request_format((uint64_t)now_ns, e->number, made);
    (void)RUN(p->store, REQUEST_ADD, number(e->number), text(request_kind_name(e->request_kind)),
              text(stk_state_name(STK_PENDING)), text(conversation),
              t->conversation.size > 0 ? text_of(t->conversation) : text(made),
              integer(e->amount_minor), integer(e->short_code),
              party != 0 ? number(party) : nothing(), text(party_type_name(e->party_type)),
              of_request ? nothing() : original, of_request ? original : nothing(),
              text_of(t->reference), text_of(t->remarks), text_of(t->occasion), text_of(t->url),
              text_of(t->timeout_url), text(p->at), integer(now_ns), number(p->frame.position));
    memset(&p->texts, 0, sizeof(p->texts)); /* its spans end with the frame */
}

static void ask_for_request(struct projection *p, const struct operator_event *e)
{
    char expires[RFC3339_SIZE];
    (void)RUN(p->store, REQUEST_ASKED, number(e->number), text(stk_state_name(STK_PROCESSING)),
              projection_time(e->expires_ns, expires));
}

static void end_request(struct projection *p, const struct operator_event *e)
{
    char receipt[ID_RECEIPT_SIZE];
    struct ruled ruled;
    const char *code = request_outcome_code(e->outcome);
    p->ended_payment = 0;
    p->ended_request = e->number;
    if (e->outcome == REQUEST_RULED &&
        order_of(p, STATEMENT_RULING_LOOK_REQUEST, e->number, &ruled)) {
        code = ruled.effects.outcome_code;
    }
    if (e->has_receipt) {
        id_receipt_format(e->receipt_day, e->receipt, receipt);
    }
    (void)RUN(p->store, REQUEST_END, number(e->number),
              text(stk_state_name(request_outcome_state(e->outcome))), text(code),
              text(request_outcome_words(e->outcome)), text(e->has_receipt ? receipt : NULL),
              integer(e->charge_minor), text(p->at), integer(p->frame.time_ns));
    if (e->has_receipt) { /* of a reversal: its original shows it */
        (void)RUN(p->store, TRANSACTION_REVERSED, number(e->number));
        (void)RUN(p->store, REQUEST_REVERSED, number(e->number));
    }
}

/* ---- standing orders ---- */

static void date_text(uint32_t day, char out[16])
{
    struct civil c;
    civil_from_day(day, &c);
    (void)snprintf(out, 16, "%04d-%02u-%02u", (int)c.year % 10000, c.month % 100, c.day % 100);
}

static void ask_standing(struct projection *p, const struct operator_event *e)
{
    char start[16];
    char end[16];
    date_text(e->terms.start_day, start);
    date_text(e->terms.end_day, end);
    (void)RUN(p->store, STANDING_ADD, number(e->number), number(e->request),
              text(standing_state_name(STANDING_ASKED)),
              text(standing_frequency_name(e->terms.frequency)), text(start), text(end));
}

/* OPENED, RAN (its last payment or not) and CANCELLED. */
static void move_standing(struct projection *p, const struct operator_event *e)
{
    char next[RFC3339_SIZE];
    bool ran = e->kind == EVENT_STANDING_ORDER_RAN;
    bool opened = e->kind == EVENT_STANDING_ORDER_OPENED;
    bool goes_on = (opened || ran) && e->expires_ns != 0;
    enum standing_state state = goes_on ? STANDING_ACTIVE
                                : ran   ? STANDING_FINISHED
                                        : STANDING_CANCELLED;
    (void)RUN(p->store, STANDING_STATUS, number(e->number), text(standing_state_name(state)),
              goes_on ? projection_time(e->expires_ns, next) : nothing(),
              goes_on ? nothing() : text(p->at));
    if (ran) {
        (void)RUN(p->store, STANDING_RAN, number(e->number), number(e->request));
    }
}

/* The request that asked for an order ended without one. */
static void refuse_standing(struct projection *p, const struct operator_event *e)
{
    if (e->outcome != REQUEST_DONE) {
        (void)RUN(p->store, STANDING_REFUSED, number(e->number),
                  text(standing_state_name(STANDING_REFUSED)),
                  text(standing_state_name(STANDING_ASKED)));
    }
}

/* ---- messages ---- */

/* What the table of transactions knows of a payment that has ended; spans live with the row. */
static bool end_of(sqlite3_stmt *row, uint64_t payment, char code[16], struct daraja_stk_end *out)
{
    int64_t second_ns;
    uint32_t tail;
    struct span result = store_text(row, 5);
    memset(out, 0, sizeof(*out));
    out->number = payment;
    out->accepted_ns = sqlite3_column_int64(row, 0);
    out->msisdn = (uint64_t)sqlite3_column_int64(row, 2);
    out->amount_minor = sqlite3_column_int64(row, 3);
    out->ended_ns = sqlite3_column_int64(row, 4);
    if (result.size == 0 || result.size >= 16 ||
        !id_checkout_parse(store_text(row, 1), &second_ns, &out->checkout_serial, &tail)) {
        return false;
    }
    memcpy(code, result.data, result.size);
    code[result.size] = '\0';
    out->result_code = code;
    out->unanswered = span_is(store_text(row, 8), stk_outcome_words(STK_NO_ANSWER));
    struct span receipt = store_text(row, 6);
    return receipt.size == 0 || id_receipt_parse(receipt, &out->receipt_day, &out->receipt_serial);
}

/* The words of an end that a rule ordered, and what it makes of a callback. */
static void bend(struct projection *p, const struct outbox_event *e, sqlite3_stmt *row,
                 struct ruled *ruled, struct daraja_stk_end *end, struct daraja_stk_result *result)
{
    bool is_ruled =
        store_text(row, 9).size > 0 && order_of(p, STATEMENT_RULING_LOOK, e->subject, ruled);
    bool is_ordered = span_is(store_text(row, 8), stk_outcome_words(STK_RULED)) ||
                      span_is(store_text(row, 8), stk_outcome_words(STK_CANCELLED));
    end->words = is_ruled && is_ordered ? ruled->effects.outcome_text : NULL;
    daraja_stk_result_of(end, result);
    if (is_ruled && (e->item_kind & MESSAGE_RULED) != 0) {
        daraja_stk_result_bend(end, &ruled->effects, result);
    }
}

static void queue_stk_callback(struct projection *p, const struct outbox_event *e,
                               sqlite3_stmt *row)
{
    uint8_t buffer[VIEW_BODY_MAX];
    struct writer body = writer_init(buffer, sizeof(buffer));
    struct daraja_stk_end end;
    struct daraja_stk_result result;
    struct ruled ruled;
    char code[16];
    char next[RFC3339_SIZE];
    bool ended = end_of(row, e->subject, code, &end);
    if (ended) {
        bend(p, e, row, &ruled, &end, &result);
        daraja_stk_callback_render(&body, &result);
    }
    struct span bytes = {(const char *)buffer, body.size};
    struct span url = store_text(row, 7);
    (void)RUN(p->store, CALLBACK_ADD, number(e->number), number(e->subject), text("stk_callback"),
              text_of(url), ended && !body.overflow ? text_of(bytes) : nothing(),
              integer((e->item_kind & MESSAGE_RULED) != 0), text(p->at), integer(p->frame.time_ns),
              projection_time(e->next_try_ns, next));
}

/* The form of these is known to the face alone: their rows have no body. */
static void queue_request_message(struct projection *p, const struct outbox_event *e, uint16_t kind)
{
    static const char *const kinds[] = {[MESSAGE_RESULT] = "result",
                                        [MESSAGE_TIMEOUT] = "timeout",
                                        [MESSAGE_VALIDATION] = "validation"};
    char next[RFC3339_SIZE];
    (void)RUN(p->store, MESSAGE_ADD, number(e->number), number(e->subject), text(kinds[kind]),
              text(p->at), integer(p->frame.time_ns), projection_time(e->next_try_ns, next),
              integer((e->item_kind & MESSAGE_RULED) != 0));
    if (kind == MESSAGE_VALIDATION) {
        projection_validation_asked(p, e);
    }
}

/* An organisation with C2B URLs is told of an STK payment, or of a standing order's, in the frame
 * in which that ended. */
static void queue_confirmation(struct projection *p, const struct outbox_event *e)
{
    char next[RFC3339_SIZE];
    bool of_payment = p->ended_payment != 0;
    struct value at_next = projection_time(e->next_try_ns, next);
    if (of_payment) {
        (void)RUN(p->store, CONFIRMATION_ADD, number(e->number), number(p->ended_payment),
                  text(p->at), integer(p->frame.time_ns), at_next);
    } else {
        (void)RUN(p->store, REQUEST_CONFIRMATION_ADD, number(e->number), number(p->ended_request),
                  text(p->at), integer(p->frame.time_ns), at_next);
    }
}

/* A biller is told of a payment that was just made. */
static void queue_bill(struct projection *p, const struct outbox_event *e)
{
    char next[RFC3339_SIZE];
    (void)RUN(p->store, BILL_ADD, number(e->number),
              p->ended_payment != 0 ? number(p->ended_payment) : nothing(),
              p->ended_payment != 0 ? nothing() : number(p->ended_request), text(p->at),
              integer(p->frame.time_ns), projection_time(e->next_try_ns, next));
}

static void queued(struct projection *p, const struct outbox_event *e)
{
    uint16_t kind = e->item_kind & (uint16_t)~MESSAGE_RULED;
    if (kind == MESSAGE_BILL) {
        queue_bill(p, e);
        return;
    }
    if (kind == MESSAGE_CONFIRMATION) {
        queue_confirmation(p, e);
        return;
    }
    if (kind >= MESSAGE_RESULT && kind <= MESSAGE_VALIDATION) {
        queue_request_message(p, e, kind);
        return;
    }
    sqlite3_stmt *row = store_look(p->store, STATEMENT_TRANSACTION_LOOK, (int64_t)e->subject);
    if ((e->item_kind & ~MESSAGE_RULED) != MESSAGE_STK_CALLBACK || row == NULL) {
        p->skipped++; /* of a kind that this program does not know */
    } else {
        queue_stk_callback(p, e, row);
    }
    if (row != NULL) {
        store_done(row);
    }
}

/* It tells of what its original tells of, with the words that somebody gave it. */
static void edited(struct projection *p, const struct outbox_event *e)
{
    char next[RFC3339_SIZE];
    (void)RUN(p->store, CALLBACK_EDITED, number(e->number), number(e->original), text_of(e->url),
              text_of(e->body), text(p->at), integer(p->frame.time_ns),
              projection_time(e->next_try_ns, next));
}

/* What a status query or a reversal is about. */
static void look_up_request(struct projection *p, const struct operator_event *e)
{
    bool of_request = (e->original & 1) != 0;
    (void)RUN(p->store, REQUEST_ORIGINAL, number(e->number),
              of_request ? nothing() : number(e->original >> 1),
              of_request ? number(e->original >> 1) : nothing());
}

/* ---- the ledger ---- */

static const char *account_kind(uint16_t code)
{
    static const char *const organisations[ORGANISATION_ACCOUNTS] = {"utility", "working",
                                                                     "charges_paid", "settlement"};
    switch (code) {
    case CODE_TRUST: return "trust";
    case CODE_FEES: return "fees";
    case CODE_WALLET: return "wallet";
    default: break;
    }
    bool owned = code >= CODE_UTILITY && code < CODE_UTILITY + ORGANISATION_ACCOUNTS;
    return owned ? organisations[code - CODE_UTILITY] : "other";
}

static const char *transfer_reason(uint16_t code)
{
    switch (code) {
    case TRANSFER_CODE_ISSUE: return "e_money_issued";
    case TRANSFER_CODE_REDEEM: return "e_money_redeemed";
    case TRANSFER_CODE_STK: return "stk_payment";
    case TRANSFER_CODE_C2B: return "c2b";
    case TRANSFER_CODE_B2C: return "b2c";
    case TRANSFER_CODE_B2B: return "b2b";
    case TRANSFER_CODE_CHARGE: return "charge";
    case TRANSFER_CODE_REVERSAL: return "reversal";
    case TRANSFER_CODE_SETTLEMENT: return "settlement";
    case TRANSFER_CODE_STANDING: return "standing_order";
    default: return "other";
    }
}

static void open_account(struct projection *p, const struct ledger_event *e)
{
    const struct account_opening *a = &e->opened;
    bool wallet = a->code == CODE_WALLET;
    bool organisation = a->code >= CODE_UTILITY && a->code < CODE_UTILITY + ORGANISATION_ACCOUNTS;
    char currency[8];
    (void)snprintf(currency, sizeof(currency), "%u", a->currency);
    (void)RUN(p->store, ACCOUNT_ADD, integer(e->account), text(account_kind(a->code)),
              wallet ? number(a->owner) : nothing(), organisation ? number(a->owner) : nothing(),
              text(a->currency == LEDGER_CURRENCY_KES ? "KES" : currency), integer(a->flags),
              text(p->at));
}

static void add_entry(struct projection *p, const struct transfer *t, bool debit)
{
    struct value reference = t->reference != 0 ? number(t->reference) : nothing();
    bool payment = t->code == TRANSFER_CODE_STK;
    bool request = t->code >= TRANSFER_CODE_C2B && t->code <= TRANSFER_CODE_STANDING;
    (void)RUN(
        p->store, ENTRY_ADD, number(t->id), integer(debit ? t->debit_account : t->credit_account),
        text(debit ? "debit" : "credit"), integer(t->amount_minor), text(transfer_reason(t->code)),
        payment ? reference : nothing(), request ? reference : nothing(), text(p->at),
        integer(p->frame.time_ns), number(p->frame.position));
}

/* ---- events ---- */

static void project_person(struct projection *p, const struct operator_event *e)
{
    switch (e->kind) {
    case EVENT_PERSON_KEPT:
        (void)RUN(p->store, PERSON_PUT, integer(e->slot), number(e->msisdn), text_of(e->name),
                  text(p->at));
        break;
    case EVENT_SUBSCRIBER_OPENED:
        (void)RUN(p->store, SUBSCRIBER_OPEN, integer(e->slot), integer(e->account), text(p->at));
        break;
    case EVENT_SUBSCRIBER_CHANGED: change_subscriber(p, e); break;
    case EVENT_PIN_SET: (void)RUN(p->store, SUBSCRIBER_PIN, integer(e->slot), integer(0)); break;
    case EVENT_PIN_TRIED:
        (void)RUN(p->store, SUBSCRIBER_PIN, integer(e->slot), integer(e->failures));
        break;
    default: break; /* SUBSCRIBER_SEEN: the person is all there is */
    }
}

/* The one list of the operator's events that make rows; false: not one of them. */
static bool project_known(struct projection *p, const struct operator_event *e)
{
    switch (e->kind) {
    case EVENT_PERSON_KEPT:
    case EVENT_SUBSCRIBER_OPENED:
    case EVENT_SUBSCRIBER_SEEN:
    case EVENT_SUBSCRIBER_CHANGED:
    case EVENT_PIN_SET:
    case EVENT_PIN_TRIED: project_person(p, e); break;
    case EVENT_NETWORK_OPENED: break; /* its accounts have events of their own */
    case EVENT_ORGANISATION_OPENED: open_organisation(p, e); break;
    case EVENT_ORGANISATION_KEPT: /* its secrets stay where they are */
        (void)RUN(p->store, ORGANISATION_NAME, integer(e->slot), text_of(e->name));
        break;
    case EVENT_STK_TEXTS_KEPT:
    case EVENT_REQUEST_TEXTS_KEPT: p->texts = *e; break;
    case EVENT_STK_ACCEPTED: accept_payment(p, e); break;
    case EVENT_STK_PROMPTED: prompt(p, e); break;
    case EVENT_STK_ANSWERED:
        (void)RUN(p->store, PROMPT_ANSWER, number(e->number),
                  text(e->answer == ANSWER_CANCEL ? "cancel" : "pin"), text(p->at));
        break;
    case EVENT_STK_ENDED: end_payment(p, e); break;
    case EVENT_MESSAGE_HELD: /* its callback has no next try */
    case EVENT_MESSAGE_LET_GO: break;
    case EVENT_REQUEST_PARTY_KEPT: p->texts.party = e->party; break;
    case EVENT_REQUEST_ACCEPTED_1:
    case EVENT_REQUEST_ACCEPTED: accept_request(p, e); break;
    case EVENT_REQUEST_ASKED:
    case EVENT_REQUEST_PROMPTED: ask_for_request(p, e); break;
    case EVENT_REQUEST_ENDED:
        end_request(p, e);
        projection_request_ended(p, e->number);
        refuse_standing(p, e);
        break;
    case EVENT_STANDING_ORDER_ASKED: ask_standing(p, e); break;
    case EVENT_STANDING_ORDER_OPENED:
    case EVENT_STANDING_ORDER_RAN:
    case EVENT_STANDING_ORDER_CANCELLED_1:
    case EVENT_STANDING_ORDER_CANCELLED: move_standing(p, e); break;
    case EVENT_REQUEST_LOOKED_UP: look_up_request(p, e); break;
    case EVENT_REQUEST_AMOUNT_SET:
        (void)RUN(p->store, REQUEST_AMOUNT, number(e->number), integer(e->amount_minor));
        break;
    case EVENT_REQUEST_HELD:
    case EVENT_REQUEST_QUEUED:
    case EVENT_REQUEST_MESSAGE_RULED:
    case EVENT_REQUEST_TIMED_OUT: break; /* the message to its URL makes the row */
    default: return false;
    }
    return true;
}

static bool project(struct projection *p, uint16_t kind, struct reader *body, bool *known)
{
    struct operator_event e;
    *known = operator_event_name(kind) != NULL;
    if (!*known) {
        return true;
    }
    if (!operator_event_decode(kind, body, &e)) {
        return false;
    }
    if (kind == EVENT_STK_RULED || kind == EVENT_REQUEST_RULED) {
        return keep_ruling(p, &e);
    }
    bool other = project_known(p, &e);
    bool good = projection_customers(p, &e, known);
    *known = *known || other;
    return good;
}

/* ---- the view of this book ---- */

static const char *const CONTENTS[] = {
    "transactions", "requests",    "standing_orders", "rulings",    "rules",   "validations",
    "entries",      "holds",       "callbacks",       "deliveries", "prompts", "messages",
    "accounts",     "subscribers", "organisations",   "invoices",
};

const struct book_view book_view_operator = {
    .book = "operator",
    .file = "view.sqlite",
    .schema = view_schema_operator,
    .first_statement = STATEMENT_COMMON_END,
    .end_statement = STATEMENT_OPERATOR_END,
    .tried = STATEMENT_CALLBACK_TRIED,
    .attempt_add = STATEMENT_DELIVERY_ADD,
    .answered = STATEMENT_DELIVERY_ANSWER,
    .revived = STATEMENT_CALLBACK_REVIVED,
    .contents = CONTENTS,
    .contents_count = sizeof(CONTENTS) / sizeof(CONTENTS[0]),
    .first_event = OPERATOR_EVENT_FIRST,
    .last_event = OPERATOR_EVENT_LAST,
    .event_name = operator_event_name,
    .event = project,
    .account = open_account,
    .entry = add_entry,
    .queued = queued,
    .edited = edited,
};
