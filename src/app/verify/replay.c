/*
 * replay.c - see replay.h. Tests: tests/unit/test_verify.c.
 */
#include "app/verify/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/verify/guarded.h"
#include "merchant/merchant.h"

enum { SNAPSHOTS_MAX = 16 };

/* A digest that the state must have had at a position, and what replay found there. */
struct wanted {
    uint64_t position;
    struct digest_value expected;
    struct digest_value found;
    struct verify_place place;
    bool is_snapshot;
    bool reached;
};

enum replay_stage {
    STAGE_REPLAYING = 0,
    STAGE_CHECKING,  /* the invariants */
    STAGE_COMPARING, /* with the auditor's sums */
    STAGE_DONE,
};

/* What the child tells, in shared memory. */
struct shared {
    struct verify_place place;
    enum replay_stage stage;
    enum book_replay result;
    char difference[FINDING_TEXT_MAX]; /* between book and audit; empty: none */
    enum journal_status journal_status;
    char journal_message[FINDING_TEXT_MAX];
    bool snapshot_found;
    struct snapshot_meta meta;
    struct digest_value digest;
    uint32_t wanted_count;
    uint32_t wanted_next;
    struct wanted wanted[];
};

struct replay {
    const struct replay_options *options;
    struct shared *shared;
    struct operator_settings settings;
    struct gateway_settings gateway_settings;
    struct book *book;
    uint64_t below; /* snapshots: only older than this position */
};

static struct book *new_book(const struct replay *replay)
{
    /* Settings and seed decide nothing that was decided before. */
    struct book_options options = {
        .domain = &operator_domain, .settings = &replay->settings, .hash_seed = 1};
    if (replay->options->audit->merchant) {
        options.domain = &merchant_domain;
        options.settings = &replay->gateway_settings;
    }
    return book_create(&options);
}

/* ---- in the child: snapshots ---- */

static void load_snapshot(void *context)
{
    struct replay *replay = context;
    struct shared *shared = replay->shared;
    size_t size = 0;
    uint8_t *content = snapshot_load(replay->options->journal, BOOK_STATE_VERSION, replay->below,
                                     &shared->meta, &size);
    if (content == NULL) {
        return;
    }
    shared->snapshot_found = true;
    shared->place.position = shared->meta.position;
    struct book *book = new_book(replay);
    struct reader r = reader_init(content, size);
    if (book == NULL || !book_load(book, &r) || book->position != shared->meta.position) {
        shared->result = BOOK_FRAME_BAD;
        return;
    }
    shared->digest = book_digest(book);
    book_destroy(book);
    free(content);
}

/* ---- in the child: the replay ---- */

static void replay_digests(struct replay *replay)
{
    struct shared *shared = replay->shared;
    struct digest_value digest = {0, 0};
    bool computed = false;
    while (shared->wanted_next < shared->wanted_count &&
           shared->wanted[shared->wanted_next].position <= replay->book->position) {
        struct wanted *w = &shared->wanted[shared->wanted_next++];
        if (w->position == replay->book->position) {
            digest = computed ? digest : book_digest(replay->book);
            computed = true;
            w->found = digest;
            w->reached = true;
        }
    }
}

static bool replay_batch(void *context, const struct journal_read_batch *batch)
{
    struct replay *replay = context;
    struct shared *shared = replay->shared;
    struct reader r = reader_init(batch->payload, batch->payload_size);
    shared->place.segment = batch->segment;
    shared->place.offset = batch->offset;
    while (r.at < r.size && shared->result == BOOK_REPLAYED) {
        shared->place.position = replay->book->position + 1;
        shared->result = book_replay_frame(replay->book, &r);
        if (shared->result == BOOK_REPLAYED) {
            replay_digests(replay);
        }
    }
    return shared->result == BOOK_REPLAYED;
}

static void differ(struct shared *shared, const char *what, int64_t book, int64_t audit)
{
    if (shared->difference[0] == '\0') {
        (void)snprintf(shared->difference, sizeof(shared->difference),
                       "%s: %" PRId64 " in the replayed book, %" PRId64 " by the events", what,
                       book, audit);
    }
}

static void compare_account(struct shared *shared, uint32_t index, const struct account *b,
                            const struct audit_account *a)
{
    char what[64];
    (void)snprintf(what, sizeof(what), "account %u", index);
    if (b->debits_posted != a->debits_posted) {
        differ(shared, what, b->debits_posted, a->debits_posted);
    }
    if (b->credits_posted != a->credits_posted) {
        differ(shared, what, b->credits_posted, a->credits_posted);
    }
    if (b->debits_pending != a->debits_held) {
        differ(shared, what, b->debits_pending, a->debits_held);
    }
    if (b->credits_pending != a->credits_held) {
        differ(shared, what, b->credits_pending, a->credits_held);
    }
}

static void compare_count(struct shared *shared, const char *what, uint64_t book, uint64_t audit)
{
    if (book != audit) {
        differ(shared, what, (int64_t)book, (int64_t)audit);
    }
}

static void compare_operator(struct shared *shared, const struct operator_state *o,
                             const struct audit *a)
{
    compare_count(shared, "payments that left", operator_left(o), a->left_payments);
    compare_count(shared, "subscribers", o->subscribers.used, a->subscribers.count);
    compare_count(shared, "organisations", o->organisations.used, a->organisations.count);
    compare_count(shared, "payments", o->last_payment, a->last_payment);
    compare_count(shared, "open payments", o->open, a->open.count);
    for (uint32_t i = 1; i < 16; i++) {
        compare_count(shared, "payments of one outcome", o->ended[i], a->ended[i]);
    }
}

static void compare_gateway(struct shared *shared, const struct gateway *g, const struct audit *a)
{
    compare_count(shared, "payments", g->last_payment, a->gateway.payments.count);
    compare_count(shared, "open payments", g->open, a->report->totals.open);
    compare_count(shared, "notices", g->last_notice, a->gateway.notices.count);
    compare_count(shared, "events for the application", g->last_seq, a->gateway.last_seq);
    compare_count(shared, "payments that left", g->left, a->gateway.left);
    compare_count(shared, "receipts", map_count(&g->by_receipt) + a->gateway.left_named,
                  a->gateway.receipts.count);
    compare_count(shared, "receipts without a push", g->last_receipt, a->gateway.arrivals.count);
}

/* The book that replay gave against what the auditor counted. */
static void compare_with_audit(const struct replay *replay)
{
    const struct audit *a = replay->options->audit;
    const struct book *b = replay->book;
    struct shared *shared = replay->shared;
    if (a->merchant) {
        compare_gateway(shared, gateway_of(b), a);
    } else {
        compare_operator(shared, operator_of(b), a);
    }
    compare_count(shared, "accounts", b->ledger.accounts.used, a->accounts.count);
    compare_count(shared, "keys", b->keys.used + b->keys_left, a->keys.count);
    compare_count(shared, "keys that left", b->keys_left, a->left_keys);
    compare_count(shared, "deliveries", b->outbox.last_number, a->last_delivery);
    compare_count(shared, "waiting deliveries",
                  b->outbox.items.used + b->outbox.left_delivered + b->outbox.left_dead -
                      b->outbox.delivered - b->outbox.dead,
                  a->waiting_count);
    compare_count(shared, "generation", b->generation, a->generation);
    compare_count(shared, "saved worlds", b->world_count, a->world_count);
    for (uint32_t i = 0; i < a->accounts.count && shared->difference[0] == '\0'; i++) {
        const struct account *account = ledger_account(&b->ledger, i);
        if (account != NULL) {
            compare_account(shared, i, account, array_at(&a->accounts, i));
        }
    }
}

static void replay_all(void *context)
{
    struct replay *replay = context;
    struct shared *shared = replay->shared;
    struct journal_error error;
    replay->book = new_book(replay);
    if (replay->book == NULL) {
        shared->result = BOOK_REPLAY_MEMORY;
        return;
    }
    replay->book->outbox.replaying = true;
    enum journal_status status =
        journal_read(replay->options->journal, 1, replay_batch, replay, &error);
    shared->journal_status = status;
    if (status != JOURNAL_OK) {
        (void)snprintf(shared->journal_message, sizeof(shared->journal_message), "%.390s",
                       error.message);
        return;
    }
    if (shared->result != BOOK_REPLAYED) {
        return;
    }
    shared->stage = STAGE_CHECKING;
    book_check(replay->book);
    shared->stage = STAGE_COMPARING;
    compare_with_audit(replay);
    shared->stage = STAGE_DONE;
}

/* ---- in the parent ---- */

static const char *result_text(enum book_replay result)
{
    switch (result) {
    case BOOK_FRAME_BAD: return "the frame is malformed";
    case BOOK_FRAME_GAP: return "positions or times do not follow each other";
    case BOOK_EVENT_UNKNOWN: return "it holds an event that this program does not know";
    case BOOK_REPLAY_MEMORY: return "memory ran out";
    case BOOK_DIGEST_DIFFERS: return "the state has another digest than was recorded";
    case BOOK_REPLAYED: break;
    }
    UNREACHABLE("unknown replay result");
}

/* The first line of what a child said, without the program's name. */
static const char *first_line(char *text)
{
    text[strcspn(text, "\n")] = '\0';
    return strncmp(text, "hakika: ", 8) == 0 ? text + 8 : text;
}

static void beat(void *context)
{
    const struct replay *replay = context;
    if (replay->options->progress != NULL) {
        replay->options->progress(replay->options->context, replay->shared->place.position);
    }
}

/* All usable snapshots, newest first; each joins the list of wanted digests. */
static void collect_snapshots(struct replay *replay)
{
    struct verify_report *report = replay->options->report;
    struct verify_verdict *verdict = &report->proofs[PROOF_SNAPSHOTS];
    struct shared *shared = replay->shared;
    replay->below = report->totals.head.position;
    verdict->done = true;
    while (report->totals.snapshots < SNAPSHOTS_MAX) {
        struct guarded_end end;
        shared->snapshot_found = false;
        shared->result = BOOK_REPLAYED;
        guarded_run(load_snapshot, NULL, replay, &end);
        report->place = (struct verify_place){shared->meta.position, 0, 0};
        if (!end.ran || (!end.good && !shared->snapshot_found)) {
            verdict->done = false;
            break;
        }
        if (!shared->snapshot_found) {
            break;
        }
        report->totals.snapshots++;
        if (!end.good || shared->result != BOOK_REPLAYED) {
            findings_breach(report, PROOF_SNAPSHOTS,
                            "the snapshot of position %" PRIu64 " is intact but not a state: %s",
                            shared->meta.position, first_line(end.text));
        } else {
            shared->wanted[shared->wanted_count++] = (struct wanted){
                .position = shared->meta.position,
                .expected = shared->digest,
                .place = {shared->meta.position, 0, 0},
                .is_snapshot = true,
            };
        }
        replay->below = shared->meta.position - 1;
        if (replay->below == 0) {
            break;
        }
    }
    report->totals.snapshots_ignored =
        replay->options->snapshot_files > report->totals.snapshots
            ? replay->options->snapshot_files - report->totals.snapshots
            : 0;
}

static int by_position(const void *a, const void *b)
{
    const struct wanted *left = a;
    const struct wanted *right = b;
    return left->position < right->position ? -1 : left->position > right->position;
}

static void judge_replay(struct replay *replay, struct guarded_end *end)
{
    struct verify_report *report = replay->options->report;
    struct shared *shared = replay->shared;
    struct verify_verdict *verdict = &report->proofs[PROOF_REPLAY];
    bool memory = shared->result == BOOK_REPLAY_MEMORY;
    verdict->checked = shared->place.position;
    verdict->done = end->ran && !memory;
    report->no_memory = report->no_memory || memory;
    if (shared->journal_status != JOURNAL_OK && shared->journal_status != JOURNAL_CORRUPT) {
        verdict->done = false;
        memcpy(report->unreadable, shared->journal_message, sizeof(report->unreadable));
    }
    if (!verdict->done) {
        return;
    }
    report->place = shared->place;
    if (shared->stage != STAGE_REPLAYING) {
        report->place = (struct verify_place){0, 0, 0};
    }
    if (shared->journal_message[0] != '\0') {
        findings_breach(report, PROOF_REPLAY, "%s", shared->journal_message);
    } else if (shared->result != BOOK_REPLAYED) {
        findings_breach(report, PROOF_REPLAY, "replay stops: %s", result_text(shared->result));
    } else if (!end->good || shared->stage != STAGE_DONE) {
        findings_breach(report, PROOF_REPLAY, "%s: %s",
                        shared->stage == STAGE_REPLAYING
                            ? "replay stops the program"
                            : "an invariant of the replayed book fails",
                        end->text[0] == '\0' ? "killed (out of memory?)" : first_line(end->text));
    } else if (shared->difference[0] != '\0') {
        findings_breach(report, PROOF_REPLAY, "%s", shared->difference);
    }
}

static void judge_digests(struct replay *replay)
{
    struct verify_report *report = replay->options->report;
    struct shared *shared = replay->shared;
    report->proofs[PROOF_CHECKPOINTS].done = true;
    for (uint32_t i = 0; i < shared->wanted_count; i++) {
        const struct wanted *w = &shared->wanted[i];
        enum verify_proof proof = w->is_snapshot ? PROOF_SNAPSHOTS : PROOF_CHECKPOINTS;
        report->place = w->place;
        if (!w->reached) {
            report->proofs[proof].done = false; /* replay stopped before; it says why */
            continue;
        }
        report->proofs[proof].checked++;
        if (!digest_equal(w->expected, w->found)) {
            findings_breach(report, proof,
                            "the state at position %" PRIu64 " has digest %016" PRIx64 "%016" PRIx64
                            " after replay, but %s has %016" PRIx64 "%016" PRIx64,
                            w->position, w->found.high, w->found.low,
                            w->is_snapshot ? "the snapshot" : "the checkpoint", w->expected.high,
                            w->expected.low);
        }
    }
}

void replay_verify(const struct replay_options *options)
{
    const struct array *checkpoints = &options->audit->checkpoints;
    size_t size = sizeof(struct shared) +
                  (size_t)(checkpoints->count + SNAPSHOTS_MAX) * sizeof(struct wanted);
    struct replay replay = {
        .options = options,
        .shared = guarded_share(size),
        .settings = operator_settings_default(true),
        .gateway_settings = gateway_settings_default(),
    };
    struct guarded_end end;
    if (replay.shared == NULL) {
        options->report->no_memory = true;
        return;
    }
    collect_snapshots(&replay);
    for (uint64_t i = 0; i < checkpoints->count; i++) {
        const struct audit_checkpoint *c = array_at(checkpoints, i);
        replay.shared->wanted[replay.shared->wanted_count++] =
            (struct wanted){.position = c->position, .expected = c->digest, .place = c->place};
    }
    qsort(replay.shared->wanted, replay.shared->wanted_count, sizeof(struct wanted), by_position);
    replay.shared->result = BOOK_REPLAYED;
    replay.shared->place = (struct verify_place){0, 0, 0};
    guarded_run(replay_all, beat, &replay, &end);
    judge_replay(&replay, &end);
    judge_digests(&replay);
    guarded_unshare(replay.shared, size);
}
