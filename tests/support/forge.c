/*
 * forge.c - see forge.h.
 */
#include "support/forge.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "operator/operator.h"

enum {
    REASON_ISSUE = 1,
    REASON_STK = 3,
    FORGE_CODE_TRUST = 1,
    FORGE_CODE_FEES = 2,
    FORGE_CODE_WALLET = 3,
    FORGE_CODE_UTILITY = 10,
};

static void forge_begin(struct forge *f)
{
    f->w = writer_init(f->buffer + JOURNAL_BATCH_HEADER_BYTES,
                       FORGE_BUFFER_BYTES - JOURNAL_BATCH_HEADER_BYTES - JOURNAL_BLOCK_BYTES);
    f->frame_at = SIZE_MAX;
    f->event_at = SIZE_MAX;
    f->batch_frames = 0;
}

void forge_reopen(struct forge *f)
{
    struct journal_error error;
    struct journal_options options = {
        .directory = f->directory,
        .segment_bytes_max = 1024 * 1024,
        .identity = "forged journal",
    };
    (void)snprintf(options.book, sizeof(options.book), "%s", f->book);
    if (journal_open(&options, &f->journal, &error) != JOURNAL_OK) {
        print_error("%s\n", error.message);
        fail();
    }
    f->buffer = aligned_alloc(JOURNAL_BLOCK_BYTES, FORGE_BUFFER_BYTES);
    assert_non_null(f->buffer);
    forge_begin(f);
}

static void open_book(struct forge *f, const char *book)
{
    memset(f, 0, sizeof(*f));
    f->book = book;
    (void)snprintf(f->directory, sizeof(f->directory), "/tmp/hakika-forge-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    f->time_ns = FORGE_START_NS;
    f->receipt = FORGE_RECEIPT;
    forge_reopen(f);
}

void forge_open(struct forge *f)
{
    open_book(f, "operator");
}

void forge_open_merchant(struct forge *f, const uint8_t *frames, size_t size)
{
    struct reader r = reader_init(frames, size);
    open_book(f, "merchant");
    f->batch_from = 1;
    put_raw(&f->w, frames, size);
    while (r.at < r.size) {
        uint32_t frame = get_u32(&r);
        assert_true(frame >= BOOK_FRAME_HEADER_BYTES && frame <= r.size - r.at + 4);
        (void)get_u32(&r); /* cause */
        f->position = get_u64(&r);
        f->time_ns = get_i64(&r);
        r.at += frame - 24;
        f->batch_frames++;
    }
    forge_commit(f);
}

void forge_close(struct forge *f)
{
    forge_commit(f);
    journal_close(f->journal);
    free(f->buffer);
    f->journal = NULL;
    f->buffer = NULL;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

void forge_remove(struct forge *f)
{
    assert_null(f->journal);
    (void)nftw(f->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- bytes ---- */

static void end_event(struct forge *f)
{
    if (f->event_at != SIZE_MAX) {
        uint16_t size = (uint16_t)(f->w.size - f->event_at - BOOK_EVENT_HEADER_BYTES);
        memcpy(f->w.data + f->event_at + 2, &size, sizeof(size));
    }
    f->event_at = SIZE_MAX;
}

static void end_frame(struct forge *f)
{
    end_event(f);
    if (f->frame_at != SIZE_MAX) {
        uint32_t size = (uint32_t)(f->w.size - f->frame_at);
        memcpy(f->w.data + f->frame_at, &size, sizeof(size));
    }
    f->frame_at = SIZE_MAX;
}

void forge_frame_at(struct forge *f, uint16_t cause, uint64_t position, int64_t time_ns)
{
    end_frame(f);
    if (f->batch_frames == 0) {
        f->batch_from = journal_head(f->journal).position + 1;
    }
    f->batch_frames++;
    f->frame_at = f->w.size;
    f->position = position;
    f->time_ns = time_ns;
    put_u32(&f->w, 0);
    put_u16(&f->w, cause);
    put_u16(&f->w, 0);
    put_u64(&f->w, position);
    put_i64(&f->w, time_ns);
    put_u64(&f->w, 0);
}

void forge_frame(struct forge *f, uint16_t cause)
{
    forge_frame_at(f, cause, f->position + 1, f->time_ns);
}

struct writer *forge_event(struct forge *f, uint16_t kind)
{
    assert_true(f->frame_at != SIZE_MAX);
    end_event(f);
    f->event_at = f->w.size;
    put_u16(&f->w, kind);
    put_u16(&f->w, 0);
    return &f->w;
}

void forge_ledger(struct forge *f, const struct ledger_event *e)
{
    ledger_event_encode(forge_event(f, e->kind), e);
}

void forge_outbox(struct forge *f, const struct outbox_event *e)
{
    outbox_event_encode(forge_event(f, e->kind), e);
}

void forge_operator(struct forge *f, const struct operator_event *e)
{
    operator_event_encode(forge_event(f, e->kind), e);
}

void forge_gateway(struct forge *f, const struct gateway_event *e)
{
    gateway_event_encode(forge_event(f, e->kind), e);
}

void forge_commit(struct forge *f)
{
    struct journal_error error;
    struct journal_head head = journal_head(f->journal);
    end_frame(f);
    if (f->batch_frames == 0) {
        return;
    }
    assert_false(f->w.overflow);
    struct journal_batch batch = {
        .buffer = f->buffer,
        .capacity = FORGE_BUFFER_BYTES,
        .payload_size = f->w.size,
        .first_position = f->batch_from,
        .frame_count = f->batch_frames,
        .time_ns = f->time_ns,
    };
    if (journal_append(f->journal, &batch, head.hash, &error) != JOURNAL_OK) {
        print_error("%s\n", error.message);
        fail();
    }
    forge_begin(f);
}

/* ---- pieces ---- */

void forge_account(struct forge *f, uint32_t index, uint16_t code, uint16_t flags, uint64_t owner)
{
    struct ledger_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_ACCOUNT_OPENED;
    e.account = index;
    e.opened.code = code;
    e.opened.flags = flags;
    e.opened.owner = owner;
    e.opened.currency = LEDGER_CURRENCY_KES;
    forge_ledger(f, &e);
}

void forge_transfer(struct forge *f, uint64_t id, uint16_t reason, uint32_t debit, uint32_t credit,
                    int64_t amount_minor)
{
    struct ledger_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_TRANSFER_POSTED;
    e.transfer.id = id;
    e.transfer.kind = TRANSFER_POST;
    e.transfer.code = reason;
    e.transfer.debit_account = debit;
    e.transfer.credit_account = credit;
    e.transfer.amount_minor = amount_minor;
    forge_ledger(f, &e);
}

void forge_person(struct forge *f, uint32_t slot, uint64_t msisdn)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_PERSON_KEPT;
    e.slot = slot;
    e.msisdn = msisdn;
    e.name = SPAN_LITERAL("Somebody");
    forge_operator(f, &e);
}

void forge_organisation(struct forge *f, uint32_t slot, uint32_t short_code, uint32_t account)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_ORGANISATION_OPENED;
    e.slot = slot;
    e.short_code = short_code;
    e.type = ORGANISATION_PAYBILL;
    e.charges = CHARGES_CUSTOMER;
    for (uint32_t i = 0; i < ORGANISATION_ACCOUNTS; i++) {
        e.accounts[i] = account + i;
    }
    forge_operator(f, &e);
    e.kind = EVENT_ORGANISATION_KEPT;
    e.name = SPAN_LITERAL("A shop");
    forge_operator(f, &e);
}

void forge_texts(struct forge *f, uint64_t number)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_STK_TEXTS_KEPT;
    e.number = number;
    e.url = SPAN_LITERAL("http://127.0.0.1:9/");
    e.reference = SPAN_LITERAL("INV-1");
    memcpy(e.fingerprint, &number, sizeof(number));
    forge_operator(f, &e);
}

void forge_accepted(struct forge *f, uint64_t number, uint32_t slot, int64_t amount_minor)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_STK_ACCEPTED;
    e.number = number;
    e.slot = slot;
    e.short_code = FORGE_SHORT_CODE;
    e.party_b = FORGE_SHORT_CODE;
    e.type = 1;
    e.amount_minor = amount_minor;
    e.checkout_serial = (uint32_t)number;
    e.target = FORGE_TARGET;
    forge_operator(f, &e);
}

void forge_receipt(struct forge *f, uint64_t number, uint32_t day, uint64_t receipt)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_STK_ENDED;
    e.number = number;
    e.outcome = STK_PAID;
    e.receipt_day = day;
    e.receipt = receipt;
    forge_operator(f, &e);
}

void forge_ended(struct forge *f, uint64_t number, uint8_t outcome)
{
    if (outcome == STK_PAID) {
        forge_receipt(f, number, FORGE_DAY, f->receipt++);
        return;
    }
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_STK_ENDED;
    e.number = number;
    e.outcome = outcome;
    forge_operator(f, &e);
}

void forge_queued(struct forge *f, uint64_t number, uint64_t payment)
{
    struct outbox_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_DELIVERY_QUEUED;
    e.number = number;
    e.subject = payment;
    e.target = FORGE_TARGET;
    e.item_kind = 1;
    e.next_try_ns = f->time_ns;
    forge_outbox(f, &e);
}

void forge_attempted(struct forge *f, uint64_t number, uint16_t status, uint8_t state)
{
    struct outbox_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_DELIVERY_ATTEMPTED;
    e.number = number;
    e.status = status;
    e.error = status == 0 ? 2 : 0;
    e.state = state;
    e.next_try_ns = state == OUTBOX_WAITING ? f->time_ns + FORGE_SECOND : 0;
    forge_outbox(f, &e);
}

void forge_checkpoint(struct forge *f, uint64_t position, struct digest_value digest)
{
    struct writer *w = forge_event(f, EVENT_CHECKPOINT);
    put_u64(w, position);
    put_u32(w, BOOK_STATE_VERSION);
    put_u64(w, digest.high);
    put_u64(w, digest.low);
}

/* ---- an honest story ---- */

static void seed_shop(struct forge *f)
{
    for (uint16_t i = 0; i < ORGANISATION_ACCOUNTS; i++) {
        uint16_t flags = i == ACCOUNT_CHARGES_PAID ? 0 : ACCOUNT_DEBITS_LIMITED;
        forge_account(f, (uint32_t)FORGE_UTILITY + i, (uint16_t)(FORGE_CODE_UTILITY + i), flags,
                      FORGE_SHORT_CODE);
    }
    forge_organisation(f, 0, FORGE_SHORT_CODE, FORGE_UTILITY);
}

static void seed_wallet(struct forge *f, uint32_t slot)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    forge_person(f, slot, 254700000000u + slot);
    forge_account(f, FORGE_WALLET + slot, FORGE_CODE_WALLET, ACCOUNT_DEBITS_LIMITED, slot);
    e.kind = EVENT_SUBSCRIBER_OPENED;
    e.slot = slot;
    e.account = FORGE_WALLET + slot;
    e.key_version = 1;
    forge_operator(f, &e);
    forge_transfer(f, forge_frame_id(f, slot), REASON_ISSUE, FORGE_TRUST, FORGE_WALLET + slot,
                   FORGE_WALLET_MINOR);
}

void forge_seed(struct forge *f, uint64_t generation)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    forge_frame(f, COMMAND_SEED);
    put_u64(forge_event(f, EVENT_GENERATION_OPENED), generation);
    forge_account(f, FORGE_TRUST, FORGE_CODE_TRUST, 0, 0);
    forge_account(f, FORGE_FEES, FORGE_CODE_FEES, ACCOUNT_DEBITS_LIMITED, 0);
    e.kind = EVENT_NETWORK_OPENED;
    e.account = FORGE_TRUST;
    e.accounts[0] = FORGE_FEES;
    forge_operator(f, &e);
    seed_shop(f);
    for (uint32_t slot = 0; slot < FORGE_SUBSCRIBERS; slot++) {
        seed_wallet(f, slot);
    }
    f->payments = 0;
    f->deliveries = 0;
}

uint64_t forge_push(struct forge *f, uint32_t slot, int64_t amount_minor)
{
    uint64_t number = ++f->payments;
    forge_frame(f, COMMAND_STK_PUSH);
    forge_texts(f, number);
    forge_accepted(f, number, slot, amount_minor);
    return number;
}

void forge_prompted(struct forge *f, uint64_t number)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    forge_frame(f, COMMAND_STK_ADVANCE);
    e.kind = EVENT_STK_PROMPTED;
    e.number = number;
    e.reachable = true;
    e.expires_ns = f->time_ns + 60 * FORGE_SECOND;
    forge_operator(f, &e);
}

void forge_pays(struct forge *f, uint64_t number, uint32_t slot, int64_t amount_minor)
{
    struct ledger_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_TRANSFER_POSTED;
    e.transfer.id = forge_payment_id(number, 0);
    e.transfer.kind = TRANSFER_POST;
    e.transfer.code = REASON_STK;
    e.transfer.reference = number;
    e.transfer.debit_account = FORGE_WALLET + slot;
    e.transfer.credit_account = FORGE_UTILITY;
    e.transfer.amount_minor = amount_minor;
    forge_ledger(f, &e);
}

uint64_t forge_paid(struct forge *f, uint64_t number, uint32_t slot, int64_t amount_minor)
{
    forge_frame(f, COMMAND_STK_APPROVE);
    forge_pays(f, number, slot, amount_minor);
    forge_ended(f, number, STK_PAID);
    forge_queued(f, ++f->deliveries, number);
    return f->deliveries;
}

uint64_t forge_payment(struct forge *f, uint32_t slot, int64_t amount_minor)
{
    uint64_t number = forge_push(f, slot, amount_minor);
    forge_prompted(f, number);
    (void)forge_paid(f, number, slot, amount_minor);
    return number;
}

uint64_t forge_cancelled(struct forge *f, uint64_t number)
{
    forge_frame(f, COMMAND_STK_CANCEL);
    forge_ended(f, number, STK_CANCELLED);
    forge_queued(f, ++f->deliveries, number);
    return f->deliveries;
}
