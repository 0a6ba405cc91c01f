/*
 * fuzz_frames.c - any bytes as frames of a journal, and as the body of every kind of event.
 *
 * Must hold: walking frames never leaves the bytes; what a decoder accepts, its encoder writes back
 * byte for byte (so no event has two forms, and nothing that was accepted makes the encoder stop).
 * Nothing is allocated, so that this target tries many millions of inputs.
 *
 * First byte 0: the rest is a run of frames. Otherwise it is the kind of one event, and the rest
 * its body.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "book/book.h"
#include "operator/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENT_BYTES_MAX = 1 << 20 };

static uint8_t written[EVENT_BYTES_MAX];

static void same_bytes(const struct writer *w, struct reader body)
{
    CHECK(!w->overflow);
    CHECK(w->size == body.size);
    CHECK(memcmp(w->data, body.data, body.size) == 0);
}

static void try_event(uint16_t kind, struct reader body)
{
    struct reader r = body;
    struct writer w = writer_init(written, sizeof(written));
    if (kind >= LEDGER_EVENT_FIRST && kind <= LEDGER_EVENT_LAST) {
        struct ledger_event e;
        if (ledger_event_decode(kind, &r, &e)) {
            ledger_event_encode(&w, &e);
            same_bytes(&w, body);
        }
    } else if (kind >= OUTBOX_EVENT_FIRST && kind <= OUTBOX_EVENT_LAST) {
        struct outbox_event e;
        if (outbox_event_decode(kind, &r, &e)) {
            outbox_event_encode(&w, &e);
            same_bytes(&w, body);
        }
    } else if (kind >= OPERATOR_EVENT_FIRST) {
        struct operator_event e;
        if (operator_event_decode(kind, &r, &e)) {
            CHECK(operator_event_name(kind) != NULL);
            operator_event_encode(&w, &e);
            same_bytes(&w, body);
        }
    }
}

static void walk_frames(struct reader r)
{
    struct frame_reader f;
    size_t at = 0;
    while (frame_next(&r, &f)) {
        uint16_t kind;
        struct reader body;
        CHECK(r.at > at && r.at <= r.size);
        at = r.at;
        while (frame_event(&f, &kind, &body)) {
            CHECK(body.data >= r.data && body.data + body.size <= r.data + r.at);
            try_event(kind, body);
        }
        CHECK(f.events.bad || f.events.at == f.events.size);
    }
    CHECK(r.bad || r.at == r.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct reader rest = reader_init(data + 1, size - 1);
    if (data[0] == 0) {
        walk_frames(rest);
    } else {
        try_event(data[0], rest);
    }
    return 0;
}
