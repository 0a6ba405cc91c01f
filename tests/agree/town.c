/*
 * town.c - see town.h.
 */
#include "agree/town.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/caltime.h"
#include "base/delivery_error.h"

typedef unsigned long long ull;

struct test_random *told_random;
const char *told_doing = "start";
bool told_trace;

_Noreturn void contradiction(const char *format, ...)
{
    va_list arguments;
    (void)fflush(stdout);
    ull seed = told_random == NULL ? 0 : told_random->seed;
    (void)fprintf(stderr, "FAILED: history %llu, step %llu (%s): ", seed,
                  told_random == NULL ? 0 : (ull)told_random->step, told_doing);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "\n    repeat: agree --seed %llu --trace\n", seed);
    (void)fflush(stderr);
    _exit(1);
}

_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    contradiction("CHECK failed: %s (%s:%d)", what, file, line);
}

void trace(const char *format, ...)
{
    va_list arguments;
    if (!told_trace) {
        return;
    }
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)printf("\n");
}

static uint32_t none_in_flight(void *context)
{
    (void)context;
    return 0;
}

/* ---- a journal that is memory, and a view beside it ---- */

static void start_batch(void *context, const struct journal_batch *batch,
                        const uint8_t previous[JOURNAL_HASH_BYTES])
{
    struct town *t = context;
    (void)previous;
    CHECK(!t->writing);
    t->batch = *batch;
    t->writing = true;
}

static enum engine_room room(void *context, uint64_t bytes)
{
    (void)context;
    (void)bytes;
    return ENGINE_ROOM_NOW;
}

static int64_t monotonic(void *context)
{
    (void)context;
    return 1;
}

enum { FRAMES_BYTES = 16 * 1024 * 1024 };

static void keep_frames(struct town *t)
{
    CHECK(t->frames_size + t->batch.payload_size <= FRAMES_BYTES);
    memcpy(t->frames + t->frames_size, t->batch.buffer + JOURNAL_BATCH_HEADER_BYTES,
           t->batch.payload_size);
    t->frames_size += t->batch.payload_size;
}

static void project(struct town *t)
{
    struct reader r =
        reader_init(t->batch.buffer + JOURNAL_BATCH_HEADER_BYTES, t->batch.payload_size);
    struct frame_reader frame;
    while (frame_next(&r, &frame)) {
        if (!projection_frame(&t->projection, &frame)) {
            contradiction("the view cannot take a frame: %s%s", t->projection.error,
                          t->store.error);
        }
    }
    CHECK(!r.bad);
}

/* The disk has the batch under way. */
static void sync_batch(struct town *t)
{
    t->writing = false;
    t->head.batch++;
    t->head.position = t->batch.first_position + t->batch.frame_count - 1;
    keep_frames(t);
    project(t);
    engine_written(t->engine, JOURNAL_OK, &t->head);
}

/* ---- messages ---- */

static void report(struct town *t, uint64_t number, uint8_t error, const struct town_receipt *got)
{
    struct delivery_result_command c = {
        .number = number,
        .generation = t->book->generation,
        .status = got->reported ? got->status : 0,
        .error = error,
        .duration_ms = 5,
        .retry_after_ms = -1,
        .answer = span_from(got->answer == NULL ? "" : got->answer),
    };
    enum book_outcome outcome;
    (void)surface_question(t->surface, number, c.answer, &c.verdict, &c.verdict_text);
    struct engine_result result =
        engine_execute(t->engine, ENGINE_CONTINUATION, COMMAND_DELIVERY_RESULT, &c, &outcome);
    CHECK(result.status == ENGINE_APPLIED || result.status == ENGINE_REFUSED);
}

/* True when there was one. */
static bool send_one(struct town *t)
{
    static uint8_t bytes[TOWN_BODY_MAX];
    const struct outbox_item *item = engine_take_outgoing(t->engine);
    struct town_receipt got = {0};
    if (item == NULL) {
        return false;
    }
    struct town_message m = {.number = item->number,
                             .kind = item->kind & (uint16_t)~MESSAGE_RULED,
                             .subject = item->subject};
    if (surface_outgoing_fails(t->surface, item)) {
        report(t, m.number, DELIVERY_RULED, &got);
        return true;
    }
    struct writer body = writer_init(bytes, sizeof(bytes));
    CHECK(surface_outgoing(t->surface, item, &body, &m.url));
    char url[1100];
    CHECK(m.url.size < sizeof(url));
    memcpy(url, m.url.data, m.url.size);
    m.url.data = url;
    m.body = (struct span){(const char *)bytes, body.size};
    got = t->receive(t->context, &m);
    report(t, m.number, got.reported ? 0 : DELIVERY_TIMEOUT, &got);
    return true;
}

/* ---- turns ---- */

static bool turn(struct town *t)
{
    bool worked = false;
    engine_turn(t->engine);
    if (t->writing) {
        sync_batch(t);
        worked = true;
    }
    worked = surface_turn(t->surface) || worked;
    return worked;
}

void town_settle(struct town *t)
{
    for (uint32_t i = 0; i < 100000; i++) {
        bool worked = turn(t);
        worked = send_one(t) || worked;
        if (!worked && engine_settled(t->engine)) {
            return;
        }
    }
    contradiction("there is no end to what is due");
}

/* ---- asking ---- */

struct wire_reply town_ask(struct town *t, const char *method, const char *path, const char *query,
                           const char *body)
{
    const struct wire_request request = {
        .method = method,
        .path = path,
        .query = query,
        .body = body,
        .headers = {{"Host", "127.0.0.1"},
                    {"Content-Type", "application/json"},
                    {path[1] == 's' && path[2] == 'i' ? "X-None" : "Authorization", t->token}},
    };
    trace("  > %s %s%s%s %s", method, path, query == NULL ? "" : "?", query == NULL ? "" : query,
          body == NULL ? "" : body);
    wire_begin(t->wire, &request, surface_handle, t->surface);
    for (uint32_t i = 0; i < 1000000 && !wire_answered(t->wire); i++) {
        bool worked = turn(t);
        worked = (!wire_answered(t->wire) && send_one(t)) || worked;
        if (!worked && engine_settled(t->engine) && !engine_advancing(t->engine)) {
            break;
        }
    }
    struct wire_reply reply = {0, SPAN_EMPTY, false};
    if (wire_answered(t->wire)) {
        reply = wire_reply(t->wire);
    }
    trace("  < %u %.*s", reply.status, (int)reply.body.size, reply.body.data);
    return reply;
}

struct wire_reply town_post(struct town *t, const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(t->sent, sizeof(t->sent), format, arguments);
    va_end(arguments);
    CHECK(size >= 0 && (size_t)size < sizeof(t->sent));
    return town_ask(t, "POST", path, NULL, t->sent);
}

struct json_object *town_json(struct town *t, struct wire_reply reply)
{
    const char *why = "";
    if (reply.status / 100 != 2 || reply.cut) {
        return NULL;
    }
    struct json_object *o = json_parse(t->json, reply.body, &why);
    return o != NULL && json_is_object(o) ? o : NULL;
}

bool member_text(struct town *t, struct json_object *o, const char *name, char *out, size_t size)
{
    struct span text;
    struct json_object *member = o == NULL ? NULL : json_member(o, name);
    out[0] = '\0';
    if (member == NULL || json_is_null(member) || !json_text(t->json, member, &text)) {
        return false;
    }
    CHECK(text.size < size);
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

int64_t member_integer(struct json_object *o, const char *name)
{
    int64_t n;
    struct json_object *member = o == NULL ? NULL : json_member(o, name);
    if (member == NULL || !json_integer(member, &n)) {
        contradiction("an answer has no number \"%s\"", name);
    }
    return n;
}

void town_password(uint32_t short_code, char out[TOWN_PASSWORD_MAX])
{
    char plain[128];
    int size = snprintf(plain, sizeof(plain), "%u%s20260101120000", short_code,
                        "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919");
    CHECK(size > 0 && size < 140);
    (void)EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)plain, size);
}

/* ---- the view ---- */

__attribute__((format(printf, 2, 0))) static sqlite3_stmt *view_row(struct town *t,
                                                                    const char *format,
                                                                    va_list arguments)
{
    char sql[1000];
    sqlite3_stmt *row = NULL;
    int size = vsnprintf(sql, sizeof(sql), format, arguments);
    CHECK(size > 0 && (size_t)size < sizeof(sql));
    if (sqlite3_prepare_v2(t->store.db, sql, -1, &row, NULL) != SQLITE_OK) {
        contradiction("the view does not understand %s: %s", sql, sqlite3_errmsg(t->store.db));
    }
    if (sqlite3_step(row) != SQLITE_ROW || sqlite3_column_type(row, 0) == SQLITE_NULL) {
        (void)sqlite3_finalize(row);
        return NULL;
    }
    return row;
}

bool view_number(struct town *t, int64_t *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sqlite3_stmt *row = view_row(t, format, arguments);
    va_end(arguments);
    *out = row == NULL ? 0 : sqlite3_column_int64(row, 0);
    (void)sqlite3_finalize(row);
    return row != NULL;
}

bool view_text(struct town *t, char out[TOWN_TEXT_MAX], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sqlite3_stmt *row = view_row(t, format, arguments);
    va_end(arguments);
    (void)snprintf(out, TOWN_TEXT_MAX, "%s",
                   row == NULL ? "" : (const char *)sqlite3_column_text(row, 0));
    (void)sqlite3_finalize(row);
    return row != NULL;
}

static void open_view(struct town *t)
{
    bool memory = access("/dev/shm", W_OK) == 0; /* nothing here depends on a disk */
    (void)snprintf(t->folder, sizeof(t->folder), "%s/hakika-agree-XXXXXX",
                   memory ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(t->folder) != NULL);
    (void)snprintf(t->view_file, sizeof(t->view_file), "%s/view.sqlite", t->folder);
    if (store_open(&t->store, &book_view_operator, t->view_file) != STORE_READY) {
        contradiction("the view cannot be made: %s", t->store.error);
    }
    CHECK(projection_load(&t->projection, &t->store));
    CHECK(store_begin(&t->store));
}

/* ---- the town ---- */

void town_authorize(struct town *t)
{
    static const char basic[] = "Basic a2V5OnNlY3JldA=="; /* key:secret */
    char token[64];
    (void)snprintf(t->token, sizeof(t->token), "%s", basic);
    struct wire_reply reply =
        town_ask(t, "GET", "/oauth/v1/generate", "grant_type=client_credentials", NULL);
    if (!member_text(t, town_json(t, reply), "access_token", token, sizeof(token))) {
        contradiction("no access token");
    }
    (void)snprintf(t->token, sizeof(t->token), "Bearer %s", token);
}

void town_open(struct town *t, town_receive_fn receive, void *context)
{
    static const uint8_t key[32] = {7};
    memset(t, 0, sizeof(*t));
    t->receive = receive;
    t->context = context;
    t->secrets = secrets_from_key(key);
    t->wire = wire_create();
    t->json = json_scratch_create();
    t->frames = malloc(FRAMES_BYTES);
    CHECK(t->secrets != NULL && t->json != NULL && t->frames != NULL);
    open_view(t);
    (void)snprintf(t->credential, sizeof(t->credential), "%s/credential.pem", t->folder);
}

/* Engine and face over the book as it stands. */
static void start(struct town *t)
{
    book_clock_init_virtual(&t->clock, CLOCK_VIRTUAL_START_NS, monotonic, t);
    book_clock_at_least(&t->clock, t->book->time_ns);
    struct engine_options engine = {
        .book = t->book,
        .clock = &t->clock,
        .writer = {t, start_batch, room},
        .limits = engine_limits_default(),
        .head = t->head,
        .random_seed = 1,
    };
    t->engine = engine_create(&engine);
    struct surface_options surface = {
        .engine = t->engine,
        .secrets = t->secrets,
        .profile = t->dev ? PROFILE_DEV : PROFILE_SANDBOX,
        .version = "0",
        .credential_path = t->credential,
        .in_flight = none_in_flight,
    };
    t->surface = surface_create(&surface);
    CHECK(t->engine != NULL && t->surface != NULL);
    surface_attach(t->surface, t->wire);
}

static void create_book(struct town *t)
{
    struct book_options options = {.domain = &operator_domain, .settings = &t->settings};
    t->book = book_create(&options);
    CHECK(t->book != NULL);
}

void town_restart(struct town *t)
{
    town_settle(t);
    struct digest_value before = book_digest(t->book);
    struct reader r = reader_init(t->frames, t->frames_size);
    surface_destroy(t->surface);
    engine_destroy(t->engine);
    book_destroy(t->book);
    create_book(t);
    while (r.at < r.size) {
        if (book_replay_frame(t->book, &r) != BOOK_REPLAYED) {
            contradiction("the frame after position %llu does not replay", (ull)t->book->position);
        }
    }
    struct digest_value after = book_digest(t->book);
    if (after.high != before.high || after.low != before.low) {
        contradiction("the book is another one after a restart");
    }
    start(t);
}

void town_begin(struct town *t, bool dev)
{
    t->dev = dev;
    t->settings = operator_settings_default(dev);
    memset(&t->head, 0, sizeof(t->head));
    t->frames_size = 0;
    create_book(t);
    start(t);
    CHECK(surface_seed(t->surface).status == ENGINE_APPLIED);
    town_settle(t);
    town_authorize(t);
}

void town_end(struct town *t)
{
    book_check(t->book);
    if (t->projection.skipped != 0) {
        contradiction("the view has no rows for %llu events", (ull)t->projection.skipped);
    }
    surface_destroy(t->surface);
    engine_destroy(t->engine);
    book_destroy(t->book);
    /* The next history begins with a generation of its own, which empties the tables. */
    CHECK(projection_save(&t->projection) && store_commit(&t->store) && store_begin(&t->store));
}

void town_close(struct town *t)
{
    store_rollback(&t->store);
    store_close(&t->store);
    CHECK(store_discard(t->view_file));
    (void)unlink(t->credential);
    CHECK(rmdir(t->folder) == 0);
    wire_destroy(t->wire);
    json_scratch_destroy(t->json);
    secrets_close(t->secrets);
    free(t->frames);
}
