/*
 * agenda.c - see agenda.h.
 */
#include "sim/agenda.h"

#include <stdlib.h>

#include "base/check.h"

static bool before(const struct moment *a, const struct moment *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void agenda_clear(struct agenda *a)
{
    a->count = 0;
    a->planned = 0;
}

void agenda_free(struct agenda *a)
{
    free(a->moments);
    *a = (struct agenda){0};
}

void agenda_add(struct agenda *a, struct moment moment)
{
    if (a->count == a->capacity) {
        a->capacity = a->capacity == 0 ? 256 : a->capacity * 2;
        a->moments = realloc(a->moments, a->capacity * sizeof(a->moments[0]));
        CHECK(a->moments != NULL);
    }
    moment.order = ++a->planned;
    size_t at = a->count++;
    while (at > 0 && before(&moment, &a->moments[(at - 1) / 2])) {
        a->moments[at] = a->moments[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    a->moments[at] = moment;
}

bool agenda_next(struct agenda *a, struct moment *out)
{
    if (a->count == 0) {
        return false;
    }
    *out = a->moments[0];
    struct moment last = a->moments[--a->count];
    size_t at = 0;
    for (size_t child = 1; child < a->count; child = at * 2 + 1) {
        if (child + 1 < a->count && before(&a->moments[child + 1], &a->moments[child])) {
            child++;
        }
        if (!before(&a->moments[child], &last)) {
            break;
        }
        a->moments[at] = a->moments[child];
        at = child;
    }
    if (a->count > 0) {
        a->moments[at] = last;
    }
    return true;
}
