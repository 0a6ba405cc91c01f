/*
 * project_merchant.c - the merchant book's events into rows (src/view/merchant.sql). See project.c
 * for what all books have, and for how to show a new kind.
 *
 * Guarantees: no secret, key, digest of a key or token of a callback URL becomes a value, sealed or
 * not: the fields that hold them are not read here.
 * Tests: tests/unit/test_view_merchant.c, tests/e2e/142-view-merchant.sh.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "base/delivery_error.h"
#include "merchant/events.h"
#include "view/internal.h"
#include "view/schema.h"

enum { TYPES_BYTES = 1024, DIGEST_BYTES = 33 };

static struct value number_or_nothing(uint64_t n)
{
    return n != 0 ? number(n) : nothing();
}

/* What is sent and received is text, unless it has a zero byte, with which no text goes on. */
static struct value raw(struct span bytes)
{
    bool whole = bytes.size == 0 || memchr(bytes.data, '\0', bytes.size) == NULL;
    return whole ? text_of(bytes) : bytes_of(bytes);
}

/* Things that the book counts from 0 are counted from 1 outside, as in their ids. */
static struct value place(uint32_t slot)
{
    return integer((int64_t)slot + 1);
}

/* ---- who there is ---- */

static void project_merchant(struct projection *p, const struct gateway_event *e)
{
    switch (e->kind) {
    case EVENT_MERCHANT_OPENED:
        (void)RUN(p->store, MERCHANT_PUT, place(e->merchant_opened.slot),
                  integer(e->merchant_opened.wallet), integer(e->merchant_opened.escrow),
                  integer(e->merchant_opened.fees), integer(e->merchant_opened.suspense),
                  text(p->at));
        break;
    case EVENT_MERCHANT_KEPT:
        (void)RUN(p->store, MERCHANT_NAME, place(e->merchant_kept.slot),
                  text_or_nothing(e->merchant_kept.name));
        break;
    case EVENT_API_KEY_OPENED:
        (void)RUN(p->store, API_KEY_ADD, place(e->api_key_opened.slot),
                  place(e->api_key_opened.merchant), text(p->at));
        break;
    default: /* EVENT_API_KEY_CLOSED */
        (void)RUN(p->store, API_KEY_CLOSE, place(e->api_key_closed.slot), text(p->at));
        break;
    }
}

static void open_provider(struct projection *p, const struct gateway_event *e)
{
    bool paystack = e->provider_opened.provider_kind == OBSERVED_AT_PAYSTACK;
    (void)RUN(p->store, PROVIDER_ADD, place(e->provider_opened.slot),
              place(e->provider_opened.merchant), text(paystack ? "paystack" : "daraja"),
              integer(e->provider_opened.production), integer(e->provider_opened.short_code),
              number_or_nothing(e->provider_opened.party_b), integer(e->provider_opened.is_till),
              integer(e->provider_opened.clearing), text(p->at));
}

static void pull(struct projection *p, const struct gateway_event *e)
{
    char from[RFC3339_SIZE];
    char until[RFC3339_SIZE];
    if (e->kind == EVENT_PULL_NUMBER_KEPT) {
        (void)RUN(p->store, PROVIDER_PULL_NUMBER, place(e->pull_number_kept.slot),
                  text(gateway_pull_state_name(GATEWAY_PULL_REGISTERING)),
                  number_or_nothing(e->pull_number_kept.phone));
    } else if (e->kind == EVENT_PULL_ASKED) {
        (void)RUN(p->store, PROVIDER_PULL_ASKED, place(e->pull_asked.slot),
                  text(gateway_pull_state_name(GATEWAY_PULL_ASKED)),
                  projection_time(e->pull_asked.from_ns, from),
                  projection_time(e->pull_asked.until_ns, until), integer(e->pull_asked.offset));
    } else {
        (void)RUN(p->store, PROVIDER_PULL_ANSWERED, place(e->pull_answered.slot),
                  text(gateway_pull_state_name(e->pull_answered.state)),
                  text_or_nothing(e->pull_answered.words));
    }
}

static void raise_alert(struct projection *p, const struct gateway_event *e)
{
    char day[32];
    struct civil c;
    civil_from_day(e->alert_raised.day, &c);
    (void)snprintf(day, sizeof(day), "%04d-%02d-%02d", (int)c.year, (int)c.month, (int)c.day);
    (void)RUN(p->store, PROVIDER_ALERT, place(e->alert_raised.slot), text(day));
}

static void project_provider(struct projection *p, const struct gateway_event *e)
{
    char due[RFC3339_SIZE];
    switch (e->kind) {
    case EVENT_PROVIDER_OPENED: open_provider(p, e); break;
    case EVENT_PROVIDER_KEPT:
        (void)RUN(p->store, PROVIDER_URL, place(e->provider_kept.slot),
                  text_or_nothing(e->provider_kept.base_url));
        break;
    case EVENT_C2B_URLS_ASKED:
        (void)RUN(p->store, PROVIDER_C2B_ASKED, place(e->c2b_asked.slot),
                  text(c2b_state_name(GATEWAY_C2B_ASKED)),
                  text(e->c2b_asked.rule == GATEWAY_C2B_ACCEPTS_ORDERS ? "known_orders" : "all"),
                  text(e->c2b_asked.cancels ? "cancel" : "complete"));
        break;
    case EVENT_C2B_URLS_ANSWERED:
        (void)RUN(p->store, PROVIDER_C2B_ANSWERED, place(e->c2b_answered.slot),
                  text(c2b_state_name(e->c2b_answered.state)),
                  text_or_nothing(e->c2b_answered.words));
        break;
    case EVENT_C2B_FORWARD_KEPT:
        (void)RUN(p->store, PROVIDER_C2B_FORWARD, place(e->c2b_forward.slot),
                  text_or_nothing(e->c2b_forward.url));
        break;
    case EVENT_PROVIDER_SET:
        (void)RUN(p->store, PROVIDER_SET, place(e->provider_set.slot),
                  text(e->provider_set.when_unavailable == GATEWAY_UNAVAILABLE_QUEUE ? "queue"
                                                                                     : "refuse"));
        break;
    case EVENT_ALERT_RAISED: raise_alert(p, e); break;
    case EVENT_CALLBACKS_ROTATED: /* its token is nobody's business */
        (void)RUN(p->store, PROVIDER_ROTATED, place(e->callbacks_rotated.slot), text(p->at));
        break;
    case EVENT_CALLBACKS_RETIRED:
        (void)RUN(p->store, PROVIDER_RETIRED, place(e->callbacks_retired.slot), text(p->at));
        break;
    case EVENT_PULL_DUE:
        (void)RUN(p->store, PROVIDER_PULL_DUE, place(e->pull_due.slot),
                  projection_time(e->pull_due.due_ns, due));
        break;
    default: pull(p, e); break;
    }
}

/* The types of events that an endpoint wants, with commas. */
static const char *types_text(uint64_t types, char out[TYPES_BYTES])
{
    struct writer w = writer_init(out, TYPES_BYTES);
    for (uint16_t type = 1; type <= FEED_TYPE_LAST; type++) {
        const char *name = feed_type_name(type);
        if ((types >> type & 1) != 0) {
            put_raw(&w, ",", w.size > 0 ? 1 : 0);
            put_raw(&w, name, strlen(name));
        }
    }
    put_u8(&w, '\0');
    CHECK(!w.overflow);
    return types == 0 ? "*" : out;
}

static void project_endpoint(struct projection *p, const struct gateway_event *e)
{
    char types[TYPES_BYTES];
    char until[RFC3339_SIZE];
    switch (e->kind) {
    case EVENT_ENDPOINT_OPENED:
        (void)RUN(p->store, ENDPOINT_ADD, place(e->endpoint_opened.slot),
                  place(e->endpoint_opened.merchant),
                  text(types_text(e->endpoint_opened.types, types)), text(p->at));
        break;
    case EVENT_ENDPOINT_KEPT:
        (void)RUN(p->store, ENDPOINT_URL, place(e->endpoint_kept.slot),
                  text_or_nothing(e->endpoint_kept.url));
        break;
    case EVENT_ENDPOINT_CHANGED:
        (void)RUN(p->store, ENDPOINT_CHANGE, place(e->endpoint_changed.slot),
                  text(e->endpoint_changed.status == ENDPOINT_ENABLED ? "enabled" : "disabled"),
                  text(types_text(e->endpoint_changed.types, types)));
        break;
    case EVENT_ENDPOINT_ROTATED:
        (void)RUN(p->store, ENDPOINT_ROTATE, place(e->endpoint_rotated.slot),
                  projection_time(e->endpoint_rotated.before_until_ns, until));
        break;
    default: break; /* EVENT_ENDPOINT_SECRET_KEPT: stays where it is */
    }
}

/* ---- payments, payouts and refunds ---- */

static void add_move(struct projection *p, uint64_t payment, uint8_t state, uint8_t reason,
                     uint8_t source, uint64_t notice)
{
    (void)RUN(p->store, MOVE_ADD, number(payment), text(gateway_state_name(state)),
              text(gateway_state_stk_name(state)),
              reason != 0 ? text(gateway_reason_name(reason)) : nothing(),
              source != 0 ? text(observation_source_name(source)) : nothing(),
              number_or_nothing(notice), text(p->at), integer(p->frame.time_ns),
              number(p->frame.position));
}

static void create_payment(struct projection *p, const struct gateway_event *e)
{
    char due[RFC3339_SIZE];
    uint8_t method = e->payment_created.method;
    bool refund = gateway_is_refund(method);
    struct value about = number_or_nothing(e->payment_created.overrides);
    (void)RUN(p->store, PAYMENT_CREATE, number(e->payment_created.number),
              text(refund                     ? "refund"
                   : gateway_pays_out(method) ? "payout"
                                              : "payment"),
              place(e->payment_created.merchant), place(e->payment_created.provider),
              integer(e->payment_created.amount_minor), text(gateway_method_name(method)),
              text(e->payment_created.capture == CAPTURE_ESCROW ? "escrow" : "wallet"),
              refund ? nothing() : about, refund ? about : nothing(),
              projection_time(e->payment_created.due_ns, due),
              text(gateway_state_stk_name(GATEWAY_CREATED)),
              integer(gateway_state_retryable(GATEWAY_CREATED)));
    add_move(p, e->payment_created.number, GATEWAY_CREATED, 0, 0, 0);
    if (refund) {
        (void)RUN(p->store, PAYMENT_REFUND, about, number(e->payment_created.number));
    }
}

static void move_payment(struct projection *p, const struct gateway_event *e)
{
    char due[RFC3339_SIZE];
    uint64_t payment = e->payment_moved.number;
    uint8_t state = e->payment_moved.state;
    uint8_t source = e->payment_moved.source;
    uint8_t reason = e->payment_moved.reason;
    bool ended = gateway_state_ended(state);
    struct value who = source != 0 ? text(observation_source_name(source)) : nothing();
    if (state == GATEWAY_SUCCEEDED) { /* first: `late` is whether it had ended before */
        (void)RUN(p->store, PAYMENT_PAID, number(payment), source != 0 ? who : text("person"),
                  text(p->at), integer(p->frame.time_ns));
    } else if (state == GATEWAY_REVERSED) {
        (void)RUN(p->store, PAYMENT_REVERSE, number(payment));
    }
    (void)RUN(p->store, PAYMENT_MOVE, number(payment), text(gateway_state_name(state)),
              text(gateway_state_stk_name(state)), integer(gateway_state_retryable(state)),
              text(gateway_reason_name(reason)), text(gateway_reason_words(reason)), who,
              integer(state == GATEWAY_MISMATCHED), projection_time(e->payment_moved.due_ns, due),
              text(p->at), ended ? text(p->at) : nothing(),
              ended ? integer(p->frame.time_ns) : nothing());
    add_move(p, payment, state, reason, source, e->payment_moved.notice);
}

/* The texts come first: PAYMENT_CREATED of the same frame says what it is. */
static void keep_payment(struct projection *p, const struct gateway_event *e)
{
    (void)RUN(p->store, PAYMENT_KEEP, number(e->payment_kept.number), number(e->payment_kept.phone),
              text_or_nothing(e->payment_kept.order), text_or_nothing(e->payment_kept.description),
              text(p->at), integer(p->frame.time_ns), number(p->frame.position));
}

static void project_payment_texts(struct projection *p, const struct gateway_event *e)
{
    switch (e->kind) {
    case EVENT_PAYMENT_KEPT: keep_payment(p, e); break;
    case EVENT_PAYMENT_IDS_KEPT:
        (void)RUN(p->store, PAYMENT_IDS, number(e->payment_ids_kept.number),
                  text_or_nothing(e->payment_ids_kept.provider_id),
                  text_or_nothing(e->payment_ids_kept.other_id));
        break;
    case EVENT_PAYMENT_RESULT_KEPT:
        (void)RUN(p->store, PAYMENT_RESULT, number(e->payment_result_kept.number),
                  text_or_nothing(e->payment_result_kept.code),
                  text_or_nothing(e->payment_result_kept.words),
                  text_or_nothing(e->payment_result_kept.receipt));
        break;
    case EVENT_PAYMENT_FRONT_KEPT:
        (void)RUN(p->store, PAYMENT_FRONT, number(e->payment_front_kept.number),
                  text_or_nothing(e->payment_front_kept.url),
                  text_or_nothing(e->payment_front_kept.reference));
        break;
    default: /* EVENT_PAYMENT_EMAIL_KEPT */
        (void)RUN(p->store, PAYMENT_EMAIL, number(e->payment_email_kept.number),
                  text_or_nothing(e->payment_email_kept.email));
        break;
    }
}

static void project_payment(struct projection *p, const struct gateway_event *e)
{
    char due[RFC3339_SIZE];
    switch (e->kind) {
    case EVENT_PAYMENT_CREATED: create_payment(p, e); break;
    case EVENT_PAYMENT_MOVED: move_payment(p, e); break;
    case EVENT_PAYMENT_SENDING:
        (void)RUN(p->store, PAYMENT_DUE, number(e->payment_sending.number),
                  projection_time(e->payment_sending.due_ns, due));
        break;
    case EVENT_PAYMENT_ASKED:
        (void)RUN(p->store, PAYMENT_ASK, number(e->payment_asked.number),
                  integer(e->payment_asked.rung), projection_time(e->payment_asked.due_ns, due),
                  text(p->at));
        break;
    case EVENT_PAYMENT_ANSWERED:
        (void)RUN(p->store, PAYMENT_ANSWER, number(e->payment_answered.number));
        break;
    case EVENT_PAYMENT_RUNG:
        (void)RUN(p->store, PAYMENT_RING, number(e->payment_rung.number),
                  integer(e->payment_rung.rung), integer(e->payment_rung.attention),
                  projection_time(e->payment_rung.due_ns, due));
        break;
    case EVENT_PAYMENT_ESCROW:
        (void)RUN(p->store, PAYMENT_ESCROW_SET, number(e->payment_escrow.number),
                  text(gateway_escrow_name(e->payment_escrow.escrow)));
        break;
    case EVENT_PAYMENT_JUDGED:
        (void)RUN(p->store, PAYMENT_JUDGED, number(e->payment_judged.number),
                  text(gateway_judgement_name(e->payment_judged.judgement)),
                  integer(e->payment_judged.amount_minor));
        break;
    case EVENT_PAYMENT_JUDGE_KEPT:
        (void)RUN(p->store, PAYMENT_JUDGE, number(e->payment_judge_kept.number),
                  text_or_nothing(e->payment_judge_kept.judge),
                  text_or_nothing(e->payment_judge_kept.note));
        break;
    case EVENT_PAYMENT_LATE_URL_KEPT:
        (void)RUN(p->store, PAYMENT_LATE_URL, number(e->late_url_kept.number),
                  text_or_nothing(e->late_url_kept.url),
                  text_or_nothing(e->late_url_kept.occasion));
        break;
    case EVENT_PAYMENT_OVER_RECEIPT:
        (void)RUN(p->store, PAYMENT_OVER, number(e->payment_over_receipt.number),
                  number(e->payment_over_receipt.receipt));
        break;
    default: break; /* NOT_SENT: its attempt has a row; *FORWARDED: the message has one */
    }
}

/* ---- notices ---- */

static void keep_notice(struct projection *p, const struct gateway_event *e)
{
    (void)RUN(p->store, NOTICE_KEEP, number(e->notice_kept.number),
              text_or_nothing(e->notice_kept.reference), text_or_nothing(e->notice_kept.receipt),
              text_or_nothing(e->notice_kept.code), text_or_nothing(e->notice_kept.words),
              number_or_nothing(e->notice_kept.phone), text_or_nothing(e->notice_kept.peer),
              text_or_nothing(e->notice_kept.headers), raw(e->notice_kept.body));
}

static void take_notice(struct projection *p, const struct gateway_event *e)
{
    static const char digits[] = "0123456789abcdef";
    char digest[DIGEST_BYTES] = "";
    uint64_t payment = e->notice_taken.payment;
    uint8_t effect = e->notice_taken.effect;
    for (size_t i = 0; i < sizeof(e->notice_taken.digest); i++) {
        digest[2 * i] = digits[e->notice_taken.digest[i] >> 4];
        digest[2 * i + 1] = digits[e->notice_taken.digest[i] & 15];
    }
    (void)RUN(p->store, NOTICE_TAKE, number(e->notice_taken.number),
              place(e->notice_taken.provider), number_or_nothing(payment),
              text(observation_source_name(e->notice_taken.source)),
              text(observation_kind_name(e->notice_taken.about)),
              text(observation_verdict_name(e->notice_taken.verdict)),
              text(observation_reason_name(e->notice_taken.why)), text(notice_effect_name(effect)),
              integer(e->notice_taken.amount_minor), text(digest), text(p->at),
              integer(p->frame.time_ns), number(p->frame.position));
    if (payment == 0 && effect != NOTICE_ORPHAN) { /* a receipt's, made before it */
        (void)RUN(p->store, NOTICE_RECEIPT, number(e->notice_taken.number),
                  place(e->notice_taken.provider));
    }
}

static void project_notice(struct projection *p, const struct gateway_event *e)
{
    switch (e->kind) {
    case EVENT_NOTICE_KEPT: keep_notice(p, e); break;
    case EVENT_NOTICE_TAKEN: take_notice(p, e); break;
    case EVENT_NOTICE_REPEATED:
        (void)RUN(p->store, NOTICE_REPEAT, number(e->notice_repeated.number));
        break;
    default: /* EVENT_NOTICE_JOINED */
        (void)RUN(p->store, NOTICE_JOIN, number(e->notice_joined.number),
                  number(e->notice_joined.payment),
                  text(notice_effect_name(e->notice_joined.effect)));
        break;
    }
}

/* ---- receipts and discrepancies ---- */

static void project_receipt(struct projection *p, const struct gateway_event *e)
{
    char paid[RFC3339_SIZE];
    switch (e->kind) {
    case EVENT_RECEIPT_KEPT:
        (void)RUN(p->store, RECEIPT_KEEP, number(e->receipt_kept.number),
                  place(e->receipt_kept.provider), text_or_nothing(e->receipt_kept.receipt),
                  text_or_nothing(e->receipt_kept.reference),
                  number_or_nothing(e->receipt_kept.phone), text_or_nothing(e->receipt_kept.party));
        break;
    case EVENT_RECEIPT_CREATED:
        (void)RUN(p->store, RECEIPT_CREATE, number(e->receipt_created.number),
                  integer(e->receipt_created.amount_minor),
                  projection_time(e->receipt_created.at_ns, paid),
                  text(receipt_state_name(e->receipt_created.state)),
                  text(observation_source_name(e->receipt_created.source)), text(p->at),
                  integer(p->frame.time_ns), number(p->frame.position));
        break;
    case EVENT_RECEIPT_ASSIGNED:
        (void)RUN(p->store, RECEIPT_ASSIGN, number(e->receipt_assigned.number),
                  integer(e->receipt_assigned.by_person),
                  text_or_nothing(e->receipt_assigned.order));
        break;
    default: /* EVENT_RECEIPT_TAKEN_BACK */
        (void)RUN(p->store, RECEIPT_TAKE_BACK, number(e->receipt_taken_back.number),
                  number(e->receipt_taken_back.payment));
        break;
    }
}

static void project_discrepancy(struct projection *p, const struct gateway_event *e)
{
    switch (e->kind) {
    case EVENT_DISCREPANCY_OPENED:
        (void)RUN(
            p->store, DISCREPANCY_ADD, number(e->discrepancy_opened.number),
            text(discrepancy_kind_name(e->discrepancy_opened.discrepancy_kind)),
            text(discrepancy_kind_words(e->discrepancy_opened.discrepancy_kind)),
            place(e->discrepancy_opened.provider), text_or_nothing(e->discrepancy_opened.reference),
            number_or_nothing(e->discrepancy_opened.payment),
            number_or_nothing(e->discrepancy_opened.receipt),
            number_or_nothing(e->discrepancy_opened.notice),
            integer(e->discrepancy_opened.ours_minor), integer(e->discrepancy_opened.theirs_minor),
            text(p->at), integer(p->frame.time_ns), number(p->frame.position));
        break;
    case EVENT_DISCREPANCY_NOTED:
        (void)RUN(p->store, DISCREPANCY_NOTE, number(e->discrepancy_noted.number),
                  text_or_nothing(e->discrepancy_noted.owner),
                  text_or_nothing(e->discrepancy_noted.note));
        break;
    default: /* EVENT_DISCREPANCY_RESOLVED */
        (void)RUN(p->store, DISCREPANCY_RESOLVE, number(e->discrepancy_resolved.number),
                  text(discrepancy_reason_name(e->discrepancy_resolved.reason)), text(p->at));
        break;
    }
}

/* ---- telling ---- */

static void add_to_feed(struct projection *p, const struct gateway_event *e)
{
    uint8_t object = e->feed_added.object_kind;
    const struct value values[] = {
        number(e->feed_added.seq),
        text(feed_type_name(e->feed_added.type)),
        number(e->feed_added.object),
        integer(e->feed_added.object_seq),
        place(e->feed_added.merchant),
        integer(e->feed_added.has_receipt),
        text(p->at),
        integer(p->frame.time_ns),
        number(p->frame.position),
    };
    enum statement which;
    switch (object) {
    case FEED_OBJECT_PAYMENT: which = STATEMENT_FEED_OF_TRANSACTION; break;
    case FEED_OBJECT_RECEIPT: which = STATEMENT_FEED_OF_RECEIPT; break;
    case FEED_OBJECT_PROVIDER: which = STATEMENT_FEED_OF_PROVIDER; break;
    case FEED_OBJECT_DISCREPANCY: which = STATEMENT_FEED_OF_DISCREPANCY; break;
    default: p->skipped++; return; /* about something that has no column yet (V6) */
    }
    (void)store_run(p->store, which, values, sizeof(values) / sizeof(values[0]));
}

static void project_telling(struct projection *p, const struct gateway_event *e)
{
    switch (e->kind) {
    case EVENT_FEED_ADDED: add_to_feed(p, e); break;
    case EVENT_WEBHOOK_ADDED:
        (void)RUN(p->store, WEBHOOK_ADD, number(e->webhook_added.seq),
                  place(e->webhook_added.endpoint),
                  text(e->webhook_added.item != 0 ? "waiting" : "behind"),
                  number_or_nothing(e->webhook_added.item));
        break;
    case EVENT_WEBHOOK_QUEUED:
        (void)RUN(p->store, WEBHOOK_QUEUE, number(e->webhook_queued.seq),
                  place(e->webhook_queued.endpoint), number(e->webhook_queued.item));
        break;
    case EVENT_WEBHOOK_ENDED:
        (void)RUN(
            p->store, WEBHOOK_END, number(e->webhook_ended.seq), place(e->webhook_ended.endpoint),
            text(e->webhook_ended.state == OUTBOX_DELIVERED ? "delivered" : "dead"), text(p->at));
        break;
    default: /* EVENT_REFUND_PROPOSED */
        (void)RUN(p->store, REFUND_PROPOSAL_ADD, number(e->refund_proposed.number),
                  number(e->refund_proposed.payment), number(e->refund_proposed.first_payment),
                  integer(e->refund_proposed.amount_minor), text(p->at), number(p->frame.position));
        break;
    }
}

static void add_shadow(struct projection *p, const struct gateway_event *e)
{
    uint8_t error = e->shadow_seen.error;
    (void)RUN(p->store, SHADOW_ADD, number(e->shadow_seen.number), raw(e->shadow_seen.path),
              integer(e->shadow_seen.status),
              error != DELIVERY_ANSWERED ? text(delivery_error_text(error)) : nothing(),
              integer(e->shadow_seen.duration_ms),
              e->shadow_seen.request.size > 0 ? raw(e->shadow_seen.request) : nothing(),
              e->shadow_seen.answer.size > 0 ? raw(e->shadow_seen.answer) : nothing(), text(p->at),
              number(p->frame.position));
}

/* ---- the outbox and the ledger ---- */

static const char *message_name(uint16_t kind)
{
    switch (kind) {
#define X(name, number, text) \
    case number: return text;
        MERCHANT_CALLS(X)
#undef X
    case MESSAGE_WEBHOOK: return "webhook";
    case MESSAGE_FORWARD: return "callback";
    case MESSAGE_LATE: return "late";
    case MESSAGE_C2B: return "c2b_confirmation";
    default: return NULL;
    }
}

static void merchant_queued(struct projection *p, const struct outbox_event *e)
{
    char next[RFC3339_SIZE];
    const char *name = message_name(e->item_kind);
    bool webhook = e->item_kind == MESSAGE_WEBHOOK;
    bool of_account = e->item_kind == CALL_REGISTER || e->item_kind == CALL_PULL ||
                      e->item_kind == CALL_BALANCE || e->item_kind == CALL_PULL_REGISTER;
    bool of_transaction = name != NULL && !webhook && !of_account && e->item_kind != MESSAGE_C2B;
    p->skipped += name == NULL; /* its row says that something leaves, and no more */
    (void)RUN(p->store, OUTGOING_ADD, number(e->number), text(name == NULL ? "other" : name),
              of_transaction ? number(e->subject) : nothing(),
              of_account ? place((uint32_t)e->subject) : nothing(),
              webhook ? number(webhook_subject_seq(e->subject)) : nothing(),
              webhook ? place(webhook_subject_endpoint(e->subject)) : nothing(), text(p->at),
              integer(p->frame.time_ns), projection_time(e->next_try_ns, next));
}

static const char *merchant_account_kind(uint16_t code)
{
    switch (code) {
    case GATEWAY_CLEARING: return "clearing";
    case GATEWAY_WALLET: return "wallet";
    case GATEWAY_ESCROW: return "escrow";
    case GATEWAY_FEES: return "fees";
    case GATEWAY_SUSPENSE: return "suspense";
    default: return "other";
    }
}

static void open_merchant_account(struct projection *p, const struct ledger_event *e)
{
    const struct account_opening *a = &e->opened;
    bool clearing = a->code == GATEWAY_CLEARING;
    struct value owner = place((uint32_t)a->owner);
    char currency[8];
    (void)snprintf(currency, sizeof(currency), "%u", a->currency);
    (void)RUN(p->store, GATEWAY_ACCOUNT_ADD, integer(e->account),
              text(merchant_account_kind(a->code)), clearing ? nothing() : owner,
              clearing ? owner : nothing(),
              text(a->currency == LEDGER_CURRENCY_KES ? "KES" : currency), integer(a->flags),
              text(p->at));
}

static const char *merchant_transfer_reason(uint16_t code)
{
    switch (code) {
    case GATEWAY_TRANSFER_PAYMENT: return "payment";
    case GATEWAY_TRANSFER_RELEASE: return "release";
    case GATEWAY_TRANSFER_REVERSAL: return "reversal";
    case GATEWAY_TRANSFER_PAYOUT: return "payout";
    case GATEWAY_TRANSFER_FEE: return "fee";
    case GATEWAY_TRANSFER_RECEIPT: return "receipt";
    case GATEWAY_TRANSFER_ASSIGN: return "assign";
    case GATEWAY_TRANSFER_TAKE_BACK: return "take_back";
    default: return "other";
    }
}

static void add_merchant_entry(struct projection *p, const struct transfer *t, bool debit)
{
    struct value reference = number_or_nothing(t->reference);
    bool payment = t->code >= GATEWAY_TRANSFER_PAYMENT && t->code <= GATEWAY_TRANSFER_FEE;
    bool receipt = t->code >= GATEWAY_TRANSFER_RECEIPT && t->code <= GATEWAY_TRANSFER_TAKE_BACK;
    (void)RUN(p->store, GATEWAY_ENTRY_ADD, number(t->id),
              integer(debit ? t->debit_account : t->credit_account),
              text(debit ? "debit" : "credit"), integer(t->amount_minor),
              text(merchant_transfer_reason(t->code)), payment ? reference : nothing(),
              receipt ? reference : nothing(), text(p->at), integer(p->frame.time_ns),
              number(p->frame.position));
}

/* ---- events ---- */

typedef void (*project_fn)(struct projection *p, const struct gateway_event *e);

/* Who makes rows of a kind; NULL: nobody knows it. */
static project_fn projector_of(uint16_t kind)
{
    switch (kind) {
    case EVENT_MERCHANT_OPENED:
    case EVENT_MERCHANT_KEPT:
    case EVENT_API_KEY_OPENED:
    case EVENT_API_KEY_CLOSED: return project_merchant;
    case EVENT_PROVIDER_OPENED:
    case EVENT_PROVIDER_KEPT:
    case EVENT_C2B_URLS_ASKED:
    case EVENT_C2B_URLS_ANSWERED:
    case EVENT_C2B_FORWARD_KEPT:
    case EVENT_PROVIDER_SET:
    case EVENT_PULL_NUMBER_KEPT:
    case EVENT_PULL_ASKED:
    case EVENT_PULL_ANSWERED:
    case EVENT_CALLBACKS_ROTATED:
    case EVENT_CALLBACKS_RETIRED:
    case EVENT_PULL_DUE:
    case EVENT_ALERT_RAISED: return project_provider;
    case EVENT_ENDPOINT_OPENED:
    case EVENT_ENDPOINT_KEPT:
    case EVENT_ENDPOINT_CHANGED:
    case EVENT_ENDPOINT_SECRET_KEPT:
    case EVENT_ENDPOINT_ROTATED: return project_endpoint;
    case EVENT_PAYMENT_KEPT:
    case EVENT_PAYMENT_IDS_KEPT:
    case EVENT_PAYMENT_RESULT_KEPT:
    case EVENT_PAYMENT_FRONT_KEPT:
    case EVENT_PAYMENT_EMAIL_KEPT: return project_payment_texts;
    case EVENT_PAYMENT_CREATED:
    case EVENT_PAYMENT_SENDING:
    case EVENT_PAYMENT_NOT_SENT:
    case EVENT_PAYMENT_MOVED:
    case EVENT_PAYMENT_ASKED:
    case EVENT_PAYMENT_ANSWERED:
    case EVENT_PAYMENT_RUNG:
    case EVENT_PAYMENT_ESCROW:
    case EVENT_PAYMENT_OVER_RECEIPT:
    case EVENT_PAYMENT_LATE_URL_KEPT:
    case EVENT_PAYMENT_LATE_FORWARDED:
    case EVENT_PAYMENT_RESENT: /* its message has a row */
    case EVENT_PAYMENT_JUDGED:
    case EVENT_PAYMENT_JUDGE_KEPT:
    case EVENT_PAYMENT_FORWARDED: return project_payment;
    case EVENT_NOTICE_KEPT:
    case EVENT_NOTICE_TAKEN:
    case EVENT_NOTICE_REPEATED:
    case EVENT_NOTICE_JOINED: return project_notice;
    case EVENT_RECEIPT_KEPT:
    case EVENT_RECEIPT_CREATED:
    case EVENT_RECEIPT_ASSIGNED:
    case EVENT_RECEIPT_TAKEN_BACK: return project_receipt;
    case EVENT_DISCREPANCY_OPENED:
    case EVENT_DISCREPANCY_NOTED:
    case EVENT_DISCREPANCY_RESOLVED: return project_discrepancy;
    case EVENT_FEED_ADDED:
    case EVENT_WEBHOOK_ADDED:
    case EVENT_WEBHOOK_QUEUED:
    case EVENT_WEBHOOK_ENDED:
    case EVENT_REFUND_PROPOSED: return project_telling;
    case EVENT_SHADOW_SEEN: return add_shadow;
    default: return NULL;
    }
}

static bool project_merchant_event(struct projection *p, uint16_t kind, struct reader *body,
                                   bool *known)
{
    struct gateway_event e;
    *known = gateway_event_name(kind) != NULL;
    if (!*known) {
        return true;
    }
    if (!gateway_event_decode(kind, body, &e)) {
        return false;
    }
    project_fn projector = projector_of(kind);
    *known = projector != NULL || kind == EVENT_SWEEP_DUE; /* a timer: nothing to show */
    if (projector != NULL) {
        projector(p, &e);
    }
    return true;
}

/* ---- the view of this book ---- */

static const char *const MERCHANT_CONTENTS[] = {
    "merchants", "api_keys", "providers",    "webhook_endpoints", "transactions",
    "moves",     "notices",  "receipts",     "discrepancies",     "refund_proposals",
    "events",    "webhooks", "outgoing",     "attempts",          "entries",
    "holds",     "accounts", "shadow_calls",
};

const struct book_view book_view_merchant = {
    .book = "merchant",
    .file = "merchant-view.sqlite",
    .schema = view_schema_merchant,
    .first_statement = STATEMENT_OPERATOR_END,
    .end_statement = STATEMENT_COUNT,
    .tried = STATEMENT_OUTGOING_TRIED,
    .attempt_add = STATEMENT_ATTEMPT_ADD,
    .answered = STATEMENT_ATTEMPT_ANSWER,
    .revived = STATEMENT_OUTGOING_REVIVED,
    .contents = MERCHANT_CONTENTS,
    .contents_count = sizeof(MERCHANT_CONTENTS) / sizeof(MERCHANT_CONTENTS[0]),
    .first_event = GATEWAY_EVENT_FIRST,
    .last_event = GATEWAY_EVENT_LAST,
    .event_name = gateway_event_name,
    .event = project_merchant_event,
    .account = open_merchant_account,
    .entry = add_merchant_entry,
    .queued = merchant_queued,
};
