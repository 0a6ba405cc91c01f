/*
 * explain.c - see explain.h. Only reads, without a lock: it may run beside the server, and covers
 * what was written when it began.
 *
 * The book is rebuilt from the journal (its newest snapshot and the frames after it); it knows at
 * which positions the payment moved. Then the frames of those positions are read, and what they
 * hold is told. Restored worlds need no care: a payment that came with one still names the frames
 * of the world that was saved. A payment that left memory is told from the book as it was just
 * before (a second and a third walk over the whole journal). Phone numbers are masked.
 * Tests: tests/e2e/stories/180-time-travel.mjs.
 */
#include "app/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "base/caltime.h"
#include "base/delivery_error.h"
#include "base/money.h"
#include "engine/engine.h"
#include "journal/journal.h"
#include "operator/events.h"
#include "operator/operator.h"
#include "wire/json.h"

enum {
    EXIT_EXPLAINED = EXIT_GOOD,
    EXIT_NOT_FOUND = EXIT_FAILED,
    STEPS_MAX = 64, /* the first ones are told; a callback is tried ten times by itself */
    TEXT_BYTES = 400,
    OUTPUT_BYTES = 64 * 1024,
};

static const char EXPLAIN_HELP[] =
    "hakika explain ID [--data DIR] [--json]: every step of one payment, when it happened, what\n"
    "caused it and which rule decided, from the journal alone.\n"
    "\n"
    "  ID          txn_12, a CheckoutRequestID (ws_CO_...) or a receipt\n"
    "  --data DIR  what was given to hakika serve --data (default: hakika-data)\n"
    "  --json      one JSON object instead of text\n"
    "\n"
    "It only reads, so it may run beside the server. Exit status: 0 explained, 1 there is no such\n"
    "payment, 2 wrong arguments, 4 the journal cannot be read.\n";

struct explain {
    const char *id;
    const char *data;
    bool json;
    struct journal *journal;
    struct book *book;
    const struct stk_payment *payment;
    uint64_t positions[STEPS_MAX];
    uint32_t count;
    uint64_t wanted; /* position of the frame that is looked for */
    uint32_t attempts;
    struct writer out;
};

/* What a frame came of. */
static const char *cause_text(uint16_t cause)
{
    switch (cause) {
    case COMMAND_STK_PUSH: return "an STK push came over Daraja's API";
    case COMMAND_STK_ADVANCE: return "its turn in the network's pipeline came";
    case COMMAND_STK_APPROVE: return "a PIN was typed on the phone";
    case COMMAND_STK_CANCEL: return "cancel was pressed on the phone";
    case COMMAND_STK_EXPIRE: return "the prompt's time was over";
    case COMMAND_DELIVERY_RESULT: return "an attempt to send the callback came back";
    case COMMAND_DELIVERY_REVIVE: return "somebody asked to send the callback again";
    default: return "another command";
    }
}

/* One thing that happened: `event` for programs, `text` for people. */
struct told {
    const char *event;
    char text[TEXT_BYTES];
};

static void tell_accepted(const struct explain *x, const struct operator_event *e,
                          struct told *told)
{
    char amount[MONEY_TEXT_MAX];
    (void)money_format(e->amount_minor, amount);
    told->event = "accepted";
    (void)snprintf(told->text, sizeof(told->text),
                   "accepted, PENDING: KSh %s for short code %u. The token, every field and the "
                   "password were right, and no other prompt was open on this phone%s",
                   amount, e->short_code,
                   x->payment->party_b != e->short_code ? "; PartyB is paid" : "");
}

static void tell_prompted(const struct operator_event *e, struct told *told)
{
    char at[RFC3339_SIZE];
    (void)rfc3339_format(e->expires_ns, at);
    told->event = "prompted";
    (void)snprintf(told->text, sizeof(told->text),
                   "PROCESSING: payer and payee passed the first checks; %s until %s",
                   e->reachable ? "the prompt is on the phone" : "the phone is off, it is tried",
                   at);
}

static void tell_ended(const struct operator_event *e, struct told *told)
{
    char receipt[ID_RECEIPT_SIZE] = "";
    if (e->outcome == STK_PAID) {
        id_receipt_format(e->receipt_day, e->receipt, receipt);
    }
    told->event = "ended";
    (void)snprintf(told->text, sizeof(told->text), "%s, result code %s: %s%s%s",
                   stk_state_name(stk_outcome_state(e->outcome)), stk_outcome_code(e->outcome),
                   stk_outcome_words(e->outcome), receipt[0] != '\0' ? "; receipt " : "", receipt);
}

static bool tell_operator(const struct explain *x, uint16_t kind, struct reader *body,
                          struct told *told)
{
    struct operator_event e;
    if (!operator_event_decode(kind, body, &e)) {
        return false;
    }
    bool ours = e.number == x->payment->number;
    switch (kind) {
    case EVENT_STK_ACCEPTED: tell_accepted(x, &e, told); return ours;
    case EVENT_STK_PROMPTED: tell_prompted(&e, told); return ours;
    case EVENT_STK_ANSWERED:
        told->event = "answered";
        (void)snprintf(told->text, sizeof(told->text),
                       "the phone's answer is there before its turn: it takes effect next");
        return ours;
    case EVENT_STK_ENDED: tell_ended(&e, told); return ours;
    case EVENT_PIN_TRIED:
        told->event = "pin_tried";
        (void)snprintf(told->text, sizeof(told->text), "wrong PINs in a row on this phone: %u",
                       e.failures);
        return e.slot == x->payment->subscriber;
    default: return false;
    }
}

static bool tell_ledger(const struct explain *x, uint16_t kind, struct reader *body,
                        struct told *told)
{
    struct ledger_event e;
    char amount[MONEY_TEXT_MAX];
    if (kind != EVENT_TRANSFER_POSTED || !ledger_event_decode(kind, body, &e) ||
        e.transfer.id != payment_transfer_id(x->payment->number, 0)) {
        return false;
    }
    (void)money_format(e.transfer.amount_minor, amount);
    told->event = "money_moved";
    (void)snprintf(told->text, sizeof(told->text),
                   "KSh %s moved from ledger account %u to %u, in the same step", amount,
                   e.transfer.debit_account, e.transfer.credit_account);
    return true;
}

static void tell_attempt(struct explain *x, const struct outbox_event *e, struct told *told)
{
    char answer[80];
    char next[RFC3339_SIZE] = "";
    x->attempts++;
    if (e->error != 0) {
        (void)snprintf(answer, sizeof(answer), "%s", delivery_error_text(e->error));
    } else {
        (void)snprintf(answer, sizeof(answer), "HTTP %u", e->status);
    }
    if (e->state == OUTBOX_WAITING) {
        (void)rfc3339_format(e->next_try_ns, next);
    }
    told->event = e->state == OUTBOX_DELIVERED ? "callback_delivered" : "callback_failed";
    (void)snprintf(told->text, sizeof(told->text), "callback attempt %u: %s after %u ms; %s%s",
                   x->attempts, answer, e->duration_ms,
                   e->state == OUTBOX_DELIVERED ? "delivered"
                   : e->state == OUTBOX_DEAD    ? "the last try: a dead letter now"
                                                : "tried again at ",
                   next);
}

static bool tell_outbox(struct explain *x, uint16_t kind, struct reader *body, struct told *told)
{
    struct outbox_event e;
    if (!outbox_event_decode(kind, body, &e) || e.number != x->payment->delivery) {
        return false;
    }
    switch (kind) {
    case EVENT_DELIVERY_QUEUED:
        told->event = "callback_queued";
        (void)snprintf(told->text, sizeof(told->text),
                       "the callback dlv_%" PRIu64 " was queued, in the same step", e.number);
        return true;
    case EVENT_DELIVERY_ATTEMPTED: tell_attempt(x, &e, told); return true;
    case EVENT_DELIVERY_REVIVED:
        told->event = "callback_revived";
        (void)snprintf(told->text, sizeof(told->text), "the callback waits again");
        return true;
    default: return false;
    }
}

static void print_told(struct explain *x, const struct frame_info *frame, const struct told *told)
{
    char at[RFC3339_SIZE];
    char line[TEXT_BYTES + 200];
    (void)rfc3339_format(frame->time_ns, at);
    if (x->json) {
        json_open(&x->out, '{');
        json_field_u64(&x->out, "position", frame->position);
        json_field_text(&x->out, "at", at);
        json_field_text(&x->out, "event", told->event);
        json_field_text(&x->out, "cause", cause_text(frame->cause));
        json_field_text(&x->out, "rule", told->text);
        json_close(&x->out, '}');
        return;
    }
    int size = snprintf(line, sizeof(line), "%8" PRIu64 "  %s  %s\n%*s(because %s)\n",
                        frame->position, at, told->text, 36, "", cause_text(frame->cause));
    CHECK(size > 0 && (size_t)size < sizeof(line));
    put_raw(&x->out, line, (size_t)size);
}

static void tell_frame(struct explain *x, struct frame_reader *f)
{
    uint16_t kind;
    struct reader body;
    while (frame_event(f, &kind, &body)) {
        struct told told = {.event = NULL};
        bool ours = false;
        if (kind >= LEDGER_EVENT_FIRST && kind <= LEDGER_EVENT_LAST) {
            ours = tell_ledger(x, kind, &body, &told);
        } else if (kind >= OUTBOX_EVENT_FIRST && kind <= OUTBOX_EVENT_LAST) {
            ours = tell_outbox(x, kind, &body, &told);
        } else if (operator_event_name(kind) != NULL) {
            ours = tell_operator(x, kind, &body, &told);
        }
        if (ours) {
            print_told(x, &f->info, &told);
        }
    }
}

/* A journal_read_fn: stops at the frame that is looked for. */
static bool find_frame(void *context, const struct journal_read_batch *batch)
{
    struct explain *x = context;
    struct reader r = reader_init(batch->payload, batch->payload_size);
    struct frame_reader f;
    while (frame_next(&r, &f)) {
        if (f.info.position == x->wanted) {
            tell_frame(x, &f);
            return false;
        }
    }
    return true;
}

/* ---- which payment, and where it moved ---- */

static const struct stk_payment *find_payment(const struct operator_state *o, struct span id)
{
    uint64_t number;
    struct span prefix = SPAN_LITERAL("txn_");
    if (span_starts_with(id, prefix)) {
        struct span digits = {id.data + prefix.size, id.size - prefix.size};
        return span_parse_u64(digits, &number) ? operator_payment(o, number) : NULL;
    }
    const struct stk_payment *p = operator_payment_by_checkout(o, id);
    return p != NULL ? p : operator_payment_by_receipt(o, id);
}

static void add_position(struct explain *x, uint64_t position)
{
    bool known = position == 0 || x->count == STEPS_MAX;
    for (uint32_t i = 0; i < x->count; i++) {
        known = known || x->positions[i] == position;
    }
    if (!known) {
        x->positions[x->count++] = position;
    }
}

static void collect_positions(struct explain *x)
{
    const struct outbox *outbox = &x->book->outbox;
    const struct outbox_item *item = outbox_item(outbox, x->payment->delivery);
    for (uint32_t i = 0; i < STK_STEPS; i++) {
        add_position(x, x->payment->step_position[i]);
    }
    for (uint32_t a = item != NULL ? item->first_attempt : SLAB_NONE; a != SLAB_NONE;) {
        const struct outbox_attempt *attempt = outbox_attempt(outbox, a);
        add_position(x, attempt->position);
        a = attempt->next;
    }
    if (item != NULL) {
        add_position(x, item->position); /* replayed by hand, and waits */
    }
}

/* ---- the report ---- */

static void print_payment(struct explain *x)
{
    const struct operator_state *o = operator_of(x->book);
    const struct stk_payment *p = x->payment;
    char checkout[ID_TEXT_SIZE];
    char receipt[ID_RECEIPT_SIZE];
    char amount[MONEY_TEXT_MAX];
    char id[32];
    char line[400];
    char msisdn[24];
    payment_checkout_id(o, p, checkout);
    payment_receipt(p, receipt);
    (void)money_format(p->amount_minor, amount);
    (void)snprintf(id, sizeof(id), "txn_%" PRIu64, p->number);
    (void)snprintf(msisdn, sizeof(msisdn), "%" PRIu64,
                   operator_subscriber_at(o, p->subscriber)->msisdn);
    if (x->json) {
        json_open(&x->out, '{');
        json_field_text(&x->out, "id", id);
        json_field_text(&x->out, "checkout_request_id", checkout);
        json_field_text(&x->out, "status", stk_state_name(p->state));
        json_field_text(&x->out, "receipt", receipt);
        json_field_u64(&x->out, "generation", x->book->generation);
        json_field_u64(&x->out, "head", journal_head(x->journal).position);
        json_key(&x->out, "steps");
        json_open(&x->out, '[');
        return;
    }
    int size = snprintf(line, sizeof(line),
                        "%s  %s\n%s  KSh %s from %.4s*****%s to %u%s%s\nof the world of "
                        "generation %" PRIu64 ", at position %" PRIu64 "\n\n",
                        id, checkout, stk_state_name(p->state), amount, msisdn,
                        strlen(msisdn) > 9 ? msisdn + 9 : "", p->party_b,
                        receipt[0] != '\0' ? ", receipt " : "", receipt, x->book->generation,
                        journal_head(x->journal).position);
    CHECK(size > 0 && (size_t)size < sizeof(line));
    put_raw(&x->out, line, (size_t)size);
}

/* ---- a payment that left memory ---- */

struct past {
    struct explain *x;
    struct book *book;
    uint64_t until;   /* the frame to stop before; 0: none */
    uint64_t left_at; /* the frame by which the payment left the last time; 0: it never did */
    bool bad;
};

static bool is_in_memory(const struct past *past)
{
    return find_payment(operator_of(past->book), span_from(past->x->id)) != NULL;
}

static bool past_batch(void *context, const struct journal_read_batch *batch)
{
    struct past *past = context;
    struct reader replayed = reader_init(batch->payload, batch->payload_size);
    struct reader looked = replayed;
    struct frame_reader f;
    while (frame_next(&looked, &f)) {
        if (f.info.position == past->until) {
            return false;
        }
        uint64_t generation = past->book->generation;
        bool may_leave = f.info.cause == COMMAND_CLOSED_LEAVE && is_in_memory(past);
        if (book_replay_frame(past->book, &replayed) != BOOK_REPLAYED) {
            past->bad = true;
            return false;
        }
        if (may_leave && !is_in_memory(past)) {
            past->left_at = f.info.position;
        } else if (past->book->generation != generation || f.info.cause == COMMAND_WORLD_RESTORE) {
            past->left_at = 0; /* that was another world's */
        }
    }
    return true;
}

/* The book from its first frame on, up to one; false (said): it cannot be made. */
static bool walk_past(struct past *past, const struct book_options *options, uint64_t until)
{
    struct journal_error error;
    book_destroy(past->book);
    past->book = book_create(options);
    past->until = until;
    if (past->book == NULL) {
        (void)fprintf(stderr, "hakika: no memory for the book\n");
        return false;
    }
    past->book->outbox.replaying = true;
    enum journal_status status = journal_read(past->x->journal, 1, past_batch, past, &error);
    past->book->outbox.replaying = false;
    if (status != JOURNAL_OK || past->bad) {
        (void)fprintf(stderr, "hakika: %s\n",
                      status != JOURNAL_OK ? error.message : "the journal cannot be replayed");
        return false;
    }
    return true;
}

/* Takes the book's place by what it was when the payment was there for the last time. False (said):
 * it cannot be read. */
static bool look_into_the_past(struct explain *x, const struct book_options *options)
{
    struct past past = {.x = x};
    bool good = walk_past(&past, options, 0);
    if (good && past.left_at != 0) {
        good = walk_past(&past, options, past.left_at);
    }
    if (good && past.until != 0) {
        book_destroy(x->book);
        x->book = past.book;
        x->payment = find_payment(operator_of(x->book), span_from(x->id));
        CHECK(x->payment != NULL);
        return true;
    }
    book_destroy(past.book);
    return good;
}

static int explain_payment(struct explain *x)
{
    struct journal_error error;
    print_payment(x);
    collect_positions(x);
    for (uint32_t i = 0; i < x->count; i++) {
        x->wanted = x->positions[i];
        if (journal_read(x->journal, x->wanted, find_frame, x, &error) != JOURNAL_OK) {
            (void)fprintf(stderr, "hakika: %s\n", error.message);
            return EXIT_UNREADABLE;
        }
    }
    if (x->json) {
        json_close(&x->out, ']');
        json_close(&x->out, '}');
        put_u8(&x->out, '\n');
    }
    CHECK(!x->out.overflow);
    (void)fwrite(x->out.data, 1, x->out.size, stdout);
    return EXIT_EXPLAINED;
}

static int explain_id(struct explain *x)
{
    static uint8_t output[OUTPUT_BYTES];
    char path[PATH_BYTES];
    struct journal_error error;
    struct engine_recovery recovery;
    struct operator_settings settings = operator_settings_default(true);
    (void)snprintf(path, sizeof(path), "%s/operator", x->data);
    struct journal_options options = {.directory = path, .book = "operator", .verify_bytes = 1};
    struct book_options book_options = {.domain = &operator_domain, .settings = &settings};
    if (journal_open_beside(&options, &x->journal, &error) != JOURNAL_OK) {
        (void)fprintf(stderr, "hakika: %s\n", error.message);
        return EXIT_UNREADABLE;
    }
    x->book = engine_recover(x->journal, &book_options, &recovery);
    if (x->book == NULL) {
        (void)fprintf(stderr, "hakika: %s\n", recovery.message);
        journal_close(x->journal);
        return EXIT_UNREADABLE;
    }
    x->out = writer_init(output, sizeof(output));
    x->payment = find_payment(operator_of(x->book), span_from(x->id));
    int status = EXIT_NOT_FOUND;
    if (x->payment == NULL && !look_into_the_past(x, &book_options)) {
        status = EXIT_UNREADABLE;
    } else if (x->payment != NULL) {
        status = explain_payment(x);
    } else {
        (void)fprintf(stderr,
                      "hakika: no payment of the world of generation %" PRIu64 " in %s has the id, "
                      "CheckoutRequestID or receipt %.80s; worlds that were reset or left are not "
                      "looked at\n",
                      x->book->generation, path, x->id);
    }
    book_destroy(x->book);
    journal_close(x->journal);
    return status;
}

static bool parse_explain(int argc, char **argv, struct explain *x)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            x->json = true;
        } else if (strcmp(argv[i], "--data") == 0 && i + 1 < argc) {
            x->data = argv[++i];
        } else if (argv[i][0] != '-' && x->id == NULL) {
            x->id = argv[i];
        } else {
            return false;
        }
    }
    return x->id != NULL && strlen(x->data) < PATH_BYTES - 16;
}

int explain_command(int argc, char **argv)
{
    struct explain x = {.data = "hakika-data"};
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        (void)fputs(EXPLAIN_HELP, stdout);
        return EXIT_GOOD;
    }
    if (!parse_explain(argc, argv, &x)) {
        (void)fputs(EXPLAIN_HELP, stderr);
        return EXIT_USAGE;
    }
    return explain_id(&x);
}
