/*
 * bench_ledger.c - the profile `ledger`: transfers through the real engine, journal and writer
 * thread, in process, each answered only when it is on disk.
 *
 * Two phases: batches of 8,190 transfers, where deciding the next goes on while the last is being
 * synced; and 64 single transfers in flight, each followed by the next as soon as it is durable.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "app/bench/internal.h"
#include "app/monotonic.h"
#include "book/book.h"
#include "engine/engine.h"

enum {
    ACCOUNTS = 10000,
    ACCOUNT_BANK = 0, /* where the money of the others comes from; may go below zero */
    IN_FLIGHT = 64,
    BATCHES_MAX = 16,
    TRANSFERS_MAX = 60 * 1000 * 1000, /* about 10 GB of memory: the entries stay there */
    BALANCE_MINOR = 1000 * 1000 * 100,
    WAIT_MS_MAX = 10000,
};

/* A domain with nothing of its own. */

static void *domain_create(struct book *book)
{
    return book;
}

static void domain_destroy(void *state)
{
    (void)state;
}

static bool domain_reserve(void *state)
{
    (void)state;
    return true;
}

static void domain_decide(const void *state, struct decision *d)
{
    (void)state;
    (void)d;
    UNREACHABLE("the ledger's bench sends no command of a domain");
}

static bool domain_apply(void *state, const struct frame_info *frame, uint16_t kind,
                         struct reader *r)
{
    (void)state;
    (void)frame;
    (void)kind;
    (void)r;
    return false;
}

static const char *domain_event_name(uint16_t kind)
{
    (void)kind;
    return NULL; /* it has no events of its own */
}

static bool domain_work(const void *state, int64_t now_ns, struct book_command *out)
{
    (void)state;
    (void)now_ns;
    (void)out;
    return false;
}

static int64_t domain_next_due(const void *state)
{
    (void)state;
    return INT64_MAX;
}

static void domain_save(const void *state, struct writer *w)
{
    (void)state;
    (void)w;
}

static bool domain_load(void *state, struct reader *r)
{
    (void)state;
    (void)r;
    return true;
}

static void domain_check(const void *state)
{
    (void)state;
}

static void domain_check_touched(void *state)
{
    (void)state;
}

static void domain_moved(void *state, struct book *book)
{
    (void)state;
    (void)book;
}

static const struct book_domain bench_domain = {
    .name = "bench",
    .event_first = 60000,
    .event_last = 60000,
    .event_name = domain_event_name,
    .create = domain_create,
    .destroy = domain_destroy,
    .moved = domain_moved,
    .reserve = domain_reserve,
    .decide = domain_decide,
    .apply = domain_apply,
    .work = domain_work,
    .next_due = domain_next_due,
    .save = domain_save,
    .load = domain_load,
    .check = domain_check,
    .check_touched = domain_check_touched,
};

struct ledger_bench {
    struct bench *bench;
    struct journal *journal;
    struct writer_thread *writer;
    struct book *book;
    struct book_clock clock;
    struct engine *engine;
    uint64_t random;
    uint64_t next_id;
    uint64_t refused; /* transfers that did not move: none should */
    uint64_t sent;    /* in this phase */
    uint64_t all;     /* in all phases; an id that was drawn and never sent does not count */
    uint64_t waits_for_segment; /* of 0.1 ms */
    int64_t refused_since_ns;   /* the engine takes nothing although nothing is under way; 0: no */
    struct transfer transfers[BOOK_TRANSFERS_MAX];
    uint8_t results[BOOK_TRANSFERS_MAX];
    struct histogram latency;
    char error[256];
};

/* ---- opening -------------------------------------------------------------------------------- */

static bool fail(struct ledger_bench *l, const char *what)
{
    (void)snprintf(l->error, sizeof(l->error), "%.200s", what);
    return false;
}

static bool bench_open(struct ledger_bench *l)
{
    struct journal_error error;
    char path[600];
    (void)snprintf(path, sizeof(path), "%s/journal", l->bench->folder);
    struct journal_options options = {
        .directory = path,
        .book = "bench",
        .background_spares = true,
    };
    memset(options.identity, 0x5a, sizeof(options.identity));
    if (journal_open(&options, &l->journal, &error) != JOURNAL_OK) {
        return fail(l, error.message);
    }
    struct book_options book = {.domain = &bench_domain, .hash_seed = 0x1234567};
    l->book = book_create(&book);
    l->writer = writer_start_thread(l->journal);
    book_clock_init_real(&l->clock);
    if (l->book == NULL || l->writer == NULL) {
        return fail(l, "no memory for the book");
    }
    struct engine_options engine = {
        .book = l->book,
        .clock = &l->clock,
        .writer = writer_port(l->writer),
        .limits = engine_limits_default(),
        .head = journal_head(l->journal),
        .random_seed = 1,
    };
    l->engine = engine_create(&engine);
    return l->engine != NULL || fail(l, "no memory for the engine");
}

static void bench_close(struct ledger_bench *l)
{
    writer_stop(l->writer);
    engine_destroy(l->engine);
    book_destroy(l->book);
    journal_close(l->journal);
}

/* Gives the open batch to the writer if it is idle, or waits until it is and takes its report. */
static bool bench_wait(struct ledger_bench *l)
{
    enum journal_status status;
    struct journal_head head;
    struct journal_error error;
    struct pollfd fd = {.fd = writer_descriptor(l->writer), .events = POLLIN};
    engine_turn(l->engine);
    engine_pace(l->engine, 0);    /* a turn ends: nobody but this bench has work for it */
    if (engine_idle(l->engine)) { /* refused although nothing is under way: no segment is spare */
        struct timespec beat = {0, 100000};
        l->waits_for_segment++;
        l->refused_since_ns = l->refused_since_ns == 0 ? monotonic_ns() : l->refused_since_ns;
        (void)nanosleep(&beat, NULL);
        return monotonic_ns() - l->refused_since_ns < (int64_t)WAIT_MS_MAX * 1000000 ||
               fail(l, "the engine takes nothing although nothing is under way");
    }
    l->refused_since_ns = 0;
    int ready = poll(&fd, 1, WAIT_MS_MAX);
    if (ready < 0 && errno == EINTR) {
        return true;
    }
    if (ready <= 0) {
        return fail(l, "the disk did not answer for 10 s");
    }
    if (writer_collect(l->writer, &status, &head, &error)) {
        engine_written(l->engine, status, &head);
    }
    return !engine_poisoned(l->engine) || fail(l, error.message);
}

static bool bench_wait_for(struct ledger_bench *l, uint64_t position)
{
    while (engine_durable(l->engine) < position) {
        if (!bench_wait(l)) {
            return false;
        }
    }
    return true;
}

/* ---- transfers ------------------------------------------------------------------------------ */

static uint32_t draw_account(struct ledger_bench *l)
{
    l->random = l->random * 6364136223846793005u + 1442695040888963407u;
    return 1 + (uint32_t)((l->random >> 33) * ACCOUNTS >> 31);
}

/* Between two different accounts, with the next id. */
static void make_transfer(struct ledger_bench *l, struct transfer *t)
{
    uint32_t debit = draw_account(l);
    uint32_t credit = draw_account(l);
    memset(t, 0, sizeof(*t));
    t->id = l->next_id++;
    t->kind = TRANSFER_POST;
    t->code = 1;
    t->reference = t->id;
    t->amount_minor = 100;
    t->debit_account = debit;
    t->credit_account = credit != debit ? credit : credit % ACCOUNTS + 1;
}

/* Executes `count` transfers as one command: the position to wait for; 0: the engine is busy. */
static uint64_t execute(struct ledger_bench *l, uint32_t count)
{
    struct transfers_command command = {
        .transfers = l->transfers, .results = l->results, .count = count};
    struct engine_result result =
        engine_execute(l->engine, ENGINE_NEW_WORK, COMMAND_TRANSFERS, &command, NULL);
    if (result.status != ENGINE_APPLIED) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        l->refused += l->results[i] == LEDGER_OK ? 0 : 1;
    }
    l->sent += count;
    l->all += count;
    return result.wait_position;
}

/* The bank gives every account its money. */
static bool bench_fund(struct ledger_bench *l)
{
    uint64_t position = 0;
    for (uint32_t opened = 0; opened < ACCOUNTS + 1;) {
        struct open_accounts_command open = {
            .count = 1, .code = 1, .currency = LEDGER_CURRENCY_KES};
        if (opened > 0) {
            open.flags = ACCOUNT_DEBITS_LIMITED;
            open.count = ACCOUNTS + 1 - opened < BOOK_RESERVE_ACCOUNTS ? ACCOUNTS + 1 - opened
                                                                       : BOOK_RESERVE_ACCOUNTS;
        }
        enum book_outcome outcome;
        struct engine_result result =
            engine_execute(l->engine, ENGINE_CONTINUATION, COMMAND_OPEN_ACCOUNTS, &open, &outcome);
        if (result.status != ENGINE_APPLIED || !bench_wait_for(l, result.wait_position)) {
            return fail(l, "cannot open the accounts");
        }
        opened += open.count;
    }
    for (uint32_t done = 0; done < ACCOUNTS;) {
        uint32_t count =
            ACCOUNTS - done < BOOK_TRANSFERS_MAX ? ACCOUNTS - done : BOOK_TRANSFERS_MAX;
        for (uint32_t i = 0; i < count; i++) {
            make_transfer(l, &l->transfers[i]);
            l->transfers[i].debit_account = ACCOUNT_BANK;
            l->transfers[i].credit_account = 1 + done + i;
            l->transfers[i].amount_minor = BALANCE_MINOR;
        }
        position = execute(l, count);
        if (position == 0 || !bench_wait_for(l, position)) {
            return fail(l, "cannot fund the accounts");
        }
        done += count;
    }
    return true;
}

/* ---- the phases ----------------------------------------------------------------------------- */

struct under_way {
    uint64_t position;
    int64_t since_ns;
    uint32_t count;
};

static bool over(const struct ledger_bench *l, int64_t end_ns)
{
    return monotonic_ns() >= end_ns || atomic_load(&l->bench->stop) || l->sent >= TRANSFERS_MAX;
}

/* As many batches under way as the engine takes: one being written, those in the open batch. */
static bool run_batches(struct ledger_bench *l, int64_t end_ns)
{
    struct under_way batches[BATCHES_MAX];
    uint32_t first = 0;
    uint32_t count = 0;
    bool made = false;
    for (bool sending = true; sending || count > 0;) {
        sending = sending && !over(l, end_ns);
        if (sending && !made) {
            for (uint32_t i = 0; i < BOOK_TRANSFERS_MAX; i++) {
                make_transfer(l, &l->transfers[i]);
            }
            made = true;
        }
        int64_t begun_ns = monotonic_ns();
        uint64_t position = sending && count < BATCHES_MAX ? execute(l, BOOK_TRANSFERS_MAX) : 0;
        if (position != 0) {
            made = false;
            batches[(first + count++) % BATCHES_MAX] =
                (struct under_way){position, begun_ns, BOOK_TRANSFERS_MAX};
            engine_turn(l->engine);
        } else if (!bench_wait(l)) {
            return false;
        }
        int64_t now = monotonic_ns();
        while (count > 0 && batches[first].position <= engine_durable(l->engine)) {
            histogram_add(&l->latency, now - batches[first].since_ns);
            first = (first + 1) % BATCHES_MAX;
            count--;
        }
    }
    return true;
}

static bool run_singles(struct ledger_bench *l, int64_t end_ns)
{
    struct under_way singles[IN_FLIGHT];
    uint32_t first = 0;
    uint32_t count = 0;
    bool made = false;
    for (bool sending = true; sending || count > 0;) {
        sending = sending && !over(l, end_ns);
        while (sending && count < IN_FLIGHT) {
            int64_t begun_ns = monotonic_ns();
            if (!made) {
                make_transfer(l, &l->transfers[0]);
            }
            uint64_t position = execute(l, 1);
            made = position == 0; /* the engine is busy: the same one again, later */
            if (made) {
                break;
            }
            singles[(first + count++) % IN_FLIGHT] = (struct under_way){position, begun_ns, 1};
        }
        if (!bench_wait(l)) {
            return false;
        }
        int64_t now = monotonic_ns();
        while (count > 0 && singles[first].position <= engine_durable(l->engine)) {
            histogram_add(&l->latency, now - singles[first].since_ns);
            first = (first + 1) % IN_FLIGHT;
            count--;
        }
    }
    return true;
}

static uint64_t disk_blocks(const struct rusage *u)
{
    return (uint64_t)u->ru_oublock * 512;
}

static bool measure_transfers(struct ledger_bench *l, const char *name, const char *latency,
                              const char *key, bool (*run)(struct ledger_bench *l, int64_t end_ns))
{
    struct rusage before;
    struct rusage after;
    uint64_t machine_us = child_machine_us();
    struct engine_counters counters = engine_counters(l->engine);
    bench_progress(name, (uint32_t)bench_seconds_ms(l->bench));
    histogram_clear(&l->latency);
    l->sent = 0;
    l->waits_for_segment = 0;
    CHECK(getrusage(RUSAGE_SELF, &before) == 0);
    int64_t begun_ns = monotonic_ns();
    if (!run(l, begun_ns + (int64_t)bench_seconds_ms(l->bench) * 1000000)) {
        return false;
    }
    int64_t ended_ns = monotonic_ns();
    CHECK(getrusage(RUSAGE_SELF, &after) == 0);
    struct report_phase *phase = report_phase_add(&l->bench->report, name, "durable transfers");
    phase->operations = l->sent;
    phase->elapsed_ns = ended_ns - begun_ns;
    phase->server_user_us = child_time_us(after.ru_utime) - child_time_us(before.ru_utime);
    phase->server_system_us = child_time_us(after.ru_stime) - child_time_us(before.ru_stime);
    uint64_t ours_us = phase->server_user_us + phase->server_system_us;
    machine_us = child_machine_us() - machine_us;
    phase->others_us = machine_us > ours_us ? machine_us - ours_us : 0;
    phase->disk_bytes = disk_blocks(&after) - disk_blocks(&before);
    phase->journal_bytes = engine_counters(l->engine).bytes - counters.bytes;
    phase->syncs = engine_counters(l->engine).batches - counters.batches;
    report_latency_add(phase, latency, key, &l->latency);
    report_count_add(phase, "refused", l->refused, true);
    report_count_add(phase, "waits_for_a_segment_of_100_us", l->waits_for_segment, false);
    return true;
}

/* What was sent is in the ledger, and no money came or went. */
static void check_ledger(struct ledger_bench *l)
{
    struct report *r = &l->bench->report;
    int64_t all_minor = 0;
    for (uint32_t i = 1; i <= ACCOUNTS; i++) {
        all_minor += account_balance(ledger_account(&l->book->ledger, i));
    }
    if (all_minor != (int64_t)ACCOUNTS * BALANCE_MINOR) {
        report_problem(r, "the accounts hold %" PRId64 " cents instead of %" PRId64, all_minor,
                       (int64_t)ACCOUNTS * BALANCE_MINOR);
    }
    if (l->book->ledger.entries.used != l->all) {
        report_problem(r, "%" PRIu64 " transfers were sent, but the ledger holds %u", l->all,
                       l->book->ledger.entries.used);
    }
    if (engine_durable(l->engine) != engine_applied(l->engine)) {
        report_problem(r, "not everything is durable at the end");
    }
}

bool bench_ledger(struct bench *b, char error[256])
{
    struct ledger_bench *l = calloc(1, sizeof(*l));
    CHECK(l != NULL);
    l->bench = b;
    l->next_id = 1;
    l->random = 88172645463325252u;
    (void)snprintf(b->report.title, sizeof(b->report.title),
                   "in process: engine, journal, synced; %d accounts", ACCOUNTS);
    bool ok = bench_open(l) && bench_fund(l) &&
              measure_transfers(l, "batches of 8,190", "batch to durable", NULL, run_batches) &&
              measure_transfers(l, "64 single transfers in flight", "transfer to durable", "single",
                                run_singles);
    if (ok) {
        check_ledger(l);
    }
    (void)snprintf(error, 256, "%s", l->error);
    bench_close(l);
    free(l);
    return ok;
}
