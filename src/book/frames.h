/*
 * frames.h - reading frames without applying them: for verify, views and the event stream. Part of
 * book/book.h. The bytes: docs/journal-format.md.
 */
#ifndef HAKIKA_BOOK_FRAMES_H
#define HAKIKA_BOOK_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codec.h"

/* A frame as it is applied. */
struct frame_info {
    uint64_t position;
    int64_t time_ns;
    uint16_t cause; /* command kind */
};

/* Walks frames and their events without applying them: for verify, view and the event stream. */
struct frame_reader {
    struct frame_info info;
    struct reader events; /* of the current frame */
};
/* False at the end or when malformed (then r->bad). */
bool frame_next(struct reader *r, struct frame_reader *out);
/* The next event of the frame; false at the end or when malformed (then f->events.bad). */
bool frame_event(struct frame_reader *f, uint16_t *kind, struct reader *body);

#endif
