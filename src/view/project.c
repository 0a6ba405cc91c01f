/*
 * project.c - frames into rows: what every book has, its own events, the ledger's and the
 * outbox's. The operator's are in project_operator.c. To show a new kind of event, give it a case
 * there (or here), its tables and columns in operator.sql, and its statements in statements.h.
 *
 * Invariants
 *  P1  rows depend on frames alone (V1): nothing here asks a clock or keeps anything between two
 *      frames but the counters in meta.
 *  P2  a kind that is not known makes no row and is counted (V6).
 * Tests: tests/unit/test_view.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/delivery_error.h"
#include "view/internal.h"

/* ---- where it stands ---- */

static void hex_of(const uint8_t *bytes, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * size] = '\0';
}

static bool hex_into(struct span text, uint8_t *out, size_t size)
{
    if (text.size != 2 * size) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        uint8_t digit = c >= '0' && c <= '9'   ? (uint8_t)(c - '0')
                        : c >= 'a' && c <= 'f' ? (uint8_t)(c - 'a' + 10)
                                               : 16;
        if (digit == 16) {
            return false;
        }
        out[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
    }
    return true;
}

static void load_value(struct projection *p, struct span name, sqlite3_stmt *row)
{
    uint64_t n = (uint64_t)sqlite3_column_int64(row, 1);
    if (span_is(name, "position")) {
        p->position = n;
    } else if (span_is(name, "generation")) {
        p->generation = n;
    } else if (span_is(name, "events_skipped")) {
        p->skipped = n;
    } else if (span_is(name, "time_ns")) {
        p->time_ns = (int64_t)n;
    } else if (span_is(name, "journal")) {
        (void)hex_into(store_text(row, 1), p->journal, sizeof(p->journal));
    } else if (span_is(name, "batch_hash")) {
        (void)hex_into(store_text(row, 1), p->hash, sizeof(p->hash));
    }
}

bool projection_load(struct projection *p, struct store *s)
{
    sqlite3_stmt *row = NULL;
    memset(p, 0, sizeof(*p));
    p->store = s;
    if (sqlite3_prepare_v2(s->db, "SELECT name, value FROM meta", -1, &row, NULL) != SQLITE_OK) {
        return false;
    }
    while (sqlite3_step(row) == SQLITE_ROW) {
        load_value(p, store_text(row, 0), row);
    }
    return sqlite3_finalize(row) == SQLITE_OK;
}

bool projection_save(struct projection *p)
{
    char journal[2 * sizeof(p->journal) + 1];
    char hash[2 * sizeof(p->hash) + 1];
    char time[RFC3339_SIZE];
    hex_of(p->journal, sizeof(p->journal), journal);
    hex_of(p->hash, sizeof(p->hash), hash);
    return RUN(p->store, META_PUT, text("position"), number(p->position)) &&
           RUN(p->store, META_PUT, text("generation"), number(p->generation)) &&
           RUN(p->store, META_PUT, text("events_skipped"), number(p->skipped)) &&
           RUN(p->store, META_PUT, text("time_ns"), integer(p->time_ns)) &&
           RUN(p->store, META_PUT, text("time"), projection_time(p->time_ns, time)) &&
           RUN(p->store, META_PUT, text("journal"), text(journal)) &&
           RUN(p->store, META_PUT, text("batch_hash"), text(hash));
}

struct value projection_time(int64_t ns, char out[RFC3339_SIZE])
{
    if (ns == 0 || !caltime_in_range(ns)) {
        return nothing();
    }
    (void)rfc3339_format(ns, out);
    return text(out);
}

/* ---- the book ---- */

/* A reset: everything before is gone. */
static bool open_generation(struct projection *p, struct reader *body)
{
    p->generation = get_u64(body);
    p->skipped = 0;
    projection_empty(p);
    return reader_done(body);
}

/* ---- the ledger ---- */

/* Adds to what is posted and what is pending on both sides. */
static void move(struct projection *p, uint32_t debit, uint32_t credit, int64_t posts_minor,
                 int64_t holds_minor)
{
    (void)RUN(p->store, ACCOUNT_DEBIT, integer(debit), integer(posts_minor), integer(holds_minor));
    (void)RUN(p->store, ACCOUNT_CREDIT, integer(credit), integer(posts_minor),
              integer(holds_minor));
}

static void post(struct projection *p, const struct transfer *t)
{
    move(p, t->debit_account, t->credit_account, t->amount_minor, 0);
    p->store->of->entry(p, t, true);
    p->store->of->entry(p, t, false);
}

static void place_hold(struct projection *p, const struct transfer *t)
{
    char expires[RFC3339_SIZE];
    move(p, t->debit_account, t->credit_account, 0, t->amount_minor);
    (void)RUN(p->store, HOLD_ADD, number(t->id), integer(t->debit_account),
              integer(t->credit_account), integer(t->amount_minor), text(p->at),
              projection_time(t->expires_ns, expires));
}

/* Its whole amount leaves what is pending; a posted one moves what it says. */
static void end_hold(struct projection *p, const struct transfer *t, const char *state)
{
    sqlite3_stmt *row = store_look(p->store, STATEMENT_HOLD_LOOK, (int64_t)t->hold_id);
    if (row == NULL) {
        return;
    }
    uint32_t debit = (uint32_t)sqlite3_column_int64(row, 0);
    uint32_t credit = (uint32_t)sqlite3_column_int64(row, 1);
    int64_t held_minor = sqlite3_column_int64(row, 2);
    store_done(row);
    move(p, debit, credit, 0, -held_minor);
    bool posts = t->kind == TRANSFER_POST_HOLD;
    (void)RUN(p->store, HOLD_END, number(t->hold_id), text(state),
              posts ? integer(t->amount_minor) : nothing(), text(p->at));
    if (posts) {
        post(p, t);
    }
}

static bool project_ledger(struct projection *p, uint16_t kind, struct reader *body)
{
    struct ledger_event e;
    if (!ledger_event_decode(kind, body, &e)) {
        return false;
    }
    switch (kind) {
    case EVENT_ACCOUNT_OPENED: p->store->of->account(p, &e); break;
    case EVENT_ACCOUNT_FLAGS_SET:
        (void)RUN(p->store, ACCOUNT_FLAGS, integer(e.account), integer(e.opened.flags));
        break;
    case EVENT_TRANSFER_POSTED: post(p, &e.transfer); break;
    case EVENT_HOLD_PLACED: place_hold(p, &e.transfer); break;
    case EVENT_HOLD_POSTED: end_hold(p, &e.transfer, "posted"); break;
    case EVENT_HOLD_VOIDED: end_hold(p, &e.transfer, "voided"); break;
    case EVENT_HOLD_EXPIRED: end_hold(p, &e.transfer, "expired"); break;
    default: break; /* EVENT_TRANSFER_REFUSED moves nothing */
    }
    return true;
}

/* ---- the outbox ---- */

static void attempted(struct projection *p, const struct outbox_event *e)
{
    static const char *const states[] = {"?", "waiting", "delivered", "dead"};
    char next[RFC3339_SIZE];
    bool waits = e->state == OUTBOX_WAITING;
    bool answered = e->status != 0;
    const struct book_view *of = p->store->of;
    (void)RUN_ONE(p->store, of->tried, number(e->number), text(states[e->state]),
                  projection_time(e->next_try_ns, next), waits ? nothing() : text(p->at));
    (void)RUN_ONE(p->store, of->attempt_add, number(e->number), text(p->at),
                  integer(p->frame.time_ns), answered ? integer(e->status) : nothing(),
                  answered ? text("") : nothing(), integer(e->duration_ms),
                  e->error != 0 ? text(delivery_error_text(e->error)) : nothing(),
                  number(p->frame.position));
}

static bool project_outbox(struct projection *p, uint16_t kind, struct reader *body)
{
    struct outbox_event e;
    char next[RFC3339_SIZE];
    if (!outbox_event_decode(kind, body, &e)) {
        return false;
    }
    switch (kind) {
    case EVENT_DELIVERY_QUEUED: p->store->of->queued(p, &e); break;
    case EVENT_DELIVERY_EDITED:
        if (p->store->of->edited != NULL) {
            p->store->of->edited(p, &e);
        } else {
            p->skipped++;
        }
        break;
    case EVENT_DELIVERY_ATTEMPTED: attempted(p, &e); break;
    case EVENT_DELIVERY_REVIVED:
        (void)RUN_ONE(p->store, p->store->of->revived, number(e.number),
                      projection_time(e.next_try_ns, next));
        break;
    default: /* EVENT_ANSWER_KEPT */
        (void)RUN_ONE(p->store, p->store->of->answered, number(e.number), text_of(e.answer));
        break;
    }
    return true;
}

/* ---- frames ---- */

static bool project_event(struct projection *p, uint16_t kind, struct reader *body)
{
    bool known = true;
    bool good = true;
    if (kind >= EVENT_ACCOUNT_OPENED && kind <= EVENT_HOLD_EXPIRED) {
        good = project_ledger(p, kind, body);
    } else if (kind >= EVENT_DELIVERY_QUEUED && kind <= OUTBOX_EVENT_KNOWN_LAST) {
        good = project_outbox(p, kind, body);
    } else if (kind == EVENT_GENERATION_OPENED) {
        good = open_generation(p, body);
    } else if (kind >= EVENT_WORLD_SAVED && kind <= EVENT_WORLD_RESTORED) {
        good = projection_world(p, kind, body);
    } else if (kind >= EVENT_WORLD_IMPORT_BEGUN && kind <= EVENT_WORLD_IMPORTED) {
        good = projection_import(p, kind, body);
    } else if ((kind >= EVENT_CLOCK_SET && kind <= EVENT_KEY_KEPT) ||
               (kind >= EVENT_CLOSED_LEFT && kind <= EVENT_RECALLED)) {
        return true; /* housekeeping of the book; what left its memory stays here */
    } else {
        good = p->store->of->event(p, kind, body, &known);
    }
    p->skipped += known ? 0 : 1; /* P2 */
    return good;
}

static bool project_events(struct projection *p, struct frame_reader *frame)
{
    uint16_t kind;
    struct reader body;
    bool good = true;
    while (good && frame_event(frame, &kind, &body)) {
        good = project_event(p, kind, &body);
    }
    return good && !frame->events.bad;
}

bool projection_frame(struct projection *p, struct frame_reader *frame)
{
    bool good = caltime_in_range(frame->info.time_ns);
    p->frame = frame->info;
    if (good) {
        (void)rfc3339_format(frame->info.time_ns, p->at);
        good = project_events(p, frame);
    }
    if (good && p->imported[0] != '\0') {
        good = projection_imported(p, project_events);
    }
    if (!good) {
        (void)snprintf(p->error, sizeof(p->error),
                       "the frame at position %llu cannot be read; run 'hakika verify'",
                       (unsigned long long)frame->info.position);
        return false;
    }
    p->position = frame->info.position;
    p->time_ns = frame->info.time_ns;
    return p->store->code == SQLITE_OK;
}
