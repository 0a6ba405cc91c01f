/*
 * clock.c - see clock.h.
 */
#include "engine/clock.h"

#include <string.h>
#include <time.h>

static int64_t clock_read(clockid_t which)
{
    struct timespec t;
    CHECK(clock_gettime(which, &t) == 0);
    return (int64_t)t.tv_sec * 1000 * 1000 * 1000 + t.tv_nsec;
}

static int64_t clock_machine_monotonic(void *context)
{
    (void)context;
    return clock_read(CLOCK_MONOTONIC);
}

void book_clock_init_real(struct book_clock *c)
{
    memset(c, 0, sizeof(*c));
    c->monotonic_ns = clock_machine_monotonic;
    c->base_monotonic_ns = clock_read(CLOCK_MONOTONIC);
    c->base_ns = clock_read(CLOCK_REALTIME);
}

void book_clock_shift(struct book_clock *c, int64_t by_ns)
{
    CHECK(!c->is_virtual);
    if (__builtin_add_overflow(c->base_ns, by_ns, &c->base_ns)) {
        c->base_ns = by_ns > 0 ? CLOCK_END_NS : 0;
    }
}

void book_clock_init_virtual(struct book_clock *c, int64_t start_ns,
                             int64_t (*monotonic_ns)(void *), void *context)
{
    memset(c, 0, sizeof(*c));
    c->monotonic_ns = monotonic_ns != NULL ? monotonic_ns : clock_machine_monotonic;
    c->context = context;
    c->is_virtual = true;
    c->virtual_ns = start_ns;
}

int64_t book_clock_monotonic(const struct book_clock *c)
{
    return c->monotonic_ns(c->context);
}

int64_t book_clock_now(const struct book_clock *c)
{
    if (c->is_virtual) {
        return c->virtual_ns;
    }
    int64_t passed_ns = book_clock_monotonic(c) - c->base_monotonic_ns;
    return c->base_ns + (passed_ns > 0 ? passed_ns : 0);
}

void book_clock_at_least(struct book_clock *c, int64_t ns)
{
    if (book_clock_now(c) >= ns) {
        return;
    }
    if (c->is_virtual) {
        c->virtual_ns = ns;
    } else {
        c->base_ns = ns;
        c->base_monotonic_ns = book_clock_monotonic(c);
    }
}

void book_clock_move(struct book_clock *c, int64_t ns)
{
    CHECK(c->is_virtual);
    CHECK(ns >= c->virtual_ns);
    c->virtual_ns = ns;
}

void book_clock_put(struct book_clock *c, int64_t ns)
{
    CHECK(c->is_virtual);
    CHECK(ns >= 0);
    c->virtual_ns = ns;
}

void book_clock_set_virtual(struct book_clock *c, bool is_virtual)
{
    int64_t now_ns = book_clock_now(c);
    c->is_virtual = is_virtual;
    c->virtual_ns = now_ns;
    c->base_ns = now_ns;
    c->base_monotonic_ns = book_clock_monotonic(c);
}

int64_t book_clock_offset(const struct book_clock *c)
{
    return book_clock_now(c) - clock_read(CLOCK_REALTIME);
}
