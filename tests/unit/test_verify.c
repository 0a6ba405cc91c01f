/*
 * test_verify.c - hakika verify (R6.8): an honest journal passes every proof; a forged one, whose
 * checksums are all right, is caught by the proof that is meant for it, at the place of the
 * forgery; and nothing is changed by looking. Payments: test_verify_payments.c.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/verify/table.h"
#include "engine/engine.h"
#include "operator/operator.h"
#include "support/random.h"
#include "support/verify_rig.h"

/* ---- honest journals ---- */

static void test_honest_journal_passes_every_proof(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    f.time_ns += FORGE_SECOND;
    for (uint32_t i = 0; i < 100; i++) {
        f.time_ns += FORGE_SECOND;
        uint32_t slot = i % FORGE_SUBSCRIBERS;
        uint64_t number = forge_push(&f, slot, 100 + i);
        forge_prompted(&f, number);
        uint64_t delivery =
            i % 3 == 0 ? forge_cancelled(&f, number) : forge_paid(&f, number, slot, 100 + i);
        forge_frame(&f, COMMAND_DELIVERY_RESULT);
        forge_attempted(&f, delivery, 200, OUTBOX_DELIVERED);
        if (i % 10 == 0) {
            forge_commit(&f);
        }
    }
    (void)forge_push(&f, 1, 500);
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds();
    assert_int_equal(report.totals.payments, 102);
    assert_int_equal(report.totals.open, 1);
    assert_int_equal(report.totals.ended[STK_PAID], 67);
    assert_int_equal(report.totals.ended[STK_CANCELLED], 34);
    assert_int_equal(report.totals.deliveries, 101);
    assert_int_equal(report.totals.waiting, 1);
    assert_int_equal(report.totals.issued_minor, FORGE_SUBSCRIBERS * FORGE_WALLET_MINOR);
    assert_int_equal(report.totals.issued_minor,
                     report.totals.wallets_minor + report.totals.organisations_minor);
    assert_int_equal(report.totals.organisations_minor, report.totals.paid_minor);
    assert_int_equal(report.proofs[PROOF_EFFECTS].checked, 101);
    assert_int_equal(report.proofs[PROOF_CHAIN].checked, report.totals.head.batch);
    forge_remove(&f);
}

static void test_generations_begin_anew(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    (void)open_prompt(&f, 2); /* lost with its generation, as it should be */
    forge_seed(&f, 2);
    (void)forge_payment(&f, 0, AMOUNT);
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds();
    assert_int_equal(report.totals.generations, 2);
    assert_int_equal(report.totals.generation, 2);
    assert_int_equal(report.totals.payments, 3);
    assert_int_equal(report.totals.open, 0);
    forge_remove(&f);
}

struct file_print {
    char name[64];
    uint64_t size;
    uint64_t hash;
    struct timespec changed;
};

/* Names, sizes, contents and times of everything in the directory. */
static uint32_t directory_print(const char *directory, struct file_print *out, uint32_t room)
{
    uint32_t count = 0;
    static uint8_t content[4 * 1024 * 1024];
    DIR *names = opendir(directory);
    assert_non_null(names);
    for (const struct dirent *name = readdir(names); name != NULL; name = readdir(names)) {
        char path[600];
        struct stat info;
        (void)snprintf(path, sizeof(path), "%s/%s", directory, name->d_name);
        assert_int_equal(stat(path, &info), 0);
        if (!S_ISREG(info.st_mode)) {
            continue;
        }
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t got = read(fd, content, sizeof(content));
        (void)close(fd);
        assert_int_equal(got, info.st_size);
        assert_true(count < room);
        struct file_print *p = &out[count++];
        memset(p, 0, sizeof(*p));
        (void)snprintf(p->name, sizeof(p->name), "%.60s", name->d_name);
        p->size = (uint64_t)info.st_size;
        p->hash = hash_bytes(content, (size_t)got, 1);
        p->changed = info.st_ctim;
    }
    (void)closedir(names);
    return count;
}

static void test_verifying_changes_nothing(void **state)
{
    (void)state;
    struct forge f;
    struct file_print before[16], after[16];
    open_story(&f);
    forge_close(&f);
    uint32_t count = directory_print(f.directory, before, 16);
    verify(&f);
    assert_every_proof_holds();
    assert_int_equal(directory_print(f.directory, after, 16), count);
    assert_memory_equal(before, after, count * sizeof(before[0]));
    forge_remove(&f);
}

static void test_runs_beside_an_open_journal(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    verify(&f); /* the writer still holds its lock */
    assert_every_proof_holds();
    (void)forge_payment(&f, 1, AMOUNT);
    forge_commit(&f);
    verify(&f);
    assert_every_proof_holds();
    assert_int_equal(report.totals.payments, 2);
    forge_close(&f);
    forge_remove(&f);
}

static void test_cannot_read_what_is_not_there(void **state)
{
    (void)state;
    struct journal_error error = {0};
    struct verify_options options = {.directory = "/tmp/hakika-there-is-nothing-here"};
    assert_false(verify_run(&options, &report, &error));
    assert_true(error.message[0] != '\0');
}

/* ---- chain ---- */

static void flip(const struct forge *f, uint64_t offset)
{
    char path[600];
    uint8_t byte;
    (void)snprintf(path, sizeof(path), "%s/journal-00000001.seg", f->directory);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    (void)close(fd);
}

static void test_flipped_bit_breaks_the_chain(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    (void)forge_payment(&f, 1, AMOUNT);
    forge_close(&f);
    flip(&f, JOURNAL_BLOCK_BYTES + JOURNAL_BATCH_HEADER_BYTES + 40);
    verify(&f);
    assert_breach(PROOF_CHAIN, 0, "offset 4096");
    assert_non_null(strstr(report.proofs[PROOF_CHAIN].findings[0].text, "journal-00000001.seg"));
    assert_false(report.proofs[PROOF_MONEY].done);
    forge_remove(&f);
}

/* ---- records ---- */

static void test_unknown_event_kinds(void **state)
{
    (void)state;
    const uint16_t kinds[] = {15, 24, 31, 37, 47, 48, 63, 73, 85, 999, 0};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct forge f;
        char what[64];
        open_story(&f);
        forge_frame(&f, COMMAND_STK_ADVANCE);
        put_u64(forge_event(&f, kinds[i]), 1);
        (void)snprintf(what, sizeof(what), "event kind %u is unknown", kinds[i]);
        expect(&f, PROOF_RECORDS, what);
        assert_breach(PROOF_REPLAY, 0, "an event that this program does not know");
    }
}

static void test_malformed_events(void **state)
{
    (void)state;
    const uint16_t kinds[] = {1,  2,  3,  4,  9,  10, 11, 16, 17, 18, 19, 20, 21, 22, 23, 32,
                              33, 34, 35, 64, 65, 67, 68, 69, 70, 71, 72, 80, 81, 82, 83, 84};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct forge f;
        open_story(&f);
        forge_frame(&f, COMMAND_STK_ADVANCE);
        put_u8(forge_event(&f, kinds[i]), 1);
        expect(&f, PROOF_RECORDS, "malformed");
    }
}

static void test_malformed_frames(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_CLOCK);
    put_u16(&f.w, EVENT_CLOCK_SET);
    put_u16(&f.w, 999); /* an event that says that it is longer than its frame */
    expect(&f, PROOF_RECORDS, "the frame is malformed after 0 events");
    open_story(&f);
    forge_frame(&f, COMMAND_CLOCK); /* a frame without events */
    forge_commit(&f);
    forge_close(&f);
    verify(&f);
    assert_breach(PROOF_RECORDS, 0, "a frame's header is malformed after 0 frames");
    forge_remove(&f);
}

static void test_clock_mode_out_of_range(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_CLOCK);
    struct writer *w = forge_event(&f, EVENT_CLOCK_SET);
    put_u8(w, 7);
    put_i64(w, 0);
    expect(&f, PROOF_RECORDS, "clock_set");
}

/* ---- order ---- */

static void test_gap_in_positions(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame_at(&f, COMMAND_STK_PUSH, f.position + 2, f.time_ns);
    forge_texts(&f, 2);
    forge_accepted(&f, 2, 1, AMOUNT);
    expect(&f, PROOF_ORDER, "follows position");
    assert_true(report.proofs[PROOF_REPLAY].breaches > 0);
}

static void test_time_goes_backwards(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame_at(&f, COMMAND_STK_PUSH, f.position + 1, f.time_ns - 1);
    forge_texts(&f, 2);
    forge_accepted(&f, 2, 1, AMOUNT);
    expect(&f, PROOF_ORDER, "time goes backwards");
}

static void test_generation_skipped(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_seed(&f, 3);
    expect(&f, PROOF_ORDER, "generation 3 follows generation 1");
}

/* ---- money ---- */

static void test_money_from_nothing(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_STK_ADVANCE); /* issues nothing */
    forge_transfer(&f, forge_frame_id(&f, 0), 1, FORGE_TRUST, FORGE_WALLET, 1000000);
    expect(&f, PROOF_MONEY, "belongs to no payment and was not issued");
}

static void test_money_from_a_stranger(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_ORGANISATION_FUND); /* issues, but not out of somebody's wallet */
    forge_transfer(&f, forge_frame_id(&f, 0), 1, FORGE_WALLET + 1, FORGE_UTILITY, 500);
    expect(&f, PROOF_MONEY, "belongs to no payment and was not issued");
}

static void test_wallet_below_zero(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    uint64_t number = forge_push(&f, 1, FORGE_WALLET_MINOR + 1);
    forge_prompted(&f, number);
    (void)forge_paid(&f, number, 1, FORGE_WALLET_MINOR + 1);
    expect(&f, PROOF_MONEY, "falls below zero by 1 cents");
    assert_true(report.proofs[PROOF_REPLAY].breaches > 0); /* the program stops there too */
    assert_non_null(strstr(report.proofs[PROOF_REPLAY].findings[0].text, "replay stops"));
}

static void test_accounts_that_are_not_there(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_TRANSFERS);
    forge_transfer(&f, 1, 9, FORGE_WALLET, 999, 5);
    expect(&f, PROOF_MONEY, "there is no such account");
    open_story(&f);
    forge_frame(&f, COMMAND_TRANSFERS);
    forge_transfer(&f, 1, 9, FORGE_WALLET, FORGE_WALLET, 5);
    expect(&f, PROOF_MONEY, "the same");
    open_story(&f);
    forge_frame(&f, COMMAND_OPEN_ACCOUNTS);
    forge_account(&f, FORGE_WALLET + FORGE_SUBSCRIBERS + 1, 9, 0, 0);
    expect(&f, PROOF_MONEY, "comes next");
}

static void test_foreign_account_as_wallet(void **state)
{
    (void)state;
    struct forge f;
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    open_story(&f);
    forge_frame(&f, COMMAND_SUBSCRIBER_OPEN);
    forge_person(&f, FORGE_SUBSCRIBERS, 254711111111u);
    e.kind = EVENT_SUBSCRIBER_OPENED;
    e.slot = FORGE_SUBSCRIBERS;
    e.account = FORGE_UTILITY; /* the shop's */
    forge_operator(&f, &e);
    expect(&f, PROOF_MONEY, "is given to owner");
}

static void set_flags(struct forge *f, uint32_t account, uint16_t flags)
{
    struct ledger_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_ACCOUNT_FLAGS_SET;
    e.account = account;
    e.opened.flags = flags;
    forge_ledger(f, &e);
}

static void test_closed_account_moves(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_TRANSFERS);
    set_flags(&f, FORGE_WALLET + 3, ACCOUNT_DEBITS_LIMITED | ACCOUNT_CLOSED);
    forge_transfer(&f, 1, 9, FORGE_WALLET + 3, FORGE_WALLET, 5);
    expect(&f, PROOF_MONEY, "closed account");
}

static void forge_hold(struct forge *f, uint16_t kind, uint64_t id, uint64_t hold_id,
                       int64_t amount_minor)
{
    struct ledger_event e;
    memset(&e, 0, sizeof(e));
    e.kind = kind;
    e.transfer.id = id;
    e.transfer.hold_id = hold_id;
    e.transfer.kind = kind == EVENT_HOLD_PLACED   ? TRANSFER_HOLD
                      : kind == EVENT_HOLD_POSTED ? TRANSFER_POST_HOLD
                                                  : TRANSFER_VOID_HOLD;
    e.transfer.debit_account = FORGE_WALLET + 1;
    e.transfer.credit_account = FORGE_UTILITY;
    e.transfer.amount_minor = amount_minor;
    e.transfer.expires_ns = kind == EVENT_HOLD_PLACED ? f->time_ns + 10 * FORGE_SECOND : 0;
    forge_ledger(f, &e);
}

static void test_honest_holds(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_TRANSFERS);
    forge_hold(&f, EVENT_HOLD_PLACED, 1, 0, 1000);
    forge_hold(&f, EVENT_HOLD_PLACED, 2, 0, 2000);
    forge_hold(&f, EVENT_HOLD_PLACED, 3, 0, 3000);
    forge_hold(&f, EVENT_HOLD_POSTED, 4, 1, 400);
    forge_hold(&f, EVENT_HOLD_VOIDED, 5, 2, 2000);
    f.time_ns += 10 * FORGE_SECOND;
    forge_frame(&f, COMMAND_HOLD_EXPIRY);
    put_u64(forge_event(&f, EVENT_HOLD_EXPIRED), 3);
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds();
    assert_int_equal(report.totals.holds, 3);
    forge_remove(&f);
}

static void test_dishonest_holds(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_TRANSFERS);
    forge_hold(&f, EVENT_HOLD_PLACED, 1, 0, 1000);
    forge_hold(&f, EVENT_HOLD_POSTED, 2, 1, 1001);
    expect(&f, PROOF_MONEY, "more money");
    open_story(&f);
    forge_frame(&f, COMMAND_TRANSFERS);
    forge_hold(&f, EVENT_HOLD_PLACED, 1, 0, 1000);
    forge_hold(&f, EVENT_HOLD_VOIDED, 2, 1, 1000);
    forge_hold(&f, EVENT_HOLD_POSTED, 3, 1, 1000);
    expect(&f, PROOF_MONEY, "is not open");
    open_story(&f);
    forge_frame(&f, COMMAND_TRANSFERS);
    forge_hold(&f, EVENT_HOLD_PLACED, 1, 0, 1000);
    forge_frame(&f, COMMAND_HOLD_EXPIRY);
    put_u64(forge_event(&f, EVENT_HOLD_EXPIRED), 1);
    expect(&f, PROOF_MONEY, "before its time");
    open_story(&f);
    forge_frame(&f, COMMAND_TRANSFERS);
    forge_hold(&f, EVENT_HOLD_PLACED, 1, 0, FORGE_WALLET_MINOR + 7); /* sets aside too much */
    expect(&f, PROOF_MONEY, "falls below zero by 7 cents");
}

/* ---- checkpoints and snapshots ---- */

/* The book as it is after everything that was appended. */
static struct book *recover(struct forge *f, struct journal_head *head)
{
    static const struct operator_settings settings = {.receipt_shard = 360};
    struct book_options options = {.domain = &operator_domain, .settings = &settings};
    struct engine_recovery recovery;
    forge_commit(f);
    struct book *book = engine_recover(f->journal, &options, &recovery);
    if (book == NULL) {
        print_error("%s\n", recovery.message);
    }
    assert_non_null(book);
    *head = journal_head(f->journal);
    return book;
}

static void test_checkpoints_that_hold(void **state)
{
    (void)state;
    struct forge f;
    struct journal_head head;
    open_story(&f);
    struct book *book = recover(&f, &head);
    struct digest_value first = book_digest(book);
    uint64_t first_position = head.position;
    book_destroy(book);
    (void)forge_payment(&f, 1, AMOUNT);
    book = recover(&f, &head);
    forge_frame(&f, COMMAND_CHECKPOINT);
    forge_checkpoint(&f, first_position, first);
    forge_frame(&f, COMMAND_CHECKPOINT);
    forge_checkpoint(&f, head.position, book_digest(book));
    book_destroy(book);
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds();
    assert_int_equal(report.proofs[PROOF_CHECKPOINTS].checked, 2);
    forge_remove(&f);
}

static void test_checkpoint_digest_wrong(void **state)
{
    (void)state;
    struct forge f;
    struct journal_head head;
    open_story(&f);
    struct book *book = recover(&f, &head);
    struct digest_value digest = book_digest(book);
    book_destroy(book);
    digest.low ^= 1;
    forge_frame(&f, COMMAND_CHECKPOINT);
    forge_checkpoint(&f, head.position, digest);
    expect(&f, PROOF_CHECKPOINTS, "after replay, but the checkpoint has");
    assert_int_equal(report.proofs[PROOF_REPLAY].breaches, 0);
}

static void test_checkpoint_of_the_future(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_CHECKPOINT);
    forge_checkpoint(&f, f.position, (struct digest_value){1, 2});
    expect(&f, PROOF_CHECKPOINTS, "a checkpoint of position 5 stands at position 5");
}

static void test_checkpoint_of_another_state_version(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_CHECKPOINT);
    struct writer *w = forge_event(&f, EVENT_CHECKPOINT);
    put_u64(w, 1);
    put_u32(w, BOOK_STATE_VERSION + 1);
    put_u64(w, 1);
    put_u64(w, 2);
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds(); /* nobody can compare it: it is counted and said */
    assert_int_equal(report.totals.checkpoints, 0);
    assert_int_equal(report.totals.checkpoints_foreign, 1);
    forge_remove(&f);
}

struct content {
    uint8_t bytes[256 * 1024];
    size_t size;
};

static void write_snapshot(struct forge *f, const struct book *book, struct journal_head head,
                           size_t flip_at)
{
    static struct content content;
    struct journal_error error;
    struct snapshot_meta meta = {
        .position = head.position, .batch = head.batch, .state_version = BOOK_STATE_VERSION};
    memcpy(meta.hash, head.hash, sizeof(meta.hash));
    struct writer w = writer_init(content.bytes, sizeof(content.bytes));
    book_save(book, &w);
    assert_false(w.overflow);
    if (flip_at > 0) {
        assert_true(flip_at < w.size);
        content.bytes[flip_at] ^= 1;
    }
    struct snapshot_writer *snapshot = snapshot_create(NULL, f->directory, &meta, &error);
    assert_non_null(snapshot);
    assert_true(snapshot_write(snapshot, content.bytes, w.size));
    assert_true(snapshot_commit(snapshot, &error));
}

/* A number that only the text of a checkout id comes from: of the last payment, at the end. */
static size_t find_amount(const struct book *book)
{
    static struct content content;
    struct writer w = writer_init(content.bytes, sizeof(content.bytes));
    int64_t amount_minor = AMOUNT;
    size_t found = 0;
    book_save(book, &w);
    for (size_t i = 0; i + sizeof(amount_minor) <= w.size; i++) {
        if (memcmp(content.bytes + i, &amount_minor, sizeof(amount_minor)) == 0) {
            found = i;
        }
    }
    assert_true(found > 0);
    return found;
}

static void test_snapshots_are_compared(void **state)
{
    (void)state;
    struct forge f;
    struct journal_head head;
    open_story(&f);
    struct book *book = recover(&f, &head);
    write_snapshot(&f, book, head, 0);
    book_destroy(book);
    (void)forge_payment(&f, 1, AMOUNT);
    book = recover(&f, &head);
    write_snapshot(&f, book, head, 0);
    (void)forge_payment(&f, 2, AMOUNT);
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds();
    assert_int_equal(report.totals.snapshots, 2);
    assert_int_equal(report.proofs[PROOF_SNAPSHOTS].checked, 2);
    book_destroy(book);
    forge_remove(&f);
}

static void test_snapshot_that_differs(void **state)
{
    (void)state;
    struct forge f;
    struct journal_head head;
    open_story(&f);
    struct book *book = recover(&f, &head);
    write_snapshot(&f, book, head, find_amount(book)); /* 12300 became 12301 */
    book_destroy(book);
    forge_close(&f);
    verify(&f);
    const struct verify_verdict *v = &report.proofs[PROOF_SNAPSHOTS];
    assert_true(v->done);
    assert_int_equal(v->breaches, 1);
    assert_non_null(strstr(v->findings[0].text, "after replay, but the snapshot has"));
    assert_int_equal(v->findings[0].place.position, head.position);
    assert_int_equal(report.proofs[PROOF_REPLAY].breaches, 0);
    forge_remove(&f);
}

static void test_snapshot_that_is_not_a_state(void **state)
{
    (void)state;
    struct forge f;
    struct journal_head head;
    open_story(&f);
    struct book *book = recover(&f, &head);
    write_snapshot(&f, book, head, 1); /* the version inside */
    book_destroy(book);
    forge_close(&f);
    verify(&f);
    assert_int_equal(report.proofs[PROOF_SNAPSHOTS].breaches, 1);
    assert_non_null(
        strstr(report.proofs[PROOF_SNAPSHOTS].findings[0].text, "intact but not a state"));
    forge_remove(&f);
}

static void test_damaged_snapshot_is_only_counted(void **state)
{
    (void)state;
    struct forge f;
    struct journal_head head;
    char path[600];
    open_story(&f);
    struct book *book = recover(&f, &head);
    write_snapshot(&f, book, head, 0);
    book_destroy(book);
    forge_close(&f);
    (void)snprintf(path, sizeof(path), "%s/snapshot-%020" PRIu64 ".snap", f.directory,
                   head.position);
    assert_int_equal(truncate(path, 100), 0);
    verify(&f);
    assert_every_proof_holds(); /* it is never used, so it harms nothing */
    assert_int_equal(report.totals.snapshots, 0);
    assert_int_equal(report.totals.snapshots_ignored, 1);
    forge_remove(&f);
}

/* ---- the auditor's tables ---- */

enum { MODEL_KEYS = 512 };

static void test_table_against_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct test_random r = random_from(seed);
        struct table t;
        uint64_t model[MODEL_KEYS] = {0}; /* the value of each key; 0: absent */
        table_init(&t, sizeof(uint64_t));
        for (r.step = 1; r.step <= 4000; r.step++) {
            uint64_t key = random_below(&r, MODEL_KEYS);
            uint64_t spread = key << (seed % 56); /* keys that differ in other bits each time */
            uint64_t *found = table_find(&t, spread);
            REQUIRE(&r, (found != NULL) == (model[key] != 0));
            REQUIRE(&r, found == NULL || *found == model[key]);
            if (found == NULL) {
                uint64_t *added = table_add(&t, spread);
                assert_non_null(added);
                REQUIRE(&r, *added == 0);
                *added = r.step;
                model[key] = r.step;
            } else if (random_percent(&r, 70)) {
                table_remove(&t, spread);
                model[key] = 0;
            }
        }
        uint64_t count = 0;
        for (uint64_t key = 0; key < MODEL_KEYS; key++) {
            count += model[key] != 0;
        }
        assert_int_equal(t.count, count);
        table_clear(&t);
        assert_null(table_find(&t, 1));
        table_fini(&t);
    }
}

static void test_findings_are_kept_and_counted(void **state)
{
    (void)state;
    findings_init(&report);
    for (uint64_t i = 0; i < 100; i++) {
        report.place = (struct verify_place){i, 1, 2};
        findings_breach(&report, PROOF_ORDER, "number %" PRIu64, i);
    }
    assert_int_equal(report.proofs[PROOF_ORDER].breaches, 100);
    assert_int_equal(findings_total(&report), 100);
    assert_int_equal(report.proofs[PROOF_ORDER].kept, FINDINGS_KEPT);
    assert_int_equal(report.proofs[PROOF_ORDER].findings[7].place.position, 7);
    for (int p = 0; p < PROOF_COUNT; p++) {
        assert_non_null(verify_proof_name((enum verify_proof)p));
        assert_true(strlen(verify_proof_holds((enum verify_proof)p)) > 10);
        assert_true(strlen(verify_proof_advice((enum verify_proof)p)) > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest_journal_passes_every_proof),
        cmocka_unit_test(test_generations_begin_anew),
        cmocka_unit_test(test_verifying_changes_nothing),
        cmocka_unit_test(test_runs_beside_an_open_journal),
        cmocka_unit_test(test_cannot_read_what_is_not_there),
        cmocka_unit_test(test_flipped_bit_breaks_the_chain),
        cmocka_unit_test(test_unknown_event_kinds),
        cmocka_unit_test(test_malformed_events),
        cmocka_unit_test(test_malformed_frames),
        cmocka_unit_test(test_clock_mode_out_of_range),
        cmocka_unit_test(test_gap_in_positions),
        cmocka_unit_test(test_time_goes_backwards),
        cmocka_unit_test(test_generation_skipped),
        cmocka_unit_test(test_money_from_nothing),
        cmocka_unit_test(test_money_from_a_stranger),
        cmocka_unit_test(test_wallet_below_zero),
        cmocka_unit_test(test_accounts_that_are_not_there),
        cmocka_unit_test(test_foreign_account_as_wallet),
        cmocka_unit_test(test_closed_account_moves),
        cmocka_unit_test(test_honest_holds),
        cmocka_unit_test(test_dishonest_holds),
        cmocka_unit_test(test_checkpoints_that_hold),
        cmocka_unit_test(test_checkpoint_digest_wrong),
        cmocka_unit_test(test_checkpoint_of_the_future),
        cmocka_unit_test(test_checkpoint_of_another_state_version),
        cmocka_unit_test(test_snapshots_are_compared),
        cmocka_unit_test(test_snapshot_that_differs),
        cmocka_unit_test(test_snapshot_that_is_not_a_state),
        cmocka_unit_test(test_damaged_snapshot_is_only_counted),
        cmocka_unit_test(test_table_against_a_model),
        cmocka_unit_test(test_findings_are_kept_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
