/*
 * check.c - the audit after a restart: lists what the book holds, newest first, and compares it
 * with everything that was told; asks for each acknowledged payment by its id; gives open payments
 * their answers until all have ended; then looks at callbacks and sums.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults/faults.h"

enum {
    PAGE_LIMIT = 40, /* as many transactions as surely fit into one answer of the load engine */
    PAGE_BYTES = LOAD_ANSWER_MAX,
    RESOLVE_MS_MAX = 30000,
    ROUND_MS = 5000,
};

/* What is in the book under this reference: ours, once, and as it was told. */
static void listed(struct world *w, uint64_t number, struct span entry)
{
    int64_t reference = -1;
    if (!number_after(entry, "\"account_reference\":\"P", &reference) || reference < 0 ||
        reference >= w->payment_count) {
        world_fail(w, "the book holds a payment that nobody asked for: %.*s", (int)entry.size,
                   entry.data);
    }
    struct payment *p = &w->payments[reference];
    if (p->seen || (p->number != 0 && p->number != number)) {
        world_fail(w, "P%lld is in the book twice: txn_%llu and txn_%llu", (long long)reference,
                   (unsigned long long)p->number, (unsigned long long)number);
    }
    if (p->known == KNOWN_REFUSED || p->known == KNOWN_ABSENT) {
        world_fail(w, "P%lld was %s and is there: %.*s", (long long)reference,
                   p->known == KNOWN_REFUSED ? "refused" : "absent after an earlier restart",
                   (int)entry.size, entry.data);
    }
    if (p->known == KNOWN_ASKED) {
        p->known = KNOWN_ACCEPTED;
        w->total_adopted++;
        if (!text_after(entry, "\"checkout_request_id\":\"", p->checkout, CHECKOUT_SIZE)) {
            world_fail(w, "txn_%llu has no id", (unsigned long long)number);
        }
    }
    p->seen = true;
    p->number = number;
    w->asked = w->answers; /* nothing else is under way */
    world_told(w, (uint32_t)reference, entry);
}

/* One page; the number of its last entry, 0 when the list is over. expected: of the first entry, 0
 * for any. */
static uint64_t list_page(struct world *w, struct span page, uint64_t expected)
{
    static const char mark[] = "{\"id\":\"txn_";
    const char *at = memmem(page.data, page.size, mark, sizeof(mark) - 1);
    uint64_t last = 0;
    while (at != NULL) {
        size_t left = (size_t)(page.data + page.size - at);
        const char *next = memmem(at + 1, left - 1, mark, sizeof(mark) - 1);
        struct span entry = {at, next != NULL ? (size_t)(next - at) : left};
        last = strtoull(at + sizeof(mark) - 1, NULL, 10);
        if (expected != 0 && last != expected) {
            world_fail(w, "the list goes from txn_%llu to txn_%llu",
                       (unsigned long long)(expected + 1), (unsigned long long)last);
        }
        listed(w, last, entry);
        expected = last - 1;
        if (last == 1) {
            return 0;
        }
        at = next;
    }
    return last;
}

/* Down to (and without) the payments that were settled by the check before. */
static void list_book(struct world *w, uint64_t floor)
{
    static char answer[PAGE_BYTES];
    char path[96];
    uint64_t last = 0;
    do {
        int size = snprintf(path, sizeof(path), "/sim/v1/transactions?limit=%d", PAGE_LIMIT);
        if (last != 0) {
            (void)snprintf(path + size, sizeof(path) - (size_t)size, "&starting_after=txn_%llu",
                           (unsigned long long)last);
        }
        int status = world_ask(w, "GET", path, "", answer, sizeof(answer));
        if (status != 200) {
            world_fail(w, "the list of transactions was answered with %d: %.200s", status, answer);
        }
        last = list_page(w, span_from(answer), last == 0 ? 0 : last - 1);
    } while (last > floor + 1);
}

/* Acknowledged and not there: lost. Unanswered and not there: fine, and it must stay so. */
static void settle_unseen(struct world *w, uint32_t first)
{
    for (uint32_t i = first; i < w->payment_count; i++) {
        struct payment *p = &w->payments[i];
        if (p->known == KNOWN_ACCEPTED && !p->seen) {
            world_fail(w, "P%u (%s) was acknowledged in cycle %u and is not in the book", i,
                       p->checkout, p->cycle);
        }
        if (p->known == KNOWN_ASKED) {
            p->known = KNOWN_ABSENT;
            w->total_absent++;
            struct phone *phone = &w->phones[p->phone];
            if (phone->open == i) {
                phone->open = PAYMENT_NONE;
                w->idle[w->idle_count++] = p->phone;
            }
        }
    }
}

static uint32_t queue_open(struct world *w, uint32_t first, bool ended_too)
{
    uint32_t count = 0;
    for (uint32_t i = first; i < w->payment_count; i++) {
        struct payment *p = &w->payments[i];
        bool open = p->known == KNOWN_ACCEPTED && !status_final(p->told);
        count += open ? 1 : 0;
        if (p->known == KNOWN_ACCEPTED && (open || ended_too)) {
            world_queue(w, i);
        }
    }
    return count;
}

/* Asks for everything by its id, and answers what is open. */
static void resolve(struct world *w, uint32_t first)
{
    int64_t end = clock_ms() + RESOLVE_MS_MAX;
    w->resolving = true;
    w->stop = false;
    (void)queue_open(w, first, true);
    do {
        world_load(w, ROUND_MS, 0);
        if (clock_ms() > end) {
            world_fail(w, "%u payments do not end, though their phones have answered",
                       queue_open(w, first, false));
        }
    } while (queue_open(w, first, false) > 0);
    w->resolving = false;
}

void world_check(struct world *w, bool full)
{
    uint32_t first = full ? 0 : w->settled;
    for (uint32_t i = 0; i < w->payment_count; i++) {
        w->payments[i].seen = false;
    }
    list_book(w, full ? 0 : w->settled_number);
    settle_unseen(w, first);
    resolve(w, first);
    callbacks_check(w);
    sums_check(w, full);
    w->settled = w->payment_count;
    for (uint32_t i = first; i < w->payment_count; i++) {
        uint64_t number = w->payments[i].number;
        w->settled_number = number > w->settled_number ? number : w->settled_number;
    }
}
