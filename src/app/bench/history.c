/*
 * history.c - `hakika bench history`: makes a data folder with a long past, in process and without
 * HTTP, so that starts, look-ups and memory can be measured on it: every payment is pushed,
 * approved, called back and closed by the real book, engine, journal, keeper and index. What it
 * writes is a folder like any other; `hakika serve` starts on it and `hakika verify` proves it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "app/bench/internal.h"
#include "app/command.h"
#include "engine/engine.h"
#include "face/face.h"
#include "operator/operator.h"

enum {
    HISTORY_PHONES = 10000,
    ROUND = 250, /* payments pushed together */
    SHORT_CODE = 174379,
    AMOUNT_MINOR = 1000,
    BATCH_BYTES = 3 * 1024 * 1024,
    DELIVERED_MS = 3,
    PAYMENTS_MAX = 100 * 1000 * 1000,
    REPORT_EVERY = 500 * 1000,
};
#define FIRST_PHONE UINT64_C(254700000000)
#define STEP_NS     ((int64_t)1000 * 1000)
#define CLOSED_NS   ((int64_t)5 * 1000 * 1000 * 1000)
#define BALANCE     ((int64_t)1000 * 1000 * 100)

struct history {
    const char *data;
    uint64_t payments;
    struct operator_settings settings;
    struct book_clock clock;
    struct journal *journal;
    struct book *book;
    struct engine *engine;
    struct secrets *secrets;
    struct surface *surface;
    struct old_index *index;
    struct keeper *keeper;
    struct journal_batch batch; /* handed to the writer, not written yet */
    uint8_t previous[JOURNAL_HASH_BYTES];
    bool writing;
    const struct index_batch *records; /* handed to the index, not put yet */
    int64_t now_ns;
    char message[768];
};

/* ---- the engine's world: a writer that waits to be told, a clock that is told ---- */

static void start_batch(void *context, const struct journal_batch *batch,
                        const uint8_t previous[JOURNAL_HASH_BYTES])
{
    struct history *h = context;
    CHECK(!h->writing);
    h->batch = *batch;
    memcpy(h->previous, previous, sizeof(h->previous));
    h->writing = true;
}

static enum engine_room has_room(void *context, uint64_t bytes)
{
    const struct history *h = context;
    return journal_has_room(h->journal, bytes) ? ENGINE_ROOM_NOW : ENGINE_ROOM_FULL;
}

/* Writes what the engine has handed over; it hands over the next batch in passing. */
static bool write_batch(struct history *h)
{
    struct journal_error error;
    if (!h->writing) {
        return true;
    }
    enum journal_status status = journal_append(h->journal, &h->batch, h->previous, &error);
    struct journal_head head = journal_head(h->journal);
    if (status != JOURNAL_OK) {
        (void)snprintf(h->message, sizeof(h->message), "%.700s", error.message);
        return false;
    }
    h->writing = false;
    engine_written(h->engine, status, &head);
    return true;
}

/* Until the journal has everything. */
static bool settle(struct history *h)
{
    do {
        engine_turn(h->engine);
        if (!write_batch(h)) {
            return false;
        }
    } while (!engine_settled(h->engine));
    return true;
}

static void put_records(void *context, const struct index_batch *batch)
{
    struct history *h = context;
    h->records = batch;
}

static enum index_answer find_nothing(void *context, uint64_t generation,
                                      const struct old_name *name, struct old_name *primary,
                                      struct span *record)
{
    struct history *h = context;
    return index_find(h->index, generation, name, primary, record);
}

/* ---- living ---- */

static bool decide(struct history *h, uint16_t kind, const void *body, void *reply)
{
    struct engine_result result = engine_execute(h->engine, ENGINE_CONTINUATION, kind, body, reply);
    if (result.status == ENGINE_BUSY || result.status == ENGINE_DISK_FULL) {
        journal_make_room(h->journal);
        if (!settle(h)) {
            return false;
        }
        result = engine_execute(h->engine, ENGINE_CONTINUATION, kind, body, reply);
    }
    if (result.status != ENGINE_APPLIED && result.status != ENGINE_REFUSED) {
        (void)snprintf(h->message, sizeof(h->message), "%s", engine_status_text(result.status));
    }
    return result.status == ENGINE_APPLIED || result.status == ENGINE_REFUSED;
}

static bool open_phones(struct history *h)
{
    struct operator_reply reply;
    struct subscriber_command c = {.balance_minor = BALANCE, .approves = true};
    bool good = true;
    for (uint32_t i = 0; i < HISTORY_PHONES && good; i++) {
        c.msisdn = FIRST_PHONE + i;
        secrets_pin_verifier(h->secrets, c.msisdn, SPAN_LITERAL("1234"), c.verifier);
        good = decide(h, COMMAND_SUBSCRIBER_OPEN, &c, &reply);
    }
    return good && settle(h);
}

static bool push_round(struct history *h, uint64_t first, uint64_t count)
{
    char reference[32];
    bool good = true;
    for (uint64_t i = first; i < first + count && good; i++) {
        struct operator_reply reply;
        (void)snprintf(reference, sizeof(reference), "INV-%" PRIu64, i);
        struct stk_push_command c = {
            .short_code = SHORT_CODE,
            .party_b = SHORT_CODE,
            .type = 1,
            .amount_minor = AMOUNT_MINOR,
            .msisdn = FIRST_PHONE + i % HISTORY_PHONES,
            .url = SPAN_LITERAL("http://127.0.0.1:9/callback"),
            .reference = span_from(reference),
            .description = SPAN_LITERAL("an order"),
            .target = 9,
        };
        memcpy(c.fingerprint, &i, sizeof(i));
        h->now_ns += STEP_NS;
        book_clock_move(&h->clock, h->now_ns);
        good = decide(h, COMMAND_STK_PUSH, &c, &reply);
        CHECK(!good || reply.refusal == OPERATOR_DONE);
    }
    engine_turn(h->engine); /* prompts, automatic answers, money */
    return good;
}

/* Every callback that may leave is delivered at once. */
static bool deliver(struct history *h)
{
    const struct outbox_item *item;
    bool good = true;
    while (good && (item = engine_take_outgoing(h->engine)) != NULL) {
        enum book_outcome outcome;
        struct delivery_result_command c = {
            .number = item->number,
            .generation = h->book->generation,
            .status = 200,
            .duration_ms = DELIVERED_MS,
            .retry_after_ms = -1,
            .answer = SPAN_LITERAL("{\"ResultCode\":0}"),
        };
        good = decide(h, COMMAND_DELIVERY_RESULT, &c, &outcome);
    }
    return good;
}

/* What is closed goes into the index and leaves. */
static bool keep(struct history *h)
{
    while (keeper_turn(h->keeper) || h->records != NULL) {
        if (h->records != NULL) {
            const struct index_batch *records = h->records;
            h->records = NULL;
            if (!index_put(h->index, records, h->message)) {
                return false;
            }
            keeper_written(h->keeper, true);
        }
    }
    return true;
}

static bool live(struct history *h)
{
    for (uint64_t done = 0; done < h->payments; done += ROUND) {
        uint64_t left = h->payments - done;
        if (!push_round(h, done, left < ROUND ? left : ROUND)) {
            return false;
        }
        if (engine_counters(h->engine).batch_bytes > BATCH_BYTES / 2 && !write_batch(h)) {
            return false;
        }
        if (!deliver(h) || !keep(h)) {
            return false;
        }
        if (done % REPORT_EVERY == 0) {
            (void)fprintf(stderr, "hakika: %" PRIu64 " of %" PRIu64 " payments\n", done,
                          h->payments);
        }
    }
    return true;
}

/* The last ones are called back and leave, too. */
static bool come_to_rest(struct history *h)
{
    while (h->book->outbox.delivered < h->payments) {
        if (!settle(h) || !deliver(h)) {
            return false;
        }
    }
    h->now_ns += 2 * CLOSED_NS;
    book_clock_move(&h->clock, h->now_ns);
    while (operator_left(operator_of(h->book)) < h->payments) {
        if (!settle(h) || !keep(h)) {
            return false;
        }
    }
    return settle(h);
}

/* ---- from folder to folder ---- */

static bool open_folder(struct history *h)
{
    char path[640];
    struct journal_error error;
    (void)snprintf(path, sizeof(path), "%.600s/operator", h->data);
    struct journal_options options = {.directory = path, .book = "operator"};
    secrets_random(options.identity, sizeof(options.identity));
    if (mkdir(h->data, 0700) != 0) {
        (void)snprintf(h->message, sizeof(h->message),
                       "cannot make the folder %.500s: %s; name one that is not there yet", h->data,
                       strerror(errno));
        return false;
    }
    if (journal_open(&options, &h->journal, &error) != JOURNAL_OK) {
        (void)snprintf(h->message, sizeof(h->message), "%.700s", error.message);
        return false;
    }
    (void)snprintf(path, sizeof(path), "%.600s/secret.key", h->data);
    h->secrets = secrets_open(path, h->message);
    (void)snprintf(path, sizeof(path), "%.600s/index.mdb", h->data);
    h->index = h->secrets == NULL ? NULL : index_create(path, options.identity, h->message);
    return h->index != NULL;
}

static bool open_book(struct history *h)
{
    h->settings = operator_settings_default(false);
    h->settings.payment_max_minor = BALANCE;
    struct book_options book = {.domain = &operator_domain, .settings = &h->settings};
    h->book = book_create(&book);
    h->now_ns = CLOCK_VIRTUAL_START_NS;
    book_clock_init_virtual(&h->clock, h->now_ns, NULL, NULL);
    struct engine_options options = {
        .book = h->book,
        .clock = &h->clock,
        .writer = {h, start_batch, has_room},
        .archive = {h, find_nothing},
        .limits = engine_limits_default(),
        .head = journal_head(h->journal),
        .random_seed = 1,
    };
    options.limits.stall_ns_max = INT64_MAX;
    options.limits.batch_bytes_max = BATCH_BYTES;
    h->engine = h->book == NULL ? NULL : engine_create(&options);
    struct surface_options surface = {
        .engine = h->engine, .secrets = h->secrets, .profile = PROFILE_SANDBOX};
    h->surface = h->engine == NULL ? NULL : surface_create(&surface);
    struct keeper_port port = {h, put_records};
    struct keeper_settings keeper = {
        .closed_ns = CLOSED_NS,
        .closed_max = UINT32_MAX,
        .keys_ns = INT64_MAX / 2,
        .batch_bytes = INDEX_BATCH_BYTES,
    };
    h->keeper = h->surface == NULL ? NULL : keeper_create(h->engine, &port, &keeper);
    if (h->keeper == NULL) {
        (void)snprintf(h->message, sizeof(h->message), "out of memory");
        return false;
    }
    return surface_seed(h->surface).status == ENGINE_APPLIED && settle(h);
}

static bool finish(struct history *h)
{
    char path[640];
    struct digest_value digest;
    struct journal_error error;
    struct journal_head head = journal_head(h->journal);
    (void)snprintf(path, sizeof(path), "%.600s/operator", h->data);
    struct snapshot_request request = {h->book, path, head};
    if (!snapshot_take(&request, &digest, &error)) {
        (void)snprintf(h->message, sizeof(h->message), "%.700s", error.message);
        return false;
    }
    struct old_index *index = h->index;
    h->index = NULL; /* closed by finishing */
    return index_finish(index, h->book->generation, &head, h->message);
}

static void close_all(struct history *h)
{
    keeper_destroy(h->keeper);
    surface_destroy(h->surface);
    engine_destroy(h->engine);
    book_destroy(h->book);
    index_close(h->index);
    secrets_close(h->secrets);
    journal_close(h->journal);
}

int bench_history(const char *data, uint64_t payments)
{
    static struct history h;
    struct timespec begun;
    struct timespec ended;
    if (data == NULL || payments == 0 || payments > PAYMENTS_MAX) {
        (void)fprintf(stderr, "hakika: bench history needs --data DIR (a new folder) and "
                              "--payments N (1 to 100000000)\n");
        return EXIT_USAGE;
    }
    h.data = data;
    h.payments = payments;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &begun) == 0);
    bool good = open_folder(&h) && open_book(&h) && open_phones(&h) && live(&h) &&
                come_to_rest(&h) && finish(&h);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &ended) == 0);
    if (good) {
        (void)printf("%s holds %" PRIu64 " closed payments, made in %lld s\n", data, payments,
                     (long long)(ended.tv_sec - begun.tv_sec));
    } else {
        (void)fprintf(stderr, "hakika: bench history: %s\n", h.message);
    }
    close_all(&h);
    return good ? EXIT_GOOD : EXIT_FAILED;
}
