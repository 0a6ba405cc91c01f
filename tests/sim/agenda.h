/*
 * agenda.h - what is going to happen in the simulated world: moments in order of time, and among
 * equal times in the order in which they were planned. Nothing else decides an order.
 */
#ifndef HAKIKA_SIM_AGENDA_H
#define HAKIKA_SIM_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct moment {
    int64_t at_ns;
    uint64_t order; /* sequence number: breaks ties */
    uint32_t kind;
    uint32_t life; /* of the process it belongs to; 0: it outlives processes */
    uint64_t a;
    uint64_t b;
};

struct agenda {
    struct moment *moments; /* a binary heap */
    size_t count;
    size_t capacity;
    uint64_t planned;
};

void agenda_clear(struct agenda *a);
void agenda_free(struct agenda *a);
void agenda_add(struct agenda *a, struct moment moment);
/* False when nothing is planned. */
bool agenda_next(struct agenda *a, struct moment *out);

#endif
