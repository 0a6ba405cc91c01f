/*
 * fuzz_book.c - bytes as a run of commands to a whole operator's book: pushes, answers, results of
 * deliveries, changes of wallets, time that passes, resets.
 *
 * Must hold: the book decides each of them; what it wrote replays into an equal book; a saved book
 * loads into an equal one; all invariants hold in all three.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fuzz/small_book.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMMANDS_MAX = 64, STATE_BYTES_MAX = 512 * 1024 };

static uint8_t state[STATE_BYTES_MAX];

static void change(struct small_book *s, struct reader *r)
{
    struct operator_reply reply;
    struct subscriber_change_command c;
    memset(&c, 0, sizeof(c));
    c.msisdn = SMALL_PHONE + get_u8(r) % (SMALL_PHONES + 1);
    c.fields = get_u8(r) & 31;
    c.reachable = get_u8(r) & 1;
    c.status = get_u8(r) & 1 ? SUBSCRIBER_ACTIVE : SUBSCRIBER_SUSPENDED;
    c.key_version = 1;
    c.adjust_minor = (int64_t)get_u64(r);
    if (c.adjust_minor < -((int64_t)1 << 50) || c.adjust_minor > (int64_t)1 << 50) {
        c.adjust_minor %= 100000; /* the surface lets nothing larger through */
    }
    (void)small_book_do(s, COMMAND_SUBSCRIBER_CHANGE, &c, &reply);
}

static void fund(struct small_book *s, struct reader *r)
{
    struct operator_reply reply;
    struct fund_command c;
    memset(&c, 0, sizeof(c));
    c.short_code = SMALL_SHOP + get_u8(r) % (SMALL_SHOPS + 1);
    c.account = get_u8(r) & 1 ? ACCOUNT_UTILITY : ACCOUNT_WORKING;
    c.amount_minor = 1 + get_u16(r);
    c.has_key = get_u8(r) & 1;
    c.key[0] = get_u8(r) & 3;
    c.request[0] = get_u8(r) & 1;
    (void)small_book_do(s, COMMAND_ORGANISATION_FUND, &c, &reply);
}

static void revive(struct small_book *s, struct reader *r)
{
    struct delivery_revive_command c = {get_u8(r)};
    enum book_outcome outcome;
    (void)small_book_do(s, COMMAND_DELIVERY_REVIVE, &c, &outcome);
}

static void stranger(struct small_book *s, struct reader *r)
{
    struct operator_reply reply;
    struct subscriber_command c;
    memset(&c, 0, sizeof(c));
    c.msisdn = SMALL_PHONE + get_u8(r) % 16;
    c.name = get_text(r);
    c.name.size = c.name.size > 100 ? 100 : c.name.size;
    c.key_version = 1;
    c.balance_minor = get_u16(r);
    (void)small_book_do(s, COMMAND_SUBSCRIBER_OPEN, &c, &reply);
}

static void deliver(struct small_book *s, struct reader *r)
{
    uint16_t status = get_u16(r) % 600;
    uint8_t error = status == 0 ? 1 + get_u8(r) % 8 : 0;
    struct span answer = get_text(r);
    (void)small_book_deliver(s, status, error, r->bad ? SPAN_EMPTY : answer);
}

static void step(struct small_book *s, struct reader *r)
{
    uint8_t what = get_u8(r);
    uint8_t which = get_u8(r);
    switch (what % 10) {
    case 0:
    case 1:
        small_book_push(s, SMALL_PHONE + which % (SMALL_PHONES + 1),
                        SMALL_SHOP + (which >> 4) % (SMALL_SHOPS + 1), 100 + get_u16(r));
        break;
    case 2: small_book_answer(s, COMMAND_STK_APPROVE, which, true); break;
    case 3: small_book_answer(s, COMMAND_STK_APPROVE, which, false); break;
    case 4: small_book_answer(s, COMMAND_STK_CANCEL, which, true); break;
    case 5: deliver(s, r); break;
    case 6: s->now_ns += (int64_t)get_u16(r) * 1000 * 1000 * which; break;
    case 7: which & 1 ? change(s, r) : fund(s, r); break;
    case 8: which & 1 ? revive(s, r) : stranger(s, r); break;
    default:
        if (which == 255) {
            small_book_seed(s);
        }
        break;
    }
    small_book_run(s, what >> 4);
}

static void same_digest(const struct book *a, const struct book *b)
{
    struct digest_value x = book_digest(a);
    struct digest_value y = book_digest(b);
    CHECK(x.high == y.high && x.low == y.low);
    book_check(b);
}

static void prove(const struct small_book *s)
{
    struct book *replayed = small_book_empty();
    struct reader frames = reader_init(s->frames.data, s->frames.size);
    replayed->outbox.replaying = true;
    while (frames.at < frames.size) {
        CHECK(book_replay_frame(replayed, &frames) == BOOK_REPLAYED);
    }
    replayed->outbox.replaying = false;
    same_digest(s->book, replayed);
    book_destroy(replayed);

    struct writer w = writer_init(state, sizeof(state));
    book_save(s->book, &w);
    CHECK(!w.overflow);
    struct book *loaded = small_book_empty();
    struct reader saved = reader_init(state, w.size);
    CHECK(book_load(loaded, &saved));
    same_digest(s->book, loaded);
    book_destroy(loaded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct small_book s;
    struct reader r = reader_init(data, size);
    small_book_open(&s);
    for (uint32_t i = 0; i < COMMANDS_MAX && r.at < r.size && !r.bad; i++) {
        step(&s, &r);
    }
    book_check(s.book);
    prove(&s);
    small_book_close(&s);
    return 0;
}
