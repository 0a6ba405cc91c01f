/*
 * world_file.c - see world_file.h. Both directions are one walk over frames and events that writes
 * each event anew: as it stands, but for what holds a secret or a position.
 */
#include "face/world_file.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "face/internal.h"
#include "face/paystack.h"
#include "operator/events.h"

enum {
    SHA_BYTES = 32,
    NAME_BYTES = 64,
    ID_OF_FRAME = 2,
    ID_LEG_BITS = 6,
};

static const char MAGIC[8] = {'H', 'A', 'K', 'I', 'K', 'A', 'W', 'D'};
static const char MARK[] = "-"; /* stands for a secret that was taken out */

/* A rewriting under way. */
struct rewrite {
    struct secrets *secrets;
    bool leaves; /* out of this server; false: into it */
    struct writer out;
    uint64_t position; /* of the frame under way: what it was */
    uint64_t to;       /* and what it becomes */
    uint32_t count;    /* frames written */
    uint64_t *msisdns; /* by slot */
    uint32_t *short_codes;
    uint32_t *payers;         /* slot of the subscriber, by number of the payment */
    uint8_t (*verifiers)[16]; /* by slot, of a file that is made */
    char *error;
};

static bool wrong(char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(char *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, WORLD_FILE_ERROR_SIZE, format, arguments);
    va_end(arguments);
    return false;
}

static void sha256_of(const void *data, size_t size, uint8_t out[SHA_BYTES])
{
    unsigned length = 0;
    CHECK(EVP_Digest(data, size, out, &length, EVP_sha256(), NULL) == 1);
    CHECK(length == SHA_BYTES);
}

/* ---- the envelope ---- */

static bool read_header(struct reader *r, struct world_file *out, char *error)
{
    char name[NAME_BYTES];
    char book[16];
    uint8_t rest[16];
    char magic[8];
    get_raw(r, magic, sizeof(magic));
    if (r->bad || memcmp(magic, MAGIC, sizeof(MAGIC)) != 0) {
        return wrong(error, "this is no world file of Hakika (it does not begin with HAKIKAWD)");
    }
    uint32_t version = get_u32(r);
    if (version != WORLD_FILE_VERSION) {
        return wrong(error,
                     "the file has format %u and this program reads format %d: open it with "
                     "the version that made it",
                     version, WORLD_FILE_VERSION);
    }
    uint32_t header = get_u32(r);
    out->time_ns = get_i64(r);
    out->count = get_u32(r);
    uint32_t size = get_u32(r);
    out->name.data = (const char *)r->data + r->at;
    get_raw(r, name, sizeof(name));
    get_raw(r, book, sizeof(book));
    get_raw(r, rest, sizeof(rest));
    static const char operator_book[16] = "operator";
    static const uint8_t zeros[16];
    out->name.size = strnlen(name, sizeof(name));
    if (r->bad || header != WORLD_FILE_HEADER_BYTES || memcmp(rest, zeros, sizeof(rest)) != 0 ||
        out->time_ns < 0 || size != r->size - WORLD_FILE_EXTRA) {
        return wrong(error, "the header of the file is damaged, or the file was cut off");
    }
    if (memcmp(book, operator_book, sizeof(book)) != 0) {
        return wrong(error, "the file is of another book than the operator's");
    }
    out->frames = (struct span){(const char *)r->data + r->at, size};
    return true;
}

/* Whole frames, as many as the header says, whose positions count up and whose times do not go
 * back. */
static bool frames_whole(const struct world_file *file, char *error)
{
    struct reader r = reader_init(file->frames.data, file->frames.size);
    struct frame_reader f;
    uint64_t position = 0;
    int64_t time_ns = 0;
    uint32_t count = 0;
    while (frame_next(&r, &f)) {
        if (f.info.position <= position || f.info.position > UINT64_MAX >> 10 ||
            f.info.time_ns < time_ns || f.info.cause == 0 ||
            f.events.size > BOOK_IMPORT_FRAME_MAX - BOOK_FRAME_HEADER_BYTES) {
            return wrong(error, "decision %u of the file does not follow the one before it", count);
        }
        position = f.info.position;
        time_ns = f.info.time_ns;
        count++;
    }
    if (r.bad || count == 0 || count != file->count || time_ns > file->time_ns) {
        return wrong(error, "the file says that it holds %u decisions; %u could be read",
                     file->count, count);
    }
    return true;
}

bool world_file_read(struct span file, struct world_file *out, char error[WORLD_FILE_ERROR_SIZE])
{
    uint8_t sha[SHA_BYTES];
    struct reader r = reader_init(file.data, file.size);
    memset(out, 0, sizeof(*out));
    if (file.size > WORLD_FILE_BYTES_MAX) {
        return wrong(error, "a world file has at most %d bytes", WORLD_FILE_BYTES_MAX);
    }
    if (file.size < WORLD_FILE_EXTRA) {
        return wrong(error, "this is no world file of Hakika, or it was cut off: it has %zu bytes",
                     file.size);
    }
    if (!read_header(&r, out, error)) {
        return false;
    }
    sha256_of(file.data, file.size - SHA_BYTES, sha);
    if (memcmp(sha, file.data + file.size - SHA_BYTES, SHA_BYTES) != 0) {
        return wrong(error, "the digest at the end of the file is not that of its bytes: it was "
                            "damaged on its way");
    }
    return frames_whole(out, error);
}

/* ---- secrets ---- */

static bool slot_known(struct rewrite *w, uint64_t slot)
{
    return slot < WORLD_FILE_SLOTS_MAX ||
           wrong(w->error, "a world file holds at most %d phones, organisations and payments each",
                 WORLD_FILE_SLOTS_MAX);
}

/* What a PIN is known by: nothing leaves; what comes in is 1234. */
static void rewrite_pin(struct rewrite *w, struct operator_event *e)
{
    uint8_t *kept = w->verifiers[e->slot];
    memcpy(kept, e->verifier, sizeof(e->verifier));
    memset(e->verifier, 0, sizeof(e->verifier));
    if (!w->leaves) {
        secrets_pin_verifier(w->secrets, w->msisdns[e->slot], SPAN_LITERAL("1234"), e->verifier);
        e->key_version = SECRETS_KEY_VERSION;
    }
}

/* An answer that came before its prompt: zeros where the PIN was right, else ones. */
static void rewrite_answer(struct rewrite *w, struct operator_event *e)
{
    static const uint8_t zeros[sizeof(e->verifier)];
    uint32_t slot = w->payers[e->number];
    if (e->answer != ANSWER_APPROVE) {
        return;
    }
    if (w->leaves) {
        bool right = memcmp(e->verifier, w->verifiers[slot], sizeof(e->verifier)) == 0;
        memset(e->verifier, right ? 0 : 0xff, sizeof(e->verifier));
    } else if (memcmp(e->verifier, zeros, sizeof(zeros)) == 0) {
        secrets_pin_verifier(w->secrets, w->msisdns[slot], SPAN_LITERAL("1234"), e->verifier);
    }
}

/* Room for what an event is given in place of its secrets, while it is written. */
struct sealed_room {
    uint8_t bytes[ORGANISATION_SECRETS][OPERATOR_SECRET_MAX];
};

static void rewrite_secret(struct rewrite *w, struct span *secret, struct span plain,
                           uint8_t room[OPERATOR_SECRET_MAX])
{
    if (secret->size == 0) {
        return;
    }
    *secret = span_from(MARK);
    if (!w->leaves) {
        secret->size = secrets_seal(w->secrets, plain, room, OPERATOR_SECRET_MAX);
        secret->data = (const char *)room;
    }
}

static void rewrite_organisation(struct rewrite *w, struct operator_event *e,
                                 struct sealed_room *room)
{
    for (uint32_t i = 0; i < ORGANISATION_SECRETS; i++) {
        rewrite_secret(w, &e->secrets[i], control_sandbox_secret(i), room->bytes[i]);
    }
}

static void rewrite_paystack(struct rewrite *w, struct operator_event *e, struct sealed_room *room)
{
    char key[PAYSTACK_LOCAL_KEY_SIZE];
    memset(e->fingerprint, 0, sizeof(e->fingerprint));
    paystack_local_key(w->short_codes[e->slot], key);
    rewrite_secret(w, &e->secrets[0], span_from(key), room->bytes[0]);
    e->active = false; /* a key of the live kind is none here */
    if (!w->leaves) {
        paystack_key_digest(w->secrets, span_from(key), e->fingerprint);
    }
}

static bool rewrite_domain(struct rewrite *w, uint16_t kind, struct reader body)
{
    struct operator_event e;
    struct sealed_room room;
    memset(&e, 0, sizeof(e));
    if (!operator_event_decode(kind, &body, &e)) {
        return wrong(w->error,
                     "an event of kind %u cannot be read: the file is of a newer program, "
                     "or was made by hand",
                     kind);
    }
    bool slot = kind == EVENT_PERSON_KEPT || kind == EVENT_SUBSCRIBER_OPENED ||
                kind == EVENT_PIN_SET || kind == EVENT_ORGANISATION_OPENED ||
                kind == EVENT_PAYSTACK_KEPT || kind == EVENT_STK_ACCEPTED;
    bool number = kind == EVENT_STK_ACCEPTED || kind == EVENT_STK_ANSWERED;
    if ((slot && !slot_known(w, e.slot)) || (number && !slot_known(w, e.number))) {
        return false;
    }
    switch (kind) {
    case EVENT_PERSON_KEPT: w->msisdns[e.slot] = e.msisdn; break;
    case EVENT_SUBSCRIBER_OPENED:
    case EVENT_PIN_SET: rewrite_pin(w, &e); break;
    case EVENT_STK_ACCEPTED: w->payers[e.number] = e.slot; break;
    case EVENT_STK_ANSWERED: rewrite_answer(w, &e); break;
    case EVENT_ORGANISATION_OPENED: w->short_codes[e.slot] = e.short_code; break;
    case EVENT_ORGANISATION_KEPT: rewrite_organisation(w, &e, &room); break;
    case EVENT_PAYSTACK_KEPT: rewrite_paystack(w, &e, &room); break;
    default: break;
    }
    operator_event_encode(&w->out, &e);
    return true;
}

/* ---- positions ---- */

static bool rewrite_ledger(struct rewrite *w, uint16_t kind, struct reader body)
{
    struct ledger_event e;
    if (!ledger_event_decode(kind, &body, &e)) {
        return wrong(w->error, "an event of the ledger (kind %u) cannot be read", kind);
    }
    uint64_t own = (uint64_t)ID_OF_FRAME << 60 | w->position << ID_LEG_BITS;
    uint64_t leg = e.transfer.id & ((1u << ID_LEG_BITS) - 1);
    bool of_frame = kind != EVENT_ACCOUNT_OPENED && kind != EVENT_ACCOUNT_FLAGS_SET &&
                    kind != EVENT_HOLD_EXPIRED && e.transfer.id >> 60 == ID_OF_FRAME;
    if (of_frame && e.transfer.id != (own | leg)) {
        return wrong(w->error, "a transfer of the file carries another position than its decision");
    }
    if (of_frame) {
        e.transfer.id = (uint64_t)ID_OF_FRAME << 60 | w->to << ID_LEG_BITS | leg;
    }
    ledger_event_encode(&w->out, &e);
    return true;
}

/* ---- the walk ---- */

static bool rewrite_event(struct rewrite *w, uint16_t kind, struct reader body)
{
    size_t start = w->out.size;
    bool good = true;
    put_u16(&w->out, kind);
    put_u16(&w->out, 0);
    if (kind == EVENT_GENERATION_OPENED) {
        put_u64(&w->out, 1); /* whichever it was: a history begins with its first */
    } else if (kind >= LEDGER_EVENT_FIRST && kind <= LEDGER_EVENT_LAST) {
        good = rewrite_ledger(w, kind, body);
    } else if (kind >= OPERATOR_EVENT_FIRST && kind <= OPERATOR_EVENT_LAST) {
        good = rewrite_domain(w, kind, body);
    } else {
        put_raw(&w->out, body.data, body.size);
    }
    size_t size = w->out.size - start - BOOK_EVENT_HEADER_BYTES;
    if (!good || w->out.overflow || size > UINT16_MAX) {
        return good && wrong(w->error, "the world does not fit a file");
    }
    uint16_t written = (uint16_t)size;
    memcpy(w->out.data + start + 2, &written, sizeof(written));
    return true;
}

static bool rewrite_frame(struct rewrite *w, struct frame_reader *f)
{
    size_t start = w->out.size;
    uint16_t kind;
    struct reader body;
    put_u32(&w->out, 0);
    put_u16(&w->out, f->info.cause);
    put_u16(&w->out, 0);
    put_u64(&w->out, w->to);
    put_i64(&w->out, f->info.time_ns);
    put_u64(&w->out, 0);
    while (frame_event(f, &kind, &body)) {
        if (!rewrite_event(w, kind, body)) {
            return false;
        }
    }
    uint32_t size = (uint32_t)(w->out.size - start);
    if (f->events.bad || w->out.overflow || size > BOOK_IMPORT_FRAME_MAX) {
        return wrong(w->error, "a decision of the world is malformed or longer than %d bytes",
                     BOOK_IMPORT_FRAME_MAX);
    }
    memcpy(w->out.data + start, &size, sizeof(size));
    return true;
}

static bool rewrite_all(struct rewrite *w, struct span frames, uint64_t first_position)
{
    struct reader r = reader_init(frames.data, frames.size);
    struct frame_reader f;
    for (uint64_t to = first_position; frame_next(&r, &f); to++) {
        w->position = f.info.position;
        w->to = first_position == 0 ? f.info.position : to;
        if (!rewrite_frame(w, &f)) {
            return false;
        }
        w->count++;
    }
    return !r.bad || wrong(w->error, "a decision of the world is malformed");
}

/* Writes the frames anew behind what is in `out` already. first_position 0: they keep theirs. */
static bool rewrite(struct rewrite *w, struct span frames, uint64_t first_position)
{
    w->msisdns = calloc(WORLD_FILE_SLOTS_MAX, sizeof(*w->msisdns));
    w->short_codes = calloc(WORLD_FILE_SLOTS_MAX, sizeof(*w->short_codes));
    w->payers = calloc(WORLD_FILE_SLOTS_MAX, sizeof(*w->payers));
    w->verifiers = calloc(WORLD_FILE_SLOTS_MAX, sizeof(*w->verifiers));
    bool memory = w->msisdns != NULL && w->short_codes != NULL && w->payers != NULL &&
                  w->verifiers != NULL && w->out.data != NULL;
    bool good = memory ? rewrite_all(w, frames, first_position) : wrong(w->error, "out of memory");
    free(w->msisdns);
    free(w->short_codes);
    free(w->payers);
    free(w->verifiers);
    return good;
}

static struct rewrite begin(struct secrets *secrets, bool leaves, size_t room, char *error)
{
    void *bytes = malloc(room);
    struct rewrite w = {.secrets = secrets, .leaves = leaves, .error = error};
    w.out = writer_init(bytes, bytes == NULL ? 0 : room);
    return w;
}

uint8_t *world_file_localise(const struct world_file *world, struct secrets *secrets,
                             uint64_t first_position, size_t *size_out,
                             char error[WORLD_FILE_ERROR_SIZE])
{
    struct rewrite w = begin(secrets, false, BOOK_IMPORT_BYTES_MAX, error);
    CHECK(first_position > 0);
    if (!rewrite(&w, world->frames, first_position)) {
        free(w.out.data);
        return NULL;
    }
    *size_out = w.out.size;
    return w.out.data;
}

static void write_header(struct writer *w, const struct world_file *world)
{
    char name[NAME_BYTES] = {0};
    char book[16] = "operator";
    uint8_t rest[16] = {0};
    CHECK(world->name.size <= NAME_BYTES);
    memcpy(name, world->name.data, world->name.size);
    put_raw(w, MAGIC, sizeof(MAGIC));
    put_u32(w, WORLD_FILE_VERSION);
    put_u32(w, WORLD_FILE_HEADER_BYTES);
    put_i64(w, world->time_ns);
    put_u64(w, 0); /* count and size of the frames, known at the end */
    put_raw(w, name, sizeof(name));
    put_raw(w, book, sizeof(book));
    put_raw(w, rest, sizeof(rest));
    CHECK(w->overflow || w->size == WORLD_FILE_HEADER_BYTES);
}

uint8_t *world_file_make(const struct world_file *world, struct secrets *secrets, size_t *size_out,
                         char error[WORLD_FILE_ERROR_SIZE])
{
    enum { COUNT_AT = 24, SIZE_AT = 28 };
    struct rewrite w = begin(secrets, true, WORLD_FILE_BYTES_MAX, error);
    write_header(&w.out, world);
    if (!rewrite(&w, world->frames, 0)) {
        free(w.out.data);
        return NULL;
    }
    uint8_t sha[SHA_BYTES];
    uint32_t frames_size = (uint32_t)(w.out.size - WORLD_FILE_HEADER_BYTES);
    memcpy(w.out.data + COUNT_AT, &w.count, sizeof(w.count));
    memcpy(w.out.data + SIZE_AT, &frames_size, sizeof(frames_size));
    sha256_of(w.out.data, w.out.size, sha);
    put_raw(&w.out, sha, sizeof(sha));
    if (w.out.overflow) {
        free(w.out.data);
        (void)wrong(error, "a world file has at most %d bytes", WORLD_FILE_BYTES_MAX);
        return NULL;
    }
    *size_out = w.out.size;
    return w.out.data;
}
