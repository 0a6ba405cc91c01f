/*
 * message.h - finds the end of an HTTP/1.1 message in a buffer: as little parsing as measuring
 * needs. Both ends of a measurement are ours; this is not for the open Internet.
 *
 * Guarantees: reads only the given bytes. Understands Content-Length bodies only.
 */
#ifndef HAKIKA_APP_BENCH_MESSAGE_H
#define HAKIKA_APP_BENCH_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum message_state {
    MESSAGE_PARTIAL, /* more bytes are needed */
    MESSAGE_WHOLE,
    MESSAGE_BAD, /* not HTTP/1.x, chunked, or a length that is none */
};

struct message {
    struct span head; /* with the start line, without the empty line */
    struct span body;
    size_t size; /* of head, empty line and body; known from the end of the head on */
    int status;  /* of an answer; 0 for a request */
    bool closes; /* Connection: close */
};

enum message_state message_find(struct span bytes, struct message *out);

#endif
